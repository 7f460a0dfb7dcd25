"""Calm pages: sign-in needed, a form not sent yet, and errors; for whoever is signed in, and for whoever is not."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request
from fastapi.responses import HTMLResponse

from api.problems import texts_for
from texts.catalogue import Texts, language_of
from web.models import PageView
from web.rendering import PAGE_HEADERS, render_template
from web.session.guard import OWN_FIELDS


def texts_of(request: Request) -> Texts:
    """Texts in the language chosen by `?lang=`, of the session, or of the browser (X4)."""
    asked = request.query_params.get("lang")
    return Texts(language_of(asked)) if asked else texts_for(request)


def calm_page(
    request: Request,
    title: str,
    lines: Sequence[str],
    *,
    status: int,
    link: tuple[str, str] | None = None,
    tone: str = "refused",
) -> HTMLResponse:
    """A page that says one thing and where to go from here."""
    texts = texts_of(request)
    view = PageView(language=texts.language, path=request.url.path)
    html = render_template(
        view, "status.html.j2", title=title, lines=lines, link=link, tone=tone, subject="", reason="", renew=""
    )
    return HTMLResponse(html, status, headers=dict(PAGE_HEADERS))


def unsent_page(
    request: Request, why: str, items: Sequence[tuple[str, str]], *, csrf: str, form_key: str, status: int
) -> HTMLResponse:
    """A form that did not get through: what was typed is kept on the page, to be sent again.

    `why` is a text key. `csrf` is empty when nobody is signed in: sending it again then shows this page once more.
    """
    texts = texts_of(request)
    html = render_template(
        PageView(language=texts.language, path=request.url.path),
        "unsent.html.j2",
        title=texts.text("sign_in.unsent"),
        why=texts.text(why),
        typed=[(name, value) for name, value in items if name not in OWN_FIELDS],
        csrf=csrf,
        form_key=form_key,
        address=f"{request.url.path}{'?' + request.url.query if request.url.query else ''}",
    )
    return HTMLResponse(html, status, headers=dict(PAGE_HEADERS))

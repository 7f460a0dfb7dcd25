"""The conflict check as a page that updates while the user types, with or without script (N3, P4).

Whoever is signed in has it in the console. A portal of the company's opens it with a bearer token in the fragment of
the address, which is not sent to any server; the token is then sent with every check in the body of the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from api.conflicts.models import ConflictCheck
from api.conflicts.views import check_conflicts
from api.problems import Refusal, field_problems, texts_for
from api.state import State, StateDep, viewer_by
from api.views import Composer
from db.connection.engine import DatabaseUnavailable, autocommit
from domain.access import may_check_conflicts
from domain.conflicts.draft import ConflictDraft
from domain.names import handed_in
from domain.organisation import Language
from domain.refusals import RefusalCode
from texts.catalogue import Texts, language_of
from web.frame import page
from web.models import PageView
from web.rendering import PAGE_HEADERS, render_template
from web.session.guard import check_sender
from web.session.sessions import Session, session_of

router = APIRouter(include_in_schema=False)

FIELDS = ("customer", "uscc", "related_parties", "end_user", "channel", "project", "tender_number")
"""The inputs of the page; related parties are entered one per line."""
FIRST_FIELDS: Final = ("customer", "project")
"""Those that stand above the result; the others are folded until one is filled in."""
_HEADERS: Final[Mapping[str, str]] = {
    **PAGE_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
"""Of the page for somebody with a token; the console has its own."""


@router.api_route("/check", methods=["GET", "HEAD"])
async def show(state: StateDep, request: Request) -> HTMLResponse:
    """The empty form: in the console for whoever is signed in; a portal of the company's opens it with a token."""
    return await _page(state, request, await session_of(state, request), {})


@router.post("/check")
async def look(state: StateDep, request: Request) -> HTMLResponse:
    """The result: the whole page or, for its script, only the part that changes."""
    form = {name: str(value) for name, value in (await request.form(max_files=0)).multi_items()}
    session = None if form.get("token") else await session_of(state, request)
    if session is not None:
        check_sender(request, state, session, form)
    show_page = partial(_page, state, request, session, form)
    try:
        viewer = session.viewer if session else await viewer_by(request, form.get("token"))
        if not may_check_conflicts(viewer.person):
            raise Refusal(403, RefusalCode.MAY_NOT_CHECK)
        draft = handed_in(ConflictDraft, _draft(form))
        if draft.empty:
            return await show_page()
        texts = _texts(request, session)
        async with autocommit(state.engine) as connection:
            found = await check_conflicts(Composer(connection, state.facts, viewer, texts), draft, state.clock())
        return await show_page(found=found)
    except ValidationError as error:
        texts = _texts(request, session)
        wrong = [texts.error(problem.key, problem.params) for problem in field_problems(error.errors())]
        return await show_page(wrong=list(dict.fromkeys(wrong)), status=422)
    except Refusal as refusal:
        wrong = [_texts(request, session).error(refusal.words, refusal.facts)]
        return await show_page(wrong=wrong, status=refusal.status)
    except DatabaseUnavailable:
        return await show_page(wrong=[_texts(request, session).error(RefusalCode.RECORD_AWAY)], status=503)


def render_check(
    language: Language,
    typed: Mapping[str, str],
    *,
    token: str = "",
    found: ConflictCheck | None = None,
    wrong: Sequence[str] = (),
    part: bool = False,
) -> str:
    """The page with the form and the result. `part`: only the part that changes while somebody types."""
    return render_template(
        PageView(language=language, path="/check"),
        "check_result.html.j2" if part else "check.html.j2",
        title=Texts(language).text("check.title"),
        **_parts(Texts(language), typed, token=token, found=found, wrong=wrong),
    )


def _parts(
    texts: Texts,
    typed: Mapping[str, str],
    *,
    token: str = "",
    found: ConflictCheck | None = None,
    wrong: Sequence[str] = (),
) -> dict[str, Any]:
    several = {"related_parties"}
    return {
        "script": "/static/check.js",
        "first": FIRST_FIELDS,
        "more_typed": any(words.strip() for name, words in typed.items() if name not in FIRST_FIELDS),
        "fields": [(name, texts.text(f"check.field.{name}"), name in several) for name in typed],
        "typed": typed,
        "token": token,
        "found": found,
        "wrong": wrong,
    }


def _draft(form: dict[str, str]) -> dict[str, Any]:
    related = [{"name": line} for line in form.get("related_parties", "").splitlines() if line.strip()]
    return {
        "customer": {"name": form.get("customer", ""), "uscc": form.get("uscc")},
        "related_parties": related,
        "end_user": {"name": form.get("end_user", "")},
        "channel": {"name": form.get("channel", "")},
        "project": {"name": form.get("project", ""), "tender_number": form.get("tender_number", "")},
    }


def _texts(request: Request, session: Session | None) -> Texts:
    if session is not None:
        return session.texts
    asked = request.query_params.get("lang")
    return Texts(language_of(asked)) if asked else texts_for(request)


async def _page(
    state: State,
    request: Request,
    session: Session | None,
    form: dict[str, str],
    *,
    found: ConflictCheck | None = None,
    wrong: Sequence[str] = (),
    status: int = 200,
) -> HTMLResponse:
    part = request.headers.get("x-part") == "result"
    typed = {name: form.get(name, "") for name in FIELDS}
    texts = _texts(request, session)
    if session is None or part:
        html = render_check(texts.language, typed, token=form.get("token", ""), found=found, wrong=wrong, part=part)
        return HTMLResponse(html, status, headers=dict(_HEADERS))
    async with autocommit(state.engine) as connection:
        return await page(
            request,
            session,
            connection,
            "check.html.j2",
            title=texts.text("check.title"),
            status=status,
            **_parts(texts, typed, found=found, wrong=wrong),
        )

"""Turns errors of pages into calm pages; the API keeps its problem details."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from api.problems import CODES, Refusal, zone_for
from api.state import parts_of
from db.connection.engine import DatabaseUnavailable
from db.reference_data import NoOrganisation
from domain.refusals import RefusalCode
from web.session.guard import NotFromOurPage, SignInNeeded, new_form_key, safe_path
from web.session.pages import calm_page, texts_of, unsent_page
from web.session.sessions import session_of

PROGRAMS = ("/api/", "/dev/", "/docs", "/openapi.json", "/codec", "/health", "/metrics")
"""Paths whose errors are read by programs."""

TITLES: Final = {
    403: "error_page.title_403",
    404: "error_page.title_404",
    409: "error_page.title_409",
    503: "error_page.title_503",
}
"""The heading of a page by its status; every other error has the general one."""

Handler = Callable[[Request, Exception], Awaitable[Response]]


def install(app: FastAPI) -> None:
    """Register the handlers of pages in front of those of the API."""
    for kind in (Refusal, RequestValidationError, HTTPException, DatabaseUnavailable, NoOrganisation):
        app.add_exception_handler(kind, _for_people(app.exception_handlers[kind]))  # type: ignore[arg-type]
    app.add_exception_handler(SignInNeeded, _sign_in)
    app.add_exception_handler(NotFromOurPage, _not_from_our_page)


def _for_people(otherwise: Handler) -> Handler:
    """The handler that shows a page for the errors of pages, and does `otherwise` for programs."""

    async def shown(request: Request, error: Exception) -> Response:
        path = request.url.path
        if path.startswith(PROGRAMS) or "application/json" in request.headers.get("accept", ""):
            return await otherwise(request, error)
        refusal = _refusal_of(error)
        if refusal.status == 503 and request.method == "POST":
            return await _unsent(request, "sign_in.unsent_away", 503)
        texts = texts_of(request)
        title = texts.text(TITLES.get(refusal.status, "error_page.title"))
        return calm_page(
            request,
            title,
            [refusal.text(texts, zone_for(request))],
            status=refusal.status,
            link=("/", texts.text("error_page.back_to_desk")),
            tone="away" if refusal.status == 503 else "refused",
        )

    return shown


def _refusal_of(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, HTTPException):
        return Refusal(error.status_code, CODES.get(error.status_code, RefusalCode.INVALID))
    if isinstance(error, RequestValidationError):
        return Refusal(404, RefusalCode.NOT_FOUND)
    return Refusal(503, RefusalCode.RECORD_AWAY)


async def _sign_in(request: Request, _error: Exception) -> Response:
    if request.method == "POST":
        return await _unsent(request, "sign_in.unsent_signed_out", 401)
    wanted = safe_path(f"{request.url.path}{'?' + request.url.query if request.url.query else ''}")
    address = str(
        request.url.replace(scheme="", netloc="", path="/sign-in", query="").include_query_params(back=wanted)
    )
    if request.headers.get("hx-request") == "true":  # a fragment cannot be a sign-in page: the browser goes there
        return Response(status_code=401, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


async def _not_from_our_page(request: Request, _error: Exception) -> Response:
    return await _unsent(request, "sign_in.unsent_elsewhere", 403)


async def _unsent(request: Request, why: str, status: int) -> Response:
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        # A page cannot keep a file, and nobody's is read who may not send one.
        texts = texts_of(request)
        again = (request.url.path, texts.text("document.choose_again"))
        lines = [texts.text("document.unsent")]
        return calm_page(request, texts.text("sign_in.unsent"), lines, status=status, link=again)
    form = await request.form()
    items = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    csrf = ""
    # A page of another site gets no working form: what it made up would be sent with one click.
    if request.headers.get("sec-fetch-site", "same-origin") == "same-origin":
        try:
            session = await session_of(parts_of(request), request)
            csrf = session.csrf if session else ""
        except DatabaseUnavailable:
            pass
    form_key = str(form.get("form_key") or new_form_key())
    return unsent_page(request, why, items, csrf=csrf, form_key=form_key, status=status)

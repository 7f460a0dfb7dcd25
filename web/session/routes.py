"""Signing in and out, the sessions of a person, and the language of the pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth.token_verifier import person_of
from api.problems import Refusal, Unavailable
from api.state import ConnectionDep, State, StateDep
from db import sessions
from db.connection.engine import autocommit
from domain.organisation import Person
from domain.refusals import RefusalCode
from texts.catalogue import language_of
from web.frame import page
from web.session.guard import PostedDep, SignedInDep, safe_path
from web.session.openid import OpenIdProvider, SignInFailed
from web.session.pages import calm_page, texts_of
from web.session.sessions import begin, end, note_refused, session_of

router = APIRouter(include_in_schema=False)

ATTEMPT_COOKIE = "baobei-sign-in"


def _provider(request: Request, state: State) -> OpenIdProvider:
    """The issuer; made once, because it keeps what it fetched."""
    known = getattr(request.app.state, "openid", None)
    if known is None:
        known = request.app.state.openid = OpenIdProvider(state.settings)
    assert isinstance(known, OpenIdProvider)
    return known


@router.get("/sign-in")
async def sign_in(state: StateDep, request: Request, back: Annotated[str | None, Query()] = None) -> Response:
    """Go to the issuer, or in the one-machine mode to the list of people."""
    wanted = safe_path(back)
    if await session_of(state, request):
        return RedirectResponse(wanted, 303)
    if not state.settings.oidc_client_id:
        if state.settings.embedded:
            here = request.url.replace(scheme="", netloc="", path="/dev/sign-in", query="")
            return RedirectResponse(str(here.include_query_params(back=wanted)), 303)
        texts = texts_of(request)
        return calm_page(
            request, texts.text("sign_in.needed"), [texts.text("sign_in.not_configured")], status=503, tone="away"
        )
    try:
        address, attempt = await _provider(request, state).begin(wanted)
    except Unavailable:
        return _refused(request, "sign_in.refused_away", 503)
    response = RedirectResponse(address, 303)
    secure = state.settings.public_url.startswith("https://")
    response.set_cookie(
        ATTEMPT_COOKIE, attempt, max_age=600, path="/sign-in", secure=secure, httponly=True, samesite="lax"
    )
    return response


@router.get("/sign-in/back")
async def back_from_issuer(state: StateDep, request: Request) -> Response:
    """The browser comes back from the issuer with a code."""
    provider = _provider(request, state)
    address = f"{provider.redirect_uri}?{request.url.query}"
    try:
        login, wanted = await provider.finish(request.cookies.get(ATTEMPT_COOKIE), address)
        person = await _person(state, login)
    except SignInFailed as failed:
        await note_refused(state, str(failed), "", through="oidc")
        response = _refused(request, "sign_in.refused_provider", 403)
    except Unavailable:
        return _refused(request, "sign_in.refused_away", 503)
    except Refusal as refusal:
        await note_refused(state, refusal.code, login, through="oidc")
        inactive = refusal.code == RefusalCode.PERSON_INACTIVE
        response = _refused(
            request, "sign_in.refused_person_inactive" if inactive else "sign_in.refused_person_unknown", 403
        )
    else:
        response = RedirectResponse(safe_path(wanted), 303)
        await begin(state, response, person, through="oidc", request=request)
    response.delete_cookie(ATTEMPT_COOKIE, path="/sign-in")
    return response


async def _person(state: State, login: str) -> Person:
    async with autocommit(state.engine) as connection:
        return person_of(login, await state.facts.organisation(connection))


def _refused(request: Request, why: str, status: int) -> Response:
    texts = texts_of(request)
    return calm_page(
        request,
        texts.text("sign_in.refused_title"),
        [texts.text(why)],
        status=status,
        link=("/sign-in", texts.text("sign_in.again")),
    )


@router.get("/session")
async def show_sessions(session: SignedInDep, connection: ConnectionDep, request: Request) -> Response:
    """Where the person is signed in."""
    rows = await sessions.of_person(connection, session.person.id)
    return await page(
        request,
        session,
        connection,
        "sessions.html.j2",
        title=session.texts.text("sign_in.sessions_title"),
        sessions=rows,
        current=session.row.id,
    )


@router.post("/session/end")
async def sign_out(session: SignedInDep, posted: PostedDep, state: StateDep, request: Request) -> Response:
    """Sign out here, or with `everywhere` on every device."""
    ids: tuple[str, ...] = (session.row.id,)
    if posted.form.get("everywhere"):
        async with autocommit(state.engine) as connection:
            ids = tuple(row.id for row in await sessions.of_person(connection, session.person.id))
    await end(state, ids, session.person.id, "signed_out")
    texts = session.texts
    return calm_page(
        request,
        texts.text("sign_in.signed_out"),
        [],
        status=200,
        link=("/sign-in", texts.text("sign_in.again")),
        tone="accepted",
    )


@router.post("/session/language")
async def choose_language(session: SignedInDep, posted: PostedDep, state: StateDep) -> Response:
    """Show the pages of this session in another language."""
    async with autocommit(state.engine) as connection:
        await sessions.choose_language(connection, session.row.id, language_of(posted.form.get("language", "")))
    return RedirectResponse(safe_path(posted.form.get("back")), 303)

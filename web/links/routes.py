"""The pages behind mail links: GET shows and changes nothing, POST answers. No script, no login, no preselection."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.problems import Unavailable
from api.state import State, StateDep
from api.tasks.renewing import renew_link
from crypto.links import ForgedLink, link_id_of
from db.connection.engine import DatabaseUnavailable, autocommit
from web.links.answering import Shown, answer_task, show_task
from web.links.opening import MailLink, status_page
from web.links.status_page import LinkStatus, LinkStatusPage, ResultPage, render_status
from web.rendering import PAGE_HEADERS
from web.reviews.models import ReviewPage
from web.reviews.page import render_review
from web.session.sessions import session_of
from web.tasks.page import render_decision

router = APIRouter(include_in_schema=False)


@router.api_route("/d/{token}", methods=["GET", "HEAD"])
async def show(token: str, state: StateDep, request: Request) -> HTMLResponse:
    """Show the task. Nothing changes, whoever or whatever opens it, however often."""
    try:
        link = MailLink(state, request, token)
        return _html(await _others(state, request, link) or await show_task(link, through="link"))
    except DatabaseUnavailable:
        return _away(request)


@router.post("/d/{token}")
async def answer(token: str, state: StateDep, request: Request) -> HTMLResponse:
    """Answer the task. Errors are shown next to the fields, and everything typed is kept."""
    body = await request.body()
    form = {name: str(value) for name, value in (await request.form(max_files=0)).multi_items()}
    try:
        link = MailLink(state, request, token)
        return _html(await _others(state, request, link) or await answer_task(link, form, body))
    except (DatabaseUnavailable, Unavailable):
        return _away(request)


@router.post("/d/{token}/renew")
@router.post("/a/{token}/renew")
async def renew(token: str, state: StateDep, request: Request) -> HTMLResponse:
    """Send a new link in place of one that has expired. The page says the same whatever is known of it."""
    try:
        await renew_link(state, link_id_of(token, state.settings.link_keys))
    except ForgedLink:
        return _html(Shown(status_page(LinkStatus.UNKNOWN, request), LinkStatus.UNKNOWN.status))
    except DatabaseUnavailable:
        return _away(request)
    return _html(Shown(status_page(LinkStatus.RENEWED, request)))


async def _others(state: State, request: Request, link: MailLink) -> Shown | None:
    """What is shown to somebody who is signed in and opens another person's link: they may not answer it."""
    session = await session_of(state, request)
    if session is None:
        return None
    async with autocommit(state.engine) as connection:
        asked = await link.asked(connection)
    if asked is None or asked.person == session.person.id:
        return None
    page = status_page(LinkStatus.ANOTHER_PERSON, request).model_copy(
        update={
            "language": session.language,
            "person_name": session.viewer.organisation.name_of(asked.person),
            "reader_name": session.person.name,
        }
    )
    return Shown(page, page.kind.status)


def _away(request: Request) -> HTMLResponse:
    return _html(Shown(status_page(LinkStatus.AWAY, request), 503))


def _html(shown: Shown) -> HTMLResponse:
    page = shown.page
    if isinstance(page, LinkStatusPage | ResultPage):
        html = render_status(page)
    elif isinstance(page, ReviewPage):
        html = render_review(page)
    else:
        html = render_decision(page)
    return HTMLResponse(html, shown.status, headers=PAGE_HEADERS)

"""The pages behind the personal link to an act: GET shows, POST does it, no sign-in. The link is the authority for
this one act of this one person; whether it can be done now is judged as for anybody else."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.accounts.acts import ApplicationAct
from api.disputes.acts import DisputeAct
from api.gateway.gateway import Caller
from api.projects.acts import ProjectAct
from api.state import State, StateDep, Viewer
from crypto.links import ForgedLink, link_id_of
from db import messages
from db.connection.engine import autocommit
from db.messages import Receipt
from domain.notices import LinkedAct
from texts.mails.facts import MailFacts
from web.accounts import acts as application_acts
from web.disputes import acts as dispute_acts
from web.links.opening import page_language, status_page
from web.links.status_page import LinkStatus, LinkStatusPage, render_status
from web.projects import acts as project_acts
from web.rendering import PAGE_HEADERS
from web.session.guard import SentForm, read_form
from web.session.sessions import Visitor, session_of
from web.subjects.receipts import MessageId, show_receipt

router = APIRouter(include_in_schema=False)

_OF_PROJECTS: Final = {
    act: ProjectAct(act.value) for act in LinkedAct if act not in (LinkedAct.APPEAL, LinkedAct.MEETING)
}


class ActLink:
    """What a valid link leads to: one act, for one person."""

    def __init__(self, token: str, link_id: str, visitor: Visitor, act: LinkedAct, subject_id: str) -> None:
        self.token = token
        self.link_id = link_id
        self.visitor = visitor
        self.act = act
        self.subject_id = subject_id


class SentByLink(SentForm):
    """A form that was sent from the page behind a personal link."""

    def __init__(self, link: ActLink, form: dict[str, str], items: list[tuple[str, str]], body: bytes) -> None:
        super().__init__(link.visitor, form, items, body)
        self._link = link

    def caller(self, request: Request) -> Caller:
        del request  # the token in the address is not kept
        key = hashlib.sha256(self.body).hexdigest()
        route = f"/a/{self._link.link_id}"
        return Caller(self._link.visitor.person, route=route, key=key, body=self.body, channel="mail")

    def leads_to(self, caller: Caller, receipt: Receipt | None, back: str) -> Response:
        del receipt, back  # the page of the subject needs a session
        return RedirectResponse(f"/a/{self._link.token}/receipts/{caller.message_id}", 303)


class NotThisLink(Exception):
    """The link leads nowhere, or not this reader; `page` says why."""

    def __init__(self, page: LinkStatusPage) -> None:
        super().__init__(page.kind)
        self.page = page


@router.api_route("/a/{token}", methods=["GET", "HEAD"])
async def show(token: str, state: StateDep, request: Request) -> Response:
    """The page of the act. Nothing changes, whoever or whatever opens it, however often."""
    try:
        link = await _open(state, request, token)
    except NotThisLink as closed:
        return _html(closed.page)
    async with autocommit(state.engine) as connection:
        given = (link.visitor, state, connection, request)
        match link.act:
            case LinkedAct.APPEAL:
                return await application_acts.show_act(link.subject_id, ApplicationAct.APPEAL, *given)
            case LinkedAct.MEETING:
                return await dispute_acts.show_act(link.subject_id, DisputeAct.MEETING, *given)
            case act:
                return await project_acts.show_act(link.subject_id, _OF_PROJECTS[act], *given)


@router.post("/a/{token}")
async def do(token: str, state: StateDep, request: Request) -> Response:
    """What was filled in."""
    try:
        link = await _open(state, request, token)
    except NotThisLink as closed:
        return _html(closed.page)
    posted = SentByLink(link, *await read_form(request, state, link.visitor))
    match link.act:
        case LinkedAct.APPEAL:
            return await application_acts.do_act(link.subject_id, ApplicationAct.APPEAL, posted, state, request)
        case LinkedAct.MEETING:
            return await dispute_acts.do_act(link.subject_id, DisputeAct.MEETING, posted, state, request)
        case act:
            return await project_acts.do_act(link.subject_id, _OF_PROJECTS[act], posted, state, request)


@router.get("/a/{token}/receipts/{message_id}")
async def receipt(token: str, message_id: MessageId, state: StateDep, request: Request) -> Response:
    """What became of what was sent."""
    try:
        link = await _open(state, request, token)
    except NotThisLink as closed:
        return _html(closed.page)
    async with autocommit(state.engine) as connection:
        return await show_receipt(message_id, link.visitor, state, connection, request)


async def _open(state: State, request: Request, token: str) -> ActLink:
    """The act that a link leads to. Raises `NotThisLink`, `DatabaseUnavailable`."""
    unknown = NotThisLink(status_page(LinkStatus.UNKNOWN, request))
    try:
        link_id = link_id_of(token, state.settings.link_keys)
    except ForgedLink:
        raise unknown from None
    session = await session_of(state, request)
    async with autocommit(state.engine) as connection:
        mail = await messages.by_link(connection, link_id)
        organisation = await state.facts.organisation(connection)
    person = organisation.person(mail.person) if mail else None
    facts = MailFacts.model_validate(mail.facts) if mail and mail.act_link_id else None
    if mail is None or facts is None or facts.act is None or person is None or not person.active:
        raise unknown
    language = session.language if session else page_language(request, person)
    if session is not None and session.person.id != person.id:
        update = {"language": language, "person_name": person.name, "reader_name": session.person.name}
        raise NotThisLink(status_page(LinkStatus.ANOTHER_PERSON, request).model_copy(update=update))
    if state.clock() >= mail.created_at + timedelta(days=state.facts.policy.links.days):
        update = {"language": language, "renew": f"/a/{token}/renew"}
        raise NotThisLink(status_page(LinkStatus.EXPIRED, request).model_copy(update=update))
    visitor = Visitor(Viewer(person, organisation), token, language)
    request.state.language = language
    return ActLink(token, link_id, visitor, facts.act, facts.subject_id)


def _html(page: LinkStatusPage) -> HTMLResponse:
    return HTMLResponse(render_status(page), page.kind.status, headers=PAGE_HEADERS)

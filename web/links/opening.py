"""Opens mail links: the task behind a link, or why it can no longer be answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from fastapi import Request

from api.gateway.gateway import Caller
from api.state import State, page_caller
from api.tasks.answering import subject_of
from api.tasks.renewing import asked_once
from crypto.links import ForgedLink, link_id_of, link_token
from db import messages
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from db.reviews.reviews import ReviewRow
from db.tasks import tasks
from db.tasks.closings import Closing, closing_of
from db.tasks.tasks import AskedRow, DecisionRow, TaskRow
from domain.organisation import Language, Organisation, Person
from domain.refusals import RefusalCode
from domain.reviews.notes import ReviewNote
from domain.subject import SubjectType
from domain.tasks.judgements import no_longer_asked
from domain.tasks.task import TaskStatus
from texts.catalogue import language_of
from texts.reviews.review_lines import unit_name
from web.links.status_page import LinkStatus, LinkStatusPage


class OpenedLink:
    """What a valid link opens: one task, for one of its assignees."""

    def __init__(
        self,
        task: TaskRow,
        asked: AskedRow,
        person: Person,
        organisation: Organisation,
        row: ApplicationRow | ProjectRow | ReviewRow,
        dispute: DisputeRow | None,
    ) -> None:
        self.task = task
        self.asked = asked
        self.person = person
        self.organisation = organisation
        self.row = row
        self.dispute = dispute

    @property
    def superseded(self) -> bool:
        """Whether its subject has moved on to another round. A dispute has rounds of its own: its proposals (D1)."""
        if isinstance(self.row, ReviewRow):
            return False  # each period is a review of its own
        if isinstance(self.row, ApplicationRow):
            return self.row.round != self.task.round
        number = self.dispute.round if self.dispute else self.row.round
        return number != self.task.round and self.task.status is not TaskStatus.OPEN


class LinkClosed(Exception):
    """The link can no longer be answered; `page` says why."""

    def __init__(
        self, page: LinkStatusPage, opened: OpenedLink | None = None, decision: DecisionRow | None = None
    ) -> None:
        super().__init__(page.kind)
        self.page = page
        self.opened = opened
        self.decision = decision

    def repeats(self, entrance: Entrance, body: bytes) -> bool:
        """Whether `body` is the very answer that was recorded by this way: a button pressed twice."""
        if self.opened is None or self.decision is None:
            return False
        return entrance.caller(self.opened, body).message_id == self.decision.message_id


class Entrance(Protocol):
    """A way to a task: the link in a mail, or the inbox of somebody who is signed in."""

    state: State
    request: Request
    expires: bool
    """Whether it leads nowhere after a time."""

    async def asked(self, connection: AsyncConnection) -> AskedRow | None:
        """Whom it leads to which task; None for one that leads nowhere."""

    def address(self, asked: AskedRow) -> str:
        """The address of another task by the same way."""

    def caller(self, opened: OpenedLink, body: bytes) -> Caller:
        """Who sends `body` to the gateway."""


class MailLink:
    """The link in a mail; it is the authority."""

    expires = True

    def __init__(self, state: State, request: Request, token: str) -> None:
        self.state = state
        self.request = request
        self._token = token

    async def asked(self, connection: AsyncConnection) -> AskedRow | None:
        try:
            link_id = link_id_of(self._token, self.state.settings.link_keys)
        except ForgedLink:
            return None
        return await tasks.asked_by_link(connection, link_id) or await _asked_before(connection, link_id)

    def address(self, asked: AskedRow) -> str:
        return f"/d/{link_token(asked.link_id, self.state.settings.link_keys)}"

    def caller(self, opened: OpenedLink, body: bytes) -> Caller:
        return page_caller(opened.person, opened.asked.link_id, body)


async def _asked_before(connection: AsyncConnection, link_id: str) -> AskedRow | None:
    """Whom a link asked that another has replaced; it counts as expired."""
    mail = await messages.by_link(connection, link_id)
    asked = await asked_once(connection, mail) if mail and mail.link_id else None
    return asked.model_copy(update={"link_id": link_id, "link_expires_at": asked.asked_at}) if asked else None


async def open_link(connection: AsyncConnection, entrance: Entrance) -> OpenedLink:
    """The task that an entrance leads to. Raises `LinkClosed` if it cannot be answered."""
    link = await look_up_link(connection, entrance)
    if isinstance(link, LinkClosed):
        raise link
    return link


async def look_up_link(connection: AsyncConnection, entrance: Entrance) -> OpenedLink | LinkClosed:
    """The task that an entrance leads to, or why it cannot be answered."""
    state, request = entrance.state, entrance.request
    unknown = LinkClosed(status_page(LinkStatus.UNKNOWN, request))
    asked = await entrance.asked(connection)
    task = await tasks.find(connection, asked.task_id) if asked else None
    row = await subject_of(connection, task) if task else None
    organisation = await state.facts.organisation(connection)
    person = organisation.person(asked.person) if asked else None
    if asked is None or task is None or row is None or person is None or not person.active:
        return unknown
    opened = OpenedLink(task, asked, person, organisation, row, await _dispute_of(connection, task))
    closing = (await closing_of(connection, task)).told_to(asked) if task.status is not TaskStatus.OPEN else Closing()
    if task.status is TaskStatus.ANSWERED:
        page = _closed(LinkStatus.ANSWERED, request, opened, closing)
        return LinkClosed(page.model_copy(update=_ended_delegation(opened, state.clock())), opened, closing.decided)
    if opened.superseded:
        newer = await tasks.newer_text(connection, task, person.id)
        page = _closed(LinkStatus.SUPERSEDED, request, opened, closing)
        path = entrance.address(newer) if newer else ""
        return LinkClosed(page.model_copy(update={"newer": path}))
    if task.status is TaskStatus.MISSED:
        return LinkClosed(_closed(LinkStatus.MISSED, request, opened, closing))
    if task.status is TaskStatus.WITHDRAWN:
        return LinkClosed(_closed(LinkStatus.WITHDRAWN, request, opened, closing))
    if asked.removed_at is not None:
        return LinkClosed(await _with_others(connection, request, opened, state.clock()))
    if entrance.expires and state.clock() >= asked.link_expires_at:
        page = _closed(LinkStatus.EXPIRED, request, opened, closing)
        return LinkClosed(page.model_copy(update={"renew": f"{request.url.path}/renew"}))
    return opened


def about(opened: OpenedLink) -> dict[str, Any]:
    """What every page about a task knows of its subject."""
    row = opened.row
    if isinstance(row, ReviewRow):
        note = opened.task.note
        return {
            "subject_type": SubjectType.REVIEW,
            "subject_id": row.id,
            "period": ReviewNote.model_validate(note).period if note else None,
            "unit_name": unit_name(row.rhythm, row.unit, opened.organisation),
        }
    of_project = isinstance(row, ProjectRow)
    return {
        "subject_type": SubjectType.PROJECT if of_project else SubjectType.APPLICATION,
        "subject_id": row.id,
        "number": row.number or "" if isinstance(row, ProjectRow) else "",
        "customer_name": row.form.customer.name,
        "project_name": row.form.name if isinstance(row, ProjectRow) else "",
    }


def status_page(kind: LinkStatus, request: Request) -> LinkStatusPage:
    """A status page that reveals nothing about a task."""
    return LinkStatusPage(kind=kind, language=page_language(request, None), path=request.url.path)


def page_language(request: Request, person: Person | None) -> Language:
    """The language of a page: of the session, else as chosen on it, else the person's, else the browser's (X4)."""
    if chosen := getattr(request.state, "session_language", None):
        return language_of(chosen)
    wanted = request.query_params.get("lang")
    if wanted is None and person is not None:
        return person.language
    return language_of(wanted or request.headers.get("accept-language", "")[:2].lower())


def decider_represented(opened: OpenedLink, decision: DecisionRow) -> str:
    """For whom a delegate or stand-in decided, by name; empty for a decision of one's own."""
    return opened.organisation.name_of(decision.on_behalf_of) if decision.on_behalf_of else ""


async def _with_others(
    connection: AsyncConnection, request: Request, opened: OpenedLink, now: datetime
) -> LinkStatusPage:
    """The task is open and the reader is a former assignee: why, since when, and who is asked now."""
    organisation = opened.organisation
    code, facts = no_longer_asked(opened.asked, organisation, now)
    details = facts["closed"]
    asked = (await tasks.asked_by(connection, [opened.task.id]))[opened.task.id]
    page = _closed(LinkStatus.HANDED_ON, request, opened, Closing(at=datetime.fromisoformat(details["at"])))
    return page.model_copy(
        update={
            "kind": LinkStatus.DELEGATION_OVER if code is RefusalCode.DELEGATION_OVER else LinkStatus.HANDED_ON,
            **_ended_delegation(opened, now),
            "asked_now": tuple(
                organisation.name_of(assignee.person) for assignee in asked if assignee.removed_at is None
            ),
        }
    )


def _ended_delegation(opened: OpenedLink, now: datetime) -> dict[str, Any]:
    """What the page tells a delegate whose delegation has ended; nothing for anybody else."""
    code, facts = no_longer_asked(opened.asked, opened.organisation, now)
    if opened.asked.removed_at is None or code is not RefusalCode.DELEGATION_OVER:
        return {}
    details = facts["closed"]
    return {"delegate_of": details["on_behalf_of"], "delegate_until": datetime.fromisoformat(details["at"])}


async def _dispute_of(connection: AsyncConnection, task: TaskRow) -> DisputeRow | None:
    """The dispute that the task belongs to, if it does."""
    if task.subject_type != SubjectType.PROJECT:
        return None
    its_disputes = await disputes.of_project(connection, task.subject_id)
    return next((dispute for dispute in its_disputes if dispute.workflow_id == task.workflow_id), None)


def _closed(kind: LinkStatus, request: Request, opened: OpenedLink, closing: Closing) -> LinkStatusPage:
    decision = closing.decided
    by = decision.person if decision else closing.by
    return LinkStatusPage(
        kind=kind,
        language=page_language(request, opened.person),
        path=request.url.path,
        task_kind=opened.task.kind,
        choice=decision.choice if decision else "",
        person_name=opened.organisation.name_of(by) if by else "",
        on_behalf_of_name=decider_represented(opened, decision) if decision else "",
        at=decision.decided_at if decision else closing.at,
        reason=decision.reason if decision else "",
        because=closing.because,
        **about(opened),
    )

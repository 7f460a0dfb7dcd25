"""The inbox: what waits for somebody, what they have decided, what they have started, what they were told."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.gateway.gateway import Caller
from api.state import ConnectionDep, State, StateDep
from api.tasks.wording import task_key, task_rule
from db.connection.engine import AsyncConnection, autocommit
from db.readings import note_reading
from db.reads import gateway_reads, lists
from db.reads import inbox as inbox_reads
from db.reads.inbox import SubjectLine
from db.tasks.tasks import AskedRow, TaskRow
from domain.access import scope_at, scope_of
from domain.base import Frozen, Moment
from domain.subject import SubjectType
from domain.tasks.task import TaskKind, TaskStatus
from web.frame import page
from web.links.answering import Shown, answer_task, show_task
from web.links.opening import OpenedLink
from web.links.status_page import LinkStatusPage, ResultKind, ResultPage, status_parts
from web.models import FormTarget
from web.reviews.models import ReviewPage
from web.reviews.page import review_parts
from web.session.guard import (
    CSRF_FIELD,
    FORM_KEY_FIELD,
    PostedDep,
    SignedInDep,
    console_caller,
    new_form_key,
)
from web.session.sessions import Session
from web.tasks.page import decision_parts

router = APIRouter(include_in_schema=False)

MOST_LISTED: Final = 200
MOST_STARTED: Final = 50


class InboxList(StrEnum):
    """The lists of an inbox."""

    WAITING = "waiting"
    DECIDED = "decided"
    STARTED = "started"
    INFORMED = "informed"


LABELS: Final = {
    InboxList.WAITING: "inbox.waiting",
    InboxList.DECIDED: "inbox.decided",
    InboxList.STARTED: "inbox.started",
    InboxList.INFORMED: "inbox.informed",
}


class Row(Frozen):
    """A row of a list, in words."""

    address: str
    name: str
    title: str
    rule: str = ""
    by: str = ""
    amount: str | None = None
    since: Moment | None = None
    due_at: Moment | None = None
    overdue: bool = False
    on_behalf_of: str = ""


class InboxEntrance:
    """The way to a task for somebody who is signed in and is, or was, asked by it."""

    expires = False

    def __init__(self, state: State, request: Request, session: Session, task_id: str) -> None:
        self.state = state
        self.request = request
        self._session = session
        self._task_id = task_id

    async def asked(self, connection: AsyncConnection) -> AskedRow | None:
        holder = await gateway_reads.link_holder(connection, self._task_id, self._session.person.id)
        return holder.asked if holder else None

    def address(self, asked: AskedRow) -> str:
        return f"/inbox/{asked.task_id}"

    def caller(self, opened: OpenedLink, body: bytes) -> Caller:
        return console_caller(opened.person, self.request.url.path, body)


ListQuery = Annotated[InboxList, Query(alias="list")]
KindQuery = Annotated[str, Query(max_length=40)]
FlagQuery = Annotated[bool, Query()]
DoneQuery = Annotated[str, Query(max_length=64)]


@router.get("/inbox")
async def inbox(
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    wanted: ListQuery = InboxList.WAITING,
    kind: KindQuery = "",
    overdue: FlagQuery = False,
    done: DoneQuery = "",
) -> Response:
    """One of the four lists; beside the first, its first item."""
    rows = await _rows(connection, state, session, wanted, kind=kind, overdue=overdue)
    texts = session.texts
    return await page(
        request,
        session,
        connection,
        "inbox.html.j2",
        title=texts.text("console.inbox"),
        block="inbox",
        **await _frame(connection, state, session, wanted, rows, kind=kind, overdue=overdue),
        detail="",
        current="",
        said=texts.text("inbox.recorded") if done else "",
    )


@router.get("/inbox/{task_id}")
async def item(
    task_id: str,
    session: SignedInDep,
    state: StateDep,
    request: Request,
    wanted: ListQuery = InboxList.WAITING,
    kind: KindQuery = "",
    overdue: FlagQuery = False,
    done: DoneQuery = "",
) -> Response:
    """A task beside its list."""
    entrance = InboxEntrance(state, request, session, task_id)
    shown = await show_task(entrance, through="inbox")
    return await _item(request, session, state, task_id, shown, wanted, kind=kind, overdue=overdue, done=done)


@router.post("/inbox/{task_id}")
async def answer(
    task_id: str,
    posted: PostedDep,
    state: StateDep,
    request: Request,
    wanted: ListQuery = InboxList.WAITING,
    kind: KindQuery = "",
    overdue: FlagQuery = False,
) -> Response:
    """Answer a task; then the next one opens."""
    session = posted.session
    async with autocommit(state.engine) as connection:
        before = await _rows(connection, state, session, wanted, kind=kind, overdue=overdue)
    entrance = InboxEntrance(state, request, session, task_id)
    shown = await answer_task(entrance, posted.form, await request.body())
    accepted = isinstance(shown.page, ResultPage) and shown.page.result is ResultKind.ACCEPTED
    if accepted and wanted is InboxList.WAITING:
        following = _next(before, f"/inbox/{task_id}")
        return RedirectResponse(
            f"{following or '/inbox'}?{_query(wanted, kind=kind, overdue=overdue, done=task_id)}", 303
        )
    return await _item(request, session, state, task_id, shown, wanted, kind=kind, overdue=overdue, done="")


async def _item(
    request: Request,
    session: Session,
    state: State,
    task_id: str,
    shown: Shown,
    wanted: InboxList,
    *,
    kind: str,
    overdue: bool,
    done: str,
) -> Response:
    query = _query(wanted, kind=kind, overdue=overdue)
    address = f"/inbox/{task_id}"
    target = FormTarget(
        action=f"{address}?{query}",
        hidden=((CSRF_FIELD, session.csrf), (FORM_KEY_FIELD, new_form_key())),
        signed_in=True,
    )
    parts: dict[str, Any]
    if isinstance(shown.page, LinkStatusPage | ResultPage):
        parts = {**status_parts(shown.page), "body": "status_body.html.j2"}
    elif isinstance(shown.page, ReviewPage):
        parts = review_parts(shown.page, target)
    else:
        parts = decision_parts(shown.page, target)
    heading = parts.pop("title")
    async with autocommit(state.engine) as connection:
        rows = await _rows(connection, state, session, wanted, kind=kind, overdue=overdue)
        return await page(
            request,
            session,
            connection,
            "inbox_item.html.j2",
            title=heading,
            status=shown.status,
            block="inbox",
            **await _frame(connection, state, session, wanted, rows, kind=kind, overdue=overdue),
            **parts,
            detail=parts["body"],
            current=address,
            place=next((place for place, row in enumerate(rows, 1) if row.address == address), 0),
            before=_next(list(reversed(rows)), address, wrap=False),
            after=_next(rows, address, wrap=False),
            said=session.texts.text("inbox.recorded") if done else "",
        )


def _query(wanted: InboxList, *, kind: str, overdue: bool, done: str = "") -> str:
    given = {"list": wanted.value, "kind": kind, "overdue": "true" if overdue else "", "done": done}
    return urlencode({name: value for name, value in given.items() if value})


def _next(rows: Sequence[Row], address: str, *, wrap: bool = True) -> str:
    """The address of the row after `address`; at the end, of the first other one; empty when there is none."""
    addresses = [row.address for row in rows]
    if address not in addresses:
        return addresses[0] if addresses and wrap else ""
    place = addresses.index(address)
    following = addresses[place + 1 :] + (addresses[:place] if wrap else [])
    return following[0] if following else ""


async def _frame(
    connection: AsyncConnection,
    state: State,
    session: Session,
    wanted: InboxList,
    rows: Sequence[Row],
    *,
    kind: str,
    overdue: bool,
) -> dict[str, Any]:
    texts = session.texts
    waiting = await lists.open_tasks_of(connection, session.person.id, state.clock())
    return {
        "rows": rows,
        "list": wanted.value,
        "lists": [
            (each.value, texts.text(LABELS[each]), waiting.open if each is InboxList.WAITING else None)
            for each in InboxList
        ],
        "kind": kind,
        "kinds": [(each.value, texts.text(f"task.{each}.title")) for each in TaskKind],
        "overdue": overdue,
        "query": _query(wanted, kind=kind, overdue=overdue),
    }


async def _rows(
    connection: AsyncConnection, state: State, session: Session, wanted: InboxList, *, kind: str, overdue: bool
) -> list[Row]:
    match wanted:
        case InboxList.WAITING | InboxList.DECIDED:
            return await task_rows(connection, state, session, wanted, kind=kind, overdue=overdue)
        case InboxList.STARTED:
            return await _started(connection, session)
        case InboxList.INFORMED:
            return await _informed(connection, state, session)


async def task_rows(
    connection: AsyncConnection,
    state: State,
    session: Session,
    wanted: InboxList,
    *,
    kind: str = "",
    overdue: bool = False,
) -> list[Row]:
    """The tasks that wait for the person, the one due first first, or that were decided; with who asks for what."""
    me, now, organisation = session.person.id, state.clock(), session.viewer.organisation
    status = TaskStatus.OPEN if wanted is InboxList.WAITING else TaskStatus.ANSWERED
    found = await lists.tasks_asked(connection, me, status=status.value, after=None, limit=MOST_LISTED)
    asked = [
        (task, mine)
        for task, mine in found
        if (status is not TaskStatus.OPEN or mine.removed_at is None)
        and (not kind or task.kind == kind)
        and (not overdue or task.due_at < now)
    ]
    if status is TaskStatus.OPEN:
        asked.sort(key=lambda pair: pair[0].due_at)
    lines = await subject_lines(connection, session, [task for task, _ in asked])
    rows = []
    for task, mine in asked:
        line = lines.get(task.subject_id)
        texts = session.texts
        rows.append(
            Row(
                address=f"/inbox/{task.id}",
                name=line_name(line) if line else texts.text(task_key(task.kind, task.subject_type, "title")),
                title=texts.text(task_key(task.kind, task.subject_type, "title")),
                rule=task_rule(task.kind, task.subject_type),
                by=organisation.name_of(line.by) if line else "",
                amount=texts.money(line.amount) if line and line.amount is not None else None,
                since=task.opened_at,
                due_at=task.due_at if status is TaskStatus.OPEN else None,
                overdue=status is TaskStatus.OPEN and task.due_at < now,
                on_behalf_of=organisation.name_of(mine.on_behalf_of) if mine.on_behalf_of else "",
            )
        )
    return rows


async def subject_lines(
    connection: AsyncConnection, session: Session, listed: Sequence[TaskRow]
) -> dict[str, SubjectLine]:
    """The subjects of these tasks. Listing them counts as reading them (X2)."""
    ids = {type: [task.subject_id for task in listed if task.subject_type == type] for type in SubjectType}
    found = await inbox_reads.subjects(connection, ids[SubjectType.APPLICATION], ids[SubjectType.PROJECT])
    await note_lines(connection, session, list(found.values()))
    return found


async def note_lines(connection: AsyncConnection, session: Session, lines: Sequence[SubjectLine]) -> None:
    """Record that the person has read these subjects in a list (X2)."""
    for type in ("application", "project", "account"):
        ids = [line.id for line in lines if line.type == type]
        await note_reading(connection, session.person.id, type, *ids, through="list")


def line_name(line: SubjectLine) -> str:
    """How a list calls a subject: a project by its own name and its customer's."""
    return line.name if line.name == line.customer_name else f"{line.name} · {line.customer_name}"


async def _started(connection: AsyncConnection, session: Session) -> list[Row]:
    me, organisation = session.person, session.viewer.organisation
    scope = scope_of(me, organisation)
    filed = await lists.applications_seen(
        connection, scope, stage=None, applicant=me.id, after=None, limit=MOST_STARTED
    )
    registered = await lists.projects_seen(connection, scope, salesperson=me.id, limit=MOST_STARTED)
    await note_reading(connection, me.id, "application", *(row.id for row in filed), through="list")
    await note_reading(connection, me.id, "project", *(row.id for row in registered), through="list")
    texts = session.texts
    dated = [
        (
            row.submitted_at,
            Row(
                address=f"/applications/{row.id}",
                name=row.form.customer.name,
                title=texts.text(f"stage.{row.stage}"),
                since=row.submitted_at,
            ),
        )
        for row in filed
    ] + [
        (
            row.registered_at,
            Row(
                address=f"/projects/{row.id}",
                name=row.form.name,
                title=texts.text(f"project_stage.{row.stage}"),
                since=row.registered_at,
                amount=texts.money(row.form.amount),
            ),
        )
        for row in registered
    ]
    return [row for _, row in sorted(dated, key=lambda pair: pair[0], reverse=True)]


async def _informed(connection: AsyncConnection, state: State, session: Session) -> list[Row]:
    """What they were told of and may still see."""
    me, organisation = session.person, session.viewer.organisation
    told = await inbox_reads.told(connection, me.id, limit=MOST_STARTED)
    ids = [line.subject_id for line in told]
    applications = await lists.seen_among(connection, scope_of(me, organisation), "application", ids)
    projects = await lists.seen_among(connection, scope_at(me, organisation, state.clock()), "project", ids)
    found = await inbox_reads.subjects(connection, sorted(applications), sorted(projects))
    await note_lines(connection, session, list(found.values()))
    texts = session.texts
    return [
        Row(
            address=f"/{line.type}s/{line.id}",
            name=line_name(line),
            title=texts.text(f"{'stage' if line.type == 'application' else 'project_stage'}.{line.stage}"),
            by=organisation.name_of(line.by),
            since=told_of.at,
        )
        for told_of in told
        if (line := found.get(told_of.subject_id))
    ]

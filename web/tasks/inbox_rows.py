"""The rows of the inbox and of the desk: who asks for what, for how much, by which rule, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from api.paging import page_of, parse_cursor
from api.state import State
from api.tasks.wording import task_key, task_rule
from db.connection.engine import AsyncConnection
from db.readings import note_reading
from db.reads import inbox, lists
from db.reads.inbox import EVERYTHING, After, InboxOrder, Listed, SubjectLine, Told, Wanted
from db.tasks.tasks import TaskRow
from domain.access import scope_at, scope_of
from domain.base import Frozen, Moment
from domain.subject import SubjectType, path_of
from domain.tasks.together import why_alone
from web.session.sessions import Session

PAGE_SIZE: Final = 30
MOST_STARTED: Final = 50
"""Of each kind of subject that somebody started, or was told about."""
_SUBJECTS: Final = ("application", "project")


class InboxList(StrEnum):
    """The lists of an inbox."""

    WAITING = "waiting"
    DECIDED = "decided"
    STARTED = "started"
    INFORMED = "informed"


class Row(Frozen):
    """A row of a list, in words."""

    address: str
    task_id: str = ""
    name: str
    title: str
    rule: str = ""
    by: str = ""
    amount: str = ""
    since: Moment | None = None
    due_at: Moment | None = None
    overdue: bool = False
    on_behalf_of: str = ""
    alone: str = ""
    """Why it cannot be decided together with others."""


class RowPage(NamedTuple):
    """A page of a list."""

    rows: list[Row]
    next_cursor: str | None = None


async def rows_of(
    connection: AsyncConnection,
    state: State,
    session: Session,
    listed: InboxList,
    wanted: Wanted = EVERYTHING,
    *,
    order: InboxOrder = InboxOrder.DUE,
    overdue: bool = False,
    cursor: str | None = None,
) -> RowPage:
    """A page of one of the lists. Listing subjects counts as reading them (X2). Raises `Refusal` 422 for a cursor that
    is not ours."""
    match listed:
        case InboxList.WAITING | InboxList.DECIDED:
            me, now = session.person.id, state.clock()
            if listed is InboxList.WAITING:
                found = await inbox.waiting_for(
                    connection,
                    me,
                    wanted,
                    order=order,
                    due_before=now if overdue else None,
                    after=_place(cursor, order),
                    limit=PAGE_SIZE + 1,
                )
            else:
                after = _place(cursor, InboxOrder.DUE)
                found = await inbox.decided_by(connection, me, wanted, after=after, limit=PAGE_SIZE + 1)
            page = page_of(found, PAGE_SIZE, key=lambda row: (row.at, row.task.id), view=lambda row: row)
            return RowPage(await task_rows(connection, session, page.items, now), page.next_cursor)
        case InboxList.STARTED:
            return RowPage(await _started(connection, session))
        case InboxList.INFORMED:
            return RowPage(await _informed(connection, state, session))


def _place(cursor: str | None, order: InboxOrder) -> After | None:
    """Where a page goes on. Raises `Refusal` 422 for a cursor that is not ours."""
    if order is InboxOrder.AMOUNT:
        parts = parse_cursor(cursor, "amount", "id")
        return (Decimal(parts[0]), parts[1]) if parts else None
    parts = parse_cursor(cursor, "moment", "id")
    return (datetime.fromisoformat(parts[0]), parts[1]) if parts else None


async def counts_of(connection: AsyncConnection, state: State, session: Session) -> dict[InboxList, str]:
    """How much each list holds that is the viewer's, beside what waits for them; empty for nothing."""
    decided, begun = await inbox.counted(connection, session.person.id)
    told = await _told(connection, state, session)
    numbers = {InboxList.DECIDED: decided, InboxList.STARTED: begun, InboxList.INFORMED: len(told)}
    most = {InboxList.INFORMED: MOST_STARTED}
    return {
        name: f"{limit - 1}+" if number >= (limit := most.get(name, inbox.MOST_COUNTED)) else str(number or "")
        for name, number in numbers.items()
    }


async def task_rows(connection: AsyncConnection, session: Session, found: Sequence[Listed], now: datetime) -> list[Row]:
    """Tasks as rows."""
    lines = await subject_lines(connection, session, [listed.task for listed in found])
    organisation, texts = session.viewer.organisation, session.texts
    rows = []
    for listed in found:
        task, mine = listed.task, listed.mine
        line, waits = lines.get(task.subject_id), task.closed_at is None
        title = texts.text(task_key(task.kind, task.subject_type, "title"))
        rows.append(
            Row(
                address=f"/inbox/{task.id}",
                task_id=task.id,
                name=line_name(line) if line else title,
                title=title,
                rule=task_rule(task.kind, task.subject_type),
                by=organisation.name_of(line.by) if line else "",
                amount=texts.money(line.amount) if line and line.amount is not None else "",
                since=task.opened_at,
                due_at=task.due_at if waits else None,
                overdue=waits and task.due_at < now,
                on_behalf_of=organisation.name_of(mine.on_behalf_of) if mine.on_behalf_of else "",
                alone=texts.text(f"together.alone.{alone}") if (alone := why_alone(task.kind, task.choices)) else "",
            )
        )
    return rows


async def subject_lines(
    connection: AsyncConnection, session: Session, listed: Sequence[TaskRow]
) -> dict[str, SubjectLine]:
    """The applications and projects of these tasks, by id; the reading is recorded (X2)."""
    ids = {type: [task.subject_id for task in listed if task.subject_type == type] for type in SubjectType}
    found = await inbox.subjects(connection, ids[SubjectType.APPLICATION], ids[SubjectType.PROJECT])
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
    """Their own applications and projects, the newest first."""
    me, texts = session.person, session.texts
    scope = scope_of(me, session.viewer.organisation)
    filed = await lists.applications_seen(
        connection, scope, stage=None, applicant=me.id, after=None, limit=MOST_STARTED
    )
    registered = await lists.projects_seen(connection, scope, salesperson=me.id, limit=MOST_STARTED)
    await note_reading(connection, me.id, "application", *(row.id for row in filed), through="list")
    await note_reading(connection, me.id, "project", *(row.id for row in registered), through="list")
    rows = [
        (
            row.submitted_at,
            Row(
                address=path_of(SubjectType.APPLICATION, row.id),
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
                address=path_of(SubjectType.PROJECT, row.id),
                name=row.form.name,
                title=texts.text(f"project_stage.{row.stage}"),
                since=row.registered_at,
                amount=texts.money(row.form.amount),
            ),
        )
        for row in registered
    ]
    return [row for _, row in sorted(rows, key=lambda dated: dated[0], reverse=True)]


async def _informed(connection: AsyncConnection, state: State, session: Session) -> list[Row]:
    """What they were told of and may still see."""
    organisation = session.viewer.organisation
    told = await _told(connection, state, session)
    ids = {kind: sorted(subject.subject_id for subject, seen in told if seen == kind) for kind in _SUBJECTS}
    found = await inbox.subjects(connection, ids["application"], ids["project"])
    await note_lines(connection, session, list(found.values()))
    return [
        Row(
            address=path_of(line.type, line.id),
            name=line_name(line),
            title=session.texts.text(f"{'stage' if line.type == 'application' else 'project_stage'}.{line.stage}"),
            by=organisation.name_of(line.by),
            since=subject.at,
        )
        for subject, _ in told
        if (line := found.get(subject.subject_id))
    ]


async def _told(connection: AsyncConnection, state: State, session: Session) -> list[tuple[Told, str]]:
    """The subjects that mails told them of and that they may still see, each with its type."""
    me, organisation = session.person, session.viewer.organisation
    told = await inbox.told(connection, me.id, limit=MOST_STARTED)
    ids = [subject.subject_id for subject in told]
    scopes = {"application": scope_of(me, organisation), "project": scope_at(me, organisation, state.clock())}
    seen = {kind: await lists.seen_among(connection, scopes[kind], kind, ids) for kind in _SUBJECTS}
    return [(subject, kind) for subject in told for kind in _SUBJECTS if subject.subject_id in seen[kind]]

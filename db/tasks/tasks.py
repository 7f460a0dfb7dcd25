"""Rows of tasks, of the people they ask, and of what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import JsonValue
from sqlalchemy import Text, any_, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.rows import first, read, read_all, values_of
from db.tables.tasks import decision, task, task_person
from domain.base import Wire
from domain.disputes.dispute import DisputeStage
from domain.tasks.task import Assignment, Choice, Decision, TaskKind, TaskStatus


class TaskRow(Wire):
    """One task as the record has it."""

    id: str
    workflow_id: str
    subject_type: str
    subject_id: str
    kind: TaskKind
    slot: str
    round: int
    status: TaskStatus
    choices: tuple[Choice, ...]
    note: dict[str, JsonValue] | None = None
    opened_at: datetime
    due_at: datetime
    due_provisional: bool
    chased: int = 0
    warned_at: datetime | None = None
    """When the people concerned were told that what stands still here will be closed (U10)."""
    closed_at: datetime | None = None
    closed_because: str | None = None


class AskedRow(Assignment):
    """One person a task asks, with the link their mail carries."""

    task_id: str
    link_id: str
    link_expires_at: datetime
    asked_at: datetime


class DecisionRow(Decision):
    """A decision with everything that was said."""

    message_id: str
    fields: dict[str, JsonValue]
    said_at: datetime


Decided = tuple[tuple[int, DecisionRow], ...]
"""Decisions with the round each was taken in, oldest first."""

ASKED = "asked_"
ASKED_COLUMNS = tuple(column.label(f"{ASKED}{column.name}") for column in task_person.c)
"""Of `task_person`, beside the columns of its task."""
_ASKED_ORDER = (task_person.c.removed_at.is_not(None), task_person.c.asked_at, task_person.c.person)
"""Those asked now first."""

# Built once: building a statement costs more than sending it (measured).
_TASK = select(task).where(task.c.id == bindparam("task"))
_TASK_LOCKED = _TASK.with_for_update()
_OF_SUBJECT = select(task).where(task.c.subject_id == bindparam("subject")).order_by(task.c.opened_at, task.c.id)
_OPEN_OF_SUBJECT = _OF_SUBJECT.where(task.c.status == TaskStatus.OPEN.value)
_ADD = insert(task)
_CHANGE = update(task).where(task.c.id == bindparam("task"))
_CLOSE = update(task).where(
    task.c.id == any_(bindparam("tasks", type_=ARRAY(Text))), task.c.status == TaskStatus.OPEN.value
)
_ASK = upsert(task_person)
_ASK_AGAIN = _ASK.on_conflict_do_update(
    index_elements=["task_id", "person"],
    set_={
        column.name: _ASK.excluded[column.name] for column in task_person.c if column.name not in ("task_id", "person")
    },
)
_ASKED_BY = (
    select(task_person)
    .where(task_person.c.task_id == any_(bindparam("tasks", type_=ARRAY(Text))))
    .order_by(*_ASKED_ORDER)
)
_ASKED_BY_LINK = select(task_person).where(task_person.c.link_id == bindparam("link"))
_DECIDE = upsert(decision).on_conflict_do_nothing().returning(decision.c.task_id)
_DECISION = select(decision, task.c.kind, task.c.slot).join(task, task.c.id == decision.c.task_id)
_DECISIONS = (
    _DECISION.add_columns(task.c.round)
    .where(task.c.subject_id == bindparam("subject"))
    .order_by(decision.c.decided_at, task.c.opened_at, task.c.id)
)
_DECISION_ON = _DECISION.where(decision.c.task_id == bindparam("task"))


async def open_task(connection: AsyncConnection, row: TaskRow, people: Sequence[AskedRow]) -> None:
    """Keep a new task with its assignees."""
    await connection.execute(_ADD, values_of(row, task))
    if people:
        await connection.execute(_ASK, [values_of(person, task_person) for person in people])


async def add_assignees(connection: AsyncConnection, people: Sequence[AskedRow]) -> None:
    """Ask further people; one who was asked before and taken off is asked again."""
    if people:
        await connection.execute(_ASK_AGAIN, [values_of(person, task_person) for person in people])


async def remove_assignees(connection: AsyncConnection, task_id: str, people: Sequence[str], *, at: datetime) -> None:
    """These people are no longer asked; their links are dead."""
    await connection.execute(
        update(task_person)
        .where(task_person.c.task_id == task_id, task_person.c.person.in_(people))
        .values(removed_at=at)
    )


async def find(connection: AsyncConnection, task_id: str, *, lock: bool = False) -> TaskRow | None:
    """A task by its id, locked if asked."""
    return first(TaskRow, await connection.execute(_TASK_LOCKED if lock else _TASK, {"task": task_id}))


async def of_subject(connection: AsyncConnection, subject_id: str, *, open_only: bool = False) -> tuple[TaskRow, ...]:
    """The tasks of one subject, oldest first."""
    query = _OPEN_OF_SUBJECT if open_only else _OF_SUBJECT
    return read_all(TaskRow, await connection.execute(query, {"subject": subject_id}))


async def asked_by(connection: AsyncConnection, task_ids: Sequence[str]) -> dict[str, tuple[AskedRow, ...]]:
    """Who is or was asked by each task, those asked now first."""
    found: dict[str, tuple[AskedRow, ...]] = dict.fromkeys(task_ids, ())
    if task_ids:
        for person in read_all(AskedRow, await connection.execute(_ASKED_BY, {"tasks": task_ids})):
            found[person.task_id] += (person,)
    return found


async def asked_by_link(connection: AsyncConnection, link_id: str) -> AskedRow | None:
    """The assignee whose link this is."""
    return first(AskedRow, await connection.execute(_ASKED_BY_LINK, {"link": link_id}))


async def close(
    connection: AsyncConnection, task_ids: Sequence[str], status: TaskStatus, *, at: datetime, because: str
) -> None:
    """Close a task, and keep how."""
    if task_ids:
        values = {"status": status, "closed_at": at, "closed_because": because}
        await connection.execute(_CLOSE, {"tasks": task_ids, **values})


async def change(connection: AsyncConnection, task_id: str, **values: Any) -> None:
    """Change columns of a task."""
    await connection.execute(_CHANGE, {"task": task_id, **values})


async def newer_text(connection: AsyncConnection, task: TaskRow, person: str) -> AskedRow | None:
    """D1: where `person` is asked about the newest text, once another has taken the place of the one that `task` asked
    about."""
    if task.kind is not TaskKind.AGREE_SPLIT or task.closed_because != DisputeStage.NEGOTIATION.value:
        return None
    still_open = await of_subject(connection, task.subject_id, open_only=True)
    newer = [other.id for other in still_open if other.kind is task.kind and other.workflow_id == task.workflow_id]
    people = (asked for everybody in (await asked_by(connection, newer)).values() for asked in everybody)
    return next((asked for asked in people if asked.person == person and asked.removed_at is None), None)


async def decide(connection: AsyncConnection, row: DecisionRow) -> bool:
    """Take the first answer, which closes the task. False when it has one already: the unique constraint decides, not
    timing."""
    if (await connection.execute(_DECIDE, values_of(row, decision))).first() is None:
        return False
    await change(
        connection, row.task_id, status=TaskStatus.ANSWERED, closed_at=row.decided_at, closed_because=row.choice
    )
    return True


async def decisions_of(connection: AsyncConnection, subject_id: str) -> Decided:
    """Every decision on a subject."""
    rows = await connection.execute(_DECISIONS, {"subject": subject_id})
    return tuple((row.round, read(DecisionRow, row)) for row in rows)


async def decision_on(connection: AsyncConnection, task_id: str) -> DecisionRow | None:
    """The decision on a task, if there is one."""
    return first(DecisionRow, await connection.execute(_DECISION_ON, {"task": task_id}))

"""Rows of tasks, of the people they ask, and of what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import JsonValue
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.connection import plain
from db.connection.plain import Shape
from db.tables import decision, task, task_person
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

ASKED_ORDER = "removed_at IS NOT NULL, asked_at, person"
"""Of `task_person`: those asked now first."""
DECIDED_ORDER = "decision.decided_at, task.opened_at, task.id"
DECIDED_JSON = """json_build_array(
    task.round, to_jsonb(decision) || jsonb_build_object('kind', task.kind, 'slot', task.slot))"""
"""One of `Decided`, from `task` and `decision`."""

# What every step runs is plain SQL: see `db/connection/plain.py`.
_TASK = Shape(TaskRow, *task.c)
_ASKED = Shape(AskedRow, *task_person.c)
_DECISION = Shape(DecisionRow, *decision.c, task.c.kind, task.c.slot)

_FIND = f"SELECT {_TASK.sql} FROM task WHERE id = $1"
_OF_SUBJECT = f"SELECT {_TASK.sql} FROM task WHERE subject_id = $1 ORDER BY opened_at, id"
_OPEN_OF_SUBJECT = f"SELECT {_TASK.sql} FROM task WHERE subject_id = $1 AND status = 'open' ORDER BY opened_at, id"
_ASK = f"""{plain.insertion(task_person)}
    ON CONFLICT (task_id, person) DO UPDATE SET
        capacity = excluded.capacity, on_behalf_of = excluded.on_behalf_of, link_id = excluded.link_id,
        link_expires_at = excluded.link_expires_at, asked_at = excluded.asked_at, removed_at = excluded.removed_at"""
_OPEN = f"WITH opened AS ({plain.insertion(task, place=2)}) {plain.insertion(task_person)}"
_ASKED_BY = f"""
    SELECT {_ASKED.sql} FROM task_person WHERE task_id = ANY($1::text[])
    ORDER BY {ASKED_ORDER}"""
_CLOSE = """
    UPDATE task SET status = $2, closed_at = $3, closed_because = $4
    WHERE id = ANY($1::text[]) AND status = 'open'"""
_DECIDE = f"""
    WITH decided AS ({plain.insertion(decision)} ON CONFLICT DO NOTHING RETURNING task_id, decided_at, choice)
    UPDATE task SET status = 'answered', closed_at = decided_at, closed_because = choice
    FROM decided WHERE id = task_id
    RETURNING id"""
_DECISIONS = f"""
    SELECT task.round, {_DECISION.sql} FROM decision JOIN task ON task.id = decision.task_id
    WHERE task.subject_id = $1
    ORDER BY {DECIDED_ORDER}"""
_DECISION_ON = f"""
    SELECT {_DECISION.sql} FROM decision JOIN task ON task.id = decision.task_id WHERE decision.task_id = $1"""


async def open_task(connection: AsyncConnection, row: TaskRow, people: Sequence[AskedRow]) -> None:
    """Keep a new task with its assignees."""
    await plain.run(connection, _OPEN, plain.json_text(people), plain.json_text([row]))


async def add_assignees(connection: AsyncConnection, people: Sequence[AskedRow]) -> None:
    """Ask further people; one who was asked before and taken off is asked again."""
    if people:
        await plain.run(connection, _ASK, plain.json_text(people))


async def remove_assignees(connection: AsyncConnection, task_id: str, people: Sequence[str], *, at: datetime) -> None:
    """These people are no longer asked; their links are dead."""
    await connection.execute(
        update(task_person)
        .where(task_person.c.task_id == task_id, task_person.c.person.in_(people))
        .values(removed_at=at)
    )


async def find(connection: AsyncConnection, task_id: str, *, lock: bool = False) -> TaskRow | None:
    """A task by its id, locked if asked."""
    rows = await plain.run(connection, f"{_FIND} FOR UPDATE" if lock else _FIND, task_id)
    return _TASK.read(rows[0]) if rows else None


async def of_subject(connection: AsyncConnection, subject_id: str, *, open_only: bool = False) -> tuple[TaskRow, ...]:
    """The tasks of one subject, oldest first."""
    rows = await plain.run(connection, _OPEN_OF_SUBJECT if open_only else _OF_SUBJECT, subject_id)
    return tuple(_TASK.read(row) for row in rows)


async def asked_by(connection: AsyncConnection, task_ids: Sequence[str]) -> dict[str, tuple[AskedRow, ...]]:
    """Who is or was asked by each task, those asked now first."""
    found: dict[str, tuple[AskedRow, ...]] = dict.fromkeys(task_ids, ())
    if task_ids:
        for row in await plain.run(connection, _ASKED_BY, task_ids):
            asked = _ASKED.read(row)
            found[asked.task_id] += (asked,)
    return found


async def asked_by_link(connection: AsyncConnection, link_id: str) -> AskedRow | None:
    """The assignee whose link this is."""
    row = (await connection.execute(select(task_person).where(task_person.c.link_id == link_id))).one_or_none()
    return AskedRow.model_validate(dict(row._mapping)) if row else None


async def close(
    connection: AsyncConnection, task_ids: Sequence[str], status: TaskStatus, *, at: datetime, because: str
) -> None:
    """Close a task, and keep how."""
    if task_ids:
        await plain.run(connection, _CLOSE, task_ids, status, at, because)


async def change(connection: AsyncConnection, task_id: str, **values: Any) -> None:
    """Change columns of a task."""
    await plain.change(connection, task, task_id, values)


async def newer_text(connection: AsyncConnection, task: TaskRow, person: str) -> AskedRow | None:
    """D1: where `person` is asked about the newest text, once another has taken the place of the one that `task` asked
    about."""
    if task.kind is not TaskKind.AGREE_SPLIT or task.closed_because != DisputeStage.NEGOTIATION.value:
        return None
    still_open = await of_subject(connection, task.subject_id, open_only=True)
    newer = [one.id for one in still_open if one.kind is task.kind and one.workflow_id == task.workflow_id]
    asked = (one for each in (await asked_by(connection, newer)).values() for one in each)
    return next((one for one in asked if one.person == person and one.removed_at is None), None)


async def decide(connection: AsyncConnection, row: DecisionRow) -> bool:
    """Take the first answer, which closes the task. False when it has one already: the unique constraint decides, not
    timing."""
    return bool(await plain.run(connection, _DECIDE, plain.json_text([row])))


async def decisions_of(connection: AsyncConnection, subject_id: str) -> Decided:
    """Every decision on a subject."""
    return tuple((row[0], _DECISION.read(row[1:])) for row in await plain.run(connection, _DECISIONS, subject_id))


async def decision_on(connection: AsyncConnection, task_id: str) -> DecisionRow | None:
    """The decision on a task, if there is one."""
    rows = await plain.run(connection, _DECISION_ON, task_id)
    return _DECISION.read(rows[0]) if rows else None

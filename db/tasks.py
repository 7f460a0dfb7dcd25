"""Rows of tasks, of the people they ask, and of what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import JsonValue
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import decision, task, task_person
from domain.base import Wire
from domain.tasks import Asked, Choice, Decision, TaskKind, TaskStatus

# Built once: for what is asked at every step, building a statement costs more than sending it (ran).
_TASK = select(task).where(task.c.id == bindparam("task"))
_TASK_LOCKED = _TASK.with_for_update()
_OF_SUBJECT = select(task).where(task.c.subject_id == bindparam("subject")).order_by(task.c.opened_at, task.c.id)
_OPEN_OF_SUBJECT = _OF_SUBJECT.where(task.c.status == TaskStatus.OPEN.value)
_DECISIONS = (
    select(decision, task.c.kind, task.c.slot, task.c.round)
    .join(task, task.c.id == decision.c.task_id)
    .where(task.c.subject_id == bindparam("subject"))
    .order_by(decision.c.decided_at, task.c.opened_at, task.c.id)
)


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
    closed_at: datetime | None = None
    closed_because: str | None = None


class AskedRow(Asked):
    """One person a task asks, with the link their mail carries."""

    task_id: str
    link_id: str
    link_expires_at: datetime
    asked_at: datetime
    removed_at: datetime | None = None


class DecisionRow(Decision):
    """A decision with everything that was said."""

    message_id: str
    fields: dict[str, JsonValue]
    said_at: datetime


async def open_task(tx: AsyncConnection, row: TaskRow, people: Sequence[AskedRow]) -> None:
    values = row.model_dump()
    values["choices"] = [choice.model_dump(mode="json") for choice in row.choices]
    await tx.execute(insert(task).values(**values))
    await ask_people(tx, people)


async def ask_people(tx: AsyncConnection, people: Sequence[AskedRow]) -> None:
    """Ask further people; one who was asked before and taken off is asked again."""
    if not people:
        return
    statement = upsert(task_person)
    columns = ("capacity", "on_behalf_of", "link_id", "link_expires_at", "asked_at", "removed_at")
    statement = statement.on_conflict_do_update(
        index_elements=["task_id", "person"], set_={name: statement.excluded[name] for name in columns}
    )
    await tx.execute(statement, [person.model_dump(exclude={"name"}) for person in people])


async def take_off(tx: AsyncConnection, task_id: str, people: Sequence[str], *, at: datetime) -> None:
    """These people are no longer asked; their links are dead."""
    await tx.execute(
        update(task_person)
        .where(task_person.c.task_id == task_id, task_person.c.person.in_(people))
        .values(removed_at=at)
    )


async def find(tx: AsyncConnection, task_id: str, *, lock: bool = False) -> TaskRow | None:
    row = (await tx.execute(_TASK_LOCKED if lock else _TASK, {"task": task_id})).one_or_none()
    return TaskRow.model_validate(dict(row._mapping)) if row else None


async def of_subject(tx: AsyncConnection, subject_id: str, *, open_only: bool = False) -> tuple[TaskRow, ...]:
    """The tasks of one subject, oldest first."""
    rows = await tx.execute(_OPEN_OF_SUBJECT if open_only else _OF_SUBJECT, {"subject": subject_id})
    return tuple(TaskRow.model_validate(dict(row._mapping)) for row in rows)


async def asked_by(tx: AsyncConnection, task_ids: Sequence[str]) -> dict[str, tuple[AskedRow, ...]]:
    """Who is or was asked by each task, those asked now first."""
    if not task_ids:
        return {}
    rows = await tx.execute(
        select(task_person)
        .where(task_person.c.task_id.in_(task_ids))
        .order_by(task_person.c.removed_at.is_not(None), task_person.c.asked_at, task_person.c.person)
    )
    found: dict[str, tuple[AskedRow, ...]] = dict.fromkeys(task_ids, ())
    for row in rows:
        found[row.task_id] += (AskedRow.model_validate(dict(row._mapping)),)
    return found


async def asked_by_link(tx: AsyncConnection, link_id: str) -> AskedRow | None:
    row = (await tx.execute(select(task_person).where(task_person.c.link_id == link_id))).one_or_none()
    return AskedRow.model_validate(dict(row._mapping)) if row else None


async def close(
    tx: AsyncConnection, task_ids: Sequence[str], status: TaskStatus, *, at: datetime, because: str
) -> None:
    if task_ids:
        await tx.execute(
            update(task)
            .where(task.c.id.in_(task_ids), task.c.status == TaskStatus.OPEN.value)
            .values(status=status.value, closed_at=at, closed_because=because)
        )


async def change(tx: AsyncConnection, task_id: str, **values: Any) -> None:
    if "choices" in values:
        values["choices"] = [choice.model_dump(mode="json") for choice in values["choices"]]
    await tx.execute(update(task).where(task.c.id == task_id).values(**values))


async def decide(tx: AsyncConnection, row: DecisionRow) -> bool:
    """Take the first answer. False when the task has one already: the unique constraint decides, not timing."""
    taken = await tx.execute(
        upsert(decision)
        .values(**row.model_dump(exclude={"kind", "slot"}, mode="python"))
        .on_conflict_do_nothing()
        .returning(decision.c.task_id)
    )
    return taken.one_or_none() is not None


async def decisions_of(tx: AsyncConnection, subject_id: str) -> tuple[tuple[int, DecisionRow], ...]:
    """Every decision on a subject with the round it was taken in, oldest first."""
    rows = await tx.execute(_DECISIONS, {"subject": subject_id})
    return tuple((int(row.round), DecisionRow.model_validate(dict(row._mapping))) for row in rows)


async def decision_on(tx: AsyncConnection, task_id: str) -> DecisionRow | None:
    rows = await tx.execute(
        select(decision, task.c.kind, task.c.slot)
        .join(task, task.c.id == decision.c.task_id)
        .where(decision.c.task_id == task_id)
    )
    row = rows.one_or_none()
    return DecisionRow.model_validate(dict(row._mapping)) if row else None

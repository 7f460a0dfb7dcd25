"""What nearly every step looks up first, in one statement: eight round trips of a step became one (decision 21)."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tasks.tasks import AskedRow, Decided, TaskRow

_TASKS: TypeAdapter[tuple[TaskRow, ...]] = TypeAdapter(tuple[TaskRow, ...])
_ASKED: TypeAdapter[tuple[AskedRow, ...]] = TypeAdapter(tuple[AskedRow, ...])
_DECIDED: TypeAdapter[Decided] = TypeAdapter(Decided)

_SNAPSHOT = text("""
    SELECT (SELECT max(version) FROM organisation) AS organisation, (SELECT max(version) FROM calendar) AS calendar,
        (SELECT json_agg(task ORDER BY opened_at, id)::text FROM task WHERE subject_id = :subject) AS tasks,
        (SELECT json_agg(task_person ORDER BY removed_at IS NOT NULL, asked_at, person)::text
         FROM task_person JOIN task ON task.id = task_id WHERE subject_id = :subject) AS asked,
        (SELECT json_agg(
            json_build_array(task.round, to_jsonb(decision) || jsonb_build_object('kind', kind, 'slot', slot))
            ORDER BY decided_at, opened_at, task.id)::text
         FROM decision JOIN task ON task.id = task_id WHERE subject_id = :subject) AS decided""")


class StepSnapshot(NamedTuple):
    """The versions of reference data and the tasks of one subject, as a step finds them."""

    organisation_version: int | None
    calendar_version: int | None
    tasks: tuple[TaskRow, ...]
    """Of the subject, oldest first."""
    asked: tuple[AskedRow, ...]
    """Whom those ask or asked, those asked now first."""
    decided: Decided


async def step_snapshot(connection: AsyncConnection, subject_id: str) -> StepSnapshot:
    """Everything of one subject, which the caller has locked in a statement before: this one sees what then holds."""
    row = (await connection.execute(_SNAPSHOT, {"subject": subject_id})).one()
    return StepSnapshot(
        row.organisation,
        row.calendar,
        _TASKS.validate_json(row.tasks or "[]"),
        _ASKED.validate_json(row.asked or "[]"),
        _DECIDED.validate_json(row.decided or "[]"),
    )

"""What nearly every step looks up first, in one statement: eight round trips of a step became one (decision 21)."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from db.connection import plain
from db.tasks.tasks import ASKED_ORDER, DECIDED_JSON, DECIDED_ORDER, AskedRow, Decided, TaskRow

_TASKS: TypeAdapter[tuple[TaskRow, ...]] = TypeAdapter(tuple[TaskRow, ...])
_ASKED: TypeAdapter[tuple[AskedRow, ...]] = TypeAdapter(tuple[AskedRow, ...])
_DECIDED: TypeAdapter[Decided] = TypeAdapter(Decided)

_OPENING = f"""
    SELECT (SELECT max(version) FROM organisation), (SELECT max(version) FROM calendar),
        (SELECT json_agg(task ORDER BY opened_at, id)::text FROM task WHERE subject_id = $1),
        (SELECT json_agg(task_person ORDER BY {ASKED_ORDER})::text
         FROM task_person JOIN task ON task.id = task_id WHERE subject_id = $1),
        (SELECT json_agg({DECIDED_JSON} ORDER BY {DECIDED_ORDER})::text
         FROM decision JOIN task ON task.id = decision.task_id WHERE task.subject_id = $1)"""


class Opening(NamedTuple):
    """The facts and the files on one subject as a step finds them."""

    organisation_version: int | None
    calendar_version: int | None
    tasks: tuple[TaskRow, ...]
    """Of the subject, oldest first."""
    asked: tuple[AskedRow, ...]
    """Whom those ask or asked, those asked now first."""
    decided: Decided


async def opening(connection: AsyncConnection, subject_id: str) -> Opening:
    """Everything of one subject, which the caller has locked in a statement before: this one sees what then holds."""
    ((company, days, tasks, asked, decided),) = await plain.run(connection, _OPENING, subject_id)
    return Opening(
        company,
        days,
        _TASKS.validate_json(tasks or "[]"),
        _ASKED.validate_json(asked or "[]"),
        _DECIDED.validate_json(decided or "[]"),
    )

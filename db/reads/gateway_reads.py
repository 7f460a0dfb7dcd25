"""Queries of the API for every message: idempotency keys, who holds a task's link, disputes under way."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, exists, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.rows import read, read_prefixed
from db.tables.disputes import dispute
from db.tables.messages import idempotency_key
from db.tables.tasks import task, task_person
from db.tasks.tasks import ASKED, ASKED_COLUMNS, AskedRow, TaskRow
from domain.disputes.dispute import DisputeStage

# Built once: building a statement costs more than sending it (measured).
_HOLDER = (
    select(task, *ASKED_COLUMNS)
    .join(task_person, task_person.c.task_id == task.c.id)
    .where(task.c.id == bindparam("task"), task_person.c.person == bindparam("person"))
)
_BIND = upsert(idempotency_key).on_conflict_do_nothing().returning(idempotency_key.c.body_hash)
_MESSAGE = idempotency_key.c.message_id == bindparam("message")
_BOUND = select(idempotency_key.c.body_hash).where(_MESSAGE)
_SENT = select(exists().where(_MESSAGE, idempotency_key.c.person == bindparam("person")))
_DISPUTE_STAGE = select(dispute.c.stage).where(dispute.c.workflow_id == bindparam("workflow"))


class LinkHolder(NamedTuple):
    """A task, and what it is to one of those whom it asks or asked."""

    task: TaskRow
    asked: AskedRow


async def link_holder(connection: AsyncConnection, task_id: str, person: str) -> LinkHolder | None:
    """None when there is no such task, or it never asked `person`."""
    row = (await connection.execute(_HOLDER, {"task": task_id, "person": person})).one_or_none()
    return LinkHolder(read(TaskRow, row), read_prefixed(AskedRow, row, ASKED)) if row else None


async def dispute_is_open(connection: AsyncConnection, workflow_id: str) -> bool:
    """Whether that is the process of a dispute which has not ended."""
    stage = await connection.scalar(_DISPUTE_STAGE, {"workflow": workflow_id})
    return stage is not None and not DisputeStage(stage).ended


async def bind_message(connection: AsyncConnection, message_id: str, person: str, body_hash: str) -> str:
    """Bind an idempotency key to the hash of a body. Returns the hash that it is bound to, which is an earlier one's
    where there was one; of two racing callers the second waits for the first."""
    row = {"message_id": message_id, "person": person, "body_hash": body_hash}
    bound: str | None = await connection.scalar(_BIND, row)
    if bound is None:
        bound = await connection.scalar(_BOUND, {"message": message_id})
    return bound or ""  # deleted meanwhile: bound to a body that nobody knows


async def was_sent(connection: AsyncConnection, message_id: str, person: str) -> bool:
    """Whether `person` sent this message, recorded or not."""
    return bool(await connection.scalar(_SENT, {"message": message_id, "person": person}))

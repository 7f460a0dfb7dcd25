"""What the front door asks of the record for every message: one statement each, because it is asked so often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Table, bindparam, select, text, true
from sqlalchemy.dialects.postgresql import insert as upsert

from db.direct import Direct, Written
from db.messages import Receipt
from db.tables import idempotency_key, receipt, task, task_person
from db.tasks import AskedRow, TaskRow

_ASKED = Written(
    select(task, task_person, receipt)
    .join(task_person, (task_person.c.task_id == task.c.id) & (task_person.c.person == bindparam("by")))
    .outerjoin(receipt, receipt.c.message_id == bindparam("message_id"))
    .where(task.c.id == bindparam("task_id"))
)
_CLAIMED = (
    upsert(idempotency_key)
    .values({name: bindparam(name) for name in ("message_id", "person", "body_hash")})
    .on_conflict_do_nothing()
    .returning(idempotency_key.c.message_id)
    .cte("claimed")
)
_CLAIM = Written(
    select(_CLAIMED.c.message_id.label("claimed"), receipt)
    .select_from(text("(SELECT 1) AS once"))
    .outerjoin(_CLAIMED, true())
    .outerjoin(receipt, receipt.c.message_id == bindparam("message_id"))
)
_BOUND = Written(
    select(idempotency_key.c.body_hash, receipt)
    .outerjoin(receipt, receipt.c.message_id == idempotency_key.c.message_id)
    .where(idempotency_key.c.message_id == bindparam("message_id"))
)
_RECEIPT = Written(select(receipt).where(receipt.c.message_id == bindparam("message_id")))


class Asked(NamedTuple):
    """A task, what it is to one of those it asks or asked, and what became of the message they sent now."""

    task: TaskRow
    mine: AskedRow
    receipt: Receipt | None


class Claim(NamedTuple):
    """What an idempotency key is bound to."""

    body_hash: str
    receipt: Receipt | None


async def asked(record: Direct, task_id: str, person: str, message_id: str) -> Asked | None:
    """None when there is no such task, or it never asked `person`."""
    row = await record.row(_ASKED, task_id=task_id, by=person, message_id=message_id)
    if row is None:
        return None
    about_task, rest = row[: len(task.c)], row[len(task.c) :]
    about_me, about_message = rest[: len(task_person.c)], rest[len(task_person.c) :]
    return Asked(
        TaskRow.model_validate(_named(task, about_task)),
        AskedRow.model_validate(_named(task_person, about_me)),
        _receipt(about_message),
    )


async def claim(record: Direct, message_id: str, person: str, body_hash: str) -> Claim:
    """Bind a key to a body, or find what it is bound to. Of two racing callers the second waits for the first."""
    claimed, *about_message = await _one(record, _CLAIM, message_id=message_id, person=person, body_hash=body_hash)
    if claimed is not None:
        return Claim(body_hash, _receipt(about_message))
    bound, *about_message = await _one(record, _BOUND, message_id=message_id)
    return Claim(bound, _receipt(about_message))


async def find_receipt(record: Direct, message_id: str) -> Receipt | None:
    row = await record.row(_RECEIPT, message_id=message_id)
    return _receipt(tuple(row)) if row else None


async def _one(record: Direct, statement: Written, **values: str) -> tuple[Any, ...]:
    row = await record.row(statement, **values)
    assert row is not None, statement.sql
    return tuple(row)


def _named(table: Table, values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(table.c.keys(), values, strict=True))


def _receipt(values: Sequence[Any]) -> Receipt | None:
    known = _named(receipt, values)
    return Receipt.model_validate(known) if known["message_id"] is not None else None

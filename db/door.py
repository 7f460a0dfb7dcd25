"""What the front door asks of the record for every message: one statement each, because it is asked so often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Table

from db.direct import Direct
from db.messages import Receipt
from db.tables import receipt, task, task_person
from db.tasks import AskedRow, TaskRow


def _columns(*tables: Table) -> str:
    return ", ".join(f"{table.name}.{name}" for table in tables for name in table.c.keys())


_ASKED = f"""
    SELECT {_columns(task, task_person, receipt)}
    FROM task
    JOIN task_person ON task_person.task_id = task.id AND task_person.person = $2
    LEFT JOIN receipt ON receipt.message_id = $3
    WHERE task.id = $1"""
_CLAIM = f"""
    WITH claimed AS (
        INSERT INTO idempotency_key (message_id, person, body_hash) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING
        RETURNING body_hash
    )
    SELECT claimed.body_hash, {_columns(receipt)}
    FROM (SELECT) AS once LEFT JOIN claimed ON true LEFT JOIN receipt ON receipt.message_id = $1"""
_BOUND = f"""
    SELECT idempotency_key.body_hash, {_columns(receipt)}
    FROM idempotency_key LEFT JOIN receipt USING (message_id)
    WHERE message_id = $1"""
_RECEIPT = f"SELECT {_columns(receipt)} FROM receipt WHERE message_id = $1"


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
    row = await record.row(_ASKED, task_id, person, message_id)
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
    row = await record.row(_CLAIM, message_id, person, body_hash)
    if row is None or row[0] is None:
        row = await record.row(_BOUND, message_id)
    if row is None:  # deleted meanwhile: bound to a body that nobody knows
        return Claim("", None)
    return Claim(row[0], _receipt(row[1:]))


async def find_receipt(record: Direct, message_id: str) -> Receipt | None:
    row = await record.row(_RECEIPT, message_id)
    return _receipt(row) if row else None


def _named(table: Table, values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(table.c.keys(), values, strict=True))


def _receipt(values: Sequence[Any]) -> Receipt | None:
    known = _named(receipt, values)
    return Receipt.model_validate(known) if known["message_id"] is not None else None

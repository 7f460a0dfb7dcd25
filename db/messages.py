"""What became of every message: steps done, receipts given, mails to send, nudges to deliver."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.connection import plain
from db.connection.plain import Shape
from db.tables import mail, nudge, receipt
from domain.base import Wire

RECEIPTS = "baobei_receipt"
MAILS = "baobei_mail"
NUDGES = "baobei_nudge"
"""NOTIFY channels. A lost notification costs a poll interval, never a message."""


# What every step runs is plain SQL: see `db/connection/plain.py`.
_STEP_DONE = "SELECT result FROM step WHERE workflow_id = $1 AND key = $2"
_KEEP_STEP = """
    WITH kept AS (INSERT INTO step (workflow_id, key, result) VALUES ($7, $8, $9))
    INSERT INTO mail (key, subject_id, person, facts, link_id, created_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::text[], $6::timestamptz[])
    ON CONFLICT DO NOTHING
    RETURNING key, pg_notify('baobei_mail', '')"""
_GIVE_RECEIPT = """
    INSERT INTO receipt (message_id, workflow_id, person, body_hash, accepted, result, recorded_at, settled)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    RETURNING CASE WHEN settled THEN pg_notify('baobei_receipt', message_id) END"""
_SETTLE = """
    UPDATE receipt SET settled = true WHERE message_id = ANY($1::text[])
    RETURNING pg_notify('baobei_receipt', message_id)"""
_TAKE = """
    UPDATE mail SET due = now() + $2::interval, attempts = attempts + 1
    WHERE id IN (
        SELECT id FROM mail WHERE sent_at IS NULL AND due <= now() ORDER BY due, id LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, key, subject_id, person, facts, link_id, created_at, attempts"""
_SENT = "UPDATE mail SET sent_at = now(), last_error = NULL WHERE id = ANY($1::bigint[])"
_FAILED = "UPDATE mail SET due = now() + $2::interval, last_error = $3 WHERE id = ANY($1::bigint[])"
_NOTE_READING = "INSERT INTO reading (person, subject_type, subject_id, through) VALUES ($1, $2, $3, $4)"
_UNTRIED = "UPDATE mail SET due = now(), attempts = attempts - 1 WHERE id = ANY($1::bigint[])"


class Receipt(Wire):
    """What became of one message."""

    message_id: str
    workflow_id: str
    person: str
    body_hash: str
    accepted: bool
    result: dict[str, Any]
    recorded_at: datetime
    settled: bool


_SHAPE = Shape(Receipt, *receipt.c)
_RECEIPT = f"SELECT {_SHAPE.sql} FROM receipt WHERE message_id = $1"


class Mail(Wire):
    """A mail to send."""

    key: str
    subject_id: str | None
    person: str
    facts: dict[str, Any]
    link_id: str | None
    created_at: datetime


class WaitingMail(NamedTuple):
    """A mail taken from the queue."""

    id: int
    key: str
    subject_id: str | None
    person: str
    facts: dict[str, Any]
    link_id: str | None
    created_at: datetime
    attempts: int
    """This one included."""


async def step_done(connection: AsyncConnection, workflow_id: str, key: str) -> dict[str, Any] | None:
    """The result of a step done before."""
    done = await plain.run(connection, _STEP_DONE, workflow_id, key)
    return dict(done[0][0]) if done else None


async def keep_step(
    connection: AsyncConnection, workflow_id: str, key: str, result: Wire, mails: Sequence[Mail] = ()
) -> tuple[str, ...]:
    """Keep what a step did, and queue its mails. One with a key already queued is the same mail and is not queued
    again. Returns the keys of the others. Raises `IntegrityError` when the step was done before."""
    columns = (
        [row.key for row in mails],
        [row.subject_id for row in mails],
        [row.person for row in mails],
        [plain.json_text(row.facts) for row in mails],
        [row.link_id for row in mails],
        [row.created_at for row in mails],
    )
    rows = await plain.run(connection, _KEEP_STEP, *columns, workflow_id, key, result.model_dump_json())
    new = {row[0] for row in rows}
    return tuple(dict.fromkeys(row.key for row in mails if row.key in new))


async def give_receipt(connection: AsyncConnection, row: Receipt) -> None:
    """Keep how a message was judged, and wake whoever waits for its receipt."""
    await plain.run(
        connection,
        _GIVE_RECEIPT,
        row.message_id,
        row.workflow_id,
        row.person,
        row.body_hash,
        row.accepted,
        plain.json_text(row.result),
        row.recorded_at,
        row.settled,
    )


async def settle(connection: AsyncConnection, message_ids: Sequence[str]) -> None:
    """The consequences of these messages are visible now: whoever waits for them may be answered."""
    if message_ids:
        await plain.run(connection, _SETTLE, message_ids)


async def find_receipt(connection: AsyncConnection, message_id: str) -> Receipt | None:
    """The receipt of a message, if it has been judged."""
    rows = await plain.run(connection, _RECEIPT, message_id)
    return _SHAPE.read(rows[0]) if rows else None


async def lease_mails(connection: AsyncConnection, limit: int, lease: timedelta) -> tuple[WaitingMail, ...]:
    """Unsent mails that are due, leased so that no other sender takes them before `lease` is over."""
    rows = await plain.run(connection, _TAKE, limit, lease)
    return tuple(sorted((WaitingMail(*row) for row in rows), key=lambda row: row.id))


async def mails_sent(connection: AsyncConnection, mail_ids: Sequence[int]) -> None:
    """Mark mails as sent."""
    if mail_ids:
        await plain.run(connection, _SENT, mail_ids)


async def mails_failed(connection: AsyncConnection, mail_ids: Sequence[int], error: str, retry_in: timedelta) -> None:
    """Keep why mails could not be sent, and when to try again."""
    if mail_ids:
        await plain.run(connection, _FAILED, mail_ids, retry_in, error[:500])


async def mails_untried(connection: AsyncConnection, mail_ids: Sequence[int]) -> None:
    """Put mails that were taken and not tried back into the queue, as they were."""
    if mail_ids:
        await plain.run(connection, _UNTRIED, mail_ids)


async def nudge_process(connection: AsyncConnection, workflow_id: str, *, because: str) -> None:
    """Have one running process work out again whom it asks."""
    await connection.execute(insert(nudge).values(workflow_id=workflow_id, because=because))
    await connection.execute(select(func.pg_notify(NUDGES, "")))


async def lease_nudges(connection: AsyncConnection, limit: int, lease: timedelta) -> tuple[Any, ...]:
    """Undelivered nudges that are due, leased as mails are."""
    due = (
        select(nudge.c.id)
        .where(nudge.c.sent_at.is_(None), nudge.c.due <= func.now())
        .order_by(nudge.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = await connection.execute(
        update(nudge).where(nudge.c.id.in_(due.scalar_subquery())).values(due=func.now() + lease).returning(nudge)
    )
    return tuple(rows)


async def nudge_delivered(connection: AsyncConnection, nudge_id: int) -> None:
    """Mark a nudge as delivered."""
    await connection.execute(update(nudge).where(nudge.c.id == nudge_id).values(sent_at=func.now()))


async def note_reading(
    connection: AsyncConnection, person: str, subject_type: str, subject_id: str, through: str
) -> None:
    """X2: reading a customer is itself recorded."""
    await plain.run(connection, _NOTE_READING, person, subject_type, subject_id, through)


async def mails_of(connection: AsyncConnection, subject_id: str) -> tuple[Any, ...]:
    """Every mail about a subject: to whom, what, when sent."""
    rows = await connection.execute(
        select(mail.c.key, mail.c.person, mail.c.created_at, mail.c.sent_at, mail.c.facts["kind"].astext.label("kind"))
        .where(mail.c.subject_id == subject_id)
        .order_by(mail.c.id)
    )
    return tuple(rows)

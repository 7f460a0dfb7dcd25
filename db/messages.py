"""What became of every message: steps done, receipts given, mails to send, nudges to deliver."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import idempotency_key, mail, nudge, reading, receipt, step
from domain.base import Wire

RECEIPTS = "baobei_receipt"
MAILS = "baobei_mail"
NUDGES = "baobei_nudge"
"""NOTIFY channels. A lost notification costs a poll interval, never a message."""


# Built once: for what is asked at every step, building a statement costs more than sending it (ran).
_STEP_DONE = select(step.c.result).where(step.c.workflow_id == bindparam("workflow"), step.c.key == bindparam("step"))
_KEEP_STEP = insert(step)
_ENQUEUE = upsert(mail).on_conflict_do_nothing().returning(mail.c.key)
_RECEIPT = select(receipt).where(receipt.c.message_id == bindparam("message"))


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


class Mail(Wire):
    """A mail to send."""

    key: str
    subject_id: str | None
    person: str
    facts: dict[str, Any]
    link_id: str | None
    created_at: datetime


async def step_done(tx: AsyncConnection, workflow_id: str, key: str) -> dict[str, Any] | None:
    """The result of a step done before."""
    done = await tx.scalar(_STEP_DONE, {"workflow": workflow_id, "step": key})
    return dict(done) if done is not None else None


async def keep_step(tx: AsyncConnection, workflow_id: str, key: str, result: dict[str, Any]) -> None:
    await tx.execute(_KEEP_STEP, {"workflow_id": workflow_id, "key": key, "result": result})


async def give_receipt(tx: AsyncConnection, row: Receipt) -> None:
    given = insert(receipt).values(**row.model_dump())
    await tx.execute(given.returning(func.pg_notify(RECEIPTS, receipt.c.message_id)) if row.settled else given)


async def settle(tx: AsyncConnection, message_ids: Sequence[str]) -> None:
    """The consequences of these messages are visible now: whoever waits for them may be answered."""
    if message_ids:
        mine = update(receipt).where(receipt.c.message_id.in_(message_ids)).values(settled=True)
        await tx.execute(mine.returning(func.pg_notify(RECEIPTS, receipt.c.message_id)))


async def find_receipt(tx: AsyncConnection, message_id: str) -> Receipt | None:
    row = (await tx.execute(_RECEIPT, {"message": message_id})).one_or_none()
    return Receipt.model_validate(dict(row._mapping)) if row else None


async def enqueue_mails(tx: AsyncConnection, mails: Sequence[Mail]) -> tuple[str, ...]:
    """Queue mails; one with a key already queued is the same mail and is not queued again. Returns the new keys."""
    if not mails:
        return ()
    new = set(await tx.scalars(_ENQUEUE, [row.model_dump() for row in mails]))
    if new:
        await tx.execute(select(func.pg_notify(MAILS, "")))
    return tuple(dict.fromkeys(row.key for row in mails if row.key in new))


async def take_mails(tx: AsyncConnection, limit: int, lease: timedelta) -> tuple[Any, ...]:
    """Unsent mails that are due, leased so that no other sender takes them before `lease` is over."""
    due = (
        select(mail.c.id)
        .where(mail.c.sent_at.is_(None), mail.c.due <= func.now())
        .order_by(mail.c.due, mail.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = await tx.execute(
        update(mail)
        .where(mail.c.id.in_(due.scalar_subquery()))
        .values(due=func.now() + lease, attempts=mail.c.attempts + 1)
        .returning(mail)
    )
    return tuple(sorted(rows, key=lambda row: row.id))


async def mails_sent(tx: AsyncConnection, mail_ids: Sequence[int]) -> None:
    if mail_ids:
        await tx.execute(update(mail).where(mail.c.id.in_(mail_ids)).values(sent_at=func.now(), last_error=None))


async def mails_failed(tx: AsyncConnection, mail_ids: Sequence[int], error: str, retry_in: timedelta) -> None:
    if mail_ids:
        failed = update(mail).where(mail.c.id.in_(mail_ids))
        await tx.execute(failed.values(due=func.now() + retry_in, last_error=error[:500]))


async def mails_untried(tx: AsyncConnection, mail_ids: Sequence[int]) -> None:
    """Put mails that were taken and not tried back into the queue, as they were."""
    if mail_ids:
        untried = update(mail).where(mail.c.id.in_(mail_ids))
        await tx.execute(untried.values(due=func.now(), attempts=mail.c.attempts - 1))


async def take_nudges(tx: AsyncConnection, limit: int, lease: timedelta) -> tuple[Any, ...]:
    """Undelivered nudges that are due, leased as mails are."""
    due = (
        select(nudge.c.id)
        .where(nudge.c.sent_at.is_(None), nudge.c.due <= func.now())
        .order_by(nudge.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = await tx.execute(
        update(nudge).where(nudge.c.id.in_(due.scalar_subquery())).values(due=func.now() + lease).returning(nudge)
    )
    return tuple(rows)


async def nudge_delivered(tx: AsyncConnection, nudge_id: int) -> None:
    await tx.execute(update(nudge).where(nudge.c.id == nudge_id).values(sent_at=func.now()))


async def claim_idempotency_key(tx: AsyncConnection, message_id: str, person: str, body_hash: str) -> bool:
    """Bind a key to a body. False when it is bound to another body already."""
    await tx.execute(
        upsert(idempotency_key)
        .values(message_id=message_id, person=person, body_hash=body_hash)
        .on_conflict_do_nothing()
    )
    bound = await tx.scalar(select(idempotency_key.c.body_hash).where(idempotency_key.c.message_id == message_id))
    return bool(bound == body_hash)


async def key_is_known(tx: AsyncConnection, message_id: str, person: str) -> bool:
    """Whether this person sent a message under this id, whatever has become of it."""
    known = select(idempotency_key.c.message_id).where(
        idempotency_key.c.message_id == message_id, idempotency_key.c.person == person
    )
    return await tx.scalar(known) is not None


async def note_reading(tx: AsyncConnection, person: str, subject_type: str, subject_id: str, through: str) -> None:
    """X2: reading a customer is itself recorded."""
    await tx.execute(
        insert(reading).values(person=person, subject_type=subject_type, subject_id=subject_id, through=through)
    )


async def mails_of(tx: AsyncConnection, subject_id: str) -> tuple[Any, ...]:
    """Every mail about a subject: to whom, what, when sent."""
    rows = await tx.execute(
        select(mail.c.key, mail.c.person, mail.c.created_at, mail.c.sent_at, mail.c.facts["kind"].astext.label("kind"))
        .where(mail.c.subject_id == subject_id)
        .order_by(mail.c.id)
    )
    return tuple(rows)


async def alive(tx: AsyncConnection) -> None:
    """Raises when the database does not answer."""
    await tx.execute(text("SELECT 1"))

"""Results of messages: steps done, receipts, and the queues of mails and nudges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Interval, Text, any_, bindparam, case, func, insert, null, select, union_all, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.connection.channels import MAILS, NUDGES, RECEIPTS
from db.rows import first, read_all, values_of
from db.tables.messages import mail, nudge, receipt, step
from domain.base import Wire


class Receipt(Wire):
    """The result of one message."""

    message_id: str
    workflow_id: str
    person: str
    body_hash: str
    accepted: bool
    result: dict[str, Any]
    recorded_at: datetime
    settled: bool


class MailRow(Wire):
    """A mail to send."""

    key: str
    subject_id: str | None
    person: str
    facts: dict[str, Any]
    link_id: str | None
    """The personal link to a task."""
    act_link_id: str | None = None
    """The personal link to an act; such a mail still tells, and asks nothing."""
    created_at: datetime


class LeasedMail(MailRow):
    """A mail leased from the queue."""

    id: int
    attempts: int
    """This one included."""


# Built once: building a statement costs more than sending it (measured).
_STEP = select(step.c.result).where(step.c.workflow_id == bindparam("workflow"), step.c.key == bindparam("step"))
_KEEP_STEP = insert(step)
_QUEUE = upsert(mail).on_conflict_do_nothing().returning(mail.c.key, func.pg_notify(MAILS, ""))
_GIVE_RECEIPT = insert(receipt).returning(
    case((receipt.c.settled, func.pg_notify(RECEIPTS, receipt.c.message_id)), else_=null())
)
_RECEIPT = select(receipt).where(receipt.c.message_id == bindparam("message"))
_SETTLE = (
    update(receipt)
    .where(receipt.c.message_id == any_(bindparam("messages", type_=ARRAY(Text))))
    .values(settled=True)
    .returning(func.pg_notify(RECEIPTS, receipt.c.message_id))
)
_DUE = (
    select(mail.c.id)
    .where(mail.c.sent_at.is_(None), mail.c.due <= func.now())
    .order_by(mail.c.due, mail.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_LEASED = [mail.c[name] for name in LeasedMail.model_fields]
_LEASE = (
    update(mail)
    .where(mail.c.id.in_(_DUE.scalar_subquery()))
    .values(due=func.now() + bindparam("lease", type_=Interval), attempts=mail.c.attempts + 1)
    .returning(*_LEASED)
)
_THESE_MAILS = mail.c.id == any_(bindparam("mails", type_=ARRAY(BigInteger)))
_SENT = update(mail).where(_THESE_MAILS).values(sent_at=func.now(), last_error=None)
_FAILED = update(mail).where(_THESE_MAILS).values(due=func.now() + bindparam("retry_in", type_=Interval))
_UNTRIED = update(mail).where(_THESE_MAILS).values(due=func.now(), attempts=mail.c.attempts - 1)


async def step_done(connection: AsyncConnection, workflow_id: str, key: str) -> dict[str, Any] | None:
    """The result of a step done before."""
    result: dict[str, Any] | None = await connection.scalar(_STEP, {"workflow": workflow_id, "step": key})
    return result


async def keep_step(
    connection: AsyncConnection, workflow_id: str, key: str, result: Wire, mails: Sequence[MailRow] = ()
) -> tuple[str, ...]:
    """Keep what a step did, and queue its mails. One with a key already queued is the same mail and is not queued
    again. Returns the keys of the others. Raises `IntegrityError` when the step was done before."""
    await connection.execute(_KEEP_STEP, {"workflow_id": workflow_id, "key": key, "result": result})
    return await queue(connection, mails)


async def queue(connection: AsyncConnection, mails: Sequence[MailRow]) -> tuple[str, ...]:
    """Queue mails, each key once. Returns the keys of those that were not queued before."""
    if not mails:
        return ()
    queued = set(await connection.scalars(_QUEUE, [values_of(row, mail) for row in mails]))
    return tuple(dict.fromkeys(row.key for row in mails if row.key in queued))


async def give_receipt(connection: AsyncConnection, row: Receipt) -> None:
    """Keep how a message was judged, and wake whoever waits for its receipt."""
    await connection.execute(_GIVE_RECEIPT, values_of(row, receipt))


async def settle(connection: AsyncConnection, message_ids: Sequence[str]) -> None:
    """The consequences of these messages are visible now: whoever waits for them may be answered."""
    if message_ids:
        await connection.execute(_SETTLE, {"messages": message_ids})


async def find_receipt(connection: AsyncConnection, message_id: str) -> Receipt | None:
    """The receipt of a message, if it has been judged."""
    return first(Receipt, await connection.execute(_RECEIPT, {"message": message_id}))


async def lease_mails(connection: AsyncConnection, limit: int, lease: timedelta) -> tuple[LeasedMail, ...]:
    """Unsent mails that are due, leased so that no other sender takes them before `lease` is over."""
    rows = await connection.execute(_LEASE, {"most": limit, "lease": lease})
    return tuple(sorted(read_all(LeasedMail, rows), key=lambda row: row.id))


async def mails_sent(connection: AsyncConnection, mail_ids: Sequence[int]) -> None:
    """Mark mails as sent."""
    if mail_ids:
        await connection.execute(_SENT, {"mails": mail_ids})


async def mails_failed(connection: AsyncConnection, mail_ids: Sequence[int], error: str, retry_in: timedelta) -> None:
    """Keep why mails could not be sent, and when to try again."""
    if mail_ids:
        await connection.execute(_FAILED, {"mails": mail_ids, "retry_in": retry_in, "last_error": error[:500]})


async def mails_untried(connection: AsyncConnection, mail_ids: Sequence[int]) -> None:
    """Put mails that were leased and not tried back into the queue, as they were."""
    if mail_ids:
        await connection.execute(_UNTRIED, {"mails": mail_ids})


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


async def by_link(connection: AsyncConnection, link_id: str) -> MailRow | None:
    """The newest mail that brought this personal link, to a task or an act."""
    columns = [mail.c[name] for name in MailRow.model_fields]
    found = [select(*columns, mail.c.id).where(link == link_id) for link in (mail.c.link_id, mail.c.act_link_id)]
    either = union_all(*found).subquery()
    newest = select(*(either.c[name] for name in MailRow.model_fields)).order_by(either.c.id.desc()).limit(1)
    return first(MailRow, await connection.execute(newest))


async def asking(connection: AsyncConnection, link_id: str) -> dict[str, Any] | None:
    """The facts of the newest mail that asked somebody by this link."""
    newest = select(mail.c.facts).where(mail.c.link_id == link_id).order_by(mail.c.id.desc()).limit(1)
    facts: dict[str, Any] | None = await connection.scalar(newest)
    return facts


async def last_of_kind(connection: AsyncConnection, subject_id: str, kind: str) -> dict[str, datetime]:
    """When mails of `kind` were queued last, by the task that their key names."""
    task = func.split_part(mail.c.key, ":", 2)
    query = (
        select(task.label("task"), func.max(mail.c.created_at).label("at"))
        .where(mail.c.subject_id == subject_id, mail.c.key.startswith(f"{kind}:", autoescape=True))
        .group_by(task)
    )
    return {row.task: row.at for row in await connection.execute(query)}


async def mails_of(connection: AsyncConnection, subject_id: str) -> tuple[Any, ...]:
    """Every mail about a subject: to whom, what, when sent."""
    rows = await connection.execute(
        select(mail.c.key, mail.c.person, mail.c.created_at, mail.c.sent_at, mail.c.facts["kind"].astext.label("kind"))
        .where(mail.c.subject_id == subject_id)
        .order_by(mail.c.id)
    )
    return tuple(rows)

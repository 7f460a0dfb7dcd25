"""The append-only, hash-chained record (X1)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import audit, audit_head
from domain.base import Wire

GENESIS = "0" * 64


class Event(Wire):
    """Something that happened, in the past tense."""

    event: str
    at: datetime
    actor: str
    """A person's id, or `system`."""
    workflow_id: str | None = None
    subject_id: str | None = None
    body: dict[str, Any] = {}


class Entry(Event):
    """An event in its place in the chain."""

    seq: int
    previous_hash: str
    hash: str


class Fault(Wire):
    """One place where the record does not prove itself."""

    seq: int
    what: str
    """changed, missing, reordered, cut_off, head_forged, anchor_differs"""


SealHead = Callable[[int, str], str]
"""Makes the seal of a chain head from its sequence number and hash, with a key the database does not have."""


def chain_hash(seq: int, event: Event, previous_hash: str) -> str:
    """SHA-256 over the entry's canonical JSON and its predecessor's hash; anyone can compute it offline."""
    content = {
        "seq": seq,
        "event": event.event,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": event.actor,
        "workflow_id": event.workflow_id,
        "subject_id": event.subject_id,
        "body": event.body,
        "previous": previous_hash,
    }
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


async def append(tx: AsyncConnection, events: Sequence[Event], seal_head: SealHead) -> None:
    """Chain `events` onto the record. Last in its transaction: it holds the one lock all writers share."""
    if not events:
        return
    head = (await tx.execute(select(audit_head.c.seq, audit_head.c.hash).with_for_update())).one()
    seq, previous = int(head.seq), str(head.hash)
    rows = []
    for event in events:
        seq += 1
        hashed = chain_hash(seq, event, previous)
        rows.append({**event.model_dump(), "seq": seq, "previous_hash": previous, "hash": hashed})
        previous = hashed
    await tx.execute(insert(audit), rows)
    await tx.execute(update(audit_head).values(seq=seq, hash=previous, seal=seal_head(seq, previous)))


async def of_subject(tx: AsyncConnection, subject_id: str) -> tuple[Entry, ...]:
    """Everything recorded of one subject, oldest first."""
    rows = await tx.execute(select(audit).where(audit.c.subject_id == subject_id).order_by(audit.c.seq))
    return tuple(Entry.model_validate(dict(row._mapping)) for row in rows)


async def entries(tx: AsyncConnection) -> AsyncIterator[Entry]:
    """The whole record in order, a batch at a time."""
    last = -1
    while True:
        rows = (await tx.execute(select(audit).where(audit.c.seq > last).order_by(audit.c.seq).limit(1000))).all()
        if not rows:
            return
        for row in rows:
            yield Entry.model_validate(dict(row._mapping))
        last = rows[-1].seq


async def verify(
    tx: AsyncConnection, seal_holds: Callable[[int, str, str], bool], anchor: tuple[int, str] | None = None
) -> tuple[Fault, ...]:
    """Prove the record: every entry unchanged, none missing, none out of order, the end not cut off.

    `anchor` is a head (sequence number, hash) noted earlier at a place the database's owner cannot reach; it finds a
    record that was cut and given an old head. Empty when the record holds.
    """
    await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    head = (await tx.execute(select(audit_head.c.seq, audit_head.c.hash, audit_head.c.seal))).one()
    faults: list[Fault] = []
    expected, previous = 1, GENESIS
    async for entry in entries(tx):
        if entry.seq != expected:
            faults.append(Fault(seq=expected, what="missing"))
        elif entry.previous_hash != previous:
            faults.append(Fault(seq=entry.seq, what="reordered"))
        if not hmac.compare_digest(entry.hash, chain_hash(entry.seq, entry, entry.previous_hash)):
            faults.append(Fault(seq=entry.seq, what="changed"))
        if anchor and entry.seq == anchor[0] and entry.hash != anchor[1]:
            faults.append(Fault(seq=entry.seq, what="anchor_differs"))
        expected, previous = entry.seq + 1, entry.hash
    if (head.seq, head.hash) != (expected - 1, previous):
        faults.append(Fault(seq=expected, what="cut_off"))
    if head.seq and not seal_holds(head.seq, head.hash, head.seal):
        faults.append(Fault(seq=head.seq, what="head_forged"))
    if anchor and expected - 1 < anchor[0]:
        faults.append(Fault(seq=expected, what="cut_off"))
    return tuple(faults)

"""The append-only, hash-chained record (X1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Text, all_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from db.rows import read_all
from db.tables.audit import audit, audit_head
from domain.base import Wire

GENESIS = "0" * 64

# Built once: building a statement costs more than sending it (measured).
_HEAD_LOCKED = select(audit_head.c.seq, audit_head.c.hash).with_for_update()
_APPEND = text("""
    WITH head AS (UPDATE audit_head SET seq = :seq, hash = :hash, seal = :seal)
    INSERT INTO audit (seq, previous_hash, hash, event, at, actor, workflow_id, subject_id, body)
    SELECT * FROM unnest(
        CAST(:seqs AS bigint[]), CAST(:previous AS text[]), CAST(:hashes AS text[]), CAST(:events AS text[]),
        CAST(:moments AS timestamptz[]), CAST(:actors AS text[]), CAST(:workflows AS text[]),
        CAST(:subjects AS text[]), CAST(:bodies AS jsonb[]))""")
_OF_SUBJECT = (
    select(audit)
    .where(audit.c.subject_id == bindparam("subject"), audit.c.event != all_(bindparam("without", type_=ARRAY(Text))))
    .order_by(audit.c.seq)
)
_BODIES = (
    select(audit.c.body)
    .where(audit.c.subject_id == bindparam("subject"), audit.c.event == bindparam("event_name"))
    .order_by(audit.c.seq)
)


class Event(Wire):
    """Something that happened, in the past tense."""

    event: str
    at: datetime
    actor: str
    """A person's id, `operator:` and a login of the machine for the command line, or `system`."""
    workflow_id: str | None = None
    subject_id: str | None = None
    body: dict[str, Any] = {}


class AuditEntry(Event):
    """An event in its place in the chain."""

    seq: int
    previous_hash: str
    hash: str


class Fault(Wire):
    """One place where the record does not prove itself."""

    seq: int
    what: str
    """changed, missing, reordered, cut_off, head_forged, anchor_differs, unreadable: text keys under `fault.`"""


class Proof(Wire):
    """What proving the record found."""

    entries: int
    head: tuple[int, str]
    """Sequence number and hash of the last entry: the anchor to note where the database's owner cannot reach it."""
    seal_checked: bool
    """False for an export that was proved without the keys of the seal."""
    faults: tuple[Fault, ...] = ()
    """Empty when the record holds."""


Anchor = tuple[int, str]
"""A head (sequence number, hash) noted earlier; it finds a record that was cut and given an old head."""
SealHead = Callable[[int, str], str]
"""Makes the seal of a chain head from its sequence number and hash, with a key the database does not have."""
SealHolds = Callable[[int, str, str], bool]
"""Whether the third is our seal of the head that the first two name."""


def _at(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


_canonical = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
"""The one text of some JSON."""


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def chain_hash(seq: int, event: Event, previous_hash: str) -> str:
    """SHA-256 over the entry's canonical JSON and its predecessor's hash; anyone can compute it offline."""
    content = {
        "seq": seq,
        "event": event.event,
        "at": _at(event.at),
        "actor": event.actor,
        "workflow_id": event.workflow_id,
        "subject_id": event.subject_id,
        "body": event.body,
        "previous": previous_hash,
    }
    return _digest(content)


class Chain:
    """Proves a record handed over entry by entry, in order; keeps nothing but its place. Never raises."""

    def __init__(self, anchor: Anchor | None = None) -> None:
        self._anchor = anchor
        self._expected, self._previous = 1, GENESIS
        self._entries = 0
        self._faults: dict[Fault, None] = {}  # in the order found, each once

    def add(self, content: Mapping[str, Any], claimed: object) -> None:
        """The next entry: everything that is hashed, and the hash it claims to have."""
        seq = content.get("seq")
        if not isinstance(seq, int) or not isinstance(claimed, str):
            self.unreadable()
            return
        self._entries += 1
        if seq > self._expected:
            self._fault(self._expected, "missing")
        elif seq < self._expected or content.get("previous") != self._previous:
            self._fault(seq, "reordered")
        if not _holds(content, claimed):
            self._fault(seq, "changed")
        if self._anchor and seq == self._anchor[0] and claimed != self._anchor[1]:
            self._fault(seq, "anchor_differs")
        if seq >= self._expected:
            self._expected, self._previous = seq + 1, claimed

    def unreadable(self) -> None:
        """Something stands where the next entry should."""
        self._fault(self._expected, "unreadable")

    def close(self, head: Mapping[str, Any] | None, seal_holds: SealHolds | None) -> Proof:
        """The end of the record, and the head it claims: `seq`, `hash`, `seal` (not checked when nobody can)."""
        last = (self._expected - 1, self._previous)
        if head is None or (head.get("seq"), head.get("hash")) != last:
            self._fault(self._expected, "cut_off")
        if head and seal_holds and head.get("seq") != 0 and not _sealed(head, seal_holds):
            self._fault(last[0], "head_forged")
        if self._anchor and last[0] < self._anchor[0]:
            self._fault(self._expected, "cut_off")
        return Proof(entries=self._entries, head=last, seal_checked=seal_holds is not None, faults=tuple(self._faults))

    def _fault(self, seq: int, what: str) -> None:
        self._faults[Fault(seq=seq, what=what)] = None


def _sealed(head: Mapping[str, Any], seal_holds: SealHolds) -> bool:
    seq, digest, seal = head.get("seq"), head.get("hash"), head.get("seal")
    return isinstance(seq, int) and isinstance(digest, str) and isinstance(seal, str) and seal_holds(seq, digest, seal)


def _holds(content: Mapping[str, Any], claimed: str) -> bool:
    try:
        return _digest(content) == claimed
    except (ValueError, TypeError, RecursionError):  # text that is not Unicode, from an export made by hand
        return False


async def append(connection: AsyncConnection, events: Sequence[Event], seal_head: SealHead) -> None:
    """Chain `events` onto the record. Last in its transaction: it holds the one lock all writers share."""
    if not events:
        return
    last, head = (await connection.execute(_HEAD_LOCKED)).one()
    seqs, hashes = range(last + 1, last + 1 + len(events)), [head]
    for seq, event in zip(seqs, events, strict=True):
        hashes.append(chain_hash(seq, event, hashes[-1]))
    await connection.execute(
        _APPEND,
        {
            "seq": seqs[-1],
            "hash": hashes[-1],
            "seal": seal_head(seqs[-1], hashes[-1]),
            "seqs": list(seqs),
            "previous": hashes[:-1],
            "hashes": hashes[1:],
            "events": [event.event for event in events],
            "moments": [event.at for event in events],
            "actors": [event.actor for event in events],
            "workflows": [event.workflow_id for event in events],
            "subjects": [event.subject_id for event in events],
            "bodies": [_canonical(event.body) for event in events],
        },
    )


async def of_subject(
    connection: AsyncConnection, subject_id: str, *, without: Collection[str] = ()
) -> tuple[AuditEntry, ...]:
    """Everything recorded of one subject, oldest first; `without` these events."""
    wanted = {"subject": subject_id, "without": sorted(without)}
    return read_all(AuditEntry, await connection.execute(_OF_SUBJECT, wanted))


async def bodies(connection: AsyncConnection, subject_id: str, event: str) -> tuple[dict[str, Any], ...]:
    """What was recorded of a subject under one event, oldest first."""
    return tuple(await connection.scalars(_BODIES, {"subject": subject_id, "event_name": event}))


async def verify(
    connection: AsyncConnection,
    seal_holds: SealHolds,
    anchor: Anchor | None = None,
    export: Callable[[str], object] | None = None,
) -> Proof:
    """Prove the record: every entry unchanged, none missing, none out of order, the end not cut off (X1).

    First in its transaction. `export` is handed the same record line by line, in the form `verify_export` reads.
    """
    await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    found = (await connection.execute(select(audit_head.c.seq, audit_head.c.hash, audit_head.c.seal))).all()
    head = dict(found[0]._mapping) if len(found) == 1 else None
    chain = Chain(anchor)
    last = -(2**63)
    while True:
        rows = (
            await connection.execute(select(audit).where(audit.c.seq > last).order_by(audit.c.seq).limit(1000))
        ).all()
        for row in rows:
            content = dict(row._mapping)
            claimed, content["previous"] = content.pop("hash"), content.pop("previous_hash")
            try:
                content["at"] = _at(row.at)
            except (ValueError, OverflowError):  # a moment out of range was never written by us
                content["at"] = str(row.at)
            chain.add(content, claimed)
            if export:
                export(_canonical(content | {"hash": claimed}))
        if not rows:
            break
        last = rows[-1].seq
    if export and head:
        export(_canonical({"head": head}))
    return chain.close(head, seal_holds)


def verify_export(lines: Iterable[str], seal_holds: SealHolds | None, anchor: Anchor | None = None) -> Proof:
    """Prove an export, without any database. Never raises for what the lines say.

    One JSON object a line. An entry's `hash` is the SHA-256 of the object without `hash`, as UTF-8 with its keys sorted
    and no spaces; its `previous` is the hash of the entry before. The last line is the head.
    """
    chain = Chain(anchor)
    head: Mapping[str, Any] | None = None
    for line in lines:
        try:
            content = json.loads(line, object_pairs_hook=_once, parse_constant=_no_number)
        except (ValueError, TypeError, RecursionError):
            content = None
        if head is not None or not isinstance(content, dict):
            chain.unreadable()
        elif isinstance(content.get("head"), dict):
            head = content["head"]
        else:
            chain.add(content, content.pop("hash", None))
    return chain.close(head, seal_holds)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A key that stands twice would show one reader something else than it proves to another.
    if len(keys := dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return keys

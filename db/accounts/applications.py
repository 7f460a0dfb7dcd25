"""Rows of applications, their rounds, parties and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.connection import plain
from db.connection.plain import Shape
from db.tables import application, application_round, evidence, party
from domain.accounts.application import ApplicationForm, Stage
from domain.accounts.evidence import Evidence, EvidenceKind
from domain.accounts.named_account import Rejection
from domain.base import Wire


class ApplicationRow(Wire):
    """One application as the record has it."""

    id: str
    workflow_id: str
    applicant: str
    department: str | None
    stage: Stage
    round: int
    form: ApplicationForm
    policy_digest: str
    submitted_at: datetime
    stage_since: datetime
    rejection: Rejection | None = None
    appeal: dict[str, Any] | None = None
    end_reason: dict[str, Any] | None = None


class KeyedParty(Wire):
    """A company named by a subject, with the key it is found by."""

    role: str
    name: str
    name_key: str
    uscc: str | None = None
    grams: tuple[int, ...] = ()
    """What near names are found by (`matching.names.grams`), sorted. Not read back."""


class RegisteredParty(KeyedParty):
    """A company named by a registered subject, and since when."""

    subject_type: str
    subject_id: str
    since: datetime
    live: bool = True
    """Takes part in conflict detection (P10)."""


# What every step runs is plain SQL: see `db/connection/plain.py`.
_APPLICATION = Shape(ApplicationRow, *application.c)
REGISTERED_COLUMNS = [party.c[name] for name in RegisteredParty.model_fields if name in party.c and name != "grams"]
"""Of `party`, without what only the database needs to find it by."""
REGISTERED_PARTY = Shape(RegisteredParty, *REGISTERED_COLUMNS)

_KINDS = list(EvidenceKind)
_ADD_ROUND = plain.insertion(application_round)
_ADD = f"WITH added AS ({plain.insertion(application, place=2)}) {_ADD_ROUND}"
_FIND = f"SELECT {_APPLICATION.sql} FROM application WHERE id = $1"
_NAME_PARTIES = plain.insertion(party)
_FORGET_PARTIES = "DELETE FROM party WHERE subject_type = $1 AND subject_id = $2"
_PARTY_TIMES = "SELECT name_key, uscc, since FROM party WHERE subject_type = $1 AND subject_id = $2"
# Sorted, so that nobody waits for somebody who waits for them.
_TAKE_TURNS = """
    SELECT pg_advisory_xact_lock(place) FROM (
        SELECT DISTINCT hashtextextended('party:' || known, 0) AS place FROM unnest($1::text[]) AS given (known)
        ORDER BY place
    ) AS turn"""
_NAMED_LAST = """
    SELECT max(since) FROM party
    WHERE live AND subject_type = $1 AND subject_id <> $2 AND (name_key = ANY($3::text[]) OR uscc = ANY($4::text[]))"""
_SET_LIVE = "UPDATE party SET live = $3 WHERE subject_type = $1 AND subject_id = $2 AND live <> $3"
_KEEP_EVIDENCE = f"""{plain.insertion(evidence)}
    ON CONFLICT (application_id, round, kind) DO UPDATE SET document = excluded.document"""
_EVIDENCE_OF = "SELECT document FROM evidence WHERE application_id = $1 AND round = $2"


async def add(connection: AsyncConnection, row: ApplicationRow) -> None:
    """Register a new application and its first round."""
    first = _round(row.id, row.round, row.form, row.submitted_at)
    await plain.run(connection, _ADD, first, plain.json_text([row]))


async def add_round(
    connection: AsyncConnection, application_id: str, number: int, form: ApplicationForm, at: datetime
) -> None:
    """Keep the form of a new round of an application (N11)."""
    await plain.run(connection, _ADD_ROUND, _round(application_id, number, form, at))


def _round(application_id: str, number: int, form: ApplicationForm, at: datetime) -> str:
    row = {"application_id": application_id, "round": number, "form": form, "submitted_at": at}
    return plain.json_text([row])


async def find(connection: AsyncConnection, application_id: str, *, lock: bool = False) -> ApplicationRow | None:
    """One application; `lock` keeps others from changing it until the transaction ends."""
    rows = await plain.run(connection, f"{_FIND} FOR UPDATE" if lock else _FIND, application_id)
    return _APPLICATION.read(rows[0]) if rows else None


async def change(connection: AsyncConnection, application_id: str, **values: Any) -> None:
    """Set columns of one application; models become JSON."""
    await plain.change(connection, application, application_id, values)


async def rounds(connection: AsyncConnection, application_id: str) -> tuple[dict[str, Any], ...]:
    """Every round's form as it was submitted (N11)."""
    rows = await connection.execute(
        select(application_round.c.round, application_round.c.submitted_at, application_round.c.form)
        .where(application_round.c.application_id == application_id)
        .order_by(application_round.c.round)
    )
    return tuple(dict(row._mapping) for row in rows)


async def set_parties(
    connection: AsyncConnection,
    subject_type: str,
    subject_id: str,
    parties: Sequence[KeyedParty],
    *,
    since: datetime,
    live: bool,
) -> None:
    """Name the parties of a subject anew. One that was named before keeps its place in time (N14)."""
    places = await party_times(connection, subject_type, subject_id)
    if places:
        await plain.run(connection, _FORGET_PARTIES, subject_type, subject_id)
    rows = [
        {
            "subject_type": subject_type,
            "subject_id": subject_id,
            "live": live,
            "since": places.get((named.name_key, named.uscc), since),
            **named.model_dump(),
        }
        for named in parties
    ]
    await plain.run(connection, _NAME_PARTIES, plain.json_text(rows))


async def take_place(
    connection: AsyncConnection, subject_type: str, subject_id: str, parties: Sequence[KeyedParty], *, now: datetime
) -> datetime:
    """The moment from which a subject names companies it has not named before: `now`, or right after the last other
    live one of its type that names one of them (N14).

    Whoever names the same company by name or code waits until this transaction ends. So of two, the one recorded later
    is also the later one by its moment, and finds the earlier one; a process may have dated its step long before it
    was recorded. Keep the transaction short.
    """
    keys = sorted({named.name_key for named in parties})
    codes = sorted({named.uscc for named in parties if named.uscc})
    await plain.run(connection, _TAKE_TURNS, [*keys, *codes])
    ((last,),) = await plain.run(connection, _NAMED_LAST, subject_type, subject_id, keys, codes)
    return now if last is None or last < now else last + timedelta(microseconds=1)


async def party_times(
    connection: AsyncConnection, subject_type: str, subject_id: str
) -> dict[tuple[str, str | None], datetime]:
    """Since when a subject has named each of its parties, by name key and code."""
    rows = await plain.run(connection, _PARTY_TIMES, subject_type, subject_id)
    return {(name_key, uscc): since for name_key, uscc, since in rows}


async def set_live(connection: AsyncConnection, subject_type: str, subject_id: str, live: bool) -> None:
    """Let the parties of a subject take part in conflict detection, or no longer."""
    await plain.run(connection, _SET_LIVE, subject_type, subject_id, live)


async def set_since(connection: AsyncConnection, subject_type: str, subject_id: str, since: datetime) -> None:
    """Give all parties of a subject a new place in time (U6)."""
    mine = and_(party.c.subject_type == subject_type, party.c.subject_id == subject_id)
    await connection.execute(update(party).where(mine).values(since=since))


async def keep_evidence(
    connection: AsyncConnection, application_id: str, number: int, found: Sequence[Evidence]
) -> None:
    """Keep what a source said in this round, in place of what it said before."""
    rows = [{"application_id": application_id, "round": number, "kind": item.kind, "document": item} for item in found]
    await plain.run(connection, _KEEP_EVIDENCE, plain.json_text(rows))


async def evidence_of(connection: AsyncConnection, application_id: str, number: int) -> tuple[Evidence, ...]:
    """The evidence of one round, in the order of its kinds."""
    rows = await plain.run(connection, _EVIDENCE_OF, application_id, number)
    return in_order([Evidence.model_validate(document) for (document,) in rows])


def in_order(found: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """In the order of their kinds."""
    return tuple(sorted(found, key=lambda item: _KINDS.index(item.kind)))


async def customer_names(connection: AsyncConnection, application_ids: Sequence[str]) -> dict[str, str]:
    """The customer's name of each of these applications."""
    name = application.c.form["customer"]["name"].astext
    rows = await connection.execute(
        select(application.c.id, name.label("name")).where(application.c.id.in_(application_ids))
    )
    return {row.id: row.name for row in rows}

"""Rows of applications, their rounds, parties and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Text, and_, any_, bindparam, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.rows import first, values_of
from db.tables.accounts import application, application_round, evidence
from db.tables.conflicts import party
from domain.accounts.application import ApplicationForm, Stage
from domain.accounts.evidence import Evidence, EvidenceKind
from domain.accounts.judgements import StatementFacts
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

    @property
    def statement_facts(self) -> StatementFacts:
        """What statements about it are judged by."""
        return StatementFacts(
            stage=self.stage,
            applicant=self.applicant,
            appealed=bool(self.appeal),
            appeal_until=self.rejection.appeal_until if self.rejection else None,
        )


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


REGISTERED_COLUMNS = [party.c[name] for name in RegisteredParty.model_fields if name in party.c and name != "grams"]
"""Of `party`, without what only the database needs to find it by."""

_KINDS = list(EvidenceKind)
# Built once: building a statement costs more than sending it (measured).
_APPLICATION = select(application).where(application.c.id == bindparam("application"))
_APPLICATION_LOCKED = _APPLICATION.with_for_update()
_ADD = insert(application)
_ADD_ROUND = insert(application_round)
_CHANGE = update(application).where(application.c.id == bindparam("application"))
_OF_SUBJECT = and_(party.c.subject_type == bindparam("type"), party.c.subject_id == bindparam("subject"))
_ADD_PARTIES = insert(party)
_FORGET_PARTIES = delete(party).where(_OF_SUBJECT)
_PARTY_TIMES = select(party.c.name_key, party.c.uscc, party.c.since).where(_OF_SUBJECT)
# Sorted, so that nobody waits for somebody who waits for them.
_TAKE_TURNS = text("""
    SELECT pg_advisory_xact_lock(place) FROM (
        SELECT DISTINCT hashtextextended('party:' || known, 0) AS place
        FROM unnest(CAST(:known AS text[])) AS given (known)
        ORDER BY place
    ) AS turn""")
_NAMED_LAST = select(func.max(party.c.since)).where(
    party.c.live,
    party.c.subject_type == bindparam("type"),
    party.c.subject_id != bindparam("subject"),
    or_(
        party.c.name_key == any_(bindparam("keys", type_=ARRAY(Text))),
        party.c.uscc == any_(bindparam("codes", type_=ARRAY(Text))),
    ),
)
_SET_LIVE = update(party).where(_OF_SUBJECT, party.c.live != bindparam("wanted")).values(live=bindparam("wanted"))
_SET_SINCE = update(party).where(_OF_SUBJECT)
_EVIDENCE = upsert(evidence)
_KEEP_EVIDENCE = _EVIDENCE.on_conflict_do_update(
    index_elements=["application_id", "round", "kind"], set_={"document": _EVIDENCE.excluded.document}
)
_EVIDENCE_OF = select(evidence.c.document).where(
    evidence.c.application_id == bindparam("application"), evidence.c.round == bindparam("number")
)


async def add(connection: AsyncConnection, row: ApplicationRow) -> None:
    """Register a new application and its first round."""
    await connection.execute(_ADD, values_of(row, application))
    await add_round(connection, row.id, row.round, row.form, row.submitted_at)


async def add_round(
    connection: AsyncConnection, application_id: str, number: int, form: ApplicationForm, at: datetime
) -> None:
    """Keep the form of a new round of an application (N11)."""
    row = {"application_id": application_id, "round": number, "form": form, "submitted_at": at}
    await connection.execute(_ADD_ROUND, row)


async def find(connection: AsyncConnection, application_id: str, *, lock: bool = False) -> ApplicationRow | None:
    """One application; `lock` keeps others from changing it until the transaction ends."""
    query = _APPLICATION_LOCKED if lock else _APPLICATION
    return first(ApplicationRow, await connection.execute(query, {"application": application_id}))


async def change(connection: AsyncConnection, application_id: str, **values: Any) -> None:
    """Set columns of one application; models become JSON."""
    await connection.execute(_CHANGE, {"application": application_id, **values})


async def rounds(connection: AsyncConnection, application_id: str) -> tuple[dict[str, Any], ...]:
    """Every round's form as it was submitted (N11)."""
    rows = await connection.execute(
        select(application_round.c.round, application_round.c.submitted_at, application_round.c.form)
        .where(application_round.c.application_id == application_id)
        .order_by(application_round.c.round)
    )
    return tuple(row._asdict() for row in rows)


async def form_before(connection: AsyncConnection, application_id: str, number: int) -> ApplicationForm | None:
    """The form of the round before round `number`; None in the first."""
    if number == 1:
        return None
    query = select(application_round.c.form).where(
        application_round.c.application_id == application_id, application_round.c.round == number - 1
    )
    return ApplicationForm.model_validate(await connection.scalar(query))


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
        await connection.execute(_FORGET_PARTIES, {"type": subject_type, "subject": subject_id})
    rows = [
        {
            "subject_type": subject_type,
            "subject_id": subject_id,
            "live": live,
            "since": places.get((named.name_key, named.uscc), since),
            **values_of(named, party),
        }
        for named in parties
    ]
    if rows:
        await connection.execute(_ADD_PARTIES, rows)


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
    await connection.execute(_TAKE_TURNS, {"known": [*keys, *codes]})
    named = {"type": subject_type, "subject": subject_id, "keys": keys, "codes": codes}
    last: datetime | None = await connection.scalar(_NAMED_LAST, named)
    return now if last is None or last < now else last + timedelta(microseconds=1)


async def party_times(
    connection: AsyncConnection, subject_type: str, subject_id: str
) -> dict[tuple[str, str | None], datetime]:
    """Since when a subject has named each of its parties, by name key and code."""
    rows = await connection.execute(_PARTY_TIMES, {"type": subject_type, "subject": subject_id})
    return {(row.name_key, row.uscc): row.since for row in rows}


async def set_live(connection: AsyncConnection, subject_type: str, subject_id: str, live: bool) -> None:
    """Let the parties of a subject take part in conflict detection, or no longer."""
    await connection.execute(_SET_LIVE, {"type": subject_type, "subject": subject_id, "wanted": live})


async def set_since(connection: AsyncConnection, subject_type: str, subject_id: str, since: datetime) -> None:
    """Give all parties of a subject a new place in time (U6)."""
    await connection.execute(_SET_SINCE, {"type": subject_type, "subject": subject_id, "since": since})


async def keep_evidence(
    connection: AsyncConnection, application_id: str, number: int, found: Sequence[Evidence]
) -> None:
    """Keep what a source said in this round, in place of what it said before."""
    rows = [{"application_id": application_id, "round": number, "kind": item.kind, "document": item} for item in found]
    if rows:
        await connection.execute(_KEEP_EVIDENCE, rows)


async def evidence_of(connection: AsyncConnection, application_id: str, number: int) -> tuple[Evidence, ...]:
    """The evidence of one round, in the order of its kinds."""
    documents = await connection.scalars(_EVIDENCE_OF, {"application": application_id, "number": number})
    return in_order([Evidence.model_validate(document) for document in documents])


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

"""Rows of applications, their rounds, parties and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import application, application_round, evidence, party
from domain.application import ApplicationForm, Stage
from domain.base import Wire
from domain.evidence import Evidence, EvidenceKind
from domain.named_account import Rejection

# Built once: for what is asked at every step, building a statement costs more than sending it (ran).
_APPLICATION = select(application).where(application.c.id == bindparam("application"))
_APPLICATION_LOCKED = _APPLICATION.with_for_update()


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


class RegisteredParty(KeyedParty):
    """A company named by a registered subject, and since when."""

    subject_type: str
    subject_id: str
    since: datetime


async def add(tx: AsyncConnection, row: ApplicationRow) -> None:
    """Register a new application and its first round."""
    await tx.execute(
        insert(application).values(**row.model_dump(mode="python", exclude={"form"}), form=_json(row.form))
    )
    await add_round(tx, row.id, row.round, row.form, row.submitted_at)


async def add_round(tx: AsyncConnection, application_id: str, number: int, form: ApplicationForm, at: datetime) -> None:
    await tx.execute(
        insert(application_round).values(application_id=application_id, round=number, form=_json(form), submitted_at=at)
    )


async def find(tx: AsyncConnection, application_id: str, *, lock: bool = False) -> ApplicationRow | None:
    """One application; `lock` keeps others from changing it until the transaction ends."""
    row = (
        await tx.execute(_APPLICATION_LOCKED if lock else _APPLICATION, {"application": application_id})
    ).one_or_none()
    return ApplicationRow.model_validate(dict(row._mapping)) if row else None


async def change(tx: AsyncConnection, application_id: str, **values: Any) -> None:
    """Set columns of one application; models become JSON."""
    plain = {
        name: _json(value) if isinstance(value, Wire | ApplicationForm) else value for name, value in values.items()
    }
    await tx.execute(update(application).where(application.c.id == application_id).values(**plain))


async def rounds(tx: AsyncConnection, application_id: str) -> tuple[dict[str, Any], ...]:
    """Every round's form as it was submitted (N11)."""
    rows = await tx.execute(
        select(application_round.c.round, application_round.c.submitted_at, application_round.c.form)
        .where(application_round.c.application_id == application_id)
        .order_by(application_round.c.round)
    )
    return tuple(dict(row._mapping) for row in rows)


async def set_parties(
    tx: AsyncConnection,
    subject_type: str,
    subject_id: str,
    parties: Sequence[KeyedParty],
    *,
    since: datetime,
    live: bool,
) -> None:
    """Name the parties of a subject anew. One that was named before keeps its place in time (N14)."""
    mine = and_(party.c.subject_type == subject_type, party.c.subject_id == subject_id)
    places = await party_times(tx, subject_type, subject_id)
    if places:
        await tx.execute(delete(party).where(mine))
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
    await tx.execute(insert(party), rows)


async def party_times(
    tx: AsyncConnection, subject_type: str, subject_id: str
) -> dict[tuple[str, str | None], datetime]:
    """Since when a subject has named each of its parties, by name key and code."""
    rows = await tx.execute(
        select(party.c.name_key, party.c.uscc, party.c.since).where(
            party.c.subject_type == subject_type, party.c.subject_id == subject_id
        )
    )
    return {(row.name_key, row.uscc): row.since for row in rows}


async def set_live(tx: AsyncConnection, subject_type: str, subject_id: str, live: bool) -> None:
    """Let the parties of a subject take part in conflict detection, or no longer."""
    mine = and_(party.c.subject_type == subject_type, party.c.subject_id == subject_id)
    await tx.execute(update(party).where(mine, party.c.live.is_distinct_from(live)).values(live=live))


async def set_since(tx: AsyncConnection, subject_type: str, subject_id: str, since: datetime) -> None:
    """Give all parties of a subject a new place in time (U6)."""
    mine = and_(party.c.subject_type == subject_type, party.c.subject_id == subject_id)
    await tx.execute(update(party).where(mine).values(since=since))


async def candidates(
    tx: AsyncConnection,
    subject_types: Sequence[str],
    parties: Sequence[KeyedParty],
    *,
    but: str,
    live_only: bool = True,
) -> tuple[RegisteredParty, ...]:
    """Registered parties that may be one of `parties`, oldest first; the caller judges each pair."""
    names = sorted({named.name_key for named in parties})
    codes = sorted({named.uscc for named in parties if named.uscc})
    condition = [party.c.subject_type.in_(subject_types), party.c.subject_id != but]
    if live_only:
        condition.append(party.c.live)
    matches = [party.c.name_key.in_(names)] + ([party.c.uscc.in_(codes)] if codes else [])
    rows = await tx.execute(
        select(party).where(*condition, or_(*matches)).order_by(party.c.since, party.c.subject_id, party.c.id)
    )
    return tuple(RegisteredParty.model_validate(dict(row._mapping)) for row in rows)


async def keep_evidence(tx: AsyncConnection, application_id: str, number: int, found: Sequence[Evidence]) -> None:
    """Keep what a source said in this round, in place of what it said before."""
    rows = [
        {"application_id": application_id, "round": number, "kind": item.kind.value, "document": _json(item)}
        for item in found
    ]
    statement = upsert(evidence).values(rows)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["application_id", "round", "kind"], set_={"document": statement.excluded.document}
        )
    )


async def evidence_of(tx: AsyncConnection, application_id: str, number: int) -> tuple[Evidence, ...]:
    """The evidence of one round, in the order of its kinds."""
    rows = await tx.scalars(
        select(evidence.c.document).where(evidence.c.application_id == application_id, evidence.c.round == number)
    )
    found = [Evidence.model_validate(document) for document in rows]
    order = list(EvidenceKind)
    return tuple(sorted(found, key=lambda item: order.index(item.kind)))


def _json(model: Wire | ApplicationForm) -> dict[str, Any]:
    return model.model_dump(mode="json")


async def customer_names(tx: AsyncConnection, application_ids: Sequence[str]) -> dict[str, str]:
    """The customer's name of each of these applications."""
    name = application.c.form["customer"]["name"].astext
    rows = await tx.execute(select(application.c.id, name.label("name")).where(application.c.id.in_(application_ids)))
    return {row.id: row.name for row in rows}

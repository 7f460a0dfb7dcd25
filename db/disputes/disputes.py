"""Rows of disputes over a project (D1–D3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts.applications import KeyedParty
from db.rows import first, read_all, values_of
from db.tables.conflicts import party
from db.tables.disputes import dispute
from domain.base import Wire
from domain.disputes.dispute import DISPUTE_ENDED, Claimant, DisputeStage, Origin

MOST_PRECEDENTS = 10
"""Earlier rulings shown to whoever calls or records a meeting; older ones are in the dossiers."""

# Built once: building a statement costs more than sending it (measured).
_DISPUTE = select(dispute).where(dispute.c.id == bindparam("dispute"))
_DISPUTE_LOCKED = _DISPUTE.with_for_update()
_ADD = insert(dispute)
_CHANGE = update(dispute).where(dispute.c.id == bindparam("dispute"))
_OF_PROJECT = (
    select(dispute).where(dispute.c.project_id == bindparam("project")).order_by(dispute.c.opened_at, dispute.c.id)
)


class DisputeRow(Wire):
    """One dispute as the record has it."""

    id: str
    project_id: str
    workflow_id: str
    origin: Origin
    stage: DisputeStage
    round: int
    opened_at: datetime
    stage_since: datetime
    claimants: tuple[Claimant, ...]
    proposal: dict[str, Any] | None = None
    """D1: the text on the table, whose it is and of which round."""
    meeting: dict[str, Any] | None = None
    """D2: under `wanted` who asked for it and why; the rest is the meeting as commerce called it."""
    outcome: dict[str, Any] | None = None

    @property
    def sides(self) -> tuple[str, ...]:
        """The salespeople who have to agree, the applicant of the project first."""
        return tuple(dict.fromkeys(claimant.person for claimant in self.claimants))

    @property
    def all_confirmed(self) -> bool:
        """D1: every side has confirmed the text on the table."""
        return self.proposal is not None and set(self.proposal["confirmed"]) >= set(self.sides)

    @property
    def wanted(self) -> dict[str, Any] | None:
        """D2: who asked for the meeting, why and when."""
        return (self.meeting or {}).get("wanted")

    @property
    def called(self) -> dict[str, Any] | None:
        """D2: the meeting, once commerce has called it and as long as it is not called off (D5)."""
        held = self.meeting and "starts_at" in self.meeting and not self.meeting.get("called_off")
        return self.meeting if held else None


async def add(connection: AsyncConnection, row: DisputeRow) -> None:
    """Keep a dispute that begins."""
    await connection.execute(_ADD, values_of(row, dispute))


async def find(connection: AsyncConnection, dispute_id: str, *, lock: bool = False) -> DisputeRow | None:
    """One dispute; `lock` keeps others from changing it until the transaction ends."""
    query = _DISPUTE_LOCKED if lock else _DISPUTE
    return first(DisputeRow, await connection.execute(query, {"dispute": dispute_id}))


async def of_project(connection: AsyncConnection, project_id: str) -> tuple[DisputeRow, ...]:
    """The disputes over one project, oldest first."""
    rows = await connection.execute(_OF_PROJECT, {"project": project_id})
    return read_all(DisputeRow, rows)


async def open_with(connection: AsyncConnection, project_id: str) -> tuple[DisputeRow, ...]:
    """The running disputes in which this project is a side, its own or another's, kept from change by others."""
    is_a_side = or_(
        dispute.c.project_id == project_id,
        dispute.c.claimants.contains([{"subject_type": "project", "subject_id": project_id}]),
    )
    running = dispute.c.stage.not_in(sorted(stage.value for stage in DISPUTE_ENDED))
    rows = await connection.execute(select(dispute).where(is_a_side, running).order_by(dispute.c.id).with_for_update())
    return read_all(DisputeRow, rows)


async def of_account_holder(connection: AsyncConnection, person: str) -> tuple[DisputeRow, ...]:
    """The running disputes in which somebody speaks for a Named Account (P3)."""
    speaks = dispute.c.claimants.contains([{"subject_type": "account", "person": person}])
    running = dispute.c.stage.not_in(sorted(stage.value for stage in DISPUTE_ENDED))
    rows = await connection.execute(select(dispute).where(speaks, running).order_by(dispute.c.id))
    return read_all(DisputeRow, rows)


async def precedents(
    connection: AsyncConnection, customer: Sequence[KeyedParty], *, but: str
) -> tuple[DisputeRow, ...]:
    """D2: how earlier disputes over projects of the same customer ended, the latest first.

    `customer`: the customer under each of its names; `but`: the dispute that asks. Two different codes of one kind are
    two customers, whatever their names say.
    """
    names = sorted({named.name_key for named in customer})
    codes = sorted({named.uscc for named in customer if named.uscc})
    by_name = party.c.name_key.in_(names)
    untold = or_(party.c.uscc.is_(None), func.length(party.c.uscc).not_in({len(code) for code in codes}))
    same = or_(party.c.uscc.in_(codes), and_(by_name, untold)) if codes else by_name
    of_customer = exists().where(
        party.c.subject_type == "project",
        party.c.subject_id == dispute.c.project_id,
        party.c.role.in_(("customer", "alias")),
        same,
    )
    ended = dispute.c.stage.in_((DisputeStage.AGREED.value, DisputeStage.DECIDED.value))
    rows = await connection.execute(
        select(dispute)
        .where(ended, dispute.c.id != but, of_customer)
        .order_by(dispute.c.stage_since.desc(), dispute.c.id.desc())
        .limit(MOST_PRECEDENTS)
    )
    return read_all(DisputeRow, rows)


async def change(connection: AsyncConnection, dispute_id: str, **values: Any) -> None:
    """Set columns of one dispute; models, and sequences of them, become JSON."""
    await connection.execute(_CHANGE, {"dispute": dispute_id, **values})

"""Rows of disputes over a project (D1–D3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import dispute
from domain.base import Wire
from domain.dispute import Claimant, DisputeStage, Origin

# Built once: for what is asked at every step, building a statement costs more than sending it (ran).
_DISPUTE = select(dispute).where(dispute.c.id == bindparam("dispute"))
_DISPUTE_LOCKED = _DISPUTE.with_for_update()
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
    """D2: the meeting as commerce called it."""
    outcome: dict[str, Any] | None = None


async def add(tx: AsyncConnection, row: DisputeRow) -> None:
    await tx.execute(insert(dispute).values(**_plain(row.model_dump() | {"claimants": row.claimants})))


async def find(tx: AsyncConnection, dispute_id: str, *, lock: bool = False) -> DisputeRow | None:
    """One dispute; `lock` keeps others from changing it until the transaction ends."""
    row = (await tx.execute(_DISPUTE_LOCKED if lock else _DISPUTE, {"dispute": dispute_id})).one_or_none()
    return DisputeRow.model_validate(dict(row._mapping)) if row else None


async def of_project(tx: AsyncConnection, project_id: str) -> tuple[DisputeRow, ...]:
    """The disputes over one project, oldest first."""
    rows = await tx.execute(_OF_PROJECT, {"project": project_id})
    return tuple(DisputeRow.model_validate(dict(row._mapping)) for row in rows)


async def change(tx: AsyncConnection, dispute_id: str, **values: Any) -> None:
    """Set columns of one dispute; models, and sequences of them, become JSON."""
    await tx.execute(update(dispute).where(dispute.c.id == dispute_id).values(**_plain(values)))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _json(value) for name, value in values.items()}


def _json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_json(item) for item in value]
    return value

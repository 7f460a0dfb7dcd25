"""Response models of disputes (D1–D3)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, JsonValue

from api.models import PersonView
from domain.disputes.dispute import DisputeStage, Origin


class ClaimantView(BaseModel):
    """One side of a dispute."""

    person: PersonView
    subject_type: str
    subject_id: str
    since: datetime


class DisputeView(BaseModel):
    """A dispute over a project (D1–D3)."""

    id: str
    workflow_id: str
    origin: Origin
    stage: DisputeStage
    stage_label: str
    round: int
    opened_at: datetime
    stage_since: datetime
    claimants: list[ClaimantView]
    proposal: dict[str, JsonValue] | None = None
    meeting: dict[str, JsonValue] | None = None
    outcome: dict[str, JsonValue] | None = None

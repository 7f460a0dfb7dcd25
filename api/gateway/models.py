"""Responses to a submitted statement: recorded, stored, or the receipt of either."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, JsonValue

from domain.accounts.evidence import EvidenceKind


class Stored(BaseModel):
    """The request is durably stored and not recorded yet. Get the result from `/receipts/{receipt}`."""

    receipt: str
    status: Literal["stored"] = "stored"
    detail: str
    id: str | None = None
    workflow_id: str | None = None


class Result(BaseModel):
    """The request is recorded."""

    receipt: str
    status: Literal["accepted"] = "accepted"
    detail: str
    task: str | None = None
    choice: str | None = None
    number: int | None = None
    """U1: the number of this update within its project."""
    next_events: list[dict[str, JsonValue]] | None = None
    """U5: what happens automatically from now on, unless the project is updated again."""
    changed: list[EvidenceKind] | None = None
    """N15: the kinds of evidence that have changed since the current assignees were asked."""


class ReceiptView(BaseModel):
    """The result of a request that you sent: stored, accepted or refused."""

    receipt: str
    status: Literal["stored", "accepted", "refused"]
    detail: str
    recorded_at: datetime | None = None
    result: dict[str, JsonValue] = {}

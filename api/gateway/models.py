"""Responses to a submitted statement: recorded, stored, or the receipt of either."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, JsonValue

from domain.accounts.evidence import EvidenceKind


class Stored(BaseModel):
    """202: durable, not recorded yet."""

    receipt: str
    status: Literal["stored"] = "stored"
    detail: str
    id: str | None = None
    workflow_id: str | None = None


class Result(BaseModel):
    """200: recorded."""

    receipt: str
    status: Literal["accepted"] = "accepted"
    detail: str
    task: str | None = None
    choice: str | None = None
    number: int | None = None
    """U1: which update of its project this one is."""
    next_events: list[dict[str, JsonValue]] | None = None
    """U5: what happens by itself from here on, unless the project is updated again."""
    changed: list[EvidenceKind] | None = None
    """N15: the kinds of evidence that are not what those saw who were asked last."""


class ReceiptView(BaseModel):
    receipt: str
    status: Literal["stored", "accepted", "refused"]
    detail: str
    recorded_at: datetime | None = None
    result: dict[str, JsonValue] = {}

"""Response models of reviews (R1–R4)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from domain.reviews.periods import Period, Rhythm
from domain.reviews.review import ReviewStage


class ReviewView(BaseModel):
    """A review (R1–R4)."""

    id: str
    workflow_id: str
    title: str
    rhythm: Rhythm
    period: Period
    unit: str
    unit_name: str
    stage: ReviewStage
    stage_label: str
    opened_at: datetime
    closes_at: datetime
    """R6: the latest time to answer."""
    sets_for: str | None = None
    """The period that targets are set for (R2, R4)."""
    what_next: str = ""
    """Who is asked, until when, and what happens automatically then (R6)."""

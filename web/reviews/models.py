"""What the page of a review's task shows, as frozen values."""

from __future__ import annotations

from decimal import Decimal

from domain.reviews.notes import ReviewNote
from web.tasks.models import AskingPage


class ReviewPage(AskingPage):
    """A task of a review (R1–R4)."""

    note: ReviewNote
    sets_for: str = ""
    """The period that targets are set for."""
    revoke_below: Decimal
    """R4: contracts below this share of their target are below expectation."""

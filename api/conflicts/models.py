"""Response models of the conflict check and of rulings on matches."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from api.models import PersonView
from domain.conflicts.rulings import Ruling
from domain.conflicts.unusual_names import UnusualName
from domain.conflicts.verdict import Level


class RuledView(BaseModel):
    """What somebody has said of a match, which stands until one of the two changes."""

    ruling: Ruling
    ruling_label: str
    person: PersonView
    at: datetime
    reason: str = ""


class ConflictMatch(BaseModel):
    """Something registered that may be the same, or belong to it.

    What the caller may not see is `masked`: that there is something, how close, and whom to ask; nothing else (X2).
    """

    kind: str
    """account, application, project or earlier_project (imported from before Baobei)"""
    id: str | None
    name: str | None
    """The customer, or the project."""
    customer_name: str | None = None
    salesperson: PersonView | None = None
    status: str | None = None
    since: datetime | None = None
    """When it was registered (A5)."""
    earlier: bool = True
    level: Level
    level_label: str
    score: float | None = None
    """0 to 1, for ordering."""
    because: list[str]
    """Every reason in a sentence, the strongest first."""
    masked: bool = False
    ruled: RuledView | None = None
    """What somebody has said of it before; one that is cleared does not count in the verdict."""


class ConflictCheck(BaseModel):
    """What the conflict detection says at this moment. Nothing is kept, and nothing is decided by it."""

    verdict: Level
    """The closest of the matches."""
    verdict_label: str
    notice: str
    """The verdict in a sentence: what it means, and what to do."""
    matches: list[ConflictMatch]
    """The first registered first (A5)."""
    more: int = 0
    """How many further matches were left out, the weakest."""
    not_compared: list[str] = []
    """Names that were looked for only by themselves and by their codes, because too many registrations are like those
    asked about or too many people ask at once; ask again for these alone."""
    unusual_names: list[UnusualName] = []
    """Names with characters that cannot be seen or are not what they seem."""

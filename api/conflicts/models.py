"""Response models of the conflict check and of rulings on matches."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from api.models import PersonView
from domain.conflicts.rulings import Ruling
from domain.conflicts.unusual_names import UnusualName
from domain.conflicts.verdict import Level


class RuledView(BaseModel):
    """A ruling on a match. It becomes void when either side changes."""

    ruling: Ruling
    ruling_label: str
    person: PersonView
    at: datetime
    reason: str = ""


class ConflictMatch(BaseModel):
    """A registration that may be for the same company or project, or for a related one.

    A match that you may not see is `masked`: it says that there is one, how close it is and whom to ask, and nothing
    else (X2).
    """

    kind: str
    """account, application, project or earlier_project (imported; older than Baobei)"""
    id: str | None
    name: str | None
    """The name of the customer or the project."""
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
    """One sentence per reason, strongest first."""
    conflict: bool = False
    """Whether it is the same customer, or counts as such, and nobody has cleared it (N3, N14)."""
    touched_account: bool = False
    """Whether it is a Named Account under which the project would be registered (P1, P3)."""
    masked: bool = False
    own: bool = False
    """Whether it is registered by you."""
    ruled: RuledView | None = None
    """An earlier ruling. A cleared match does not count in the verdict."""


class ConflictCheck(BaseModel):
    """The current result of conflict detection. It is not stored and decides nothing."""

    verdict: Level
    """The level of the closest match."""
    verdict_label: str
    notice: str
    """What the verdict means, and what to do."""
    matches: list[ConflictMatch]
    """In order of registration (A5)."""
    more: int = 0
    """How many weaker matches were omitted."""
    not_compared: list[str] = []
    """Names searched by exact name and code only, because too many registrations are similar or the system is busy.
    Check these names separately."""
    unusual_names: list[UnusualName] = []
    """Names with invisible or confusable characters."""

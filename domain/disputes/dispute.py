"""Disputes over a project (D1–D3): agreement by both salespeople, or a coordination meeting that decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field

from domain.base import Frozen, Moment, OptionalText, Text, Wire
from domain.disputes.split import Split
from domain.organisation import PersonId


class Origin(StrEnum):
    """Which rule led to the dispute."""

    OTHER_ACCOUNT = "P3"
    OBJECTION = "P8"


class DisputeStage(StrEnum):
    """Where a dispute stands; the last four are ends."""

    NEGOTIATION = "negotiation"
    """D1: both salespeople look for one text they both confirm."""
    CALLING_MEETING = "calling_meeting"
    """D2: commerce calls the coordination meeting."""
    MEETING = "meeting"
    """D2: the meeting is called; the VP records its outcome."""
    AGREED = "agreed"
    DECIDED = "decided"
    """D2: the meeting's outcome is recorded."""
    WITHDRAWN = "withdrawn"
    SHELVED = "shelved"
    """U10: nobody has taken it further, and its project is shelved."""

    @property
    def ended(self) -> bool:
        return self in DISPUTE_ENDED


DISPUTE_ENDED = frozenset({DisputeStage.AGREED, DisputeStage.DECIDED, DisputeStage.WITHDRAWN, DisputeStage.SHELVED})


def settled(stages: Collection[DisputeStage]) -> bool:
    """D1, D2: whether disputes at these stages have come to an outcome and none is running."""
    outcomes = (DisputeStage.AGREED, DisputeStage.DECIDED)
    return any(stage in outcomes for stage in stages) and all(stage.ended for stage in stages)


class Agreement(Frozen):
    """D1: the one text that both salespeople confirm."""

    responsible: PersonId
    """The side that is responsible for the project."""
    cooperation: Text
    """How the two work together on the project."""
    split: Split


class MeetingCall(Frozen):
    """D2: the coordination meeting as commerce calls it."""

    starts_at: Moment
    duration_minutes: Annotated[int, Field(ge=15, le=480)] = 60
    place: Text
    participants: Annotated[tuple[PersonId, ...], Field(min_length=2, max_length=50)]
    note: OptionalText = ""
    missing_because: OptionalText = ""
    """D5: why somebody who belongs in it is missing."""


class MeetingOutcome(Frozen):
    """D2: what the coordination meeting decided."""

    responsible: PersonId
    """The salesperson who is responsible for the project."""
    split: Split
    summary: Text
    """What was said and decided, in words."""
    goes_on: OptionalText = ""
    """D6: the registration that goes on, or `TWO_PROJECTS`. Left out, the one that the meeting is about."""


TWO_PROJECTS: Final = "two_projects"
"""D6: the meeting says that the registrations are projects of their own, and none of them ends."""


def ended_by(goes_on: str, disputed: str, others: Collection[str]) -> tuple[str, ...]:
    """D6: the registrations that end as merged into the one that goes on; the one `disputed` goes on unless the meeting
    says otherwise."""
    if goes_on == TWO_PROJECTS:
        return ()
    survivor = goes_on or disputed
    return tuple(registration for registration in (disputed, *sorted(others)) if registration != survivor)


def merged_reason(agreement: Mapping[str, Any]) -> dict[str, Any]:
    """D6: why a registration has ended and where it goes on, from the outcome that has ended it."""
    return {
        "rule": "D6",
        "merged_into": str(agreement["goes_on"]),
        "reason": str(agreement.get("summary", "")),
        "by": str(agreement.get("by", "")),
    }


def dispute_is_of(agreement: Mapping[str, Any], project_id: str) -> bool:
    """Whether the dispute that has led to an outcome was over this registration; D6: that over another may bind it."""
    return str(agreement["dispute"]).rpartition("-")[0] == project_id


WAITS: Final = "waits"
"""D4: of the agreement of a project: who wants the meeting in spite of it, why and when. The outcome of that meeting
takes the agreement's place."""


def agreement_waits(agreement: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """D4: who wants the meeting although the sides have agreed, where somebody does."""
    return (agreement or {}).get(WAITS)


class Claimant(Wire):
    """One side of a dispute: a salesperson, and the registration or account they speak for."""

    person: str
    subject_type: str
    """project or account"""
    subject_id: str
    since: datetime
    """When it was registered: who was first (A5)."""


class DisputeOutcome(Wire):
    """How a dispute ended; it binds both registrations (D1, D2)."""

    stage: DisputeStage
    responsible: str
    """Who is responsible for the project from here on."""
    decided_by_vp_of: str
    """The salesperson whose VP decides the project."""
    merged_into: str = ""
    """D6: the registration that goes on in place of this one, which ends."""
    stepped_in: bool = False
    """D4: a VP or the general manager wants the meeting although the two have just agreed."""


def deciding_salesperson(origin: Origin, applicant: str, claimants: Sequence[Claimant]) -> str:
    """D2: whose VP records the meeting and decides: the account's responsible salesperson's; for P8 the applicant's."""
    if origin is Origin.OBJECTION:
        return applicant
    others = [claimant for claimant in claimants if claimant.person != applicant]
    of_accounts = [claimant for claimant in others if claimant.subject_type == "account"]
    return next((claimant.person for claimant in (*of_accounts, *others)), applicant)

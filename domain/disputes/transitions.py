"""Which stage of a dispute may follow which, given what is on record, and when one may begin (D1, D2, D5, U10)."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass

from domain.disputes.dispute import DisputeStage, Origin
from domain.projects.project import ProjectStage, Track


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionFacts:
    """What the record holds of a dispute at the moment of a move."""

    stage: DisputeStage
    origin: Origin
    project_over: bool = False
    """Its project was withdrawn, or is not in dispute any more."""
    wanted: bool = False
    """D2: somebody wants the meeting."""
    called: bool = False
    """D2: the meeting is called, and not called off (D5)."""
    agreed: bool = False
    """D1: every side has confirmed the text on the table, in a decision of its own."""
    outcome_recorded: bool = False
    stands_still: bool = False
    """U10: a task of its own has been left unanswered for too long, warning included."""


def transition_problem(facts: TransitionFacts, target: DisputeStage) -> str | None:
    """Why a dispute may not go to `target`, or None where it may."""
    negotiating, meeting = facts.stage is DisputeStage.NEGOTIATION, facts.stage is DisputeStage.MEETING
    match target:
        case DisputeStage.NEGOTIATION:
            allowed = negotiating and facts.origin is Origin.OTHER_ACCOUNT and not facts.wanted
            requirement = "an account of another, and nobody who wants the meeting (D1)"
        case DisputeStage.CALLING_MEETING:
            allowed = (negotiating and facts.wanted) or (meeting and not facts.called)
            requirement = "somebody who wants the meeting (D2), or one that was called off (D5)"
        case DisputeStage.MEETING:
            allowed = facts.stage is DisputeStage.CALLING_MEETING and facts.called
            requirement = "a called meeting (D2)"
        case DisputeStage.AGREED:
            allowed = negotiating and facts.agreed and not facts.wanted
            requirement = "one text that every side has confirmed (D1)"
        case DisputeStage.DECIDED:
            allowed = meeting and facts.outcome_recorded
            requirement = "a recorded outcome of the meeting (D2)"
        case DisputeStage.WITHDRAWN:
            allowed, requirement = facts.project_over, "a project that is over"
        case DisputeStage.SHELVED:
            allowed, requirement = facts.stands_still, "that nobody has answered in time (U10)"
    if allowed:
        return None
    return f"{facts.stage.value} to {target.value} requires {requirement}, which is not on record"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningFacts:
    """What the record holds of a project when a process opens a dispute over it."""

    project_id: str
    project_stage: ProjectStage
    track: Track | None
    found: Set[tuple[str, str, str]]
    """Type and id of each subject that was found for it, and whose it is."""
    dispute_open: bool = False


def opening_problem(
    facts: OpeningFacts, *, dispute_id: str, workflow_id: str, origin: Origin, claimed: Set[tuple[str, str, str]]
) -> str | None:
    """P3, P8: why a process may not open a dispute, or None where it may.

    Who the sides are is read from what was found for the project: `claimed`, what the engine says, must be part of it.
    """
    number = dispute_id.removeprefix(f"{facts.project_id}-")
    named_after = dispute_id == f"{facts.project_id}-{number}" and re.fullmatch(r"[1-9][0-9]*", number)
    if facts.project_stage is not ProjectStage.DISPUTED or not named_after or workflow_id != f"dispute-{dispute_id}":
        return f"{workflow_id} has no disputed project {facts.project_id}"
    of_another = facts.track is Track.OTHER_ACCOUNT
    if not claimed or not claimed <= facts.found or (origin is Origin.OTHER_ACCOUNT) != of_another:
        return f"{facts.project_id}: the record knows of no such dispute"
    return f"{facts.project_id} has an open dispute already" if facts.dispute_open else None

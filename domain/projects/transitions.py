"""Which stage of a registration may follow which, given what is on record (P1–P8, U4, U6–U8, U10, D1–D6).

Whoever can write to the engine can start a process by hand with an invented state. So a process may only move its
registration along a way of this table, and only once the record holds what the way requires.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

from domain.projects.project import ProjectStage, Track
from domain.tasks.task import AnswerChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionFacts:
    """What the record holds of a registration at the moment of a move."""

    stage: ProjectStage
    choices: Set[str] = frozenset()
    """What was answered in this round to tasks of the registration itself, not of its disputes. Each stage is passed
    once in a round, so the order does not matter."""
    track: Track | None = None
    resumes: bool = False
    """U6: it resumes a shelved project."""
    confirmation_open: bool = False
    """P5: a VP has not yet said whether there is a conflict."""
    contract_review_open: bool = False
    """U7: commerce is being asked about a contract review application."""
    contract_handed_in: bool = False
    objected: bool = False
    objection_lapsed: bool = False
    """P8: the time to object is over."""
    agreed: bool = False
    """D1, D2: the outcome of a dispute binds it."""
    agreement_waits: bool = False
    """D4: somebody has stepped in, and the agreement waits for the meeting."""
    dispute_settled: bool = False
    """A dispute over this registration has an outcome, and none is running."""
    dispute_shelved: bool = False
    """U10: nobody has settled the newest dispute over it."""
    merges: bool = False
    """D6: the outcome has merged it into another registration."""
    lost: bool = False
    contract_received: bool = False
    silent_for_long: bool = False
    """U4: the last limit of silence has passed."""
    stands_still: bool = False
    """U10: a task of its own has been left unanswered for too long, warning included."""
    withdrawn: bool = False


def _undecided(facts: TransitionFacts) -> bool:
    return not facts.choices


def _nobody_sees_a_conflict(facts: TransitionFacts) -> bool:
    says_so = AnswerChoice.NO_CONFLICT in facts.choices and AnswerChoice.CONFLICT not in facts.choices
    return says_so and not facts.confirmation_open


def _application_changes_hands(facts: TransitionFacts) -> bool:
    over = facts.lost or facts.contract_received
    return facts.contract_handed_in and not facts.contract_review_open and not over


def _answered(choice: AnswerChoice) -> Callable[[TransitionFacts], bool]:
    return lambda facts: choice in facts.choices


_S = ProjectStage
_Way = tuple[str, Callable[[TransitionFacts], bool]]
_STEPPED_IN: _Way = ("somebody has stepped in after the agreement (D4)", lambda facts: facts.agreement_waits)
_STANDS_STILL: _Way = ("nobody has answered in time (U10)", lambda facts: facts.stands_still)
_REJECTED: _Way = ("a rejection (P2, U6)", _answered(AnswerChoice.REJECT))

_WAYS: dict[tuple[ProjectStage, ProjectStage], _Way] = {
    (_S.RESUME_REVIEW, _S.RESUME_REVIEW): (
        "an unanswered resumption (U6)",
        lambda facts: facts.resumes and _undecided(facts),
    ),
    (_S.RESUME_REVIEW, _S.ROUTING): ("an accepted resumption (U6)", _answered(AnswerChoice.ACCEPT)),
    (_S.RESUME_REVIEW, _S.REJECTED): _REJECTED,
    (_S.ROUTING, _S.APPROVAL): ("an account of its salesperson (P1)", lambda facts: facts.track is Track.OWN_ACCOUNT),
    (_S.ROUTING, _S.DISPUTED): ("another's account (P3)", lambda facts: facts.track is Track.OTHER_ACCOUNT),
    (_S.ROUTING, _S.ASSIGNMENT): ("that no account is touched (P4)", lambda facts: facts.track is Track.NON_NAMED),
    (_S.ASSIGNMENT, _S.CONFLICT_CHECK): ("an assigned clerk (P4)", _answered(AnswerChoice.ASSIGN)),
    (_S.CONFLICT_CHECK, _S.CONFLICT_CONFIRMATION): ("a suspected conflict (P5)", _answered(AnswerChoice.SUSPECT)),
    (_S.CONFLICT_CHECK, _S.APPROVAL): ("that the clerk found no conflict (P6)", _answered(AnswerChoice.CLEAR)),
    (_S.CONFLICT_CONFIRMATION, _S.APPROVAL): ("that no VP sees a conflict (P6)", _nobody_sees_a_conflict),
    (_S.CONFLICT_CONFIRMATION, _S.REFUSED): ("a confirmed conflict (P7)", _answered(AnswerChoice.CONFLICT)),
    (_S.REFUSED, _S.OBJECTION): ("an objection (P8)", lambda facts: facts.objected),
    (_S.REFUSED, _S.CLOSED_REFUSED): (
        "that nobody has objected in time (P8)",
        lambda facts: not facts.objected and facts.objection_lapsed,
    ),
    (_S.OBJECTION, _S.CLOSED_REFUSED): ("an upheld refusal (P8)", _answered(AnswerChoice.UPHOLD_REFUSAL)),
    (_S.OBJECTION, _S.DISPUTED): ("a request for the meeting (P8)", _answered(AnswerChoice.CALL_MEETING)),
    (_S.DISPUTED, _S.APPROVAL): (
        "a settled dispute over it (D1, D2)",
        lambda facts: facts.agreed and not facts.agreement_waits and facts.dispute_settled and not facts.merges,
    ),
    (_S.DISPUTED, _S.SHELVED): ("a shelved dispute over it (U10)", lambda facts: facts.dispute_shelved),
    (_S.DISPUTED, _S.MERGED): ("the outcome that merges it (D6)", lambda facts: facts.merges),
    (_S.APPROVAL, _S.HELD): (
        "a request for more information (P2)",
        lambda facts: AnswerChoice.HOLD in facts.choices and not facts.agreement_waits,
    ),
    (_S.APPROVAL, _S.REJECTED): _REJECTED,
    (_S.APPROVAL, _S.DISPUTED): _STEPPED_IN,
    (_S.HELD, _S.APPROVAL): (
        "a completed form for the same companies (P2)",
        lambda facts: _undecided(facts) and facts.track is not None,
    ),
    (_S.HELD, _S.ROUTING): (
        "a completed form that is routed again (P2)",
        lambda facts: _undecided(facts) and facts.track is None,
    ),
    (_S.HELD, _S.DISPUTED): _STEPPED_IN,
    (_S.HELD, _S.SHELVED): _STANDS_STILL,
    (_S.ACTIVE, _S.ACTIVE): ("a contract review application that changes hands (U7)", _application_changes_hands),
    (_S.ACTIVE, _S.ENDED): ("a loss (U8)", lambda facts: facts.lost),
    (_S.ACTIVE, _S.CONTRACT_SIGNED): ("a received contract (U7)", lambda facts: facts.contract_received),
    (_S.ACTIVE, _S.SHELVED): ("three months without an update (U4)", lambda facts: facts.silent_for_long),
}
"""From and to: what the record must hold, in words and as a question. Approval has a step of its own
(`approval_problem`); a withdrawal leads away from every stage."""


def transition_problem(facts: TransitionFacts, target: ProjectStage) -> str | None:
    """Why a registration may not go to `target`, or None where it may."""
    withdrawal: _Way = ("a withdrawal", lambda facts: facts.withdrawn)
    way = withdrawal if target is _S.WITHDRAWN else _WAYS.get((facts.stage, target))
    if way is None:
        return f"no rule leads from {facts.stage.value} to {target.value}"
    requirement, holds = way
    if holds(facts):
        return None
    return f"{facts.stage.value} to {target.value} requires {requirement}, which is not on record"


def approval_problem(stage: ProjectStage, *, approved: bool, withdrawn: bool) -> str | None:
    """P9: why no project number may be issued, or None where it may."""
    if stage is not ProjectStage.APPROVAL or not approved or withdrawn:
        return "no approval on record"
    return None

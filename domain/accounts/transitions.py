"""Which stage of a Named Account application may follow which, and when one becomes an account (N5–N10, N13, U10).

Pure. Whoever can write to the engine can start a process by hand with an invented state; these rules are applied to
what the record holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain.accounts.application import Stage
from domain.accounts.named_account import Rejection, may_be_appealed
from domain.base import Frozen
from domain.calendar import WorkCalendar
from domain.organisation import Organisation
from domain.policy import Policy
from domain.tasks.deadlines import appeal_until
from domain.tasks.task import AnswerChoice, Decision, TaskKind


class ApplicationFacts(Frozen):
    """What the record holds of an application before it goes on."""

    stage: Stage
    decisions: tuple[Decision, ...] = ()
    """Of the current round, oldest first."""
    vps: tuple[str, ...] = ()
    """The slots of a complete review (N6)."""
    rejected: bool = False
    appealed: bool = False
    ending: bool = False
    """Why it ends is on record: it was withdrawn (N13), or something stands in its way (N14)."""
    stands_still: bool = False
    """U10: sent back, and nobody has completed it in time."""


class NotApproved(Exception):
    """The record does not hold the decisions that a step needs, whatever the process believes."""


def transition_problem(facts: ApplicationFacts, target_stage: Stage) -> str | None:
    """Why `target_stage` may not follow, in a sentence; None when it may."""
    match target_stage:
        case Stage.RETURNED if not _decided(facts, AnswerChoice.RETURN):
            return "commerce has not sent it back in this round (N5)"
        case Stage.VP_REVIEW if not _decided(facts, AnswerChoice.PASS):
            return "commerce has not passed it on in this round (N5)"
        case Stage.GM_APPROVAL if len(_reviews(facts, special=True)) < len(facts.vps):
            return "not every VP has approved with a special reason (N8)"
        case Stage.REJECTED if not _decided(facts, AnswerChoice.REJECT):
            return "nobody has rejected it in this round (N9)"
        case Stage.GM_APPEAL if not facts.appealed:
            return "its applicant has not appealed (N10)"
        case Stage.CLOSED_REJECTED if not facts.rejected:
            return "it was not rejected (N10)"
        case Stage.WITHDRAWN if not facts.ending:
            return "its applicant has not withdrawn it (N13)"
        case Stage.LAPSED if facts.stage is not Stage.RETURNED or not facts.stands_still:
            return "it was not sent back, or is still waited for (U10)"
        case _:
            return None


def approvals(facts: ApplicationFacts, gm_decision: str | None) -> tuple[Decision, ...]:
    """The decisions that make an application an approved one (N7, N8, N10).

    `gm_decision`: the task by which the general manager is said to have approved, above the limit or after an appeal.
    What was withdrawn meanwhile stays withdrawn (N13). Raises `NotApproved`.
    """
    if facts.stage.ended or facts.ending:
        raise NotApproved("withdrawn or over")
    approved = [decision for decision in facts.decisions if decision.choice == AnswerChoice.APPROVE]
    general = [decision for decision in approved if decision.task_id == gm_decision]
    if gm_decision and not general:
        raise NotApproved("no approval by the general manager on record")
    appealed = any(decision.kind is TaskKind.GM_APPEAL for decision in general)
    # Above the limit only approvals with a special reason count (N8).
    reviews = _reviews(facts, special=bool(general) and not appealed)
    if not appealed and len(reviews) < len(facts.vps):
        raise NotApproved("not both VPs have approved as the rules ask")
    return (*reviews.values(), *general)


def rejection(
    decisions: Sequence[Decision], organisation: Organisation, policy: Policy, calendar: WorkCalendar, now: datetime
) -> Rejection:
    """N9: the latest rejection among `decisions`, and until when it may be appealed, if at all (N10).

    Raises `NotApproved` when nobody has rejected anything.
    """
    rejected = [decision for decision in decisions if decision.choice == AnswerChoice.REJECT]
    if not rejected:
        raise NotApproved("no rejection on record")
    decision = rejected[-1]
    appealable = may_be_appealed(decision, organisation)
    return Rejection(
        task_id=decision.task_id,
        kind=decision.kind,
        person=decision.person,
        on_behalf_of=decision.on_behalf_of,
        capacity=decision.capacity,
        reason=decision.reason,
        at=now,
        appeal_until=appeal_until(now, policy, calendar) if appealable else None,
    )


def _decided(facts: ApplicationFacts, choice: AnswerChoice) -> bool:
    return any(decision.choice == choice for decision in facts.decisions)


def _reviews(facts: ApplicationFacts, *, special: bool) -> dict[str, Decision]:
    """N6: the VPs' approvals by slot, the latest of each; `special`: only those with a special reason (N8)."""
    return {
        decision.slot: decision
        for decision in facts.decisions
        if decision.kind is TaskKind.VP_REVIEW
        and decision.choice == AnswerChoice.APPROVE
        and (decision.special or not special)
    }

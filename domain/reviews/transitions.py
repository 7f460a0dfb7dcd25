"""Which stage of a review of Named Accounts may follow which (R1, R2, R4, R6)."""

from __future__ import annotations

from domain.base import Frozen
from domain.reviews.review import ReviewStage
from domain.tasks.task import TaskStatus


class ReviewFacts(Frozen):
    """What the record holds of a review before it goes on."""

    stage: ReviewStage
    tasks: tuple[TaskStatus, ...] = ()
    """How each of its tasks stands."""
    started: bool = False
    """R4: commerce has started it."""
    late: bool = False
    """R6: its time is over."""


def transition_problem(facts: ReviewFacts, target_stage: ReviewStage) -> str | None:
    """Why `target_stage` may not follow, in a sentence; None when it may."""
    still_open, missed = TaskStatus.OPEN in facts.tasks, TaskStatus.MISSED in facts.tasks
    match target_stage:
        case ReviewStage.DEPARTMENT_REVIEW:
            return None if facts.stage is ReviewStage.UPDATES else "no salesperson was asked before (R1)"
        case ReviewStage.MANAGEMENT_REVIEW:
            started = facts.stage is ReviewStage.STARTING and facts.started
            return None if started else "commerce has not started it (R4)"
        case ReviewStage.DONE:
            return "somebody has not answered" if still_open or missed else None
        case ReviewStage.MISSED:
            over = facts.late or (missed and not still_open)
            return None if over else "nobody has missed anything, and its time is not over (R6)"
        case facts.stage:
            return "people have been asked already" if facts.tasks else None
        case _:
            return "no review comes to this stage from another one"

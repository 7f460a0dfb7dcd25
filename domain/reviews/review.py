"""The reviews of Named Accounts: who is asked what in which period, and who is notified (R1–R6).

Pure. The workflows walk these rules, the activities apply what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from domain.base import Wire
from domain.calendar import WorkCalendar
from domain.organisation import Organisation, Role
from domain.policy import Reviews
from domain.reviews.periods import Period, Rhythm, after, period_at
from domain.tasks.task import AnswerChoice, Choice, FieldKind, FieldSpec, TaskKind


class ReviewStage(StrEnum):
    """Where one review stands; the last two are ends."""

    UPDATES = "updates"
    """R1: the salespeople say how their accounts stand."""
    DEPARTMENT_REVIEW = "department_review"
    """R1: the department GM sets next week's plan."""
    MONTHLY_REVIEW = "monthly_review"
    """R2."""
    STARTING = "starting"
    """R4: commerce starts it."""
    MANAGEMENT_REVIEW = "management_review"
    """R4."""
    DONE = "done"
    MISSED = "missed"
    """R6: its period is over, and somebody has not done their part."""

    @property
    def ended(self) -> bool:
        return self in REVIEW_ENDED


REVIEW_ENDED = frozenset({ReviewStage.DONE, ReviewStage.MISSED})

FIRST_STAGE = {
    Rhythm.WEEKLY: ReviewStage.UPDATES,
    Rhythm.MONTHLY: ReviewStage.MONTHLY_REVIEW,
    Rhythm.HALF_YEARLY: ReviewStage.STARTING,
    Rhythm.YEARLY: ReviewStage.STARTING,
}
"""What people are asked in a period. A quarter asks nobody: it is told (R3)."""

REVIEW_TASK_RULES = {
    TaskKind.WEEKLY_UPDATE: "R1",
    TaskKind.WEEKLY_REVIEW: "R1",
    TaskKind.MONTHLY_REVIEW: "R2",
    TaskKind.START_REVIEW: "R4",
    TaskKind.ANNUAL_REVIEW: "R4",
}

ACCOUNTS_FIELD = "accounts"
"""The field of an answer that holds one row for each account."""

KEEP, REVOKE = "keep", "revoke"


class PlanProgress(StrEnum):
    """R2: what the VP says of a month's action plan."""

    ON_TRACK = "on_track"
    BEHIND = "behind"
    FAILED = "failed"


class Proposal(StrEnum):
    """R4: what the system proposes of an account."""

    KEEP = "keep"
    REVOKE = "revoke"
    UNDECIDED = "undecided"
    """The plan failed or the contracts are below expectation, but not both, or one of them is not known."""


def review_choices(kind: TaskKind, accounts: Sequence[str]) -> tuple[Choice, ...]:
    """What may be answered to a task of a review: always one thing, with a row for each of `accounts`."""
    text = FieldKind.TEXT
    columns: tuple[FieldSpec, ...]
    match kind:
        case TaskKind.WEEKLY_UPDATE:
            choice = AnswerChoice.REPORT
            columns = (
                FieldSpec(name="work", kind=text, required=True),
                FieldSpec(name="progress", kind=text, required=True),
                FieldSpec(name="problems", kind=text),
            )
        case TaskKind.WEEKLY_REVIEW:
            choice, columns = AnswerChoice.PLAN, (FieldSpec(name="plan", kind=text, required=True),)
        case TaskKind.MONTHLY_REVIEW:
            choice = AnswerChoice.SET_TARGETS
            progress = tuple(progress.value for progress in PlanProgress)
            columns = (
                FieldSpec(name="plan_progress", kind=FieldKind.CHOICE, required=True, options=progress),
                FieldSpec(name="action_plan", kind=text, required=True),
                *_targets(),
            )
        case TaskKind.START_REVIEW:
            return (Choice(choice=AnswerChoice.START, rule=REVIEW_TASK_RULES[kind]),)
        case TaskKind.ANNUAL_REVIEW:
            choice = AnswerChoice.DECIDE
            columns = (
                FieldSpec(name="decision", kind=FieldKind.CHOICE, required=True, options=(KEEP, REVOKE)),
                *_targets(unless=("decision", REVOKE)),
                FieldSpec(name="requirements", kind=text, unless=("decision", REVOKE)),
                FieldSpec(name="reason", kind=text, required=True, unless=("decision", KEEP)),
            )
        case _:
            raise ValueError(f"{kind} is no task of a review")
    rows = FieldSpec(name=ACCOUNTS_FIELD, kind=FieldKind.ROWS, required=True, options=tuple(accounts), columns=columns)
    return (Choice(choice=choice, rule=REVIEW_TASK_RULES[kind], fields=(rows,)),)


def _targets(unless: tuple[str, str] | None = None) -> tuple[FieldSpec, ...]:
    names = ("target_contracts", "target_revenue")
    return tuple(FieldSpec(name=name, kind=FieldKind.MONEY, required=True, unless=unless) for name in names)


def recipients_of_revocation(
    organisation: Organisation, *, salesperson: str, department: str | None
) -> tuple[str, ...]:
    """R5: the salesperson, their department GM and VP, the sales VPs and commerce."""
    office = organisation.departments_by_id.get(department or "")
    commerce = [
        person.id for role in (Role.COMMERCE_MANAGER, Role.COMMERCE_CLERK) for person in organisation.holders(role)
    ]
    people = (salesperson, office.gm if office else None, office.vp if office else None, *organisation.sales_vps)
    return tuple(dict.fromkeys(person for person in (*people, *commerce) if person))


SAID_ALONE = frozenset({AnswerChoice.REPORT, AnswerChoice.DECIDE})
"""Choices from which nothing follows while others are still asked."""

UNASSIGNED = "UNASSIGNED"
"""The unit of accounts whose salesperson is in no department, or in one without a VP. No department is called that."""


class ReviewUnit(Wire):
    """One review of a period: a department's week, a VP's month, the company's year."""

    id: str
    unit: str = ""
    """The department (R1), the VP (R2), or nothing (R4)."""


def review_id(period_id: str, unit: str) -> str:
    """The id of one unit's review of one period."""
    return f"{period_id}-{unit}" if unit else period_id


def unit_of(rhythm: Rhythm, department: str | None, organisation: Organisation) -> str:
    """In whose review an account of that department is spoken of."""
    if rhythm is Rhythm.WEEKLY:
        return department or UNASSIGNED
    if rhythm is Rhythm.MONTHLY:
        office = organisation.departments_by_id.get(department or "")
        return (office.vp if office else None) or UNASSIGNED
    return ""


def review_units(
    rhythm: Rhythm, period_id: str, departments: Sequence[str | None], organisation: Organisation
) -> tuple[ReviewUnit, ...]:
    """The reviews of a period. `departments` are those of the live accounts: without any there is nothing to review,
    and a quarter asks nobody."""
    if rhythm not in FIRST_STAGE:
        return ()
    units = sorted({unit_of(rhythm, department, organisation) for department in departments})
    return tuple(ReviewUnit(id=review_id(period_id, unit), unit=unit) for unit in units)


def updates_until(opened_at: datetime, closes_at: datetime, reviews: Reviews, calendar: WorkCalendar) -> datetime:
    """R1: until when the department GM waits for the salespeople: as long as the policy says, and the GM has a working
    day left before the review closes. One that is open for less than two working days is shared by halves."""
    for days in range(reviews.updates_within, 0, -1):
        until = calendar.add_working_days(opened_at, days).at
        if calendar.add_working_days(until, 1).at <= closes_at:
            return until
    return opened_at + max(closes_at - opened_at, timedelta()) / 2


def target_period(period: Period, reviews: Reviews) -> str:
    """For which period a review sets targets (R2, R4): the next month, the next year; after half a year, its year."""
    if period.rhythm is Rhythm.HALF_YEARLY:
        return period_at(Rhythm.YEARLY, period.first, reviews).id
    return after(period, reviews).id

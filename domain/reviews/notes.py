"""What somebody asked in a review has before them: each account, what was planned, what was said of it (R1–R4)."""

from __future__ import annotations

from domain.base import Moment, Wire
from domain.reports.report import AccountFigures
from domain.reviews.periods import Period
from domain.tasks.task import TaskKind


class SaidOfAccount(Wire):
    """What somebody has said of an account in a task of a review."""

    task: TaskKind
    period: str
    person_name: str
    at: Moment
    fields: dict[str, str] = {}
    """By column, such as `progress`."""


class AccountNote(Wire):
    """One account, as the person asked sees it."""

    account: str
    customer: str
    salesperson: str
    salesperson_name: str
    plan: str = ""
    """What was to be done in this period."""
    said: tuple[SaidOfAccount, ...] = ()
    figures: AccountFigures | None = None
    """R2, R4: what was to be reached and what was."""


class ReviewNote(Wire):
    """The note of a task of a review (`task.note`)."""

    period: Period
    closes_at: Moment
    """R6: until when it can be answered."""
    accounts: tuple[AccountNote, ...] = ()
    silent: tuple[str, ...] = ()
    """R1: names of the salespeople who have not reported when the department GM was asked."""

"""What happens automatically to an approved project that nobody updates (U2–U5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from domain.base import Moment, Wire
from domain.calendar import WorkCalendar
from domain.policy import Policy


class Silence(StrEnum):
    """The three things that follow from silence, in their order."""

    TWO_WEEKS = "two_weeks"
    """U2: the salesperson and the department GM are reminded."""
    ONE_MONTH = "one_month"
    """U3: the VP as well."""
    THREE_MONTHS = "three_months"
    """U4: the project is shelved."""

    @property
    def rule(self) -> str:
        return {Silence.TWO_WEEKS: "U2", Silence.ONE_MONTH: "U3", Silence.THREE_MONTHS: "U4"}[self]


class SilenceDue(Wire):
    """One thing that will happen unless the project is updated before."""

    at: Moment
    silence: Silence


def silence_ahead(updated_at: datetime, done: int, policy: Policy, calendar: WorkCalendar) -> tuple[SilenceDue, ...]:
    """U2–U5: what happens automatically, and when, after `done` of the three have happened since `updated_at`.

    Weeks are days × 7, months are calendar months in the business time zone: 30 November + 3 months is the last day of
    February. Empty once the project has been shelved. Raises `ValueError` for a naive moment or a negative `done`.
    """
    if done < 0:
        raise ValueError("no fewer than zero of them can have happened")
    life = policy.projects
    moments = (
        SilenceDue(at=calendar.add_days(updated_at, 7 * life.remind_after_weeks), silence=Silence.TWO_WEEKS),
        SilenceDue(at=calendar.add_months(updated_at, life.remind_vp_after_months), silence=Silence.ONE_MONTH),
        SilenceDue(at=calendar.add_months(updated_at, life.shelve_after_months), silence=Silence.THREE_MONTHS),
    )
    return moments[done:]


def reminder_problem(ahead: Sequence[SilenceDue], silence: Silence, now: datetime) -> str | None:
    """U2, U3: why nobody is to be reminded of `silence` at `now`, or None where they are. `ahead`: what follows from
    silence by the record."""
    due = bool(ahead) and ahead[0].silence is silence and ahead[0].at <= now
    return None if due else f"{silence.value} is not due"


def silent_for_long(ahead: Sequence[SilenceDue], now: datetime) -> bool:
    """U4: whether the last of the three limits has passed at `now`. `ahead`: what follows from silence by the record;
    nothing where no clock runs."""
    return bool(ahead) and ahead[-1].at <= now

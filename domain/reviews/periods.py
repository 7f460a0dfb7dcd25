"""The reviewed periods (weeks, months, quarters, half-years, years) and their times (R1–R4, U1, U9).

The ids of periods are `2026-W53`, `2026-11`, `FY2026-Q3`, `FY2026-H1`, `FY2026`. A fiscal year has the number of the
calendar year in which it begins.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from enum import StrEnum

from domain.base import Wire
from domain.calendar import WorkCalendar
from domain.policy import Reviews

_ONE_DAY = timedelta(days=1)


class Rhythm(StrEnum):
    """How often something is reviewed."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    HALF_YEARLY = "half_yearly"
    """R4: the first half of a fiscal year; the second is reviewed with the year."""
    YEARLY = "yearly"


MONTHS = {Rhythm.MONTHLY: 1, Rhythm.QUARTERLY: 3, Rhythm.HALF_YEARLY: 6, Rhythm.YEARLY: 12}


class Period(Wire):
    """One period, by its first and its last day in the business time zone."""

    rhythm: Rhythm
    id: str
    first: date
    last: date

    def holds(self, day: date) -> bool:
        return self.first <= day <= self.last


def period_at(rhythm: Rhythm, day: date, reviews: Reviews) -> Period:
    """The period of that rhythm in which `day` lies."""
    if rhythm is Rhythm.WEEKLY:
        first = day - timedelta(days=(day.isoweekday() - reviews.week_starts) % 7)
        # Named by its middle day, so that consecutive weeks have different names wherever the week begins.
        middle = (first + timedelta(days=3)).isocalendar()
        return Period(rhythm=rhythm, id=f"{middle.year}-W{middle.week:02}", first=first, last=first + timedelta(days=6))
    months = MONTHS[rhythm]
    begins = reviews.fiscal_year_starts
    since = (day.year * 12 + day.month - 1) - (begins - 1)  # months since the first fiscal year began
    fiscal, within = divmod(since, 12)
    number = within // months
    first = _month(fiscal * 12 + number * months + begins - 1)
    last = _month(fiscal * 12 + (number + 1) * months + begins - 1) - _ONE_DAY
    names = {
        Rhythm.MONTHLY: f"{first:%Y-%m}",
        Rhythm.QUARTERLY: f"FY{fiscal}-Q{number + 1}",
        Rhythm.HALF_YEARLY: f"FY{fiscal}-H{number + 1}",
        Rhythm.YEARLY: f"FY{fiscal}",
    }
    return Period(rhythm=rhythm, id=names[rhythm], first=first, last=last)


def before(period: Period, reviews: Reviews) -> Period:
    """The previous period."""
    return period_at(period.rhythm, period.first - _ONE_DAY, reviews)


def after(period: Period, reviews: Reviews) -> Period:
    """The next period."""
    return period_at(period.rhythm, period.last + _ONE_DAY, reviews)


def read_period(text: str, reviews: Reviews) -> Period:
    """The period with that id. Raises `ValueError` if there is none."""
    try:
        if named := re.fullmatch(r"(2\d{3})-W(\d\d)", text):
            day = date.fromisocalendar(int(named[1]), int(named[2]), 4)
            found = period_at(Rhythm.WEEKLY, day, reviews)
        elif re.fullmatch(r"2\d{3}-\d\d", text):
            found = period_at(Rhythm.MONTHLY, date.fromisoformat(f"{text}-01"), reviews)
        elif named := re.fullmatch(r"FY(2\d{3})(?:-([QH])([1-4]))?", text):
            rhythm = {"Q": Rhythm.QUARTERLY, "H": Rhythm.HALF_YEARLY, None: Rhythm.YEARLY}[named[2]]
            months = MONTHS[rhythm] * (int(named[3] or 1) - 1)
            found = period_at(rhythm, _month(int(named[1]) * 12 + reviews.fiscal_year_starts - 1 + months), reviews)
        else:
            raise ValueError(text)
    except ValueError:
        raise ValueError(f"no period is called {text!r}") from None
    if found.id != text:
        raise ValueError(f"no period is called {text!r}")
    return found


def periods_within(rhythm: Rhythm, period: Period, reviews: Reviews) -> tuple[Period, ...]:
    """The periods of a rhythm that overlap `period`, in order."""
    found = [period_at(rhythm, period.first, reviews)]
    while found[-1].last < period.last:
        found.append(after(found[-1], reviews))
    return tuple(found)


def months_of(period: Period) -> tuple[date, ...]:
    """The first day of each month of a period. Raises `ValueError` for a week."""
    count = MONTHS.get(period.rhythm)
    if count is None:
        raise ValueError("a week is not made of months")
    begins = period.first.year * 12 + period.first.month - 1
    return tuple(_month(begins + number) for number in range(count))


def opens_at(period: Period, reviews: Reviews, calendar: WorkCalendar) -> datetime:
    """When the review of a period opens: after its end, on a working day if the policy says so."""
    day = period.last + _ONE_DAY
    while reviews.working_days_only and not calendar.is_working_day(day):
        day += _ONE_DAY
    return calendar.at(day, reviews.send_at)


def closes_at(period: Period, begun: datetime, reviews: Reviews, calendar: WorkCalendar) -> datetime:
    """R6: the deadline for the steps of a review begun at `begun`: the start of the next review of its rhythm.

    A half-year has until its year is reviewed. A review that begins late, because the system was unavailable or a whole
    week is off, has until the first one that begins after it.
    """
    following = after(period, reviews)
    while (closes := opens_at(following, reviews, calendar)) <= begun:
        following = after(following, reviews)
    return closes


def last_finished(rhythm: Rhythm, moment: datetime, reviews: Reviews, calendar: WorkCalendar) -> Period:
    """The last period of that rhythm that had ended at `moment`; for half-years the last first half, because the
    second is reviewed with its year (R4)."""
    day = moment.astimezone(calendar.zone).date()
    found = before(period_at(rhythm, day, reviews), reviews)
    if rhythm is Rhythm.HALF_YEARLY and found.last == period_at(Rhythm.YEARLY, found.last, reviews).last:
        return before(found, reviews)
    return found


def _month(months: int) -> date:
    """The first day of a month, counted from the year 0."""
    year, month = divmod(months, 12)
    return date(year, month + 1, 1)

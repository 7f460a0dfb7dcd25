"""Periods for tests on the machine's own clock: none begins or ends while a test runs, whatever the day and the hour.

A period opens and closes at the policy's time of day. These tests put that half a day away from now, on every day and
not on working days alone, so that neither a weekend nor a festival nor the turn of a month comes between.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TypedDict

from domain.calendar import WorkCalendar
from domain.policy import Policy
from domain.reviews.periods import Period, Rhythm, last_finished, opens_at

HALF_A_DAY = timedelta(hours=12)


class EveryDay(TypedDict):
    """Values of the policy's `[reviews]`."""

    send_at: time
    working_days_only: bool


def half_a_day_away(now: datetime, policy: Policy) -> EveryDay:
    """`[reviews]` under which every period opens and closes at least some twelve hours before or after `now`."""
    send_at = (now + HALF_A_DAY).astimezone(policy.zone).time().replace(microsecond=0)
    return EveryDay(send_at=send_at, working_days_only=False)


def last_opened(rhythm: Rhythm, now: datetime, policy: Policy) -> tuple[Period, datetime]:
    """The last period of that rhythm that has opened under such a policy, and when it did: its schedule fired then."""
    calendar = WorkCalendar(region=policy.calendar_region, time_zone=policy.time_zone)
    period = last_finished(rhythm, now - HALF_A_DAY, policy.reviews, calendar)
    return period, opens_at(period, policy.reviews, calendar)

"""Weeks, months, quarters, half-years and fiscal years, and when they are reviewed (R1–R4, R6, U1, U9)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import WorkCalendar
from domain.policy import Reviews, load_policy
from domain.reviews.periods import (
    Period,
    Rhythm,
    after,
    before,
    closes_at,
    last_finished,
    opens_at,
    period_at,
    read_period,
)

POLICY = load_policy()
SHANGHAI = WorkCalendar(region="CN", time_zone="Asia/Shanghai")
NEW_YORK = WorkCalendar(region="US", time_zone="America/New_York")

days = st.dates(min_value=date(2020, 1, 1), max_value=date(2060, 12, 31))
rhythms = st.sampled_from(list(Rhythm))


def reviews(**changed: object) -> Reviews:
    return POLICY.reviews.model_copy(update=changed)


rules = st.builds(
    reviews,
    fiscal_year_starts=st.integers(min_value=1, max_value=12),
    week_starts=st.integers(min_value=1, max_value=7),
)


@pytest.mark.parametrize(
    ("rhythm", "day", "name", "first", "last"),
    [
        (Rhythm.WEEKLY, date(2027, 1, 1), "2026-W53", date(2026, 12, 28), date(2027, 1, 3)),
        (Rhythm.WEEKLY, date(2027, 1, 4), "2027-W01", date(2027, 1, 4), date(2027, 1, 10)),
        (Rhythm.WEEKLY, date(2024, 12, 30), "2025-W01", date(2024, 12, 30), date(2025, 1, 5)),
        (Rhythm.MONTHLY, date(2028, 2, 29), "2028-02", date(2028, 2, 1), date(2028, 2, 29)),
        (Rhythm.QUARTERLY, date(2026, 12, 31), "FY2026-Q4", date(2026, 10, 1), date(2026, 12, 31)),
        (Rhythm.HALF_YEARLY, date(2026, 6, 30), "FY2026-H1", date(2026, 1, 1), date(2026, 6, 30)),
        (Rhythm.YEARLY, date(2026, 6, 30), "FY2026", date(2026, 1, 1), date(2026, 12, 31)),
    ],
)
def test_r1_r2_r3_r4_periods_of_the_calendar_year(
    rhythm: Rhythm, day: date, name: str, first: date, last: date
) -> None:
    assert period_at(rhythm, day, POLICY.reviews) == Period(rhythm=rhythm, id=name, first=first, last=last)


@pytest.mark.parametrize(
    ("rhythm", "day", "name", "first", "last"),
    [
        (Rhythm.YEARLY, date(2027, 3, 31), "FY2026", date(2026, 4, 1), date(2027, 3, 31)),
        (Rhythm.YEARLY, date(2027, 4, 1), "FY2027", date(2027, 4, 1), date(2028, 3, 31)),
        (Rhythm.QUARTERLY, date(2027, 1, 1), "FY2026-Q4", date(2027, 1, 1), date(2027, 3, 31)),
        (Rhythm.HALF_YEARLY, date(2026, 10, 1), "FY2026-H2", date(2026, 10, 1), date(2027, 3, 31)),
        (Rhythm.MONTHLY, date(2027, 1, 15), "2027-01", date(2027, 1, 1), date(2027, 1, 31)),
    ],
)
def test_r4_a_fiscal_year_that_begins_in_april(rhythm: Rhythm, day: date, name: str, first: date, last: date) -> None:
    april = reviews(fiscal_year_starts=4)
    assert period_at(rhythm, day, april) == Period(rhythm=rhythm, id=name, first=first, last=last)


@given(rhythms, days, rules)
def test_r1_r4_every_day_is_in_one_period_and_neighbours_touch(rhythm: Rhythm, day: date, policy: Reviews) -> None:
    period = period_at(rhythm, day, policy)
    assert period.holds(day)
    assert read_period(period.id, policy) == period
    following = after(period, policy)
    assert following.first == period.last + timedelta(days=1)
    assert before(following, policy) == period
    assert following.id != period.id


@given(rhythms, days, rules)
def test_r1_r4_names_of_different_periods_differ(rhythm: Rhythm, day: date, policy: Reviews) -> None:
    """Also where the week begins on a Sunday, and across ten years."""
    period, names = period_at(rhythm, day, policy), set()
    for _ in range(60):
        names.add(period.id)
        period = after(period, policy)
    assert len(names) == 60


@pytest.mark.parametrize("name", ["2026-W54", "2027-W53", "2026-13", "2026-1", "FY26", "FY2026-Q5", "FY2026-H3", ""])
def test_r3_a_name_of_no_period_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no period is called"):
        read_period(name, POLICY.reviews)


def test_r1_a_week_that_ends_before_a_holiday_is_reviewed_on_the_next_working_day() -> None:
    golden_week = period_at(Rhythm.WEEKLY, date(2026, 9, 30), POLICY.reviews)
    assert golden_week.last == date(2026, 10, 4)
    opens = opens_at(golden_week, POLICY.reviews, SHANGHAI)
    assert SHANGHAI.is_working_day(opens.date())
    assert not SHANGHAI.is_working_day(date(2026, 10, 5))
    assert opens.date() > date(2026, 10, 5)
    at_once = opens_at(golden_week, reviews(working_days_only=False), SHANGHAI)
    assert at_once == datetime(2026, 10, 5, 9, tzinfo=SHANGHAI.zone)


@given(rhythms, days, rules, st.integers(min_value=0, max_value=60))
def test_r6_whoever_is_asked_late_still_has_time(rhythm: Rhythm, day: date, policy: Reviews, late: int) -> None:
    period = period_at(rhythm, day, policy)
    begun = opens_at(period, policy, SHANGHAI) + timedelta(days=late)
    closes = closes_at(period, begun, policy, SHANGHAI)
    assert closes > begun
    assert closes >= opens_at(after(period, policy), policy, SHANGHAI)


@pytest.mark.parametrize("day", [date(2026, 7, 1), date(2026, 12, 31), date(2027, 1, 4), date(2027, 6, 30)])
def test_r4_only_the_first_half_of_a_year_is_ever_reviewed_by_itself(day: date) -> None:
    """Whoever starts it by hand in spring finds the half before the year's end, which was done."""
    moment = datetime.combine(day, time(12), tzinfo=SHANGHAI.zone)
    assert last_finished(Rhythm.HALF_YEARLY, moment, POLICY.reviews, SHANGHAI).id == "FY2026-H1"


@given(rhythms.filter(lambda rhythm: rhythm is not Rhythm.HALF_YEARLY), days, st.times())
def test_r1_r4_the_last_finished_period_is_over_and_the_next_is_not(rhythm: Rhythm, day: date, at: time) -> None:
    moment = datetime.combine(day, at, tzinfo=UTC)
    period = last_finished(rhythm, moment, POLICY.reviews, SHANGHAI)
    today = moment.astimezone(SHANGHAI.zone).date()
    assert period.last < today <= after(period, POLICY.reviews).last


def test_u1_the_night_the_clocks_change_moves_no_week() -> None:
    """1 November 2026 in New York has 25 hours, 8 March 23; 02:30 does not exist then."""
    policy = reviews(working_days_only=False, send_at=time(2, 30), week_starts=7)
    autumn = period_at(Rhythm.WEEKLY, date(2026, 10, 31), policy)
    assert autumn.last == date(2026, 10, 31)
    spring = period_at(Rhythm.WEEKLY, date(2026, 3, 7), policy)
    assert opens_at(autumn, policy, NEW_YORK).astimezone(UTC) == datetime(2026, 11, 1, 7, 30, tzinfo=UTC)
    assert opens_at(spring, policy, NEW_YORK).astimezone(UTC) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)

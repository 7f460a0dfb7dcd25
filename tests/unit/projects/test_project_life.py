"""What happens by itself to an approved project that nobody updates, and when (U2–U5)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import WorkCalendar
from domain.policy import load_policy
from domain.projects.silence import Silence, silence_ahead

SHANGHAI = ZoneInfo("Asia/Shanghai")
POLICY = load_policy()
CHINA = WorkCalendar(region=POLICY.calendar_region, time_zone=POLICY.time_zone)
ALL = [Silence.TWO_WEEKS, Silence.ONE_MONTH, Silence.THREE_MONTHS]
SECOND = timedelta(seconds=1)

updates = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2060, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.sampled_from([UTC, SHANGHAI, ZoneInfo("America/New_York")]),
)


def dates(updated_at: datetime, done: int = 0) -> list[str]:
    return [f"{due.at:%Y-%m-%d %H:%M}" for due in silence_ahead(updated_at, done, POLICY, CHINA)]


@pytest.mark.parametrize(
    ("updated", "two_weeks", "one_month", "three_months"),
    [
        ("2026-03-10", "2026-03-24", "2026-04-10", "2026-06-10"),
        ("2026-11-28", "2026-12-12", "2026-12-28", "2027-02-28"),
        ("2026-11-29", "2026-12-13", "2026-12-29", "2027-02-28"),
        ("2026-11-30", "2026-12-14", "2026-12-30", "2027-02-28"),  # U5's own example
        ("2027-11-28", "2027-12-12", "2027-12-28", "2028-02-28"),
        ("2027-11-29", "2027-12-13", "2027-12-29", "2028-02-29"),
        ("2027-11-30", "2027-12-14", "2027-12-30", "2028-02-29"),  # in a leap year
        ("2027-12-31", "2028-01-14", "2028-01-31", "2028-03-31"),
        ("2026-12-31", "2027-01-14", "2027-01-31", "2027-03-31"),
        ("2027-01-28", "2027-02-11", "2027-02-28", "2027-04-28"),
        ("2027-01-29", "2027-02-12", "2027-02-28", "2027-04-29"),
        ("2027-01-30", "2027-02-13", "2027-02-28", "2027-04-30"),
        ("2027-01-31", "2027-02-14", "2027-02-28", "2027-04-30"),
        ("2028-01-29", "2028-02-12", "2028-02-29", "2028-04-29"),
        ("2028-01-31", "2028-02-14", "2028-02-29", "2028-04-30"),
        ("2028-02-29", "2028-03-14", "2028-03-29", "2028-05-29"),
        ("2028-02-15", "2028-02-29", "2028-03-15", "2028-05-15"),
        ("2027-02-15", "2027-03-01", "2027-03-15", "2027-05-15"),
        ("2026-08-31", "2026-09-14", "2026-09-30", "2026-11-30"),
        ("2026-03-31", "2026-04-14", "2026-04-30", "2026-06-30"),
        ("2100-01-31", "2100-02-14", "2100-02-28", "2100-04-30"),  # 2100 is no leap year
    ],
)
def test_u2_u3_u4_the_dates_in_short_and_leap_months(
    updated: str, two_weeks: str, one_month: str, three_months: str
) -> None:
    """U5: weeks are days x 7, months are calendar months that end on their last day when they are too short."""
    updated_at = datetime.fromisoformat(f"{updated}T14:05:00+08:00")
    assert dates(updated_at) == [f"{day} 14:05" for day in (two_weeks, one_month, three_months)]


@pytest.mark.parametrize(
    ("updated_at", "expected"),
    [
        # 30 November 23:59 in Shanghai, and one minute later.
        ("2026-11-30T15:59:00+00:00", ["2026-12-14 23:59", "2026-12-30 23:59", "2027-02-28 23:59"]),
        ("2026-11-30T16:00:00+00:00", ["2026-12-15 00:00", "2027-01-01 00:00", "2027-03-01 00:00"]),
        # 31 January in New York is 1 February in Shanghai.
        ("2027-01-31T20:00:00-05:00", ["2027-02-15 09:00", "2027-03-01 09:00", "2027-05-01 09:00"]),
    ],
)
def test_u5_months_are_those_of_the_business_time_zone(updated_at: str, expected: list[str]) -> None:
    assert dates(datetime.fromisoformat(updated_at)) == expected


def test_u2_u3_u4_are_told_by_their_rule_and_in_order() -> None:
    found = silence_ahead(datetime(2026, 11, 30, tzinfo=UTC), 0, POLICY, CHINA)
    assert [due.silence for due in found] == ALL
    assert [due.silence.rule for due in found] == ["U2", "U3", "U4"]


@pytest.mark.parametrize("done", range(5))
def test_u5_what_has_happened_does_not_happen_again_and_the_rest_keeps_its_date(done: int) -> None:
    """Nothing is left after the shelving (U4)."""
    updated_at = datetime(2026, 1, 31, tzinfo=SHANGHAI)
    found = silence_ahead(updated_at, done, POLICY, CHINA)
    assert [due.silence for due in found] == ALL[done:]
    assert found == silence_ahead(updated_at, 0, POLICY, CHINA)[done:]


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("seconds", [-1, 1])
def test_u5_an_update_one_second_before_or_after_a_limit_restarts_all_three(which: int, seconds: int) -> None:
    """Whatever has happened by then, the three are ahead again, counted from the update to the second."""
    first = silence_ahead(datetime(2026, 11, 30, 9, tzinfo=SHANGHAI), 0, POLICY, CHINA)
    updated_at = first[which].at + seconds * SECOND
    again = silence_ahead(updated_at, 0, POLICY, CHINA)
    assert [due.silence for due in again] == ALL
    assert again[0].at - updated_at == timedelta(weeks=2)
    assert all(due.at.time() == updated_at.time() for due in again)
    assert all(late.at > early.at for early, late in zip(first, again, strict=True))


@given(updated_at=updates)
def test_u5_two_weeks_come_before_one_month_and_one_month_before_three(updated_at: datetime) -> None:
    found = silence_ahead(updated_at, 0, POLICY, CHINA)
    assert all(earlier.at < later.at for earlier, later in pairwise(found))
    assert found[0].at - updated_at == timedelta(days=14)


@given(updated_at=updates)
def test_u5_a_month_ends_on_the_same_day_or_on_its_last(updated_at: datetime) -> None:
    local = updated_at.astimezone(SHANGHAI)
    for months, due in zip((1, 3), silence_ahead(updated_at, 1, POLICY, CHINA), strict=True):
        at = due.at.astimezone(SHANGHAI)
        assert (at.year * 12 + at.month) - (local.year * 12 + local.month) == months
        last = ((at.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)).day
        assert at.day == min(local.day, last)
        assert at.time() == local.time()


@given(updated_at=updates, later=st.timedeltas(min_value=SECOND, max_value=timedelta(days=200)))
def test_u5_a_later_update_never_brings_anything_forward(updated_at: datetime, later: timedelta) -> None:
    before = silence_ahead(updated_at, 0, POLICY, CHINA)
    after = silence_ahead(updated_at + later, 0, POLICY, CHINA)
    assert all(new.at >= old.at for old, new in zip(before, after, strict=True))
    assert after[0].at > before[0].at


@given(
    updated_at=updates,
    weeks=st.integers(1, 52),
    vp=st.integers(1, 24),
    shelve=st.integers(1, 36),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Apia"]),
)
def test_u2_u3_u4_stay_in_order_in_every_policy_that_is_accepted(
    updated_at: datetime, weeks: int, vp: int, shelve: int, zone: str
) -> None:
    """The numbers are policy; the order is the rule, also where the clocks are put forward and back."""
    figures = {"remind_after_weeks": weeks, "remind_vp_after_months": vp, "shelve_after_months": shelve}
    try:
        projects = type(POLICY.projects).model_validate(POLICY.projects.model_dump() | figures)
    except ValueError:
        return
    policy = POLICY.model_copy(update={"projects": projects})
    found = silence_ahead(updated_at, 0, policy, WorkCalendar(region="CN", time_zone=zone))
    assert all(earlier.at < later.at for earlier, later in pairwise(found))


def test_a_moment_without_a_zone_and_a_negative_count_are_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        silence_ahead(datetime(2026, 11, 30), 0, POLICY, CHINA)  # noqa: DTZ001 - that is the point
    with pytest.raises(ValueError, match="zero"):
        silence_ahead(datetime(2026, 11, 30, tzinfo=UTC), -1, POLICY, CHINA)

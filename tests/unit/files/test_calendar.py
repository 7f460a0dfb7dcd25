"""Working days with make-up days (调休), and calendar months."""

import calendar as months
import gettext
import locale
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NoReturn
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain import calendar
from domain.calendar import DayKind, WorkCalendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
CHINA = WorkCalendar(region="CN", time_zone="Asia/Shanghai")


def at(year: int, month: int, day: int, hour: int = 10, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)


def moments_between(first: int, last: int) -> st.SearchStrategy[datetime]:
    start, end = at(first, 1, 1).replace(tzinfo=None), at(last, 1, 1).replace(tzinfo=None)
    return st.datetimes(start, end, timezones=st.just(SHANGHAI))


published_moments = moments_between(2010, 2026)
moments = moments_between(2000, 2100)


def every_day(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


def working_days_after(start: datetime, end: datetime) -> int:
    """Working days after the day of `start`, up to and with the day of `end`."""
    return sum(CHINA.is_working_day(day) for day in every_day(start.date() + timedelta(days=1), end.date()))


def test_every_day_from_2010_to_2026_agrees_with_a_second_source() -> None:
    days = list(every_day(date(2010, 1, 1), date(2026, 12, 31)))
    assert len(days) == 6209
    assert [day for day in days if CHINA.is_working_day(day) != chinese_calendar.is_workday(day)] == []


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        (at(2026, 11, 23), 2, at(2026, 11, 25)),
        (at(2026, 11, 26), 2, at(2026, 11, 30)),
        # Spring Festival 2026: off from Sunday 15 to Monday 23 February, worked on Saturdays 14 and 28.
        (at(2026, 2, 12), 2, at(2026, 2, 14)),
        (at(2026, 2, 12), 3, at(2026, 2, 24)),
        (at(2026, 2, 14), 1, at(2026, 2, 24)),
        (at(2026, 2, 13, 17, 30), 5, at(2026, 2, 27, 17, 30)),
        (at(2026, 2, 13, 17, 30), 6, at(2026, 2, 28, 17, 30)),
        # Started on a day off: as if begun with the next working day.
        (at(2026, 2, 17), 2, at(2026, 2, 26, 0)),
        (at(2026, 2, 21), 0, at(2026, 2, 24, 0)),
        (at(2026, 11, 21, 23, 59), 2, at(2026, 11, 25, 0)),
        (at(2026, 11, 23), 0, at(2026, 11, 23)),
    ],
)
def test_n12_working_days_step_over_weekends_and_holidays_and_use_make_up_days(
    start: datetime, days: int, end: datetime
) -> None:
    assert CHINA.add_working_days(start, days).at == end


def test_a_day_is_a_day_of_the_business_zone() -> None:
    # 17:00 UTC on Friday is Saturday in Shanghai.
    friday = datetime(2026, 11, 20, 17, tzinfo=UTC)
    assert CHINA.add_working_days(friday, 1).at == at(2026, 11, 24, 0)
    assert CHINA.add_working_days(friday, 1).at.tzinfo == SHANGHAI


def test_overrides_win_over_the_published_days() -> None:
    own = CHINA.model_copy(update={"overrides": {date(2026, 11, 24): DayKind.OFF, date(2026, 11, 28): DayKind.WORKING}})
    assert not own.is_working_day(date(2026, 11, 24))
    assert own.is_working_day(date(2026, 11, 28))
    assert own.add_working_days(at(2026, 11, 23), 1).at == at(2026, 11, 25)
    assert own.add_working_days(at(2026, 11, 27), 1).at == at(2026, 11, 28)


def test_a_year_without_announced_make_up_days_is_provisional() -> None:
    assert [year for year in range(2001, 2031) if CHINA.is_provisional(date(year, 6, 1))] == [2027, 2028, 2029, 2030]


def test_a_year_made_official_by_the_override_table_is_not_provisional() -> None:
    own = CHINA.model_copy(update={"published_years": frozenset({2027})})
    assert not own.is_provisional(date(2027, 1, 1))
    assert own.is_provisional(date(2028, 1, 1))


def test_n12_a_deadline_that_counts_days_of_an_unannounced_year_is_provisional() -> None:
    assert not CHINA.add_working_days(at(2026, 12, 28), 3).provisional
    crossing = CHINA.add_working_days(at(2026, 12, 28), 5)
    assert crossing.provisional
    assert crossing.at.year == 2027


def test_where_the_law_alone_decides_no_year_is_provisional() -> None:
    germany = WorkCalendar(region="DE", time_zone="Europe/Berlin")
    assert not germany.is_provisional(date(2030, 1, 1))
    assert not germany.is_working_day(date(2030, 10, 3))


def test_a_time_the_clocks_skip_comes_after_the_gap() -> None:
    germany = WorkCalendar(region="DE", time_zone="Europe/Berlin", overrides={date(2026, 3, 29): DayKind.WORKING})
    berlin = ZoneInfo("Europe/Berlin")
    deadline = germany.add_working_days(datetime(2026, 3, 27, 2, 30, tzinfo=berlin), 1)
    assert deadline.at == datetime(2026, 3, 29, 3, 30, tzinfo=berlin)


def test_the_table_is_built_without_files_and_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workflow sandbox refuses both."""

    def refused(*_: object, **__: object) -> NoReturn:
        raise AssertionError("not inside a workflow")

    monkeypatch.setattr(gettext, "find", refused)
    monkeypatch.setattr(locale, "normalize", refused)
    calendar._nameless.cache_clear()
    calendar._year.cache_clear()
    assert not CHINA.is_working_day(date(2026, 10, 1))


def test_a_year_is_worked_out_once() -> None:
    CHINA.is_working_day(date(2024, 5, 1))
    before = calendar._year.cache_info().misses
    for day in every_day(date(2024, 1, 1), date(2024, 12, 31)):
        CHINA.is_working_day(day)
    assert calendar._year.cache_info().misses == before


def test_a_calendar_survives_a_journey_as_json() -> None:
    own = CHINA.model_copy(
        update={"overrides": {date(2027, 2, 14): DayKind.WORKING}, "published_years": frozenset({2027})}
    )
    assert WorkCalendar.model_validate_json(own.model_dump_json()) == own


@pytest.mark.parametrize(("region", "zone"), [("XX", "Asia/Shanghai"), ("CN", "Asia/Nowhere"), ("CN", "../etc/hosts")])
def test_unknown_regions_and_zones_are_refused(region: str, zone: str) -> None:
    with pytest.raises(ValidationError):
        WorkCalendar(region=region, time_zone=zone)


def test_naive_moments_and_counting_backwards_are_refused() -> None:
    naive = at(2026, 11, 23).replace(tzinfo=None)
    for call in (CHINA.add_working_days, CHINA.add_months):
        with pytest.raises(ValueError, match="time zone"):
            call(naive, 1)
        with pytest.raises(ValueError, match="forwards"):
            call(at(2026, 11, 23), -1)


@given(start=published_moments, days=st.integers(0, 60))
def test_n12_as_many_working_days_lie_between_as_were_asked_for(start: datetime, days: int) -> None:
    end = CHINA.add_working_days(start, days).at
    if CHINA.is_working_day(start.date()):
        assert working_days_after(start, end) == days
        assert end.time() == start.time()
    else:
        assert working_days_after(start, end) == days + 1  # the first of them is where counting starts
        assert end.time() == time()
    assert CHINA.is_working_day(end.date())
    assert end >= start


@given(first=published_moments, second=published_moments, days=st.integers(0, 30))
def test_n12_starting_later_never_ends_earlier(first: datetime, second: datetime, days: int) -> None:
    early, late = sorted((first, second))
    assert CHINA.add_working_days(early, days).at <= CHINA.add_working_days(late, days).at


@given(start=published_moments, days=st.integers(0, 30), more=st.integers(1, 30))
def test_n12_more_working_days_always_end_later(start: datetime, days: int, more: int) -> None:
    some = CHINA.add_working_days(start, days).at
    assert CHINA.add_working_days(start, days + more).at > some
    assert CHINA.add_working_days(some, more).at == CHINA.add_working_days(start, days + more).at


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        (at(2026, 11, 30), 3, at(2027, 2, 28)),
        (at(2027, 11, 30), 3, at(2028, 2, 29)),
        (at(2028, 2, 29), 12, at(2029, 2, 28)),
        (at(2026, 1, 31), 1, at(2026, 2, 28)),
        (at(2026, 12, 31, 23, 59), 1, at(2027, 1, 31, 23, 59)),
        (at(2026, 8, 15), 0, at(2026, 8, 15)),
        (datetime(2026, 1, 31, 16, 30, tzinfo=UTC), 1, at(2026, 3, 1, 0, 30)),  # already February in Shanghai
    ],
)
def test_u5_months_are_calendar_months_in_shanghai(start: datetime, count: int, end: datetime) -> None:
    reached = CHINA.add_months(start, count)
    assert reached == end
    assert reached.utcoffset() == timedelta(hours=8)


@given(start=moments, count=st.integers(0, 240))
def test_u5_a_month_keeps_day_and_time_unless_it_is_too_short(start: datetime, count: int) -> None:
    end = CHINA.add_months(start, count)
    last = months.monthrange(end.year, end.month)[1]
    assert (end.year * 12 + end.month) - (start.year * 12 + start.month) == count
    assert end.day == min(start.day, last)
    assert end.time() == start.time()


@given(first=moments, second=moments, count=st.integers(0, 60))
def test_u5_months_keep_the_order_of_moments_of_different_days(first: datetime, second: datetime, count: int) -> None:
    early, late = sorted((first, second))
    assert CHINA.add_months(early, count).date() <= CHINA.add_months(late, count).date()

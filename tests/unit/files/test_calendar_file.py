"""Days off as they are announced, one file a year: all of it, or every mistake with its line (N12)."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import DayKind, WorkCalendar
from imports.calendar_file import AnnouncedYear, CalendarMistakes, merged, read_calendar

GOOD = """{
  "$schema": "./schema.json",
  "year": 2027,
  "papers": ["https://example.com/notice"],
  "days": [
    {"name": "元旦", "date": "2026-12-31", "isOffDay": true},
    {"name": "春节", "date": "2027-02-06", "isOffDay": true},
    {"name": "春节", "date": "2027-02-14", "isOffDay": false}
  ]
}
"""


def told(text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(CalendarMistakes) as caught:
        read_calendar(text)
    assert all(mistake.message_zh and mistake.message_en for mistake in caught.value.mistakes)
    return [(mistake.line, mistake.field) for mistake in caught.value.mistakes]


def year(number: int, published: bool = True, **days: DayKind) -> AnnouncedYear:
    found = {date.fromisoformat(day[1:].replace("_", "-")): kind for day, kind in days.items()}
    return AnnouncedYear(year=number, days=found, published=published)


def test_a_file_is_read_whole() -> None:
    assert read_calendar("\ufeff" + GOOD) == year(
        2027, _2026_12_31=DayKind.OFF, _2027_02_06=DayKind.OFF, _2027_02_14=DayKind.WORKING
    )


def test_a_file_that_names_no_announcement_leaves_the_year_provisional() -> None:
    assert not read_calendar(GOOD.replace('"https://example.com/notice"', "")).published
    without = json.loads(GOOD)
    del without["papers"]
    assert read_calendar(json.dumps(without)).published


def test_all_mistakes_are_reported_at_once_with_their_lines() -> None:
    text = """{"yaer": 1,
"year": 1999,
"papers": "x",
"days": [
  {"date": "2027-02-30", "isOffDay": true},
  {"date": "2027-02-06", "isOffDay": "yes"},
  3,
  {"isOffDay": true},
  {"date": "2027-03-01", "isOffDay": true, "note": 1}, {"date": "2027-03-01",
   "isOffDay": true}
]}"""
    assert told(text) == [
        (1, "yaer"),
        (2, "year"),
        (3, "papers"),
        (5, "days[0].date"),
        (6, "days[1].isOffDay"),
        (7, "days[2]"),
        (8, "days[3].date"),
        (9, "days[4].note"),
        (9, "days[5].date"),
    ]


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("", [(1, "")]),
        ('{\n"year": }', [(2, "")]),
        ("[]", [(1, "")]),
        ("{}", [(None, "year"), (None, "days")]),
        ('{"year": 2027, "days": []}', [(1, "days")]),
        ('{"year": true, "days": [{"date": "2027-01-01", "isOffDay": true}]}', [(1, "year")]),
        ('{"year": 2027, "days": [{"date": "2028-05-01", "isOffDay": true}]}', [(1, "days[0].date")]),
        ("[" * 100_000, [(None, "")]),
        ('{"year": ' + "9" * 5000 + "}", [(None, "")]),
    ],
)
def test_other_files_are_refused(text: str, mistakes: list[tuple[int | None, str]]) -> None:
    assert told(text) == mistakes


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just("2027-02-06"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["year", "days", "papers", "date", "isOffDay", "name", "x"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


@given(document=json_values, indent=st.sampled_from([None, 0, 2]), whole=st.booleans())
def test_no_document_breaks_the_reader(document: Any, indent: int | None, whole: bool) -> None:
    text = json.dumps(document, indent=indent)
    with contextlib.suppress(CalendarMistakes):
        read_calendar(text if whole else text[: len(text) // 2])


def test_earlier_years_stay_and_a_corrected_file_replaces_all_of_the_old_one() -> None:
    first = merged({}, [year(2026, _2026_02_14=DayKind.WORKING), year(2027, _2027_02_06=DayKind.OFF)])
    again = merged(first, [year(2027, _2027_02_07=DayKind.OFF)])
    assert again["overrides"] == {"2026-02-14": "working", "2027-02-07": "off"}
    assert again["published_years"] == [2026, 2027]
    assert merged(again, [year(2027, _2027_02_07=DayKind.OFF)]) == again


def test_for_a_day_in_two_announcements_the_later_one_counts_in_any_import_order() -> None:
    old, new = year(2026, _2026_12_31=DayKind.WORKING), year(2027, _2026_12_31=DayKind.OFF)
    for order in ([old, new], [new, old]):
        document: dict[str, Any] = {}
        for file in order:
            document = merged(document, [file])
        assert document["overrides"] == {"2026-12-31": "off"}


def test_days_that_were_set_without_a_file_stay() -> None:
    kept = merged({"overrides": {"2026-05-02": "working"}, "published_years": [2026]}, [year(2027)])
    assert kept["overrides"] == {"2026-05-02": "working"}
    assert kept["published_years"] == [2026, 2027]


def test_the_working_calendar_takes_the_document_as_it_is_kept() -> None:
    """N12: days of an announced year are no longer provisional, and a working Saturday counts."""
    china = WorkCalendar(region="CN", time_zone="Asia/Shanghai")
    assert china.is_provisional(date(2027, 2, 14))
    document = json.loads(json.dumps(merged({}, [read_calendar(GOOD)])))
    told_so = WorkCalendar.model_validate({"region": "CN", "time_zone": "Asia/Shanghai"} | document)
    assert told_so.is_working_day(date(2027, 2, 14))
    assert not told_so.is_provisional(date(2027, 2, 14))
    assert told_so.add_working_days(datetime(2027, 2, 12, 1, tzinfo=UTC), 1).at.day == 14

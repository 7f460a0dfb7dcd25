"""The days off of one year as the State Council announces them, in a small JSON file (N12).

{"year": 2027, "papers": ["https://…"], "days": [{"name": "春节", "date": "2027-02-06", "isOffDay": true}, …]}

`papers` names the announcement. Where it is empty the year is not announced yet: its days count but stay provisional.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from domain.base import Wire
from domain.calendar import DayKind, WorkCalendar
from imports.mistakes import FileMistakes, Mistake, shown

MAX_BYTES = 1_000_000
"""A year has about forty such days; a file with more is something else."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SPACE = re.compile(r"\s*")


class CalendarMistakes(FileMistakes):
    """The calendar file was refused."""


class AnnouncedYear(Wire):
    """The content of one file. Its days may reach into December before and January after."""

    year: int
    days: dict[date, DayKind]
    published: bool = True
    """False when the file itself names no announcement."""


def read_calendar(text: str) -> AnnouncedYear:
    """Parse `text`. Raises `CalendarMistakes` with every mistake and its line; nothing else."""
    text = text.removeprefix("\ufeff")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _refuse(error.lineno, "", "broken_json", why=error.msg) from None
    except (ValueError, RecursionError):
        raise _refuse(None, "", "not_json") from None
    if not isinstance(document, dict):
        raise _refuse(1, "", "calendar_shape")
    return _Reader(document, *_lines(text)).read()


class _Reader:
    def __init__(self, document: dict[str, Any], key_lines: dict[str, int], day_lines: list[int]) -> None:
        self.document = document
        self.key_lines = key_lines
        self.day_lines = day_lines
        self.mistakes: list[Mistake] = []

    def read(self) -> AnnouncedYear:
        for key in self.document:
            if key not in ("year", "days", "papers") and not key.startswith("$"):
                self._say(key, "unknown_key")
        year = self.document.get("year")
        if "year" not in self.document:
            self._say("year", "missing")
        elif type(year) is not int or not 2000 <= year < 2200:
            self._say("year", "year_range")
            year = None
        papers = self.document.get("papers")
        if papers is not None and not (isinstance(papers, list) and all(isinstance(paper, str) for paper in papers)):
            self._say("papers", "papers")
        days = self._days(year)
        if self.mistakes:
            raise CalendarMistakes(self.mistakes)
        return AnnouncedYear(year=int(year or 0), days=days, published=papers is None or bool(papers))

    def _days(self, year: int | None) -> dict[date, DayKind]:
        found: dict[date, DayKind] = {}
        first: dict[date, int | None] = {}
        listed = self.document.get("days")
        if not isinstance(listed, list) or not listed:
            missing = "days" not in self.document
            self._say("days", "missing" if missing else "no_days")
            return found
        for index, row in enumerate(listed):
            line = self.day_lines[index] if index < len(self.day_lines) else None
            place = f"days[{index}]"
            if not isinstance(row, dict):
                self._say(place, "not_a_table", line)
                continue
            for key in row:
                if key not in ("name", "date", "isOffDay"):
                    self._say(f"{place}.{key}", "unknown_key", line)
            day = self._date(row, place, line, year)
            off = row.get("isOffDay")
            if not isinstance(off, bool):
                self._say(f"{place}.isOffDay", "bool_type", line)
            if day is None or not isinstance(off, bool):
                continue
            if day in found:
                key = "date_twice_at" if first[day] else "date_twice"
                self._say(f"{place}.date", key, line, day=day, first=first[day])
                continue
            found[day], first[day] = DayKind.OFF if off else DayKind.WORKING, line
        return found

    def _date(self, row: dict[str, Any], place: str, line: int | None, year: int | None) -> date | None:
        written = row.get("date")
        if "date" not in row:
            self._say(f"{place}.date", "missing", line)
            return None
        try:
            if not isinstance(written, str) or not _DATE.fullmatch(written):
                raise ValueError
            day = date.fromisoformat(written)
        except ValueError:
            self._say(f"{place}.date", "calendar_date", line, written=shown(written))
            return None
        near = year is None or day.year == year or (day.year, day.month) in ((year - 1, 12), (year + 1, 1))
        if not near:
            self._say(f"{place}.date", "not_in_year", line, year=year, day=day)
        return day

    def _say(self, field: str, key: str, line: int | None = None, **params: object) -> None:
        line = self.key_lines.get(field) if line is None else line
        self.mistakes.append(Mistake.of(line, shown(field, 120), key, **params))


def _refuse(line: int | None, field: str, key: str, **params: object) -> CalendarMistakes:
    return CalendarMistakes([Mistake.of(line, field, key, **params)])


def _lines(text: str) -> tuple[dict[str, int], list[int]]:
    """The line of each key of the document, and of each day. `text` is one valid JSON object."""
    decoder = json.JSONDecoder()
    keys: dict[str, int] = {}
    days: list[int] = []

    def past_space(position: int) -> int:
        found = _SPACE.match(text, position)
        return found.end() if found else position

    def line_of(position: int) -> int:
        return text.count("\n", 0, position) + 1

    position = past_space(text.index("{") + 1)
    while text[position] != "}":
        start = position
        key, position = decoder.raw_decode(text, position)
        keys[key] = line_of(start)
        position = past_space(past_space(position) + 1)  # past the colon
        if key == "days" and text[position] == "[":
            days = []
            position = past_space(position + 1)
            while text[position] != "]":
                days.append(line_of(position))
                position = past_space(decoder.raw_decode(text, position)[1])
                position = past_space(position + 1) if text[position] == "," else position
            position += 1
        else:
            position = decoder.raw_decode(text, position)[1]
        position = past_space(position)
        position = past_space(position + 1) if text[position] == "," else position
    return keys, days


def merged(kept: Mapping[str, Any], announced: Iterable[AnnouncedYear]) -> dict[str, Any]:
    """The calendar document `kept` with `announced` in place of what it had for those years.

    A day that two years speak of is as the later announcement says. The result holds the fields of `WorkCalendar` that
    an operator sets, and under `announced` each year separately, so that a corrected file replaces all of the old one.
    """
    years = {year.year: year for year in _kept_years(kept)} | {year.year: year for year in announced}
    in_order = [years[year] for year in sorted(years)]
    overrides = {day: kind for year in in_order for day, kind in year.days.items()}
    return {
        "overrides": {day.isoformat(): overrides[day].value for day in sorted(overrides)},
        "published_years": [year.year for year in in_order if year.published],
        "announced": [year.model_dump(mode="json") for year in in_order],
    }


def _kept_years(kept: Mapping[str, Any]) -> list[AnnouncedYear]:
    if "announced" in kept:
        return [AnnouncedYear.model_validate(year) for year in kept["announced"]]
    fields = {name: kept[name] for name in ("overrides", "published_years") if name in kept}
    calendar = WorkCalendar.model_validate({"region": "CN", "time_zone": "Asia/Shanghai"} | fields)
    years = {day.year for day in calendar.overrides} | calendar.published_years
    return [
        AnnouncedYear(
            year=year,
            days={day: kind for day, kind in calendar.overrides.items() if day.year == year},
            published=year in calendar.published_years,
        )
        for year in years
    ]


__all__ = ["MAX_BYTES", "AnnouncedYear", "CalendarMistakes", "merged", "read_calendar"]

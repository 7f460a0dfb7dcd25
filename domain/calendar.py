"""Working days and calendar months in the business time zone (N12, N10, U5).

China moves working days onto weekends (调休), and the State Council announces them only in the autumn before. A year
that is not announced yet is worked out from the law alone and called provisional: its deadlines may still move.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

from holidays import countries
from holidays.holiday_base import HolidayBase
from pydantic import AfterValidator

from domain.base import Moment, Wire

_ANNOUNCED_YEARLY = frozenset({"CN"})
"""Regions that announce days off year by year, always with make-up days; elsewhere the law alone decides."""

_ONE_DAY = timedelta(days=1)


class DayKind(StrEnum):
    """What a calendar says of a day."""

    WORKING = "working"
    OFF = "off"


class WorkingDeadline(Wire):
    """The result of counting working days."""

    at: Moment
    provisional: bool = False
    """Days of a year not yet announced were counted; the moment may still change."""


class _Year(NamedTuple):
    working: frozenset[date]
    announced: bool


def _country(region: str) -> type[HolidayBase]:
    # Not `holidays.country_holidays`: it imports lazily, which inside a workflow's sandbox would load the whole package
    # again.
    found = getattr(countries, region, None) if len(region) == 2 else None
    if not (isinstance(found, type) and issubclass(found, HolidayBase)):
        raise ValueError(f"no calendar is known for the region {region!r}")
    return found


def _untranslated(message: str) -> str:
    return message


@lru_cache(maxsize=64)
def _nameless(region: str) -> type[HolidayBase]:
    # Only the dates matter here. Loading a catalogue for their names reads files and the locale, which neither this
    # package nor the sandbox allows.
    def no_catalogue(table: HolidayBase) -> None:
        table.tr = _untranslated

    return type("Nameless", (_country(region),), {"_init_translation": no_catalogue})


@lru_cache(maxsize=512)
def _year(region: str, year: int) -> _Year:
    table = _nameless(region)(years=year, expand=False)
    first = date(year, 1, 1)
    days = (first + timedelta(days=n) for n in range(366 if calendar.isleap(year) else 365))
    announced = region not in _ANNOUNCED_YEARLY or any(day.year == year for day in table.weekend_workdays)
    return _Year(frozenset(day for day in days if table.is_working_day(day)), announced)


def _known_region(region: str) -> str:
    _country(region)
    return region


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"no time zone is called {name!r}") from error
    return name


def _in_zone(day: date, at: time, zone: ZoneInfo) -> datetime:
    """`day` at the wall-clock time `at`. A time that the clocks skip that day is moved forward by the length of the
    gap."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC).astimezone(zone)


class WorkCalendar(Wire):
    """The working days of one region.

    Takes an ISO 3166 region code, the IANA name of the business time zone, days set by an operator (they take
    precedence) and years that those days make official. Raises `pydantic.ValidationError` for an unknown region or
    zone.
    """

    region: Annotated[str, AfterValidator(_known_region)]
    time_zone: Annotated[str, AfterValidator(_known_zone)]
    overrides: dict[date, DayKind] = {}
    published_years: frozenset[int] = frozenset()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def is_working_day(self, day: date) -> bool:
        kind = self.overrides.get(day)
        if kind is not None:
            return kind is DayKind.WORKING
        return day in _year(self.region, day.year).working

    def is_provisional(self, day: date) -> bool:
        """Whether the days off of that year are still provisional: no make-up day announced, and not made official
        here."""
        return day.year not in self.published_years and not _year(self.region, day.year).announced

    def at(self, day: date, at: time) -> datetime:
        """`day` at a wall-clock time of the business time zone; a time that the clocks skip is moved past the gap."""
        return _in_zone(day, at, self.zone)

    def add_working_days(self, start: datetime, days: int) -> WorkingDeadline:
        """N12: the same time of day, `days` working days after `start`, in the business time zone.

        The day of `start` is not counted. Started on a day off, it counts as started when the next working day begins
        (00:00): the people asked have `days` working days whole, and starting later never ends earlier.
        Raises `ValueError` for a naive `start` or negative `days`.
        """
        if days < 0:
            raise ValueError("working days are counted forwards only")
        zone = self.zone
        local = _aware(start).astimezone(zone)
        day, at = local.date(), local.time().replace(fold=local.fold)
        provisional = self.is_provisional(day)
        if not self.is_working_day(day):
            at = time()
            while not self.is_working_day(day):
                day += _ONE_DAY
        for _ in range(days):
            day += _ONE_DAY
            while not self.is_working_day(day):
                day += _ONE_DAY
        # Years in between are announced before the last one is.
        return WorkingDeadline(at=_in_zone(day, at, zone), provisional=provisional or self.is_provisional(day))

    def add_days(self, start: datetime, days: int) -> datetime:
        """U5: the same time of day, `days` days after `start`, in the business time zone.

        Raises `ValueError` for a naive `start` or negative `days`.
        """
        if days < 0:
            raise ValueError("days are counted forwards only")
        local = _aware(start).astimezone(self.zone)
        return _in_zone(local.date() + days * _ONE_DAY, local.time().replace(fold=local.fold), self.zone)

    def add_months(self, start: datetime, months: int) -> datetime:
        """U5: the same time of day, `months` calendar months after `start`, in the business time zone.

        A month too short for the day ends on its last one: 30 November + 3 months = 28 or 29 February.
        Raises `ValueError` for a naive `start` or negative `months`.
        """
        if months < 0:
            raise ValueError("months are counted forwards only")
        zone = self.zone
        local = _aware(start).astimezone(zone)
        years, month = divmod(local.month - 1 + months, 12)
        year, month = local.year + years, month + 1
        day = date(year, month, min(local.day, calendar.monthrange(year, month)[1]))
        return _in_zone(day, local.time().replace(fold=local.fold), zone)


def _aware(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("a moment must name its time zone")
    return moment

"""Checks that the reports of a year add up and match the record (R1–R6, U1, U9)."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from domain.policy import Policy
from domain.reports.report import AccountStatistics, CreditedRow, Report, SalesForecast, WeeklyDigest, reports_of
from domain.reports.totals import forecast_by_salesperson, forecast_totals
from domain.reviews.periods import Period, Rhythm, periods_within


def periods_of(year: Period, rhythm: Rhythm, policy: Policy) -> list[Period]:
    """The periods of a rhythm that end within the year."""
    found = [period for period in periods_within(rhythm, year, policy.reviews) if period.last <= year.last]
    return found[:1] if rhythm is Rhythm.HALF_YEARLY else found  # R4


def missing_reports(reports: Sequence[Report], year: Period, policy: Policy) -> list[str]:
    made = Counter((report.kind.value, report.period.id) for report in reports)
    wanted: set[tuple[str, str]] = set()
    for rhythm in Rhythm:
        for period in periods_of(year, rhythm, policy):
            wanted |= {(kind.value, period.id) for kind in reports_of(rhythm)}
    problems = [f"{kind} of {period} was not made" for kind, period in sorted(wanted - set(made))]
    problems += [f"{kind} of {period} nobody asked for" for kind, period in sorted(set(made) - wanted)]
    return problems


def digests_told(reports: Sequence[Report], updates: int) -> list[str]:
    told = sum(len(row.updates) for report in reports if isinstance(report, WeeklyDigest) for row in report.rows)
    return [] if told == updates else [f"digests tell of {told} updates, the record of {updates}"]


def forecasts_chained(reports: Sequence[Report]) -> list[str]:
    """U9: the changes from one month to the next equal the difference."""
    months = sorted(
        (report for report in reports if isinstance(report, SalesForecast)), key=lambda report: report.period.first
    )
    problems = []
    for before, this in itertools.pairwise(months):
        difference = sum((row.amount for row in this.rows), Decimal(0)) - sum(
            (row.amount for row in before.rows), Decimal(0)
        )
        changes = sum((row.amount for row in this.changes), Decimal(0))
        if difference != changes:
            problems.append(f"forecast of {this.period.id}: {difference} more, changes of {changes}")
    return problems


def years_of_months(reports: Mapping[str, AccountStatistics], year: Period, policy: Policy) -> list[str]:
    """R2–R4: the months of an account add up to its year."""
    months = [reports[period.id] for period in periods_of(year, Rhythm.MONTHLY, policy) if period.id in reports]
    problems = []
    for row in reports[year.id].rows if year.id in reports else ():
        mine = [each for month in months for each in month.rows if each.account == row.account]
        for name in ("contracts", "revenue", "payments"):
            parts = total(getattr(each, name) for each in mine)
            if parts != getattr(row, name):
                problems.append(f"{row.account}: {name} of the months {parts}, of the year {getattr(row, name)}")
    return problems


def credits_whole(reports: Sequence[Report]) -> list[str]:
    """D3: credits add up to the amounts, row by row and person by person."""
    problems = []
    for report in reports:
        rows: list[CreditedRow] = [*report.rows]
        if isinstance(report, SalesForecast):
            rows += report.changes
            whole, parts = forecast_totals(report.rows).amount, forecast_by_salesperson(report.rows)
            if total(part.totals.amount for part in parts) != whole:
                problems.append(f"forecast of {report.period.id}: its salespeople are not credited with {whole}")
        elif isinstance(report, AccountStatistics):
            rows += report.contracts
        problems += [
            f"{report.kind} of {report.period.id}: {total(c.amount for c in row.credited)} credited of {row.whole}"
            for row in rows
            if total(each.amount for each in row.credited) != row.whole
        ]
    return problems


def total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))

"""Totals of a report's rows: overall, and by group (U1, U9, R3).

Always computed from the rows that are displayed, so that every total is the sum of the rows above it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from domain.base import Wire
from domain.disputes.credit import Credit
from domain.projects.project import SalesStage
from domain.reports.report import (
    ZERO,
    AccountFigures,
    AccountStatistics,
    CreditedRow,
    DigestRow,
    ForecastRow,
    ReportRow,
)

R = TypeVar("R", bound=ReportRow)
C = TypeVar("C", bound=CreditedRow)
T = TypeVar("T", bound=Wire)


class Group(Wire, Generic[T]):
    """The rows of one sales stage, department, salesperson or month."""

    key: str
    name: str = ""
    """Name of the department or person."""
    totals: T


class DigestTotals(Wire):
    """U1."""

    projects: int
    """All projects; the counts down to `ended` add up to it."""
    updated: int
    silent: int
    new: int = 0
    """Approved in the week, without an update yet."""
    ended: int = 0
    updates: int
    amount: Decimal


class ForecastTotals(Wire):
    """U9."""

    projects: int
    amount: Decimal
    weighted: Decimal


class Standing(StrEnum):
    """R3: an account's contracts against their target."""

    REACHED = "reached"
    NEAR = "near"
    BELOW = "below"
    UNMEASURED = "unmeasured"
    """R7: it has not been an account for a full month of the period."""


class AccountTotals(Wire):
    """R2–R4, in RMB."""

    accounts: int
    target_contracts: Decimal
    contracts: Decimal
    signed: Decimal
    other_contracts: Decimal
    target_revenue: Decimal
    revenue: Decimal
    payments: Decimal
    reached: int
    near: int
    below: int
    unmeasured: int = 0


def standing_of(row: AccountFigures, near_target: Decimal) -> Standing:
    """R3: `near_target` is the share of the target from which an account counts as near it. A target of zero is
    reached."""
    if row.counted == ():
        return Standing.UNMEASURED
    if row.contracts >= row.target_contracts:
        return Standing.REACHED
    return Standing.NEAR if row.contracts >= near_target * row.target_contracts else Standing.BELOW


def attainment(reached: Decimal, target: Decimal) -> Decimal | None:
    """The attained share of a target, to a tenth of a per cent; None if the target is zero."""
    return (reached / target).quantize(Decimal("0.001"), ROUND_HALF_UP) if target else None


def digest_totals(rows: Sequence[DigestRow]) -> DigestTotals:
    """The sums of these rows of a digest."""
    return DigestTotals(
        projects=len(rows),
        updated=sum(bool(row.updates) and not row.ended for row in rows),
        silent=sum(row.silent for row in rows),
        new=sum(row.new and not row.updates and not row.ended for row in rows),
        ended=sum(row.ended for row in rows),
        updates=sum(len(row.updates) for row in rows),
        amount=_sum(row.amount for row in rows),
    )


def forecast_totals(rows: Sequence[ForecastRow]) -> ForecastTotals:
    """The sums of these rows of a forecast."""
    return ForecastTotals(
        projects=len(rows), amount=_sum(row.amount for row in rows), weighted=_sum(row.weighted for row in rows)
    )


def approved_since(rows: Sequence[ForecastRow]) -> ForecastTotals:
    """U9: the part of a forecast that was approved after the end of its month."""
    return forecast_totals([row for row in rows if row.approved_since])


def account_totals(rows: Sequence[AccountFigures], near_target: Decimal) -> AccountTotals:
    """The sums of these accounts."""
    standings = [standing_of(row, near_target) for row in rows]
    return AccountTotals(
        accounts=len(rows),
        target_contracts=_sum(row.target_contracts for row in rows),
        contracts=_sum(row.contracts for row in rows),
        signed=_sum(row.signed for row in rows),
        other_contracts=_sum(row.other_contracts for row in rows),
        target_revenue=_sum(row.target_revenue for row in rows),
        revenue=_sum(row.revenue for row in rows),
        payments=_sum(row.payments for row in rows),
        reached=standings.count(Standing.REACHED),
        near=standings.count(Standing.NEAR),
        below=standings.count(Standing.BELOW),
        unmeasured=standings.count(Standing.UNMEASURED),
    )


def forecast_by_stage(rows: Sequence[ForecastRow]) -> tuple[Group[ForecastTotals], ...]:
    """In the order of the sales process."""
    found = _groups(rows, lambda row: row.sales_stage.value, lambda _: "", forecast_totals)
    order = [stage.value for stage in SalesStage]
    return tuple(sorted(found, key=lambda group: order.index(group.key)))


def forecast_by_department(rows: Sequence[ForecastRow]) -> tuple[Group[ForecastTotals], ...]:
    """D3: amounts as credited to the people of each department; a project counts where it is registered."""
    return _credited_forecast(rows, _department_of)


def forecast_by_salesperson(rows: Sequence[ForecastRow]) -> tuple[Group[ForecastTotals], ...]:
    """D3: amounts as credited to each person; a project counts for its responsible salesperson."""
    return _credited_forecast(rows, _person_of)


def forecast_by_month(rows: Sequence[ForecastRow]) -> tuple[Group[ForecastTotals], ...]:
    """By the expected month of signing."""
    return _groups(rows, lambda row: f"{row.expected_signing:%Y-%m}", lambda _: "", forecast_totals)


def accounts_by_department(report: AccountStatistics) -> tuple[Group[AccountTotals], ...]:
    """D3: contracts as credited to the people of each department; everything else where the account is."""
    return _credited_accounts(report, _department_of)


def accounts_by_salesperson(report: AccountStatistics) -> tuple[Group[AccountTotals], ...]:
    """D3: contracts as credited to each person; everything else belongs to the account's salesperson."""
    return _credited_accounts(report, _person_of)


class _Named(NamedTuple):
    key: str
    name: str


def _person_of(item: ReportRow | Credit) -> _Named:
    return (
        _Named(item.salesperson, item.salesperson_name)
        if isinstance(item, ReportRow)
        else _Named(item.person, item.name)
    )


def _department_of(item: ReportRow | Credit) -> _Named:
    return _Named(item.department or "", item.department_name)


class _Part(NamedTuple, Generic[C]):
    """The share of one person or department: the rows they are responsible for, and their credits."""

    name: str
    rows: list[C]
    credits: list[Credit]

    @property
    def credited(self) -> Decimal:
        return _sum(credit.amount for credit in self.credits)


def _parts(rows: Iterable[C], whose: Callable[[ReportRow | Credit], _Named]) -> list[tuple[str, _Part[C]]]:
    parts: dict[str, _Part[C]] = {}
    for row in rows:
        key, name = whose(row)
        parts.setdefault(key, _Part(name, [], [])).rows.append(row)
        for credit in row.credited:
            key, name = whose(credit)
            parts.setdefault(key, _Part(name, [], [])).credits.append(credit)
    return sorted(parts.items(), key=lambda part: part[0])


def _credited_forecast(
    rows: Sequence[ForecastRow], whose: Callable[[ReportRow | Credit], _Named]
) -> tuple[Group[ForecastTotals], ...]:
    found = []
    for key, part in _parts(rows, whose):
        weighted = _sum(credit.weighted or ZERO for credit in part.credits)
        totals = ForecastTotals(projects=len(part.rows), amount=part.credited, weighted=weighted)
        found.append(Group(key=key, name=part.name, totals=totals))
    return tuple(found)


def _credited_accounts(
    report: AccountStatistics, whose: Callable[[ReportRow | Credit], _Named]
) -> tuple[Group[AccountTotals], ...]:
    found = []
    for key, part in _parts(report.rows, whose):
        own = account_totals(part.rows, report.near_target)
        contracts = part.credited
        totals = own.model_copy(update={"contracts": contracts, "signed": contracts - own.other_contracts})
        found.append(Group(key=key, name=part.name, totals=totals))
    return tuple(found)


def _groups(
    rows: Iterable[R], key: Callable[[R], str], name: Callable[[R], str], totals: Callable[[Sequence[R]], T]
) -> tuple[Group[T], ...]:
    parts: dict[str, list[R]] = {}
    for row in rows:
        parts.setdefault(key(row), []).append(row)
    return tuple(Group(key=key, name=name(part[0]), totals=totals(part)) for key, part in sorted(parts.items()))


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)

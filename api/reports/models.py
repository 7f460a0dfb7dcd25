"""Response models of reports: rows and totals (U1, U9, R2–R4, R6)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, computed_field

from domain.access import Scope
from domain.disputes.credit import Credit
from domain.reports.report import (
    AccountFigures,
    AccountStatistics,
    ChangeRow,
    ContractRow,
    CreditedRow,
    DigestRow,
    ForecastRow,
    MissedStep,
    Report,
    SalesForecast,
    TargetSource,
    WeeklyDigest,
    credited_to,
)
from domain.reports.totals import (
    AccountTotals,
    DigestTotals,
    ForecastTotals,
    Group,
    Standing,
    account_totals,
    accounts_by_department,
    accounts_by_salesperson,
    approved_since,
    attainment,
    digest_totals,
    forecast_by_department,
    forecast_by_month,
    forecast_by_salesperson,
    forecast_by_stage,
    forecast_totals,
    standing_of,
)
from domain.reviews.periods import Period, Rhythm
from domain.reviews.review import PlanProgress, Proposal

ReportName = Literal["weekly-digest", "forecast", "accounts"]


class ReportEntry(BaseModel):
    """A report in a list."""

    kind: ReportName
    period: Period
    made_at: datetime


class DigestLine(DigestRow):
    """A project in the weekly digest (U1)."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def silent(self) -> bool:
        return super().silent

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ended(self) -> bool:
        return super().ended


class ForecastLine(ForecastRow):
    """A project in the sales forecast (U9)."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def weighted(self) -> Decimal:
        return super().weighted


class AccountLine(BaseModel):
    """An account in a period. Amounts are in RMB; attainment is a fraction of the target, null without one."""

    account: str
    customer: str
    salesperson: str
    salesperson_name: str
    department: str | None
    department_name: str
    target_contracts: Decimal
    target_revenue: Decimal
    target_source: TargetSource
    counted: tuple[str, ...] | None = None
    """R7: the months for which target and results count; null in older reports."""
    contracts: Decimal
    signed: Decimal
    other_contracts: Decimal
    revenue: Decimal
    payments: Decimal
    credits: tuple[Credit, ...]
    """D3: the credits for `contracts`."""
    not_counted: Decimal
    """Contracts of the account received before the first counted month."""
    contracts_attained: Decimal | None
    revenue_attained: Decimal | None
    standing: Standing
    plan: str
    requirements: str
    """R4: the requirements for the year."""
    plan_progress: tuple[PlanProgress, ...]
    proposal: Proposal | None = None
    """R4: in half-yearly and yearly reports, for readers responsible for others' accounts."""


class _View(BaseModel):
    period: Period
    made_at: datetime
    as_of: datetime | None = None
    """U1, U9: the time of the stages, amounts and expected signing dates; salespeople and splits are as of `made_at`.
    Null if everything is as of `made_at`."""
    department: str | None = None
    """The requested department, if any."""
    missed: tuple[MissedStep, ...]
    """R6: the steps missed in the reviews that closed before."""


class DigestView(_View):
    """The weekly digest, of one reader (U1)."""

    kind: Literal["weekly-digest"] = "weekly-digest"
    rows: list[DigestLine]
    totals: DigestTotals
    credited: Decimal
    """D3: the part of the amount credited to the people of this part of the report."""


class ForecastView(_View):
    """The sales forecast, of one reader (U9)."""

    kind: Literal["forecast"] = "forecast"
    rows: list[ForecastLine]
    totals: ForecastTotals
    credited: Decimal
    """D3: the part of the amount credited to the people of this part of the report."""
    approved_since: ForecastTotals
    """The part of `totals` approved after `as_of`; those rows are marked."""
    by_stage: tuple[Group[ForecastTotals], ...]
    by_department: tuple[Group[ForecastTotals], ...]
    by_salesperson: tuple[Group[ForecastTotals], ...]
    by_month: tuple[Group[ForecastTotals], ...]
    compared_with: str
    """The month of the previous forecast; empty in the first."""
    changes: tuple[ChangeRow, ...]
    change: Decimal
    """The sum of the changes: the amount of this forecast minus that of the previous one."""


class AccountsView(_View):
    """The figures of Named Accounts, of one reader (R2–R4)."""

    kind: Literal["accounts"] = "accounts"
    rows: list[AccountLine]
    totals: AccountTotals
    by_department: tuple[Group[AccountTotals], ...]
    by_salesperson: tuple[Group[AccountTotals], ...]
    near_target: Decimal
    contracts: tuple[ContractRow, ...]
    """D3: the contracts that count for these accounts, and those in which you have a share."""


ReportView = DigestView | ForecastView | AccountsView


def report_view(report: Report, scope: Scope, department: str | None, *, proposals: bool) -> ReportView:
    """The response model of a report that is already cut down to `scope`, or to one department of it."""
    shared = {
        "period": report.period,
        "made_at": report.made_at,
        "as_of": report.as_of,
        "department": department,
        "missed": report.missed,
    }
    match report:
        case WeeklyDigest(rows=digest_rows):
            lines = [DigestLine.model_validate(_line(row)) for row in digest_rows]
            credited = credited_to(digest_rows, scope, department)
            return DigestView.model_validate(
                {**shared, "rows": lines, "totals": digest_totals(digest_rows), "credited": credited}
            )
        case SalesForecast(rows=rows):
            return ForecastView.model_validate(
                {
                    **shared,
                    "rows": [ForecastLine.model_validate(_line(row)) for row in rows],
                    "totals": forecast_totals(rows),
                    "credited": credited_to(rows, scope, department),
                    "approved_since": approved_since(rows),
                    "by_stage": forecast_by_stage(rows),
                    "by_department": forecast_by_department(rows),
                    "by_salesperson": forecast_by_salesperson(rows),
                    "by_month": forecast_by_month(rows),
                    "compared_with": report.compared_with,
                    "changes": [row.model_copy(update={"credits": row.credited}) for row in report.changes],
                    "change": sum((row.amount for row in report.changes), Decimal(0)),
                }
            )
        case AccountStatistics():
            return AccountsView.model_validate(
                {
                    **shared,
                    "rows": [_account(row, report, proposals) for row in report.rows],
                    "totals": account_totals(report.rows, report.near_target),
                    "by_department": accounts_by_department(report),
                    "by_salesperson": accounts_by_salesperson(report),
                    "near_target": report.near_target,
                    "contracts": report.contracts,
                }
            )


def _line(row: CreditedRow) -> dict[str, Any]:
    """D3: a row with everybody's credits, computed for older reports that do not contain them."""
    return {**dict(row), "credits": row.credited}


def shows_proposals(rhythm: Rhythm, *, of_others: bool) -> bool:
    """R4: proposals are for those who decide about others' accounts, in the periods in which they decide."""
    return of_others and rhythm in (Rhythm.HALF_YEARLY, Rhythm.YEARLY)


def _account(row: AccountFigures, report: AccountStatistics, proposals: bool) -> AccountLine:
    derived = {
        "contracts": row.contracts,
        "credits": row.credited,
        "contracts_attained": attainment(row.contracts, row.target_contracts),
        "revenue_attained": attainment(row.revenue, row.target_revenue),
        "standing": standing_of(row, report.near_target),
        "proposal": row.proposal if proposals else None,
    }
    return AccountLine.model_validate({**dict(row), **derived})

"""What the company looks at: the weekly digest (U1), the forecast (U9), how the accounts stand (R2–R4).

A report keeps the facts of its period, row by row, as they were when it was made. What they add up to is in
`domain/report_totals.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Annotated, Literal, TypeVar, cast

from pydantic import Field

from domain.access import Scope
from domain.base import Moment, Wire
from domain.periods import Period, Rhythm
from domain.project import ProjectStatus, SalesStage
from domain.reviews import PlanProgress, Proposal
from domain.tasks import TaskKind

ZERO = Decimal(0)


class ReportKind(StrEnum):
    WEEKLY_DIGEST = "weekly_digest"
    """U1: the updates of a week."""
    FORECAST = "forecast"
    """U9: all approved projects at the end of a month."""
    ACCOUNTS = "accounts"
    """R2, R3, R4: targets against contracts and revenue, account by account."""


REPORT_RHYTHMS: dict[ReportKind, tuple[Rhythm, ...]] = {
    ReportKind.WEEKLY_DIGEST: (Rhythm.WEEKLY,),
    ReportKind.FORECAST: (Rhythm.MONTHLY,),
    ReportKind.ACCOUNTS: (Rhythm.MONTHLY, Rhythm.QUARTERLY, Rhythm.HALF_YEARLY, Rhythm.YEARLY),
}
"""Of which periods each is made."""


def reports_of(rhythm: Rhythm) -> tuple[ReportKind, ...]:
    """What is told at the end of a period of that rhythm."""
    return tuple(kind for kind, rhythms in REPORT_RHYTHMS.items() if rhythm in rhythms)


def to_management(rhythm: Rhythm) -> bool:
    """R3, R4: what the company's management looks at, whole."""
    return rhythm in (Rhythm.QUARTERLY, Rhythm.HALF_YEARLY, Rhythm.YEARLY)


class Row(Wire):
    """One line of a report, and whose it is."""

    salesperson: str
    salesperson_name: str
    department: str | None
    department_name: str = ""


class Said(Wire):
    """One update of a project (U1)."""

    at: Moment
    progress: str
    problems: str = ""
    next_steps: str


class DigestRow(Row):
    """U1: a project that was active in the week."""

    project: str
    number: str
    name: str
    customer: str
    sales_stage: SalesStage
    amount: Decimal
    expected_signing: date
    status: ProjectStatus = ProjectStatus.ACTIVE
    """At the end of the week: still active, or ended in it."""
    updates: tuple[Said, ...] = ()
    last_update_at: Moment
    """At the end of the week; without any update, when the project was approved."""
    silent_days: int
    """Whole days from the last update to the end of the week."""

    @property
    def silent(self) -> bool:
        """Nothing was said in the week, and there is still something to say."""
        return not self.updates and self.status is ProjectStatus.ACTIVE


class ForecastRow(Row):
    """U9: an approved project that is still open."""

    project: str
    number: str
    name: str
    customer: str
    sales_stage: SalesStage
    amount: Decimal
    probability: Decimal
    expected_signing: date

    @property
    def weighted(self) -> Decimal:
        return (self.amount * self.probability).quantize(Decimal("0.01"), ROUND_HALF_UP)


class Change(StrEnum):
    """U9: what became of a project since the forecast before."""

    NEW = "new"
    SIGNED = "signed"
    LOST = "lost"
    SHELVED = "shelved"
    AMOUNT = "amount"
    STAGE = "stage"
    SIGNING = "signing"
    """Expected to be signed on another day."""
    HANDED_OVER = "handed_over"
    """Another salesperson's, or another department's: a row for each, one without the project and one with it."""


class ChangeRow(Row):
    project: str
    number: str
    name: str
    change: Change
    before: str = ""
    """An amount, a sales stage, a day (ISO 8601) or a salesperson's name, as `change` says."""
    after: str = ""
    amount: Decimal = ZERO
    """What it adds to the forecast, or takes from it."""


class TargetSource(StrEnum):
    """Where a target comes from."""

    MONTHS = "months"
    """Set month by month (R2)."""
    YEAR = "year"
    """The share of the year's target (R4)."""
    APPLICATION = "application"
    """The share of what the application promised for a year (N1)."""


class AccountFigures(Row):
    """R2–R4: one account in one period, in RMB."""

    account: str
    customer: str
    target_contracts: Decimal
    target_revenue: Decimal
    target_source: TargetSource
    counted: tuple[str, ...] | None = None
    """R7: the months over which target and results are counted, such as `2026-11`. None in a
    report that was made before this was kept: its results are those of the whole period."""
    signed: Decimal = ZERO
    """Contracts of registered projects (U7)."""
    other_contracts: Decimal = ZERO
    """Further contracts, from the results register."""
    revenue: Decimal = ZERO
    payments: Decimal = ZERO
    not_counted: Decimal = ZERO
    """Contracts of registered projects since it is an account, received before the first month that is counted."""
    plan: str = ""
    """The action plan of the period, or the Account Plan's actions where none was set."""
    requirements: str = ""
    """R4: what the half-yearly or yearly review before required for the year."""
    plan_progress: tuple[PlanProgress, ...] = ()
    """R2: what the VP said month by month."""
    proposal: Proposal = Proposal.KEEP

    @property
    def contracts(self) -> Decimal:
        return self.signed + self.other_contracts


class MissedStep(Row):
    """R6: what somebody did not do in the period before."""

    task: TaskKind
    review: str
    period: str


class _Report(Wire):
    period: Period
    made_at: Moment
    missed: tuple[MissedStep, ...] = ()


class WeeklyDigest(_Report):
    kind: Literal[ReportKind.WEEKLY_DIGEST] = ReportKind.WEEKLY_DIGEST
    rows: tuple[DigestRow, ...]
    """Silent projects first, the longest silence on top."""


class SalesForecast(_Report):
    kind: Literal[ReportKind.FORECAST] = ReportKind.FORECAST
    rows: tuple[ForecastRow, ...]
    compared_with: str = ""
    """The month of the forecast before; nothing when this is the first."""
    changes: tuple[ChangeRow, ...] = ()


class AccountStatistics(_Report):
    kind: Literal[ReportKind.ACCOUNTS] = ReportKind.ACCOUNTS
    rows: tuple[AccountFigures, ...]
    near_target: Decimal = Decimal("0.8")
    """R3: an account from this share of its target on counts as near it."""


Report = Annotated[WeeklyDigest | SalesForecast | AccountStatistics, Field(discriminator="kind")]

AnyReport = TypeVar("AnyReport", bound=WeeklyDigest | SalesForecast | AccountStatistics)
R = TypeVar("R", bound=Row)


def part_for(report: AnyReport, scope: Scope, department: str | None = None) -> AnyReport:
    """What of a report somebody may see, narrowed to one department if they wish (X2)."""

    def seen(rows: Sequence[R]) -> tuple[R, ...]:
        return tuple(
            row
            for row in rows
            if scope.covers(applicant=row.salesperson, department=row.department, involved=False)
            and department in (None, row.department)
        )

    part: dict[str, object] = {"rows": seen(report.rows), "missed": seen(report.missed)}
    if isinstance(report, SalesForecast):
        part["changes"] = seen(report.changes)
    return cast(AnyReport, report.model_copy(update=part))

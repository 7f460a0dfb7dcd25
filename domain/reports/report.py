"""Weekly digest (U1), forecast (U9) and account reports (R2–R4).

A report keeps the facts of its period row by row, as they were when it was made. Totals are in
`domain/reports/totals.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Annotated, Literal, TypeVar, cast

from pydantic import Field

from domain.access import Scope
from domain.base import Moment, Wire
from domain.disputes.credit import WHOLE, Credit
from domain.projects.project import ProjectStatus, SalesStage
from domain.reviews.periods import Period, Rhythm
from domain.reviews.review import PlanProgress, Proposal
from domain.tasks.task import TaskKind

ZERO = Decimal(0)


class ReportKind(StrEnum):
    """Which report it is."""

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
"""The rhythms each report is made in."""


def reports_of(rhythm: Rhythm) -> tuple[ReportKind, ...]:
    """The reports made at the end of a period of that rhythm."""
    return tuple(kind for kind, rhythms in REPORT_RHYTHMS.items() if rhythm in rhythms)


def to_management(rhythm: Rhythm) -> bool:
    """R3, R4: whether reports of that rhythm go to the company's management, complete."""
    return rhythm in (Rhythm.QUARTERLY, Rhythm.HALF_YEARLY, Rhythm.YEARLY)


class ReportRow(Wire):
    """One row of a report, with its salesperson and department."""

    salesperson: str
    salesperson_name: str
    department: str | None
    department_name: str = ""


class CreditedRow(ReportRow):
    """D3: a row whose amount is credited to one or several people."""

    credits: tuple[Credit, ...] = ()
    """By the split, otherwise entirely to the responsible salesperson. Empty in reports made before credits were
    stored."""

    @property
    def whole(self) -> Decimal:
        """The amount to divide."""
        raise NotImplementedError

    @property
    def credited(self) -> tuple[Credit, ...]:
        """Who is credited with how much; the credits add up to the whole amount."""
        return self.credits or (
            Credit(
                person=self.salesperson,
                name=self.salesperson_name,
                department=self.department,
                department_name=self.department_name,
                percent=WHOLE,
                amount=self.whole,
            ),
        )

    @property
    def divided(self) -> bool:
        """Whether anybody but the responsible salesperson has a share."""
        return any(credit.person != self.salesperson for credit in self.credits)


class Said(Wire):
    """One update of a project (U1)."""

    at: Moment
    progress: str
    problems: str = ""
    next_steps: str


class DigestRow(CreditedRow):
    """U1: a project that was active in the week."""

    project: str
    number: str
    name: str
    customer: str
    sales_stage: SalesStage
    amount: Decimal
    expected_signing: date
    status: ProjectStatus = ProjectStatus.ACTIVE
    """At the end of the week: still active, or how it ended in the week."""
    updates: tuple[Said, ...] = ()
    last_update_at: Moment
    """As of the end of the week; the approval time if there is no update."""
    silent_days: int
    """Full days from the last update to the end of the week."""
    new: bool = False
    """Approved in the week: no update is due yet."""

    @property
    def whole(self) -> Decimal:
        return self.amount

    @property
    def ended(self) -> bool:
        """U7, U8, U4: whether it ended in the week."""
        return self.status is not ProjectStatus.ACTIVE

    @property
    def silent(self) -> bool:
        """Whether there was no update although the project was active for the whole week."""
        return not (self.updates or self.ended or self.new)


class ForecastRow(CreditedRow):
    """U9: an approved project that is still open."""

    project: str
    number: str
    name: str
    customer: str
    sales_stage: SalesStage
    amount: Decimal
    probability: Decimal
    expected_signing: date
    approved_since: bool = False
    """Approved after the end of the month and before the forecast was made; shown as it was then."""

    @property
    def whole(self) -> Decimal:
        return self.amount

    @property
    def credited(self) -> tuple[Credit, ...]:
        if self.credits:
            return self.credits
        return tuple(credit.model_copy(update={"weighted": self.weighted}) for credit in super().credited)

    @property
    def weighted(self) -> Decimal:
        return (self.amount * self.probability).quantize(Decimal("0.01"), ROUND_HALF_UP)


class Change(StrEnum):
    """U9: how a project changed since the previous forecast."""

    NEW = "new"
    SIGNED = "signed"
    LOST = "lost"
    SHELVED = "shelved"
    AMOUNT = "amount"
    STAGE = "stage"
    SIGNING = "signing"
    """The expected signing date changed."""
    MERGED = "merged"
    """D6: continued in another registration."""
    HANDED_OVER = "handed_over"
    """The salesperson or department changed: one row without the project and one with it."""
    SPLIT = "split"
    """D3: the split changed: one row with the old split and one with the new."""


class ChangeRow(CreditedRow):
    """One difference between two forecasts (U9)."""

    project: str
    number: str
    name: str
    change: Change
    before: str = ""
    """An amount, a sales stage, a date (ISO 8601) or a salesperson's name, depending on `change`."""
    after: str = ""
    amount: Decimal = ZERO
    """The difference it makes to the forecast."""

    @property
    def whole(self) -> Decimal:
        return self.amount


class TargetSource(StrEnum):
    """Where a target comes from."""

    MONTHS = "months"
    """Set month by month (R2)."""
    YEAR = "year"
    """The pro rata share of the year's target (R4)."""
    APPLICATION = "application"
    """The pro rata share of what the application promised for a year (N1)."""


class AccountFigures(CreditedRow):
    """R2–R4: one account in one period, in RMB."""

    account: str
    customer: str
    target_contracts: Decimal
    target_revenue: Decimal
    target_source: TargetSource
    counted: tuple[str, ...] | None = None
    """R7: the months over which target and results are counted, such as `2026-11`. None in a report made before this
    was stored: its results are those of the whole period."""
    signed: Decimal = ZERO
    """Contracts of registered projects (U7)."""
    other_contracts: Decimal = ZERO
    """Other contracts, from the results register."""
    revenue: Decimal = ZERO
    payments: Decimal = ZERO
    not_counted: Decimal = ZERO
    """Contracts of registered projects received since it became an account, but before the first counted month."""
    plan: str = ""
    """The action plan of the period, or the Account Plan's actions if none was set."""
    requirements: str = ""
    """R4: the requirements that the previous half-yearly or yearly review set for the year."""
    plan_progress: tuple[PlanProgress, ...] = ()
    """R2: the VP's assessment of each month."""
    proposal: Proposal = Proposal.KEEP

    @property
    def contracts(self) -> Decimal:
        return self.signed + self.other_contracts

    @property
    def whole(self) -> Decimal:
        return self.contracts


class ContractRow(CreditedRow):
    """U7, D3: a contract of a registered project that counts for an account. `salesperson` is the project's."""

    account: str
    customer: str
    project: str
    number: str
    name: str
    on: date
    """The date it counts for."""
    amount: Decimal

    @property
    def whole(self) -> Decimal:
        return self.amount


class MissedStep(ReportRow):
    """R6: a review step missed in the previous period."""

    task: TaskKind
    review: str
    period: str


class _Report(Wire):
    period: Period
    made_at: Moment
    as_of: Moment | None = None
    """U1, U9: open projects, stages, amounts and expected signing dates are those of this moment, the end of the
    period; responsible people and splits are those of `made_at`. None in reports made before this was stored, in
    which everything is that of `made_at`, and where results are counted over days (R7)."""
    missed: tuple[MissedStep, ...] = ()


class WeeklyDigest(_Report):
    """U1: the week of every running project."""

    kind: Literal[ReportKind.WEEKLY_DIGEST] = ReportKind.WEEKLY_DIGEST
    rows: tuple[DigestRow, ...]
    """Silent projects first, longest silence on top."""


class SalesForecast(_Report):
    """U9: the approved projects at the end of a month."""

    kind: Literal[ReportKind.FORECAST] = ReportKind.FORECAST
    rows: tuple[ForecastRow, ...]
    compared_with: str = ""
    """The month of the previous forecast; empty for the first one."""
    changes: tuple[ChangeRow, ...] = ()


class AccountStatistics(_Report):
    """R2, R3: targets and results of Named Accounts."""

    kind: Literal[ReportKind.ACCOUNTS] = ReportKind.ACCOUNTS
    rows: tuple[AccountFigures, ...]
    contracts: tuple[ContractRow, ...] = ()
    """The contracts that make up `signed`. Not stored in older reports."""
    near_target: Decimal = Decimal("0.8")
    """R3: from this share of its target, an account counts as near it."""


Report = Annotated[WeeklyDigest | SalesForecast | AccountStatistics, Field(discriminator="kind")]

AnyReport = TypeVar("AnyReport", bound=WeeklyDigest | SalesForecast | AccountStatistics)
R = TypeVar("R", bound=ReportRow)
C = TypeVar("C", bound=CreditedRow)


def credited_to(rows: Iterable[CreditedRow], scope: Scope, department: str | None = None) -> Decimal:
    """D3: the part of these rows' amounts that is credited to the people in the scope."""
    return sum(
        (
            credit.amount
            for row in rows
            for credit in row.credited
            if scope.covers(applicant=credit.person, department=credit.department, involved=False)
            and department in (None, credit.department)
        ),
        ZERO,
    )


def part_for(report: AnyReport, scope: Scope, department: str | None = None) -> AnyReport:
    """The part of a report that a person may see, optionally narrowed to one department (X2).

    People credited with a part of a project, and their departments, see it like its salesperson does (D3). An account
    and its targets are visible only to its salesperson and their department.
    """

    def covers(person: str, of: str | None) -> bool:
        theirs = scope.covers(applicant=person, department=of, involved=False)
        return theirs and department in (None, of)

    def seen(rows: Sequence[R]) -> tuple[R, ...]:
        return tuple(row for row in rows if covers(row.salesperson, row.department))

    def shared(rows: Sequence[C]) -> tuple[C, ...]:
        return tuple(
            row
            for row in rows
            if covers(row.salesperson, row.department)
            or any(covers(credit.person, credit.department) for credit in row.credited)
        )

    part: dict[str, object] = {"missed": seen(report.missed)}
    match report:
        case WeeklyDigest():
            part["rows"] = shared(report.rows)
        case SalesForecast():
            part |= {"rows": shared(report.rows), "changes": shared(report.changes)}
        case AccountStatistics():
            rows = seen(report.rows)
            accounts, contracts = {row.account for row in rows}, set(shared(report.contracts))
            theirs = tuple(
                contract for contract in report.contracts if contract.account in accounts or contract in contracts
            )
            part |= {"rows": rows, "contracts": theirs}
    return cast(AnyReport, report.model_copy(update=part))

"""Lays a report out as tables: columns, and rows in the reader's language (U1, U9, R2–R4, R6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from domain.disputes.credit import WHOLE, shares_in_words
from domain.projects.project import SalesStage
from domain.reports.report import (
    AccountFigures,
    AccountStatistics,
    Change,
    ChangeRow,
    ContractRow,
    CreditedRow,
    DigestRow,
    ForecastRow,
    Report,
    SalesForecast,
    WeeklyDigest,
)
from domain.reports.totals import (
    AccountTotals,
    ForecastTotals,
    Group,
    accounts_by_department,
    accounts_by_salesperson,
    attainment,
    forecast_by_department,
    forecast_by_month,
    forecast_by_salesperson,
    forecast_by_stage,
    standing_of,
)
from domain.reviews.periods import Rhythm
from texts.catalogue import Texts

Cell = str | int | Decimal | date | datetime | None


class CellKind(StrEnum):
    """How a cell is written."""

    TEXT = "text"
    LONG = "long"
    """Text of several lines."""
    MONEY = "money"
    SHARE = "share"
    NUMBER = "number"
    DAY = "day"
    MOMENT = "moment"


class ReportColumn(NamedTuple):
    """A column of a table."""

    name: str
    """Text key under `report.column.`."""
    kind: CellKind = CellKind.TEXT
    summed: bool = False


class ReportTable(NamedTuple):
    """A table of a report, in the order of its rows."""

    name: str
    """Text key under `report.table.`."""
    columns: tuple[ReportColumn, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def totals(self) -> tuple[Cell, ...]:
        """The sum of each summed column."""
        return tuple(
            sum(cell for row in self.rows if isinstance(cell := row[place], int | Decimal)) if column.summed else None
            for place, column in enumerate(self.columns)
        )


def tables_of(report: Report, texts: Texts, *, proposals: bool = True) -> tuple[ReportTable, ...]:
    """The tables of a report, what its rows say first. One without rows is left out, unless it is the first.
    `proposals`: whether the reader may see what the system proposes of an account (R4)."""
    match report:
        case WeeklyDigest():
            first, *others = _digest(report, texts)
        case SalesForecast():
            first, *others = _forecast(report, texts)
        case AccountStatistics():
            first, *others = _accounts(report, texts, proposals)
    return first, *(table for table in (*others, _missed(report, texts)) if table.rows)


MONEY = CellKind.MONEY
_PROJECT = (
    ReportColumn("number"),
    ReportColumn("name"),
    ReportColumn("customer"),
    ReportColumn("department"),
    ReportColumn("salesperson"),
)
_GROUP = (
    ReportColumn("projects", CellKind.NUMBER, True),
    ReportColumn("amount", MONEY, True),
    ReportColumn("weighted", MONEY, True),
)


def _digest(report: WeeklyDigest, texts: Texts) -> list[ReportTable]:
    columns = (
        *_PROJECT,
        ReportColumn("split"),
        ReportColumn("status"),
        ReportColumn("silent_days", CellKind.NUMBER),
        ReportColumn("last_update", CellKind.MOMENT),
        ReportColumn("updates", CellKind.NUMBER, True),
        ReportColumn("stage"),
        ReportColumn("amount", MONEY, True),
        ReportColumn("expected_signing", CellKind.DAY),
    )
    words = (ReportColumn(name, CellKind.LONG) for name in ("progress", "problems", "next_steps"))
    return [
        ReportTable("projects", columns, tuple(_digest_row(row, texts) for row in report.rows)),
        ReportTable(
            "updates",
            (
                ReportColumn("number"),
                ReportColumn("name"),
                ReportColumn("salesperson"),
                ReportColumn("at", CellKind.MOMENT),
                *words,
            ),
            tuple(
                (
                    row.number,
                    row.name,
                    row.salesperson_name,
                    update.at,
                    update.progress,
                    update.problems,
                    update.next_steps,
                )
                for row in report.rows
                for update in row.updates
            ),
        ),
        _credits(report.rows),
    ]


def _digest_row(row: DigestRow, texts: Texts) -> tuple[Cell, ...]:
    return (
        row.number,
        row.name,
        row.customer,
        row.department_name,
        row.salesperson_name,
        split_words(row),
        texts.text(f"project_status.{row.status}"),
        row.silent_days,
        row.last_update_at,
        len(row.updates),
        texts.text(f"sales_stage.{row.sales_stage}"),
        row.amount,
        row.expected_signing,
    )


def _forecast(report: SalesForecast, texts: Texts) -> list[ReportTable]:
    projects = ReportTable(
        "projects",
        (
            *_PROJECT,
            ReportColumn("split"),
            ReportColumn("stage"),
            ReportColumn("amount", MONEY, True),
            ReportColumn("probability", CellKind.SHARE),
            ReportColumn("weighted", MONEY, True),
            ReportColumn("expected_signing", CellKind.DAY),
            ReportColumn("approved_since"),
        ),
        tuple(
            (
                row.number,
                row.name,
                row.customer,
                row.department_name,
                row.salesperson_name,
                split_words(row),
                texts.text(f"sales_stage.{row.sales_stage}"),
                row.amount,
                row.probability,
                row.weighted,
                row.expected_signing,
                texts.text("report.approved.since") if row.approved_since else "",
            )
            for row in report.rows
        ),
    )
    changes = ReportTable(
        "changes",
        (
            ReportColumn("number"),
            ReportColumn("name"),
            ReportColumn("department"),
            ReportColumn("salesperson"),
            ReportColumn("change"),
            ReportColumn("before"),
            ReportColumn("after"),
            ReportColumn("difference", MONEY, True),
        ),
        tuple(
            (
                row.number,
                row.name,
                row.department_name,
                row.salesperson_name,
                texts.text(f"report.change.{row.change}"),
                *_before_and_after(row, texts),
                row.amount,
            )
            for row in report.changes
        ),
    )
    return [
        projects,
        _credits(report.rows, weighted=True),
        changes,
        _groups(
            "by_stage", "stage", forecast_by_stage(report.rows), lambda group: texts.text(f"sales_stage.{group.key}")
        ),
        _groups("by_department", "department", forecast_by_department(report.rows), lambda group: group.name),
        _groups("by_salesperson", "salesperson", forecast_by_salesperson(report.rows), lambda group: group.name),
        _groups("by_month", "month", forecast_by_month(report.rows), lambda group: group.key),
    ]


def split_words(row: CreditedRow) -> str:
    """D3: who has which share; empty if everything is the responsible salesperson's."""
    return shares_in_words(row.credits) if row.divided else ""


def _credits(rows: Sequence[DigestRow | ForecastRow | ContractRow], *, weighted: bool = False) -> ReportTable:
    """D3: everybody's credits, project by project, so that they add up to the whole. Empty if nothing is divided:
    then everything is credited to the responsible salesperson."""
    columns = (
        ReportColumn("number"),
        ReportColumn("name"),
        ReportColumn("customer"),
        ReportColumn("credited"),
        ReportColumn("department"),
        ReportColumn("percent", CellKind.SHARE),
        ReportColumn("credit", MONEY, True),
        *((ReportColumn("credit_weighted", MONEY, True),) if weighted else ()),
    )
    lines = [
        (
            row.number,
            row.name,
            row.customer,
            credit.name,
            credit.department_name,
            credit.percent / WHOLE if credit.percent is not None else None,
            credit.amount,
            *((credit.weighted,) if weighted else ()),
        )
        for row in rows
        for credit in row.credited
    ]
    return ReportTable("credits", columns, tuple(lines) if any(row.divided for row in rows) else ())


def _groups(
    name: str,
    column: str,
    groups: Sequence[Group[ForecastTotals]],
    label: Callable[[Group[ForecastTotals]], str],
) -> ReportTable:
    rows = tuple((label(group), group.totals.projects, group.totals.amount, group.totals.weighted) for group in groups)
    return ReportTable(name, (ReportColumn(column), *_GROUP), rows)


def _before_and_after(row: ChangeRow, texts: Texts) -> tuple[str, str]:
    def shown(value: str) -> str:
        if not value:
            return ""
        match row.change:
            case Change.STAGE:
                return texts.text(f"sales_stage.{SalesStage(value)}")
            case Change.SIGNING | Change.HANDED_OVER | Change.SPLIT:
                return value
            case _:
                return texts.money(Decimal(value))

    return shown(row.before), shown(row.after)


_SUMS = (
    ReportColumn("target_contracts", MONEY, True),
    ReportColumn("contracts", MONEY, True),
    ReportColumn("attained", CellKind.SHARE),
    ReportColumn("signed", MONEY, True),
    ReportColumn("other_contracts", MONEY, True),
    ReportColumn("target_revenue", MONEY, True),
    ReportColumn("revenue", MONEY, True),
    ReportColumn("revenue_attained", CellKind.SHARE),
    ReportColumn("payments", MONEY, True),
)


def _accounts(report: AccountStatistics, texts: Texts, proposals: bool) -> list[ReportTable]:
    decided_on = proposals and report.period.rhythm in (Rhythm.HALF_YEARLY, Rhythm.YEARLY)
    columns = (
        ReportColumn("customer"),
        ReportColumn("department"),
        ReportColumn("salesperson"),
        *_SUMS,
        ReportColumn("standing"),
        *((ReportColumn("proposal"),) if decided_on else ()),
        ReportColumn("counted"),
        ReportColumn("not_counted", MONEY, True),
        ReportColumn("plan_progress"),
        ReportColumn("target_source"),
        ReportColumn("plan", CellKind.LONG),
        ReportColumn("requirements", CellKind.LONG),
    )

    def line(row: AccountFigures) -> tuple[Cell, ...]:
        said = [texts.text(f"review_choice.plan_progress.{progress}") for progress in row.plan_progress]
        proposal = (texts.text(f"report.proposal.{row.proposal}"),) if decided_on else ()
        return (
            row.customer,
            row.department_name,
            row.salesperson_name,
            *_sums(row),
            texts.text(f"report.standing.{standing_of(row, report.near_target)}"),
            *proposal,
            counted_months(row),
            row.not_counted,
            texts.join(said),
            texts.text(f"review_figures.source.{row.target_source}"),
            row.plan,
            row.requirements,
        )

    return [
        ReportTable("accounts", columns, tuple(line(row) for row in report.rows)),
        _credits(report.contracts),
        _account_groups("by_department", "department", accounts_by_department(report)),
        _account_groups("by_salesperson", "salesperson", accounts_by_salesperson(report)),
    ]


def _account_groups(name: str, column: str, groups: Sequence[Group[AccountTotals]]) -> ReportTable:
    counts = tuple(
        ReportColumn(name, CellKind.NUMBER, True) for name in ("accounts", "reached", "near", "below", "unmeasured")
    )
    rows = tuple(
        (
            group.name,
            group.totals.accounts,
            group.totals.reached,
            group.totals.near,
            group.totals.below,
            group.totals.unmeasured,
            *_sums(group.totals),
        )
        for group in groups
    )
    return ReportTable(name, (ReportColumn(column), *counts, *_SUMS), rows)


def _sums(row: AccountFigures | AccountTotals) -> tuple[Cell, ...]:
    """The cells of the columns in `_SUMS`."""
    return (
        row.target_contracts,
        row.contracts,
        attainment(row.contracts, row.target_contracts),
        row.signed,
        row.other_contracts,
        row.target_revenue,
        row.revenue,
        attainment(row.revenue, row.target_revenue),
        row.payments,
    )


def counted_months(row: AccountFigures) -> str:
    """R7: the first and last counted month; empty if no month is counted, or if it was not stored."""
    if not row.counted:
        return ""
    return row.counted[0] if len(row.counted) == 1 else f"{row.counted[0]} – {row.counted[-1]}"


def _missed(report: Report, texts: Texts) -> ReportTable:
    return ReportTable(
        "missed",
        tuple(ReportColumn(name) for name in ("period", "task", "person", "department")),
        tuple(
            (step.period, texts.text(f"task.{step.task}.title"), step.salesperson_name, step.department_name)
            for step in report.missed
        ),
    )

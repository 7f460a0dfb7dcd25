"""What reports are made from, and the reports that were made (U1, U9, R2–R4, R6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Date, Numeric, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import Moment, account_result, account_review, account_target, project
from domain.account_figures import Results, TargetSet
from domain.project import ProjectStage
from domain.reviews import PlanProgress
from domain.tasks import TaskKind


async def targets_of(tx: AsyncConnection, accounts: Sequence[str]) -> dict[str, dict[str, TargetSet]]:
    """Everything that was set for these accounts, by account and period (R2, R4)."""
    columns = account_target.c
    rows = await tx.execute(select(account_target).where(columns.account_id.in_(accounts)))
    found: dict[str, dict[str, TargetSet]] = defaultdict(dict)
    for row in rows:
        found[row.account_id][row.period] = TargetSet(
            contracts=row.contracts, revenue=row.revenue, action_plan=row.action_plan
        )
    return found


async def results_of(
    tx: AsyncConnection, accounts: Sequence[str], first: date, last: date, time_zone: str
) -> dict[str, Results]:
    """What these accounts reached from one day to another (R2–R4): contracts of their registered projects by the day
    they were received (U7), and the whole months of the results register."""
    signed = {
        row.account_id: row.amount
        for row in await tx.execute(
            select(project.c.account_id, func.sum(_contract_amount()).label("amount"))
            .where(project.c.account_id.in_(accounts))
            .where(project.c.stage == ProjectStage.CONTRACT_SIGNED.value)
            .where(signed_on(time_zone).between(first, last))
            .group_by(project.c.account_id)
        )
    }
    columns = account_result.c
    sums = [func.sum(columns[name]).label(name) for name in ("other_contracts", "revenue", "payments")]
    others = {
        row.account_id: {name: value for name, value in row._mapping.items() if name != "account_id"}
        for row in await tx.execute(
            select(columns.account_id, *sums)
            .where(columns.account_id.in_(accounts), columns.month.between(first, last))
            .group_by(columns.account_id)
        )
    }
    return {
        account: Results(signed=signed.get(account, Decimal(0)), **others.get(account, {}))
        for account in signed.keys() | others.keys()
    }


async def plan_progress_of(
    tx: AsyncConnection, accounts: Sequence[str], months: Sequence[str]
) -> dict[str, tuple[PlanProgress, ...]]:
    """What the VP said of the action plans of these months (R2), month by month; of a month, what was said last."""
    columns = account_review.c
    said = columns.fields["plan_progress"].astext.label("said")
    rows = await tx.execute(
        select(columns.account_id, columns.period, said)
        .where(columns.account_id.in_(accounts), columns.period.in_(months))
        .where(columns.kind == TaskKind.MONTHLY_REVIEW.value, said.in_([one.value for one in PlanProgress]))
        .order_by(columns.account_id, columns.period, columns.at, columns.task_id)
    )
    by_month: dict[str, dict[str, PlanProgress]] = defaultdict(dict)
    for row in rows:
        by_month[row.account_id][row.period] = PlanProgress(row.said)
    return {account: tuple(months.values()) for account, months in by_month.items()}


def signed_on(time_zone: str) -> ColumnElement[date]:
    """U7: the day a contract counts for: when commerce received it, else when that was said, in the company's zone."""
    said_at = cast(project.c.contract["at"].astext, Moment)
    on_that_day: ColumnElement[Any] = cast(func.timezone(time_zone, said_at), Date)
    return func.coalesce(cast(project.c.contract["received_on"].astext, Date), on_that_day)


def _contract_amount() -> ColumnElement[Decimal]:
    return cast(project.c.contract["amount"].astext, Numeric(15, 2))

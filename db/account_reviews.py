"""What was said of accounts in reviews, which targets they have and what they brought in, to be read (R1–R5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import Date, Numeric, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.reports import signed_on
from db.reviews import AccountReviewRow, ReviewRow, TargetRow
from db.tables import account_review, account_target, project, review
from domain.project import ProjectStage


async def among(tx: AsyncConnection, review_ids: Sequence[str]) -> tuple[ReviewRow, ...]:
    """These reviews."""
    if not review_ids:
        return ()
    rows = await tx.execute(select(review).where(review.c.id.in_(review_ids)))
    return tuple(ReviewRow.model_validate(row._mapping) for row in rows)


async def said_of(tx: AsyncConnection, account_id: str, limit: int) -> tuple[AccountReviewRow, ...]:
    """What was last said of an account, newest first."""
    columns = account_review.c
    rows = await tx.execute(
        select(account_review)
        .where(columns.account_id == account_id)
        .order_by(columns.at.desc(), columns.task_id)
        .limit(limit)
    )
    return tuple(AccountReviewRow.model_validate(row._mapping) for row in rows)


async def targets_of(tx: AsyncConnection, account_id: str) -> tuple[TargetRow, ...]:
    """The targets of an account, the last set first."""
    columns = account_target.c
    rows = await tx.execute(
        select(account_target)
        .where(columns.account_id == account_id)
        .order_by(columns.set_at.desc(), columns.period.desc())
    )
    return tuple(TargetRow.model_validate(row._mapping) for row in rows)


async def signed_by_month(tx: AsyncConnection, account_id: str, time_zone: str) -> dict[date, Decimal]:
    """Contracts of registered projects under an account, by the month they were received in (U7)."""
    month = cast(func.date_trunc("month", cast(signed_on(time_zone), Date)), Date).label("month")
    amount = func.sum(cast(project.c.contract["amount"].astext, Numeric(15, 2))).label("amount")
    rows = await tx.execute(
        select(month, amount)
        .where(project.c.account_id == account_id, project.c.stage == ProjectStage.CONTRACT_SIGNED.value)
        .group_by(month)
    )
    return {row.month: row.amount for row in rows}

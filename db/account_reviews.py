"""Reviews that are listed, and what the projects under an account brought in (R1–R5, U7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import Date, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.reports import contract_amount, signed_on
from db.reviews import ReviewRow
from db.tables import project, review
from domain.project import ProjectStage


async def among(tx: AsyncConnection, review_ids: Sequence[str]) -> tuple[ReviewRow, ...]:
    """These reviews."""
    if not review_ids:
        return ()
    rows = await tx.execute(select(review).where(review.c.id.in_(review_ids)))
    return tuple(ReviewRow.model_validate(row._mapping) for row in rows)


async def signed_by_month(tx: AsyncConnection, account_id: str, time_zone: str) -> dict[date, Decimal]:
    """Contracts of registered projects under an account, by the month they were received in (U7)."""
    month = cast(func.date_trunc("month", cast(signed_on(time_zone), Date)), Date).label("month")
    amount = func.sum(contract_amount()).label("amount")
    rows = await tx.execute(
        select(month, amount)
        .where(project.c.account_id == account_id, project.c.stage == ProjectStage.CONTRACT_SIGNED.value)
        .group_by(month)
    )
    return {row.month: row.amount for row in rows}

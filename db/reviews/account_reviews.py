"""Reviews that are listed (R1–R5)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.reviews.reviews import ReviewRow
from db.rows import read_all
from db.tables.reviews import review


async def among(connection: AsyncConnection, review_ids: Sequence[str]) -> tuple[ReviewRow, ...]:
    """These reviews."""
    if not review_ids:
        return ()
    rows = await connection.execute(select(review).where(review.c.id.in_(review_ids)))
    return read_all(ReviewRow, rows)

"""Periods begun, their reviews, what was said of accounts and which targets were set (R1–R6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import JsonValue
from sqlalchemy import and_, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts.accounts import AccountRow
from db.rows import read, read_all
from db.tables.accounts import account
from db.tables.reviews import account_review, account_target, review, review_period
from domain.base import Wire
from domain.reviews.periods import Rhythm
from domain.reviews.review import ReviewStage
from domain.tasks.task import TaskKind


class PeriodRow(Wire):
    """A period whose reviews and reports have begun."""

    rhythm: Rhythm
    period: str
    workflow_id: str
    opens_at: datetime
    closes_at: datetime
    policy_digest: str


class ReviewRow(Wire):
    """One review as the record has it."""

    id: str
    workflow_id: str
    rhythm: Rhythm
    period: str
    unit: str
    stage: ReviewStage
    stage_since: datetime
    opened_at: datetime
    closes_at: datetime
    policy_digest: str


class AccountReviewRow(Wire):
    """What one answer said of one account."""

    task_id: str
    account_id: str
    review_id: str
    kind: TaskKind
    period: str
    person: str
    at: datetime
    fields: dict[str, JsonValue]


class TargetRow(Wire):
    """What is to be reached with an account in a period, in RMB, and how (R2, R4)."""

    account_id: str
    period: str
    contracts: Decimal
    revenue: Decimal
    action_plan: str
    requirements: str = ""
    """R4: what is to be done beside the figures."""
    task_id: str
    set_by: str
    set_at: datetime


async def begin_period(connection: AsyncConnection, row: PeriodRow) -> PeriodRow:
    """Begin a period, once: returns the row as it stands, which is another's when somebody was faster."""
    await connection.execute(upsert(review_period).values(row.model_dump()).on_conflict_do_nothing())
    found = await find_period(connection, row.rhythm, row.period)
    assert found is not None
    return found


async def find_period(connection: AsyncConnection, rhythm: Rhythm, period: str) -> PeriodRow | None:
    """A period, if a run has begun it."""
    mine = and_(review_period.c.rhythm == rhythm.value, review_period.c.period == period)
    row = (await connection.execute(select(review_period).where(mine))).one_or_none()
    return read(PeriodRow, row) if row else None


async def add(connection: AsyncConnection, row: ReviewRow) -> None:
    """Keep a review that begins."""
    await connection.execute(insert(review).values(row.model_dump()))


async def find(connection: AsyncConnection, review_id: str, *, lock: bool = False) -> ReviewRow | None:
    """A review by its id, locked if asked."""
    wanted = select(review).where(review.c.id == review_id)
    row = (await connection.execute(wanted.with_for_update() if lock else wanted)).one_or_none()
    return read(ReviewRow, row) if row else None


async def change(connection: AsyncConnection, review_id: str, **values: Any) -> None:
    """Change columns of a review."""
    await connection.execute(update(review).where(review.c.id == review_id).values(**values))


async def live_accounts(connection: AsyncConnection) -> tuple[AccountRow, ...]:
    """Every account that is not revoked, by salesperson, the oldest first."""
    order = (account.c.salesperson, account.c.activated_at, account.c.id)
    rows = await connection.execute(select(account).where(account.c.revoked_at.is_(None)).order_by(*order))
    return read_all(AccountRow, rows)


async def keep_said(connection: AsyncConnection, rows: Sequence[AccountReviewRow]) -> None:
    """Keep what was answered of each account of a review."""
    if rows:
        await connection.execute(insert(account_review), [row.model_dump() for row in rows])


async def said_of(
    connection: AsyncConnection, accounts: Sequence[str], kind: TaskKind, periods: Sequence[str]
) -> tuple[AccountReviewRow, ...]:
    """What was said of these accounts in answer to tasks of a kind, in reviews of these periods, oldest first."""
    columns = account_review.c
    wanted = and_(columns.account_id.in_(accounts), columns.kind == kind.value, columns.period.in_(periods))
    rows = await connection.execute(select(account_review).where(wanted).order_by(columns.at, columns.task_id))
    return read_all(AccountReviewRow, rows)


async def set_targets(connection: AsyncConnection, rows: Sequence[TargetRow]) -> None:
    """Set targets, or set them anew: the last word counts; the earlier ones stay with what was said."""
    if not rows:
        return
    statement = upsert(account_target)
    values = {name: statement.excluded[name] for name in TargetRow.model_fields if name not in ("account_id", "period")}
    statement = statement.on_conflict_do_update(index_elements=["account_id", "period"], set_=values)
    await connection.execute(statement, [row.model_dump() for row in rows])

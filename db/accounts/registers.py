"""Registers that commerce and finance keep: background of companies (N4), projects from before Baobei (N3), and what
Named Accounts have brought in (R2, R3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Text, any_, bindparam, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.rows import read_all
from db.tables.accounts import account_result
from db.tables.reference import background, earlier_project
from domain.base import Wire


class BackgroundRow(Wire):
    """What one source says of one company."""

    name: str
    name_key: str
    uscc: str | None = None
    source: str
    document: dict[str, Any]


class EarlierProjectRow(Wire):
    """One project from before Baobei, as the imported register has it."""

    id: str
    name: str
    customer_name: str
    salesperson: str
    status: str
    registered_at: datetime
    closed_at: datetime | None = None
    amount: Decimal | None = None
    note: str = ""


class AccountResultRow(Wire):
    """What an account brought in a month, beside its registered projects."""

    account_id: str
    month: date
    other_contracts: Decimal
    revenue: Decimal
    payments: Decimal
    imported_at: datetime
    imported_by: str


# Built once: building a statement costs more than sending it (measured).
_BACKGROUND_OF = (
    select(*(background.c[name] for name in BackgroundRow.model_fields))
    .where(
        or_(
            background.c.name_key == any_(bindparam("keys", type_=ARRAY(Text))),
            background.c.uscc == any_(bindparam("codes", type_=ARRAY(Text))),
        )
    )
    .order_by(background.c.id)
)
_RESULTS_OF = (
    select(account_result).where(account_result.c.account_id == bindparam("account")).order_by(account_result.c.month)
)


async def keep_background(connection: AsyncConnection, rows: Sequence[BackgroundRow]) -> None:
    """Add or correct entries; importing the same file again changes nothing."""
    statement = upsert(background)
    statement = statement.on_conflict_do_update(
        constraint="uq_background_name_key_uscc_source",
        set_={"name": statement.excluded.name, "document": statement.excluded.document},
    )
    await connection.execute(statement, [row.model_dump() for row in rows])


async def background_of(
    connection: AsyncConnection, name_keys: Sequence[str], codes: Sequence[str]
) -> tuple[BackgroundRow, ...]:
    """Entries on any of these companies."""
    return read_all(BackgroundRow, await connection.execute(_BACKGROUND_OF, {"keys": name_keys, "codes": codes}))


async def keep_earlier_projects(connection: AsyncConnection, rows: Sequence[EarlierProjectRow]) -> None:
    """Add or correct projects; importing the same file again changes nothing."""
    statement = upsert(earlier_project)
    columns = [name for name in EarlierProjectRow.model_fields if name != "id"]
    statement = statement.on_conflict_do_update(
        index_elements=["id"], set_={name: statement.excluded[name] for name in columns}
    )
    await connection.execute(statement, [row.model_dump() for row in rows])


async def earlier_projects(connection: AsyncConnection, project_ids: Sequence[str]) -> tuple[EarlierProjectRow, ...]:
    """These projects, oldest registration first."""
    rows = await connection.execute(
        select(earlier_project)
        .where(earlier_project.c.id.in_(project_ids))
        .order_by(earlier_project.c.registered_at, earlier_project.c.id)
    )
    return read_all(EarlierProjectRow, rows)


async def keep_results(connection: AsyncConnection, rows: Sequence[AccountResultRow]) -> None:
    """Add or correct results: of an account and a month there is one row, and the newest import is right."""
    statement = upsert(account_result)
    columns = [name for name in AccountResultRow.model_fields if name not in ("account_id", "month")]
    statement = statement.on_conflict_do_update(
        index_elements=["account_id", "month"], set_={name: statement.excluded[name] for name in columns}
    )
    await connection.execute(statement, [row.model_dump() for row in rows])


async def results_of_account(connection: AsyncConnection, account_id: str) -> tuple[AccountResultRow, ...]:
    """Everything the register has of one account, month by month."""
    return read_all(AccountResultRow, await connection.execute(_RESULTS_OF, {"account": account_id}))

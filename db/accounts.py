"""Named Accounts and the claims that hold their customers (N7, N8, N14)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.applications import KeyedParty
from db.tables import account, claim
from domain.application import ApplicationForm
from domain.base import Wire


class AccountRow(Wire):
    """One Named Account as the record has it."""

    id: str
    application_id: str
    salesperson: str
    department: str | None
    form: ApplicationForm
    slot: int
    account_limit: int
    gm_decision: str | None
    activated_at: datetime
    revoked_at: datetime | None = None


class ClaimTaken(Exception):
    """Another live account holds a claim to this customer or one of its related parties (N14)."""


async def held_by(tx: AsyncConnection, salesperson: str) -> tuple[AccountRow, ...]:
    """The live accounts of one salesperson (A3), oldest first."""
    rows = await tx.execute(
        select(account)
        .where(account.c.salesperson == salesperson, account.c.revoked_at.is_(None))
        .order_by(account.c.activated_at, account.c.id)
    )
    return tuple(AccountRow.model_validate(dict(row._mapping)) for row in rows)


async def count_held(tx: AsyncConnection, salesperson: str, *, lock: bool = False) -> int:
    """How many live accounts a salesperson holds. `lock` makes others who count for activation wait their turn."""
    if lock:
        await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("account:" + salesperson, 0))))
    held = select(func.count()).where(account.c.salesperson == salesperson, account.c.revoked_at.is_(None))
    return int(await tx.scalar(held) or 0)


async def free_slot(tx: AsyncConnection, salesperson: str) -> int:
    """The lowest slot number that no live account of the salesperson sits in."""
    taken = set(
        await tx.scalars(
            select(account.c.slot).where(account.c.salesperson == salesperson, account.c.revoked_at.is_(None))
        )
    )
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


async def activate(tx: AsyncConnection, row: AccountRow, parties: Sequence[KeyedParty]) -> None:
    """Add the account and its claims. Raises `ClaimTaken` and leaves nothing behind when one is held already."""
    # Sorted, so that two activations of overlapping groups wait for each other instead of dead-locking.
    keyed = sorted({(p.uscc or "", p.name_key): p for p in parties}.items())
    claims = [
        {
            "account_id": row.id,
            "number": number,
            "name": named.name,
            "name_key": named.name_key,
            "uscc": named.uscc,
            "live": True,
        }
        for number, (_, named) in enumerate(keyed, start=1)
    ]
    try:
        async with tx.begin_nested():
            await tx.execute(insert(account).values(**_columns(row)))
            await tx.execute(insert(claim), claims)
    except IntegrityError as error:
        if "ex_claim" in str(error.orig):
            raise ClaimTaken from error
        raise


async def find(tx: AsyncConnection, account_id: str) -> AccountRow | None:
    row = (await tx.execute(select(account).where(account.c.id == account_id))).one_or_none()
    return AccountRow.model_validate(dict(row._mapping)) if row else None


def _columns(row: AccountRow) -> dict[str, Any]:
    return {**row.model_dump(exclude={"form"}), "form": row.form.model_dump(mode="json")}

"""Named Accounts and the claims that hold their customers (N7, N8, N14)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts.applications import KeyedParty
from db.rows import first, read_all, values_of
from db.tables.accounts import account
from db.tables.conflicts import claim
from domain.accounts.application import ApplicationForm
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


# Built once: building a statement costs more than sending it (measured).
_ACCOUNT = select(account).where(account.c.id == bindparam("account"))
_HELD = (account.c.salesperson == bindparam("salesperson"), account.c.revoked_at.is_(None))
_HELD_BY = select(account).where(*_HELD).order_by(account.c.activated_at, account.c.id)
_SLOTS = select(account.c.slot).where(*_HELD)
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended('account:' || :salesperson, 0))")
_ADD = insert(account)
_ADD_CLAIMS = insert(claim)
_REVOKE = (
    update(account)
    .where(account.c.id == bindparam("account"), account.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"))
    .returning(account.c.id)
)
_FREE_CLAIMS = update(claim).where(claim.c.account_id == bindparam("account")).values(live=False)


class ClaimTaken(Exception):
    """Another live account holds a claim to this customer or one of its related parties (N14)."""


async def held_by(connection: AsyncConnection, salesperson: str) -> tuple[AccountRow, ...]:
    """The live accounts of one salesperson (A3), oldest first."""
    return read_all(AccountRow, await connection.execute(_HELD_BY, {"salesperson": salesperson}))


async def slots_taken(connection: AsyncConnection, salesperson: str, *, lock: bool = False) -> frozenset[int]:
    """The slot numbers that the live accounts of a salesperson sit in, one each. `lock` makes others who count for
    activation wait their turn."""
    if lock:
        await connection.execute(_TAKE_TURN, {"salesperson": salesperson})
    return frozenset(await connection.scalars(_SLOTS, {"salesperson": salesperson}))


async def count_held(connection: AsyncConnection, salesperson: str) -> int:
    """How many live accounts a salesperson holds."""
    return len(await slots_taken(connection, salesperson))


def free_slot(taken: frozenset[int]) -> int:
    """The lowest slot number that is not taken."""
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


async def activate(connection: AsyncConnection, row: AccountRow, parties: Sequence[KeyedParty]) -> None:
    """Add the account and its claims. Raises `ClaimTaken` and leaves nothing behind when one is held already."""
    # Sorted, so that two activations of overlapping groups wait for each other instead of dead-locking.
    keyed = sorted({(party.uscc or "", party.name_key): party for party in parties}.items())
    claims = [
        {
            "account_id": row.id,
            "number": number,
            "name": party.name,
            "name_key": party.name_key,
            "uscc": party.uscc,
            "live": True,
        }
        for number, (_, party) in enumerate(keyed, start=1)
    ]
    try:
        async with connection.begin_nested():
            await connection.execute(_ADD, values_of(row, account))
            if claims:
                await connection.execute(_ADD_CLAIMS, claims)
    except IntegrityError as error:
        if "ex_claim" in str(error.orig):
            raise ClaimTaken from error
        raise


async def find(connection: AsyncConnection, account_id: str) -> AccountRow | None:
    """An account by its id, live or revoked."""
    return first(AccountRow, await connection.execute(_ACCOUNT, {"account": account_id}))


async def revoke(connection: AsyncConnection, account_id: str, at: datetime) -> None:
    """R5: the account counts no more and its claims are free, from this transaction on. Nothing for one revoked
    already."""
    if (await connection.execute(_REVOKE, {"account": account_id, "at": at})).first() is not None:
        await connection.execute(_FREE_CLAIMS, {"account": account_id})

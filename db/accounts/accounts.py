"""Named Accounts and the claims that hold their customers (N7, N8, N14)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts.applications import KeyedParty
from db.connection import plain
from db.connection.plain import Shape
from db.tables import account, claim
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


# What every application runs is plain SQL: see `db/connection/plain.py`.
_ACCOUNT = Shape(AccountRow, *account.c)

_HELD = "FROM account WHERE salesperson = $1 AND revoked_at IS NULL"
_HELD_BY = f"SELECT {_ACCOUNT.sql} {_HELD} ORDER BY activated_at, id"
_SLOTS = f"SELECT slot {_HELD}"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('account:' || $1, 0))"
_FIND = f"SELECT {_ACCOUNT.sql} FROM account WHERE id = $1"
_ADD = plain.insertion(account)
_ADD_CLAIMS = plain.insertion(claim)


_REVOKE = """
    WITH revoked AS (UPDATE account SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING id)
    UPDATE claim SET live = false WHERE account_id IN (SELECT id FROM revoked)"""


class ClaimTaken(Exception):
    """Another live account holds a claim to this customer or one of its related parties (N14)."""


async def held_by(connection: AsyncConnection, salesperson: str) -> tuple[AccountRow, ...]:
    """The live accounts of one salesperson (A3), oldest first."""
    return tuple(_ACCOUNT.read(row) for row in await plain.run(connection, _HELD_BY, salesperson))


async def slots_taken(connection: AsyncConnection, salesperson: str, *, lock: bool = False) -> frozenset[int]:
    """The slot numbers that the live accounts of a salesperson sit in, one each. `lock` makes others who count for
    activation wait their turn."""
    if lock:
        await plain.run(connection, _LOCK, salesperson)
    return frozenset(slot for (slot,) in await plain.run(connection, _SLOTS, salesperson))


async def count_held(connection: AsyncConnection, salesperson: str) -> int:
    """How many live accounts a salesperson holds."""
    return len(await slots_taken(connection, salesperson))


def free_slot(taken: frozenset[int]) -> int:
    """The lowest slot number that is not taken."""
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


async def activate(connection: AsyncConnection, row: AccountRow, parties: Sequence[KeyedParty]) -> None:
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
        async with connection.begin_nested():
            await plain.run(connection, _ADD, plain.json_text([row]))
            await plain.run(connection, _ADD_CLAIMS, plain.json_text(claims))
    except IntegrityError as error:
        if "ex_claim" in str(error.orig):
            raise ClaimTaken from error
        raise


async def find(connection: AsyncConnection, account_id: str) -> AccountRow | None:
    """An account by its id, live or revoked."""
    rows = await plain.run(connection, _FIND, account_id)
    return _ACCOUNT.read(rows[0]) if rows else None


async def revoke(connection: AsyncConnection, account_id: str, at: datetime) -> None:
    """R5: the account counts no more and its claims are free, from this transaction on. Nothing for one revoked
    already."""
    await plain.run(connection, _REVOKE, account_id, at)

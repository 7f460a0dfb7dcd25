"""The keys that names are found by, for whoever makes them anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from db.connection import plain

Named = Literal["party", "claim", "background"]

# `ctid` tells the rows apart, whatever their key is; nobody else writes while the version is locked for a migration.
_NAMES = "SELECT ctid::text, name, name_key FROM {table}"
_SET_KEY = "UPDATE {table} SET name_key = $2 WHERE ctid = $1::text::tid"
_ALIASES = "SELECT id, name, name_key, other, other_key FROM learned_alias"
_SET_ALIAS = "UPDATE learned_alias SET name_key = $2, other_key = $3 WHERE id = $1"
_SET_PARTY = "UPDATE party SET name_key = $2, grams = $3::integer[] WHERE ctid = $1::text::tid"


async def version(connection: AsyncConnection, *, lock: bool = False) -> int:
    """By which version of the rules the keys were made; `lock` makes others who ask for it wait."""
    row = await plain.run(connection, f"SELECT version FROM name_keys WHERE id = 1{' FOR UPDATE' if lock else ''}")
    return int(row[0][0])


async def set_version(connection: AsyncConnection, number: int) -> None:
    """Keep which version of the keys the names have."""
    await plain.run(connection, "UPDATE name_keys SET version = $1 WHERE id = 1", number)


async def names(connection: AsyncConnection, table: Named) -> Sequence[tuple[str, str, str]]:
    """Place, name and key of every row."""
    return [(place, name, key) for place, name, key in await plain.run(connection, _NAMES.format(table=table))]


async def set_key(connection: AsyncConnection, table: Named, place: str, key: str) -> None:
    """Give one name its key."""
    await plain.run(connection, _SET_KEY.format(table=table), place, key)


async def aliases(connection: AsyncConnection) -> Sequence[tuple[int, str, str, str, str]]:
    """Id, name, key, other name and its key of every pair that was learned."""
    return [(row[0], row[1], row[2], row[3], row[4]) for row in await plain.run(connection, _ALIASES)]


async def set_alias_keys(connection: AsyncConnection, alias: int, key: str, other_key: str) -> None:
    """Give both names of a learned pair their keys."""
    await plain.run(connection, _SET_ALIAS, alias, key, other_key)


async def set_party_keys(connection: AsyncConnection, rows: Sequence[tuple[str, str, list[int]]]) -> None:
    """Key and grams of these rows of `party`."""
    for place, key, grams in rows:
        await plain.run(connection, _SET_PARTY, place, key, grams)

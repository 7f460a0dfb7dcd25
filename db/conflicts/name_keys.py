"""The keys that names are found by, for whoever makes them anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables.conflicts import learned_alias, name_keys

Named = Literal["party", "claim", "background"]

# `ctid` tells the rows apart, whatever their key is; nobody else writes while the version is locked for a migration.
_NAMES = "SELECT CAST(ctid AS text), name, name_key FROM {table}"
_SET_KEY = "UPDATE {table} SET name_key = :key WHERE ctid = CAST(CAST(:place AS text) AS tid)"
_SET_PARTY = text(
    "UPDATE party SET name_key = :key, grams = CAST(:grams AS integer[]) WHERE ctid = CAST(CAST(:place AS text) AS tid)"
)
_ALIASES = select(
    learned_alias.c.id,
    learned_alias.c.name,
    learned_alias.c.name_key,
    learned_alias.c.other,
    learned_alias.c.other_key,
)
_SET_ALIAS = update(learned_alias).where(learned_alias.c.id == bindparam("alias"))
_VERSION = select(name_keys.c.version).where(name_keys.c.id == 1)
_SET_VERSION = update(name_keys).where(name_keys.c.id == 1)


async def version(connection: AsyncConnection, *, lock: bool = False) -> int:
    """By which version of the rules the keys were made; `lock` makes others who ask for it wait."""
    found = await connection.execute(_VERSION.with_for_update() if lock else _VERSION)
    return int(found.scalar_one())


async def set_version(connection: AsyncConnection, number: int) -> None:
    """Keep which version of the keys the names have."""
    await connection.execute(_SET_VERSION, {"version": number})


async def names(connection: AsyncConnection, table: Named) -> Sequence[tuple[str, str, str]]:
    """Place, name and key of every row."""
    rows = await connection.execute(text(_NAMES.format(table=table)))
    return [(place, name, key) for place, name, key in rows]


async def set_key(connection: AsyncConnection, table: Named, place: str, key: str) -> None:
    """Give one name its key."""
    await connection.execute(text(_SET_KEY.format(table=table)), {"place": place, "key": key})


async def aliases(connection: AsyncConnection) -> Sequence[tuple[int, str, str, str, str]]:
    """Id, name, key, other name and its key of every pair that was learned."""
    rows = await connection.execute(_ALIASES)
    return [(row.id, row.name, row.name_key, row.other, row.other_key) for row in rows]


async def set_alias_keys(connection: AsyncConnection, alias: int, key: str, other_key: str) -> None:
    """Give both names of a learned pair their keys."""
    await connection.execute(_SET_ALIAS, {"alias": alias, "name_key": key, "other_key": other_key})


async def set_party_keys(connection: AsyncConnection, rows: Sequence[tuple[str, str, list[int]]]) -> None:
    """Key and grams of these rows of `party`."""
    values = [{"place": place, "key": key, "grams": grams} for place, key, grams in rows]
    if values:
        await connection.execute(_SET_PARTY, values)

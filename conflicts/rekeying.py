"""Recomputes the stored lookup keys and grams of names with the current rules of `matching/`.

A database filled by an older version has other keys, or none. Runs after every migration and does nothing when the
rules have not changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Literal

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.conflicts import name_keys
from db.connection.engine import make_engine
from matching.names.names import name_key
from matching.parties import Party

VERSION = 3
"""Increase it whenever the result of `name_key` or `grams` changes."""

BATCH = 1000


async def rekey(database_url: str) -> int:
    """Recompute all keys in one transaction; returns how many names were given other keys.

    Raises what a migration raises. If two accounts had different keys and now get the same one, both stay (N14 applies
    to later applications): the second keeps its old key, and a warning is logged.
    """
    engine = make_engine(database_url, process="migrate", pool_size=1)
    try:
        async with engine.begin() as connection:
            if await name_keys.version(connection, lock=True) == VERSION:
                return 0
            changed = (
                await _parties(connection)
                + await _keys(connection, "claim")
                + await _keys(connection, "background")
                + await _aliases(connection)
            )
            await name_keys.set_version(connection, VERSION)
            return changed
    finally:
        await engine.dispose()


async def _parties(connection: AsyncConnection) -> int:
    named = [(row_id, Party(name=name)) for row_id, name, _ in await name_keys.names(connection, "party")]
    for some in _batches(named):
        await name_keys.set_party_keys(connection, [(row_id, party.key, list(party.grams)) for row_id, party in some])
    return len(named)


async def _keys(connection: AsyncConnection, table: Literal["claim", "background"]) -> int:
    """Recompute the unique keys of a table; a row whose new key is taken keeps its old one."""
    changed = 0
    for row_id, name, old in await name_keys.names(connection, table):
        if (new := name_key(name)) != old:
            try:
                async with connection.begin_nested():
                    await name_keys.set_key(connection, table, row_id, new)
                changed += 1
            except IntegrityError:
                structlog.get_logger().warning(f"{table}_keeps_its_old_key", **{table: row_id})
    return changed


async def _aliases(connection: AsyncConnection) -> int:
    """A pair that the new rules make identical, or that exists already, keeps its old keys; nothing is lost."""
    changed = 0
    for alias, name, old, other, other_old in await name_keys.aliases(connection):
        new = (name_key(name), name_key(other))
        if new != (old, other_old) and new[0] != new[1]:
            with contextlib.suppress(IntegrityError):
                async with connection.begin_nested():
                    await name_keys.set_alias_keys(connection, alias, *new)
                changed += 1
    return changed


def _batches(named: Sequence[tuple[str, Party]]) -> Iterator[Sequence[tuple[str, Party]]]:
    for start in range(0, len(named), BATCH):
        yield named[start : start + BATCH]

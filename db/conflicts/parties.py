"""Companies that registered subjects name, looked up exactly."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts.applications import REGISTERED_PARTY, RegisteredParty
from db.connection import plain

_PARTY = REGISTERED_PARTY
_NAMED_BY = f"""
    SELECT {_PARTY.sql} FROM party
    WHERE (subject_type, subject_id) IN (SELECT type, id FROM unnest($1::text[], $2::text[]) AS one (type, id))
    ORDER BY id"""
_NAMING = f"""
    SELECT {_PARTY.sql} FROM party
    WHERE live AND subject_type = ANY($1::text[]) AND (name_key = ANY($2::text[]) OR uscc = ANY($3::text[]))
    ORDER BY since, subject_id, id"""


async def named_by(connection: AsyncConnection, subjects: Collection[tuple[str, str]]) -> tuple[RegisteredParty, ...]:
    """Every company that these subjects name, each given by its type and id."""
    if not subjects:
        return ()
    types, ids = zip(*sorted(subjects), strict=True)
    return tuple(_PARTY.read(row) for row in await plain.run(connection, _NAMED_BY, list(types), list(ids)))


async def naming(
    connection: AsyncConnection, subject_types: Sequence[str], name_keys: Collection[str], codes: Collection[str]
) -> tuple[RegisteredParty, ...]:
    """Live parties that go by one of these names or codes exactly, oldest first."""
    if not (name_keys or codes):
        return ()
    rows = await plain.run(connection, _NAMING, subject_types, sorted(name_keys), sorted(codes))
    return tuple(_PARTY.read(row) for row in rows)

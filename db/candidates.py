"""Finding what may be the same company or project: PostgreSQL brings a few candidates, `matching/` judges each."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from db import plain
from db.applications import KeyedParty, RegisteredParty
from db.plain import Shape
from db.tables import party

_PARTY = Shape(RegisteredParty, *(column for column in party.c if column.name in RegisteredParty.model_fields))
_CANDIDATES = f"""
    SELECT {_PARTY.sql} FROM party
    WHERE subject_type = ANY($1::text[]) AND subject_id <> $2
    AND (name_key = ANY($3::text[]) OR uscc = ANY($4::text[]))"""
_PROJECTS_NAMED = """
    SELECT id FROM project
    WHERE id <> $1 AND (form ->> 'name' = $2 OR ($3 <> '' AND form ->> 'tender_number' = $3))
    ORDER BY registered_at, id"""


async def candidates(
    tx: AsyncConnection,
    subject_types: Sequence[str],
    parties: Sequence[KeyedParty],
    *,
    but: str,
    live_only: bool = True,
) -> tuple[RegisteredParty, ...]:
    """Registered parties that may be one of `parties` or bound to one, oldest first; the caller judges each pair.

    Args:
        but: the id of the subject that asks.
        live_only: leave out what does not take part in conflict detection any more (P10).
    """
    names = sorted({named.name_key for named in parties})
    codes = sorted({named.uscc for named in parties if named.uscc})
    which = f"{_CANDIDATES} AND live" if live_only else _CANDIDATES
    rows = await plain.run(tx, f"{which} ORDER BY since, subject_id, id", subject_types, but, names, codes)
    return tuple(_PARTY.read(row) for row in rows)


async def projects_named(tx: AsyncConnection, name: str, tender_number: str, *, but: str) -> tuple[str, ...]:
    """Ids of registered projects, live or not, with a near name or the same tender number, oldest first (P4).

    Args:
        but: the id of the project that asks.
    """
    return tuple(row[0] for row in await plain.run(tx, _PROJECTS_NAMED, but, name, tender_number.strip()))

"""What people have said of matches, and the names they have found to be one company (N3, N14, P4, P5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from db.connection import plain
from db.connection.plain import Shape
from db.tables import learned_alias, ruling
from domain.base import Wire
from domain.conflicts.rulings import LearnedAlias, Ruled, Ruling


class RulingRow(Wire):
    """What was said of two that were compared."""

    fingerprint: str
    ruling: Ruling
    person: str
    at: datetime
    reason: str
    task_id: str
    subject_id: str
    """Of the one that asked."""
    other_type: str
    other_id: str


_ALIAS = Shape(LearnedAlias, *(learned_alias.c[name] for name in LearnedAlias.model_fields))
_ADD = plain.insertion(ruling)
_NEWEST = """
    SELECT DISTINCT ON (fingerprint) fingerprint, ruling, person, at, reason FROM ruling
    WHERE fingerprint = ANY($1::text[]) ORDER BY fingerprint, id DESC"""
_NAMES = ", ".join(LearnedAlias.model_fields)
_LEARN = f"""
    INSERT INTO learned_alias ({_NAMES})
    SELECT {_NAMES} FROM jsonb_populate_recordset(NULL::learned_alias, $1)
    ON CONFLICT (least(name_key, other_key), greatest(name_key, other_key)) WHERE removed_at IS NULL DO NOTHING
    RETURNING {_ALIAS.sql}"""
_KNOWN = f"""
    WITH RECURSIVE known (key) AS (
        SELECT unnest($1::text[])
        UNION
        SELECT CASE WHEN name_key = key THEN other_key ELSE name_key END
        FROM known JOIN learned_alias ON removed_at IS NULL AND (name_key = key OR other_key = key))
    SELECT {_ALIAS.sql} FROM learned_alias
    WHERE removed_at IS NULL AND name_key IN (SELECT key FROM known) ORDER BY id"""
_UNLEARN = f"""
    UPDATE learned_alias SET removed_at = $2, removed_by = $3, removed_because = $4
    WHERE removed_at IS NULL AND %s
    RETURNING {_ALIAS.sql}"""
_UNLEARN_PAIRS = (
    _UNLEARN % "(name_key, other_key) IN (SELECT one, other FROM unnest($1::text[], $5::text[]) AS pair (one, other))"
)
_UNLEARN_OF_TASKS = _UNLEARN % "task_id = ANY($1::text[])"


async def add(connection: AsyncConnection, rows: Sequence[RulingRow]) -> None:
    """Keep what was said; what was said before stays, and the newest counts."""
    if rows:
        await plain.run(connection, _ADD, plain.json_text(rows))


async def newest(connection: AsyncConnection, fingerprints: Collection[str]) -> dict[str, Ruled]:
    """The last that was said of each of these, where anything was."""
    if not fingerprints:
        return {}
    rows = await plain.run(connection, _NEWEST, sorted(fingerprints))
    return {
        fingerprint: Ruled(ruling=Ruling(said), person=person, at=at, reason=reason)
        for fingerprint, said, person, at, reason in rows
    }


async def learn(connection: AsyncConnection, aliases: Sequence[LearnedAlias]) -> tuple[LearnedAlias, ...]:
    """Two names each that are one company from now on. Returns those that were not known before."""
    if not aliases:
        return ()
    return tuple(_ALIAS.read(row) for row in await plain.run(connection, _LEARN, plain.json_text(aliases)))


async def known_aliases(connection: AsyncConnection, name_keys: Collection[str]) -> tuple[LearnedAlias, ...]:
    """Everything learned of companies that go by one of these names, by whatever way round, the oldest first."""
    if not name_keys:
        return ()
    return tuple(_ALIAS.read(row) for row in await plain.run(connection, _KNOWN, sorted(name_keys)))


async def unlearn(
    connection: AsyncConnection, pairs: Collection[tuple[str, str]], *, at: datetime, by: str, because: str
) -> tuple[LearnedAlias, ...]:
    """These pairs of name keys are two companies after all. Returns what was taken back."""
    if not pairs:
        return ()
    both_ways = sorted({*pairs, *((other, one) for one, other in pairs)})
    keys, other_keys = zip(*both_ways, strict=True)
    rows = await plain.run(connection, _UNLEARN_PAIRS, list(keys), at, by, because, list(other_keys))
    return tuple(_ALIAS.read(row) for row in rows)


async def unlearn_of_tasks(
    connection: AsyncConnection, task_ids: Collection[str], *, at: datetime, by: str, because: str
) -> tuple[LearnedAlias, ...]:
    """What was learned by answers to these tasks no longer holds. Returns what was taken back."""
    if not task_ids:
        return ()
    rows = await plain.run(connection, _UNLEARN_OF_TASKS, sorted(task_ids), at, by, because)
    return tuple(_ALIAS.read(row) for row in rows)

"""Finding what may be the same company or project: PostgreSQL brings a few candidates, `matching/` judges each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from db import plain
from db.applications import REGISTERED_PARTY, KeyedParty, RegisteredParty
from domain.grams import STANDING, is_pair, of_head

MOST_ROWS = 4000
"""Rows that one name may make PostgreSQL look at; its more common grams are left out beyond."""

MOST_HEADS = 400
"""Likewise for the groups and institutions it may belong to."""

NEAREST = 200
"""Of those, how many are handed on to be judged."""

NEAREST_HEADS = 40

_PARTY = REGISTERED_PARTY
_WHICH = "subject_type = ANY($1::text[]) AND subject_id <> $2"
_EXACT = f"""
    SELECT {_PARTY.sql} FROM party
    WHERE {_WHICH} AND (name_key = ANY($3::text[]) OR uscc = ANY($4::text[]))"""

# The index brings what shares a rare gram. Among those the nearest share the most grams of any kind; of two that share
# equally many the shorter is nearer. Operators are named in full, because intarray has a && that GIN does not serve.
_NEAR = f"""
    SELECT {_PARTY.sql} FROM party
    WHERE {_WHICH} AND grams OPERATOR(pg_catalog.&&) $3::integer[]
    ORDER BY icount(grams & $4::integer[]) - 0.1 * icount(grams) DESC, id LIMIT $5"""

# What the planner knows of the most common grams. It lists those more common than the last entries of the shares.
_COUNTS = """
    SELECT known.gram, greatest(reltuples, 0) * known.share
    FROM pg_stats JOIN pg_class ON oid = 'party'::regclass,
        unnest(most_common_elems::text::integer[], most_common_elem_freqs) AS known (gram, share)
    WHERE schemaname = current_schema() AND tablename = 'party' AND attname = 'grams'
    AND known.gram = ANY($1::integer[])"""
_PROJECTS_NAMED = """
    SELECT id FROM (
        (SELECT id, registered_at FROM project WHERE id <> $1 AND (form ->> 'name') % $2::text
         ORDER BY similarity(form ->> 'name', $2::text) DESC, id LIMIT $4)
        UNION SELECT id, registered_at FROM project WHERE id <> $1 AND $3 <> '' AND form ->> 'tender_number' = $3
    ) AS near ORDER BY registered_at, id"""

MOST_PROJECTS = 50
"""Projects with a near name that are handed on."""


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
    live = " AND live" if live_only else ""
    rows = list(await plain.run(tx, f"{_EXACT}{live}", subject_types, but, names, codes))
    near = _NEAR.replace("ORDER BY", f"{live} ORDER BY")
    for named in parties:
        of_heads = tuple(of_head(gram) for gram in named.grams if is_pair(gram))
        counts = await _counts(tx, (*named.grams, *of_heads))
        for grams, most, nearest in (
            (named.grams, MOST_ROWS, NEAREST),
            (of_heads, MOST_HEADS, NEAREST_HEADS),
        ):
            if probes := _rarest(grams, counts, most):
                rows += await plain.run(tx, near, subject_types, but, probes, grams, nearest)
    found = {tuple(row): row for row in rows}  # a name may be found in more ways than one
    return tuple(sorted(map(_PARTY.read, found.values()), key=lambda one: (one.since, one.subject_id)))


async def _counts(tx: AsyncConnection, grams: Sequence[int]) -> dict[int, float]:
    """About how many rows have each of the grams; of a gram that is not there, hardly any row."""
    return dict(tuple(row) for row in await plain.run(tx, _COUNTS, grams))


def _rarest(grams: Sequence[int], counts: Mapping[int, float], most: int) -> list[int]:
    """The rarest of the grams, as many as together bring about `most` rows; always at least one.

    `STANDING` stands for no characters and only helps to order what is found.
    """
    found: list[int] = []
    rows = 0.0
    for gram in sorted((gram for gram in grams if gram != STANDING), key=lambda gram: counts.get(gram, 0.0)):
        rows += counts.get(gram, 0.0)
        if found and rows > most:
            break
        found.append(gram)
    return found


async def projects_named(tx: AsyncConnection, name: str, tender_number: str, *, but: str) -> tuple[str, ...]:
    """Ids of registered projects, live or not, with a near name or the same tender number, oldest first (P4).

    Args:
        but: the id of the project that asks.
    """
    return tuple(
        row[0] for row in await plain.run(tx, _PROJECTS_NAMED, but, name, tender_number.strip(), MOST_PROJECTS)
    )

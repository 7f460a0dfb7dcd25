"""Finding what may be the same company or project: PostgreSQL brings a few candidates, `matching/` judges each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from db import plain
from db.applications import REGISTERED_COLUMNS, KeyedParty, RegisteredParty
from db.plain import Row, Shape
from domain.grams import STANDING, is_pair, of_head

MOST_ROWS = 4000
"""Rows that one name may make PostgreSQL look at; its more common grams are left out beyond."""

MOST_HEADS = 400
"""Likewise for the groups and institutions it may belong to."""

NEAREST = 200
"""Of those, how many are handed on to be judged."""

NEAREST_HEADS = 40

COUNTS_SECONDS = 60.0
"""How long a connection remembers which grams are common. They only choose what is looked at first."""

_KEPT = "common_grams"


class Candidate(RegisteredParty):
    """A registered party that may be one of those asked about, or bound to it."""

    met_by: frozenset[str]
    """The name keys of those asked about that it is near to, or that it shares a key or a code with."""


_PARTY = Shape(Candidate, *REGISTERED_COLUMNS)
_WHICH = "party.subject_type = ANY($1::text[]) AND party.subject_id <> $2"
_LIVE = " AND party.live"
_EXACT = f"""
    SELECT {_PARTY.sql} FROM party
    WHERE (name_key = ANY($3::text[]) OR uscc = ANY($4::text[])) AND {_WHICH}"""


def near_sql(*, live_only: bool) -> str:
    """The look-up of near names, for all that are asked about at once.

    The index brings what shares a rare gram. Among those the nearest share the most grams of any kind; of two that
    share equally many the shorter is nearer. Names are counted, not rows: hundreds of projects of one company are one
    name, and crowd nobody out. $3: name keys that are looked up exactly; $4, $5, $6: see `_probes`. Each list of grams
    is read once: written where it is used, it would be read again for every row that is looked at.
    """
    which = f"{_WHICH}{_LIVE if live_only else ''}"
    return f"""
    WITH probe AS MATERIALIZED (
        SELECT rare::integer[], grams::integer[], nearest, place
        FROM unnest($4::text[], $5::text[], $6::integer[]) WITH ORDINALITY AS given (rare, grams, nearest, place)
    )
    SELECT probe.place, {_PARTY.sql}
    FROM probe
    CROSS JOIN LATERAL (
        SELECT party.name_key FROM party
        WHERE {which} AND party.grams && probe.rare AND party.name_key <> ALL($3::text[])
        GROUP BY party.name_key
        ORDER BY max(icount(party.grams & probe.grams) - 0.1 * icount(party.grams)) DESC, party.name_key
        LIMIT probe.nearest
    ) AS near
    JOIN party ON party.name_key = near.name_key AND {which}"""


# What the planner knows of the most common grams. It lists those more common than the last entries of the shares.
_COMMON = """
    SELECT most_common_elems::text::integer[], most_common_elem_freqs, greatest(reltuples, 0)
    FROM pg_stats JOIN pg_class ON oid = 'party'::regclass
    WHERE schemaname = current_schema() AND tablename = 'party' AND attname = 'grams'
    AND most_common_elems IS NOT NULL"""
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
    near: bool = True,
) -> tuple[Candidate, ...]:
    """Registered parties that may be one of `parties` or bound to one, oldest first; the caller judges each pair.

    Args:
        but: the id of the subject that asks.
        live_only: leave out what does not take part in conflict detection any more (P10).
        near: beside those of the same name or code, also those with a near name.
    """
    names = sorted({named.name_key for named in parties})
    codes = sorted({named.uscc for named in parties if named.uscc})
    live = _LIVE if live_only else ""
    met: dict[Row, set[str]] = {}
    for row in await plain.run(tx, f"{_EXACT}{live}", subject_types, but, names, codes):
        met[tuple(row)] = {named.name_key for named in parties if _is_one(_PARTY.read(row, met_by=()), named)}
    probes = _probes(parties, await _counts(tx)) if near else ()
    if probes:
        keys, rarest, every, nearest = zip(*probes, strict=True)
        values = names, list(rarest), list(every), list(nearest)
        for place, *row in await plain.run(tx, near_sql(live_only=live_only), subject_types, but, *values):
            met.setdefault(tuple(row), set()).add(keys[place - 1])
    found = (_PARTY.read(row, met_by=by) for row, by in met.items())
    return tuple(sorted(found, key=lambda one: (one.since, one.subject_id)))


def _is_one(registered: RegisteredParty, named: KeyedParty) -> bool:
    return registered.name_key == named.name_key or bool(named.uscc and named.uscc == registered.uscc)


def _probes(parties: Sequence[KeyedParty], counts: Mapping[int, float]) -> list[tuple[str, str, str, int]]:
    """What is looked up: the name it is for, its rare grams, all of them, and how many rows are wanted."""
    found: dict[tuple[str, str, int], tuple[str, str, str, int]] = {}
    for named in parties:
        of_heads = tuple(of_head(gram) for gram in named.grams if is_pair(gram))
        for grams, most, nearest in ((named.grams, MOST_ROWS, NEAREST), (of_heads, MOST_HEADS, NEAREST_HEADS)):
            if rare := _rarest(grams, counts, most):
                probe = (named.name_key, _array(rare), _array(grams), nearest)
                found[probe[0], probe[1], nearest] = probe
    return list(found.values())


def _array(grams: Sequence[int]) -> str:
    return f"{{{','.join(map(str, grams))}}}"


async def _counts(tx: AsyncConnection) -> Mapping[int, float]:
    """About how many rows have each of the common grams; any other gram is in hardly any row."""
    kept: dict[str, tuple[float, dict[int, float]]] = tx.sync_connection.info if tx.sync_connection else {}
    at, counts = kept.get(_KEPT, (-COUNTS_SECONDS, {}))
    if time.monotonic() - at >= COUNTS_SECONDS:
        counts = {
            gram: share * total
            for grams, shares, total in await plain.run(tx, _COMMON)
            for gram, share in zip(grams, shares, strict=False)  # the last shares are the bounds of the others
        }
        kept[_KEPT] = time.monotonic(), counts
    return counts


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

"""Finding what may be the same company or project: PostgreSQL brings a few candidates, `matching/` judges each."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts.applications import REGISTERED_COLUMNS, KeyedParty, RegisteredParty
from domain.conflicts.grams import STANDING, is_pair, of_head

MOST_ROWS = 4000
"""Rows that one name may make PostgreSQL look at; its more common grams are left out beyond."""

MOST_HEADS = 400
"""Likewise for the groups and institutions it may belong to."""

NEAREST = 200
"""Of those, how many are handed on to be judged."""

NEAREST_HEADS = 40

FEW_PAIRS = 15
"""Pairs of a name of six characters: one with no more is taken for an abbreviation, all of which the full name has."""

EACH_SHARED, EACH_SHARED_OF_FEW = 10, 40
"""What a shared gram counts, in grams by which the name found is the longer one."""

STANDING_FOR_FEW = 30
"""What it counts for an abbreviation that the name found is that of a joint stock company or a group, likewise."""

COUNTS_SECONDS = 60.0
"""How long a connection remembers which grams are common. They only choose what is looked at first."""

_KEPT = "common_grams"


class Candidate(RegisteredParty):
    """A registered party that may be one of those asked about, or bound to it."""

    met_by: frozenset[str]
    """The name keys of those asked about that it is near to, or that it shares a key or a code with."""


_PARTY = ", ".join(str(column) for column in REGISTERED_COLUMNS)
_WHICH = "party.subject_type = ANY(CAST(:types AS text[])) AND party.subject_id <> :but"
_LIVE = " AND party.live"
_EXACT_SQL = f"""
    SELECT {_PARTY} FROM party
    WHERE (name_key = ANY(CAST(:keys AS text[])) OR uscc = ANY(CAST(:codes AS text[]))) AND {_WHICH}"""
_EXACT, _EXACT_LIVE = text(_EXACT_SQL), text(f"{_EXACT_SQL}{_LIVE}")


def near_sql(*, live_only: bool) -> str:
    """The look-up of near names, for all that are asked about at once.

    The index brings what shares a rare gram. Among those the nearest share the most grams of any kind; of two that
    share equally many the shorter is nearer. Names are counted, not rows: hundreds of projects of one company are one
    name, and crowd nobody out; one that is near to several of those asked about is brought once. `keys`: name keys
    that are looked up exactly; `rare` to `standing`: see `Probe`. Each list of grams is read once: written where it is
    used, it would be read again for every row that is looked at.
    """
    which = f"{_WHICH}{_LIVE if live_only else ''}"
    return f"""
    WITH probe AS MATERIALIZED (
        SELECT rare::integer[] AS rare, grams::integer[] AS grams, nearest, each, standing, place
        FROM unnest(
            CAST(:rare AS text[]), CAST(:grams AS text[]), CAST(:nearest AS integer[]), CAST(:each AS integer[]),
            CAST(:standing AS integer[]))
        WITH ORDINALITY AS given (rare, grams, nearest, each, standing, place)
    )
    SELECT met.places, {_PARTY}
    FROM (
        SELECT near.name_key, array_agg(DISTINCT probe.place) AS places
        FROM probe
        CROSS JOIN LATERAL (
            SELECT party.name_key FROM party
            WHERE {which} AND party.grams && probe.rare AND party.name_key <> ALL(CAST(:keys AS text[]))
            GROUP BY party.name_key
            ORDER BY max(
                probe.each * icount(party.grams & probe.grams) - icount(party.grams)
                + CASE WHEN probe.standing > 0 AND party.grams @> '{{{STANDING}}}' THEN probe.standing ELSE 0 END
            ) DESC, party.name_key
            LIMIT probe.nearest
        ) AS near
        GROUP BY near.name_key
    ) AS met
    JOIN party ON party.name_key = met.name_key AND {which}"""


_NEAR, _NEAR_LIVE = text(near_sql(live_only=False)), text(near_sql(live_only=True))


# What the planner knows of the most common grams. It lists those more common than the last entries of the shares.
_COMMON = text("""
    SELECT most_common_elems::text::integer[], most_common_elem_freqs, greatest(reltuples, 0)
    FROM pg_stats JOIN pg_class ON oid = CAST(CAST(:relation AS text) AS regclass)
    WHERE schemaname = current_schema() AND tablename = CAST(:relation AS text) AND attname = CAST(:column AS text)
    AND most_common_elems IS NOT NULL""")
PARTY_GRAMS = ("party", "grams")
_PROJECT_PAIRS = ("ix_project_name_pairs", "name_pairs")
_PAIRS = text("SELECT name_pairs(CAST(:name AS text))")
PROJECTS_NAMED_SQL = """
    SELECT id FROM (
        (SELECT id, registered_at FROM project
         WHERE id <> :but AND name_pairs(form ->> 'name') && CAST(:rare AS integer[])
         AND (form ->> 'name') % CAST(:name AS text)
         ORDER BY similarity(form ->> 'name', CAST(:name AS text)) DESC, id LIMIT :most)
        UNION SELECT id, registered_at FROM project
        WHERE id <> :but AND CAST(:tender AS text) <> '' AND form ->> 'tender_number' = CAST(:tender AS text)
    ) AS near ORDER BY registered_at, id"""
_PROJECTS_NAMED = text(PROJECTS_NAMED_SQL)

MOST_PROJECTS = 50
"""Projects with a near name that are handed on."""
MOST_PROJECT_ROWS = 1000
"""Projects that a name may make PostgreSQL look at; its more common pairs of characters are left out beyond."""


async def candidates(
    connection: AsyncConnection,
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
    found = list(await of_these(connection, subject_types, parties, but=but, live_only=live_only))
    if near:
        names = {named.name_key for named in parties}
        found += await near_to(connection, subject_types, parties, but=but, besides=names, live_only=live_only)
    return tuple(sorted(merged(found), key=lambda candidate: (candidate.since, candidate.subject_id)))


def merged(found: Iterable[Candidate]) -> list[Candidate]:
    """Each registered party once, with everything that it was met by: one may be found by its code and by its name."""
    once: dict[Candidate, set[str]] = {}
    for candidate in found:
        alone = candidate.model_copy(update={"met_by": frozenset[str]()})
        once.setdefault(alone, set()).update(candidate.met_by)
    return [candidate.model_copy(update={"met_by": frozenset(met_by)}) for candidate, met_by in once.items()]


async def of_these(
    connection: AsyncConnection,
    subject_types: Sequence[str],
    parties: Sequence[KeyedParty],
    *,
    but: str,
    live_only: bool,
) -> tuple[Candidate, ...]:
    """Registered parties with the name or the code of one of `parties`; arguments as those of `candidates`."""
    by_name: dict[str, set[str]] = {named.name_key: {named.name_key} for named in parties}
    by_code: dict[str, set[str]] = {}
    for named in parties:
        if named.uscc:
            by_code.setdefault(named.uscc, set()).add(named.name_key)
    wanted = {"types": subject_types, "but": but, "keys": sorted(by_name), "codes": sorted(by_code)}
    rows = await connection.execute(_EXACT_LIVE if live_only else _EXACT, wanted)
    return tuple(
        Candidate(**row._asdict(), met_by=frozenset(by_name.get(row.name_key, ())) | by_code.get(row.uscc, set()))
        for row in rows
    )


async def near_to(
    connection: AsyncConnection,
    subject_types: Sequence[str],
    parties: Sequence[KeyedParty],
    *,
    but: str,
    besides: Collection[str],
    live_only: bool,
) -> tuple[Candidate, ...]:
    """Registered parties with a name near to one of `parties`; arguments as those of `candidates`.

    Args:
        besides: the name keys that `of_these` looks up.
    """
    probes = _probes(parties, await _counts(connection, PARTY_GRAMS))
    if not probes:
        return ()
    columns = {name: [getattr(probe, name) for probe in probes] for name in Probe._fields if name != "key"}
    wanted = {"types": subject_types, "but": but, "keys": sorted(besides), **columns}
    found = []
    for row in await connection.execute(_NEAR_LIVE if live_only else _NEAR, wanted):
        values = row._asdict()
        met_by = {probes[place - 1].key for place in values.pop("places")}
        found.append(Candidate(**values, met_by=frozenset(met_by)))
    return tuple(found)


class Probe(NamedTuple):
    """One thing that is looked for."""

    key: str
    """The name key it is for."""
    rare: str
    """The grams that bring rows."""
    grams: str
    """All that are counted in them."""
    nearest: int
    """How many names are wanted."""
    each: int
    """What a shared gram counts."""
    standing: int
    """What it counts that the name found is that of a joint stock company or a group."""


def _probes(parties: Sequence[KeyedParty], counts: Mapping[int, float]) -> list[Probe]:
    """What is looked up for these names: each by its grams, and by those that only heads of others have."""
    found: dict[tuple[str, str, int], Probe] = {}
    for named in parties:
        pairs = [gram for gram in named.grams if is_pair(gram)]
        few = len(pairs) <= FEW_PAIRS
        each, standing = (EACH_SHARED_OF_FEW, STANDING_FOR_FEW) if few else (EACH_SHARED, 0)
        heads = [of_head(gram) for gram in pairs]
        for grams, rare, nearest, bonus in (
            (named.grams, _rarest(named.grams, counts, MOST_ROWS), NEAREST, standing),
            (heads, _rarest(heads, counts, MOST_HEADS), NEAREST_HEADS, 0),
        ):
            if rare:
                probe = Probe(named.name_key, _array(rare), _array(grams), nearest, each, bonus)
                found[probe.key, probe.rare, nearest] = probe
    return list(found.values())


def _array(grams: Sequence[int]) -> str:
    return f"{{{','.join(map(str, grams))}}}"


async def _counts(connection: AsyncConnection, of: tuple[str, str]) -> Mapping[int, float]:
    """About how many rows have each of the common grams of a column or an index; any other is in hardly any row."""
    kept: dict[tuple[str, str, str], tuple[float, dict[int, float]]] = (
        connection.sync_connection.info if connection.sync_connection else {}
    )
    at, counts = kept.get((_KEPT, *of), (-COUNTS_SECONDS, {}))
    relation, column = of
    if time.monotonic() - at >= COUNTS_SECONDS:
        counts = {
            gram: share * total
            for grams, shares, total in await connection.execute(_COMMON, {"relation": relation, "column": column})
            for gram, share in zip(grams, shares, strict=False)  # the last shares are the bounds of the others
        }
        kept[_KEPT, relation, column] = time.monotonic(), counts
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


async def projects_named(connection: AsyncConnection, name: str, tender_number: str, *, but: str) -> tuple[str, ...]:
    """Ids of registered projects, live or not, with a near name or the same tender number, oldest first (P4).

    Args:
        but: the id of the project that asks.
    """
    pairs: list[int] = await connection.scalar(_PAIRS, {"name": name}) or []
    rare = _rarest(pairs, await _counts(connection, _PROJECT_PAIRS), MOST_PROJECT_ROWS)
    tender = tender_number.strip()
    wanted = {"but": but, "name": name, "rare": rare, "tender": tender, "most": MOST_PROJECTS}
    return tuple(await connection.scalars(_PROJECTS_NAMED, wanted))

"""Duration of conflict checks by number of registered names, against plain pg_trgm on one server."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg
import psutil
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.conflicts.data import Filled, fill
from bench.conflicts.evaluation import throw_away
from bench.conflicts.names import invented
from bench.conflicts.scores import ours, prepare_trigrams, trigram_check
from bench.life.report import commit
from db.connection.engine import make_engine
from db.connection.migrate import upgrade
from matching.names.anatomy import anatomy

HEADING = "## Conflict detection"
CHECKS, REFERENCE_CHECKS, AT_ONCE = 200, 30, 50
MUST_OF_REFERENCE, MUST_OF_SMALLEST = 0.2, 4.0


@dataclass(frozen=True)
class AtSize:
    """The measurements for one number of names; times in seconds."""

    filled: Filled
    checks: Sequence[float]
    reference: Sequence[float]
    at_once: Sequence[float]
    """Each of `AT_ONCE` concurrent checks, on ten connections."""
    all_at_once: float
    """Time until the last of them was done."""
    grown: int
    """Growth of this process in bytes since before the first check."""


@dataclass
class Checks:
    sizes: list[AtSize] = field(default_factory=list)


async def measure_checks(sizes: Sequence[int], say: Callable[[str], None]) -> Checks:
    """One size after the other, on one otherwise idle server."""
    done = Checks()
    names = list(invented(max(sizes)))
    async with throw_away("") as url:
        await upgrade(url)
        connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=10)
        engine = make_engine(url, process="bench")
        try:
            have = 0
            for size in sorted(sizes):
                filled = await fill(connection, names[:size], have)
                have = size
                say(f"{size} names in {filled.seconds:.0f} s")
                done.sizes.append(await _at_size(engine, connection, filled, names[:size]))
        finally:
            await engine.dispose()
            await connection.close()
    return done


def queries(names: Sequence[str], count: int) -> list[str]:
    """Names as people type them: registered ones in full, their short forms, and companies that are not registered."""
    chance = random.Random(3)
    registered = chance.sample(names, count)
    fresh = list(invented(count, seed=2))
    short = [f"{name.brand}{name.trade[:2]}" for name in map(anatomy, registered)]
    return [some[place] for place in range(count) for some in ((registered, short, fresh)[place % 3],)]


async def _at_size(engine: AsyncEngine, connection: asyncpg.Connection, filled: Filled, names: Sequence[str]) -> AtSize:
    asked = queries(names, CHECKS)
    before = psutil.Process().memory_info().rss
    checks, reference = [], []
    async with engine.connect() as tx:
        for query in asked[:10]:
            await ours(tx, query)
        for query in asked:
            started = time.perf_counter()
            await ours(tx, query)
            checks.append(time.perf_counter() - started)

    async def one_of_many(query: str) -> float:
        started = time.perf_counter()
        async with engine.connect() as tx:
            await ours(tx, query)
        return time.perf_counter() - started

    started = time.perf_counter()
    at_once = await asyncio.gather(*map(one_of_many, asked[:AT_ONCE]))
    all_at_once = time.perf_counter() - started
    grown = psutil.Process().memory_info().rss - before
    await prepare_trigrams(connection)
    for query in asked[:REFERENCE_CHECKS]:
        started = time.perf_counter()
        await trigram_check(connection, query)
        reference.append(time.perf_counter() - started)
    await connection.execute("DROP INDEX reference")
    return AtSize(filled, checks, reference, at_once, all_at_once, grown)


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))]


def checks_section(done: Checks) -> list[str]:
    smallest, largest = done.sizes[0], done.sizes[-1]
    late = quantile(largest.checks, 0.95)
    of_reference = late / quantile(largest.reference, 0.95)
    of_smallest = late / quantile(smallest.checks, 0.95)
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    return [
        HEADING,
        "",
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}, load {load}",
        f"- one check: the name parsed, candidates from PostgreSQL, each compared; {CHECKS} names, a third of them",
        "  registered, a third short forms of registered ones, a third not registered; all names are generated",
        f"- the reference: pg_trgm's word similarity at 0.3 with a GIN index, ten nearest; {REFERENCE_CHECKS} names",
        f"- p95 at {largest.filled.names:,} names: {of_reference:.2f} of the reference (at most {MUST_OF_REFERENCE}: "
        f"{_held(of_reference <= MUST_OF_REFERENCE)}), {of_smallest:.1f} times its own at "
        f"{smallest.filled.names:,} (at most {MUST_OF_SMALLEST}: {_held(of_smallest <= MUST_OF_SMALLEST)})",
        "",
        "| names | check p50, p95 | reference p50, p95 | "
        f"{AT_ONCE} at once: p50, last | loading | table, index | memory grown |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *map(_line, done.sizes),
        "",
    ]


def _line(size: AtSize) -> str:
    def both(values: Sequence[float]) -> str:
        return f"{1000 * quantile(values, 0.5):.0f}, {1000 * quantile(values, 0.95):.0f} ms"

    return (
        f"| {size.filled.names:,} | {both(size.checks)} | {both(size.reference)} | "
        f"{1000 * quantile(size.at_once, 0.5):.0f}, {1000 * size.all_at_once:.0f} ms | {size.filled.seconds:.0f} s | "
        f"{size.filled.table_bytes >> 20}, {size.filled.index_bytes >> 20} MiB | {max(size.grown, 0) >> 20} MiB |"
    )


def _held(held: bool) -> str:
    return "holds" if held else "**missed**"

"""`cli.py matching evaluate`: runs the whole protocol and prints it as Markdown."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg

from bench.conflicts.data import Data, fill
from bench.conflicts.scores import (
    GROUPS,
    Retrieval,
    codes,
    pairs,
    plain_retrieval,
    prepare_trigrams,
    projects,
    retrieval,
)
from db.connection.engine import make_engine
from db.connection.migrate import upgrade
from embedded.processes.ports import free_row
from embedded.servers.postgres import PostgresServer

WORST = 20


def say(text: str) -> None:
    """Progress goes to standard error: standard output is the page alone."""
    print(text, file=sys.stderr, flush=True)


@contextlib.asynccontextmanager
async def throw_away(database: str) -> AsyncIterator[str]:
    """The given database, or a temporary one on its own server."""
    if database:
        yield database
        return
    folder = Path(tempfile.mkdtemp(prefix="baobei-matching-"))
    try:
        async with PostgresServer(folder, free_row(1), durable=False) as server:
            yield server.url()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def run(file: Path, sizes: Sequence[int], *, each: int, nil: int, baselines: int, database: str) -> None:
    """Print everything. Raises `OSError`, `ValueError` or `StartError` if something is missing."""
    data = Data.read(file)
    _print_pairs(data)
    async with throw_away(database) as url:
        await upgrade(url)
        connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=10)
        engine = make_engine(url, process="matching")
        try:
            if await connection.fetchval("SELECT true FROM party LIMIT 1"):
                raise ValueError("the database has companies in it: give an empty one")
            have = 0
            for size in sorted(sizes):
                names = list(itertools.islice(data.names(), size))
                filled = await fill(connection, names, have)
                have = len(names)
                say(f"{filled.names} names in {filled.seconds:.0f} s")
                async with engine.connect() as tx:
                    found = await retrieval(tx, data, have, each, nil)
                _print_retrieval(found)
                if baselines:
                    await prepare_trigrams(connection)
                    for name, plain in (await plain_retrieval(connection, data, names, baselines)).items():
                        _print_baseline(name, plain)
                    await connection.execute("DROP INDEX reference")
        finally:
            await engine.dispose()
            await connection.close()


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _print_pairs(data: Data) -> None:
    print("## Pairs\n\n| track | method | precision | recall | F1 |\n| --- | --- | --- | --- | --- |")
    main = pairs(data)
    for track, found in (("main", main), ("cross", pairs(data, "cross")), ("opaque", pairs(data, "opaque"))):
        for method, scores in found.scores.items():
            figures = " | ".join(map(_percent, (scores.precision, scores.recall, scores.f1)))
            print(f"| {track} | {method or '**ours**'} | {figures} |")
    print("\nWrong by type (main): " + ", ".join(f"{kind} {w}/{of}" for kind, (w, of) in main.wrong.items() if w))
    print(f"\nThe {WORST} worst:\n")
    for _, record, verdict in main.worst[:WORST]:
        print(
            f"- {record['type']} ({record['src']}): {record['a']} / {record['b']}: "
            f"{verdict.level}, {verdict.score:.2f}, truth {record['label']}"
        )
    conflict, same = projects(data)
    print(f"\nProjects: F1 of conflict {_percent(conflict.f1)}, of `same` {_percent(same.f1)}")
    print(f"Credit codes: {_percent(codes(data))} %", flush=True)


def _print_retrieval(found: Retrieval) -> None:
    print(f"\n## {found.size} names\n\n| group | recall@1 | recall@10 | catch@5% |\n| --- | --- | --- | --- |")
    for group in GROUPS:
        figures = (found.group(group, of) for of in (found.recall_1, found.recall_10, found.caught))
        print(f"| {group} | {' | '.join(map(_percent, figures))} |")
    print("\n| type | track | recall@1 | recall@10 | catch@5% |\n| --- | --- | --- | --- | --- |")
    for key, ten in found.recall_10.items():
        print(
            f"| {' | '.join(key)} | {_percent(found.recall_1[key])} | {_percent(ten)} | {_percent(found.caught[key])} |"
        )
    seconds = sorted(found.seconds)
    middle, late = (1000 * seconds[int(len(seconds) * part)] for part in (0.5, 0.95))
    print(
        f"\nQueries without a namesake called `same`: {_percent(found.nil_same)} %, "
        f"anything: {_percent(found.nil_said)} %; one check {middle:.0f} ms (p50), {late:.0f} ms (p95)"
    )
    print(f"\nMissed ({len(found.missed)}), some of them:\n")
    for record, score, top in found.missed[:: max(1, len(found.missed) // WORST)]:
        print(
            f"- {record['type']} ({record['src']}): {record['q']} → {record['gold'][0]} ({score:.2f}); "
            f"before it {', '.join(name for name, *_ in top)}"
        )
    print("\nNearest wolves:\n")
    for record, name, score in found.wolves[:WORST]:
        print(f"- {record['type']}: {record['q']} / {name}: {score:.2f}")
    sys.stdout.flush()


def _print_baseline(name: str, found: Retrieval) -> None:
    groups = ", ".join(
        f"{group} {_percent(value)}"
        for group in ("ZH", "BR", "EN", "REL")
        for value in [found.group(group, found.recall_10)]
    )
    seconds = sorted(found.seconds)
    print(f"\n{name} at {found.size}: recall@10 {groups}; p50 {1000 * seconds[len(seconds) // 2]:.0f} ms", flush=True)

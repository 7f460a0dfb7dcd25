"""Loads the evaluation data of conflict detection, as described in its README, and fills a real `party` table."""

from __future__ import annotations

import gzip
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from matching.parties import Party

Record = Mapping[str, Any]
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 20_000
COLUMNS = ("subject_type", "subject_id", "role", "name", "name_key", "live", "since", "grams")
SEED = 7


@dataclass(frozen=True)
class Data:
    """A file of records, with its related files in the same folder."""

    records: tuple[Record, ...]
    entities: tuple[Record, ...]
    corpus: Path

    @classmethod
    def read(cls, file: Path) -> Data:
        """Raises `OSError` if a file is missing, `ValueError` if one is malformed."""
        entities = file.with_name(f"{file.name.removesuffix('.jsonl')}_entities.jsonl")
        return cls(records=_lines(file), entities=_lines(entities), corpus=file.with_name("corpus.txt.gz"))

    def of(self, task: str) -> list[Record]:
        return [record for record in self.records if record["task"] == task]

    def names(self) -> Iterator[str]:
        """The names of an index: queries first, then the corpus, without duplicates."""
        seen: set[str] = set()
        own = (name for entity in self.entities for name in entity["names"])
        gold = (name for record in self.of("retrieve") for name in record["gold"])
        for name in (*own, *gold):
            if name not in seen:
                seen.add(name)
                yield name
        with gzip.open(self.corpus, "rt", encoding="utf-8") as lines:
            for line in lines:
                if (name := line.strip()) and name not in seen:
                    seen.add(name)
                    yield name

    def queries(self, each: int) -> dict[tuple[str, str], list[Record]]:
        """Up to `each` records of every type and track of the task `retrieve`; deterministic."""
        found: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in self.of("retrieve"):
            found[record["type"], record["track"]].append(record)
        chance = random.Random(SEED)
        return {key: chance.sample(some, min(each, len(some))) for key, some in sorted(found.items())}

    def nil(self, most: int) -> list[Record]:
        some = self.of("nil")
        return random.Random(SEED).sample(some, min(most, len(some)))


def _lines(file: Path) -> tuple[Record, ...]:
    return tuple(json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line)


@dataclass(frozen=True)
class Filled:
    names: int
    seconds: float
    """The time to add the missing names, including index and statistics."""
    table_bytes: int
    index_bytes: int


async def fill(
    connection: asyncpg.Connection,
    names: Sequence[str],
    have: int,
    *,
    subject_type: str = "account",
    prefix: str = "a",
) -> Filled:
    """Insert `names` from the `have`-th on into `party`, each as the customer of a separate subject, as a first import
    would; the id of a subject is `prefix` and its number."""
    started = time.perf_counter()
    await connection.execute("DROP INDEX ix_party_grams")
    for start in range(have, len(names), BATCH):
        rows = [
            (subject_type, f"{prefix}{number}", "customer", name, party.key, True, SINCE, list(party.grams))
            for number, name in enumerate(names[start : start + BATCH], start=start)
            for party in [Party(name=name)]
        ]
        await connection.copy_records_to_table("party", records=rows, columns=COLUMNS)
    await connection.execute("SET maintenance_work_mem = '1GB'")
    index = "CREATE INDEX ix_party_grams ON party USING gin (grams gin__int_ops) WITH (fastupdate = off)"
    await connection.execute(index)
    await connection.execute("VACUUM ANALYZE party")
    table_bytes, index_bytes = [
        await connection.fetchval("SELECT pg_relation_size($1::text::regclass)", name)
        for name in ("party", "ix_party_grams")
    ]
    return Filled(len(names), time.perf_counter() - started, table_bytes, index_bytes)

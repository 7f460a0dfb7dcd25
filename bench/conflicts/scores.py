"""Scores conflict detection by the protocol of its evaluation data, against simpler methods."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg
from rapidfuzz import fuzz, process
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.conflicts.data import Data, Record
from conflicts.inquiry import keyed
from db.conflicts.candidates import candidates
from domain.accounts.uscc import check_uscc
from domain.conflicts.verdict import Level, Verdict
from matching.names.names import name_key
from matching.parties import Party, compare
from matching.projects import ProjectSides, compare_projects

ZH = (
    *("short_zh", "short_trad", "short_cross", "full_trad", "format", "former_short", "former_full", "tw_short"),
    *("org_alias", "abbr", "soe_short"),
)
GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "ZH": ("main", ZH),
    "BR": ("main", ("branch",)),
    "EN": ("main", ("en_variant",)),
    "REL": ("main", ("subsidiary", "org_parent")),
    "MECH": ("main", ("mech_fullwidth", "mech_halfwidth", "mech_space", "mech_trad")),
    "XL": ("cross", ("acronym", "en_full", "en_short", "org_en", "tw_en")),
    "OPQ": ("opaque", ("former_full", "former_short", "org_alias", "org_parent", "short_cross", "subsidiary")),
}
REVIEW_BUDGET = 0.05
"""Share of the queries without a match that people may be asked to look at."""

CONFLICT = (Level.SAME, Level.RELATED)

Found = Sequence[tuple[str, float, Level]]
"""Names with their scores and levels, best first."""


@dataclass
class Scores:
    precision: float = 0.0
    recall: float = 0.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def scored(said: Sequence[bool], true: Sequence[bool]) -> Scores:
    hits = sum(a and b for a, b in zip(said, true, strict=True))
    return Scores(hits / max(sum(said), 1), hits / max(sum(true), 1))


@dataclass
class Pairs:
    scores: dict[str, Scores] = field(default_factory=dict)
    """By method; the product's own under `""`."""
    wrong: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By type: the number of errors, and of pairs."""
    worst: list[tuple[float, Record, Verdict]] = field(default_factory=list)


def pairs(data: Data, track: str = "main") -> Pairs:
    """Verdicts on the pairs of one track, with the policy's thresholds; simpler methods with their best threshold."""
    records = [record for record in data.of("pair") if record["track"] == track]
    true = [record["label"] != "unrelated" for record in records]
    verdicts = [compare(Party(name=record["a"]), Party(name=record["b"])) for record in records]
    said = [verdict.level in CONFLICT for verdict in verdicts]
    found = Pairs(scores={"": scored(said, true)})
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for record, verdict, yes, truth in zip(records, verdicts, said, true, strict=True):
        counts[record["type"]][0] += yes != truth
        counts[record["type"]][1] += 1
        if yes != truth:
            found.worst.append((abs(verdict.score - truth), record, verdict))
    found.wrong = {kind: (wrong, of) for kind, (wrong, of) in sorted(counts.items())}
    found.worst.sort(key=lambda pair: -pair[0])
    plain: dict[str, Callable[[str, str], float]] = {
        "exact": lambda a, b: float(a == b),
        "normalised": lambda a, b: float(name_key(a) == name_key(b)),
        "pg_trgm": _trigrams,
        "rapidfuzz": lambda a, b: float(fuzz.WRatio(a, b)) / 100,
    }
    for name, method in plain.items():
        values = [method(record["a"], record["b"]) for record in records]
        bounds = sorted({round(value, 2) for value in values} - {0.0}) or [1.0]
        found.scores[name] = max(
            (scored([value >= bound for value in values], true) for bound in bounds), key=lambda scores: scores.f1
        )
    return found


def _trigrams(left: str, right: str) -> float:
    """pg_trgm's `similarity`, for a name treated as one word."""
    first, second = ({f"  {name} "[i : i + 3] for i in range(len(name) + 1)} for name in (left.lower(), right.lower()))
    return float(len(first & second)) / max(len(first | second), 1)


def projects(data: Data) -> tuple[Scores, Scores]:
    """F1 of conflict, and of `same` only."""
    records = data.of("project_pair")
    levels = [
        compare_projects(ProjectSides(name=record["a"]), ProjectSides(name=record["b"])).level for record in records
    ]
    conflict = scored([level in CONFLICT for level in levels], [record["label"] != "different" for record in records])
    same = scored([level is Level.SAME for level in levels], [record["label"] == "same" for record in records])
    return conflict, same


def codes(data: Data) -> float:
    """Share of codes correctly accepted or rejected."""
    records = data.of("uscc")
    return sum(_is_code(str(record["code"])) == bool(record["valid"]) for record in records) / len(records)


def _is_code(code: str) -> bool:
    try:
        check_uscc(code)
    except ValueError:
        return False
    return True


@dataclass
class Retrieval:
    """The results of one method on one index."""

    size: int
    recall_1: dict[tuple[str, str], float] = field(default_factory=dict)
    recall_10: dict[tuple[str, str], float] = field(default_factory=dict)
    caught: dict[tuple[str, str], float] = field(default_factory=dict)
    """Share of queries whose best correct name is above the threshold that the review budget allows."""
    nil_same: float = 0.0
    """Share of real companies not in the index that are called the same as one in it."""
    nil_said: float = 0.0
    """Share of them with any match, by the policy's thresholds."""
    seconds: list[float] = field(default_factory=list)
    missed: list[tuple[Record, float, Found]] = field(default_factory=list)
    wolves: list[tuple[Record, str, float]] = field(default_factory=list)

    def group(self, name: str, of: Mapping[tuple[str, str], float]) -> float | None:
        """The unweighted mean over the types of a group; None if there are none."""
        track, types = GROUPS[name]
        values = [of[kind, track] for kind in types if (kind, track) in of]
        return sum(values) / len(values) if values else None


async def ours(tx: AsyncConnection, query: str) -> Found:
    """Check one name as detection does."""
    asked = Party(name=query)
    near = await candidates(tx, ["account"], keyed([asked]), but="")
    found = []
    for candidate in near:
        if candidate.name != query:
            verdict = compare(asked, Party(name=candidate.name))
            found.append((candidate.name, verdict.score, verdict.level))
    return sorted(found, key=lambda entry: (-entry[1], entry[0]))


async def retrieval(tx: AsyncConnection, data: Data, size: int, each: int, most_nil: int) -> Retrieval:
    """Run the whole protocol on one index."""
    result = Retrieval(size)
    best = []
    same = said = 0
    asked = data.nil(most_nil)
    for record in asked:
        found = await ours(tx, record["q"])
        top = found[0] if found else ("", 0.0, Level.NONE)
        best.append(top[1])
        same += any(level is Level.SAME for _, _, level in found)
        said += any(level is not Level.NONE for _, _, level in found)
        result.wolves.append((record, top[0], top[1]))
    result.nil_same, result.nil_said = same / len(asked), said / len(asked)
    result.wolves.sort(key=lambda wolf: -wolf[2])
    bound = sorted(best, reverse=True)[int(len(best) * REVIEW_BUDGET)]
    for key, records in data.queries(each).items():
        first = ten = caught = 0
        for record in records:
            started = time.perf_counter()
            found = await ours(tx, record["q"])
            result.seconds.append(time.perf_counter() - started)
            gold = max((score for name, score, _ in found if name in record["gold"]), default=-1.0)
            first += any(name in record["gold"] for name, *_ in found[:1])
            ten += (hit := any(name in record["gold"] for name, *_ in found[:10]))
            caught += gold > bound
            if key[1] == "main" and not (hit and gold > bound):
                result.missed.append((record, gold, found[:3]))
        count = len(records)
        result.recall_1[key], result.recall_10[key], result.caught[key] = first / count, ten / count, caught / count
    return result


async def plain_retrieval(
    connection: asyncpg.Connection, data: Data, names: Sequence[str], each: int
) -> dict[str, Retrieval]:
    """Results of simpler methods: recall only, on fewer queries, because some take seconds each."""
    found = {name: Retrieval(len(names)) for name in ("exact", "normalised", "pg_trgm", "rapidfuzz")}
    if len(names) > 100_000:
        del found["rapidfuzz"]  # minutes, and the names in memory
    folded = [name_key(name) for name in names] if "rapidfuzz" in found else []
    for key, records in data.queries(each).items():
        if key[1] != "main":
            continue
        for method, result in found.items():
            first = ten = 0
            for record in records:
                query = record["q"]
                started = time.perf_counter()
                match method:
                    case "exact":
                        rows = await connection.fetch("SELECT name FROM party WHERE name = $1", query)
                        hits = [row[0] for row in rows]
                    case "normalised":
                        rows = await connection.fetch("SELECT name FROM party WHERE name_key = $1", name_key(query))
                        hits = [row[0] for row in rows]
                    case "pg_trgm":
                        hits = await trigram_check(connection, query)
                    case _:
                        near = process.extract(name_key(query), folded, scorer=fuzz.WRatio, limit=11)
                        hits = [names[place] for _, _, place in near]
                result.seconds.append(time.perf_counter() - started)
                hits = [name for name in hits if name != query]
                first += any(name in record["gold"] for name in hits[:1])
                ten += any(name in record["gold"] for name in hits[:10])
            result.recall_1[key], result.recall_10[key] = first / len(records), ten / len(records)
    return found


async def trigram_check(connection: asyncpg.Connection, query: str) -> list[str]:
    """The reference: pg_trgm's word similarity at 0.3, with its own index."""
    rows = await connection.fetch(
        "SELECT name FROM party WHERE $1::text <% name ORDER BY word_similarity($1::text, name) DESC LIMIT 11", query
    )
    return [row[0] for row in rows]


async def prepare_trigrams(connection: asyncpg.Connection) -> None:
    """Create the index and the threshold of the reference."""
    await connection.execute("CREATE INDEX IF NOT EXISTS reference ON party USING gin (name gin_trgm_ops)")
    await connection.execute("SET pg_trgm.word_similarity_threshold = 0.3")

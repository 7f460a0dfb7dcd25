"""Writes the section of the page on the pages of the console."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from bench.conflicts.matching import quantile
from bench.life.report import commit
from bench.pages.pages import NAMES_EACH, PAUSE_SECONDS, ROUNDS, TENTH, TYPISTS, Pages, Timed

HEADING = "## Pages of the console"
MUST_PAGE, MUST_OF_TENTH = 0.150, 1.5
"""p95 of a page in seconds, and of the same page with a tenth of the data."""
MUST_FIRST = 60_000
"""Bytes of a first visit."""
MUST_LOOK = 0.300
"""p95 of a look-up while people type, in seconds."""


def pages_section(done: Pages) -> list[str]:
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    asked = ", ".join(f"{count:,} ask the {reader}" for reader, count in done.asked.items())
    return [
        HEADING,
        "",
        f"{done.projects:,} registered projects of as many customers, {done.tasks:,} open tasks, and a tenth of both: "
        "two records on one",
        "PostgreSQL with fsync, each with a process of the API, started as in production and without an engine. Time "
        "is that of a whole",
        "request over loopback by somebody who is signed in, from the request to the last byte, on a connection that "
        "stays open;",
        f"{ROUNDS} requests for each row and record, alternately, in rotated rounds, one at a time. Every other "
        "project opened waits for",
        "somebody; while its approval is pending, its page also looks for conflicts anew.",
        "",
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}, {done.seconds:.0f} s in all; "
        f"load average {load} at the end",
        f"- open tasks: {asked}; the salesperson has {done.own:,} projects",
        "",
        f"| page | reader | p50, p95 with {done.projects // TENTH:,} | p50, p95 with {done.projects:,} | p95 ≤ "
        f"{1000 * MUST_PAGE:.0f} ms | ratio of p95 ≤ {MUST_OF_TENTH} | largest, kB |",
        "|---|---|---:|---:|---|---|---:|",
        *map(_line, done.timed),
        "",
        *_first(done),
        *_looks(done),
    ]


def _line(timed: Timed) -> str:
    tenth, whole = quantile(timed.tenth, 0.95), quantile(timed.whole, 0.95)
    ratio = whole / tenth
    return (
        f"| `{timed.page}` | {timed.reader} | {_both(timed.tenth)} | {_both(timed.whole)} | "
        f"{_held(whole <= MUST_PAGE)} | {ratio:.2f} {_held(ratio <= MUST_OF_TENTH)} | {timed.size / 1000:.1f} |"
    )


def _first(done: Pages) -> list[str]:
    """The first page, with all that a browser with an empty cache loads for it."""
    encodings = sorted({encoding for visit in done.visits.values() for encoding in visit.encodings})
    packed = f"some of it compressed ({', '.join(encodings)})" if encodings else "all of it uncompressed"
    lines = [
        "The first page: the desk and all that it refers to, with the headers of the responses, opened with an empty",
        f"cache. The server was offered gzip, deflate, br and zstd; it sent {packed}.",
        "",
        f"| reader | desk, kB | styles, script, icon, kB | together ≤ {MUST_FIRST // 1000} kB | | with gzip, kB |",
        "|---|---:|---:|---:|---|---:|",
    ]
    for reader, visit in done.visits.items():
        lines.append(
            f"| {reader} | {visit.page / 1000:.1f} | {visit.loaded / 1000:.1f} | {visit.whole / 1000:.1f} | "
            f"{_held(visit.whole <= MUST_FIRST)} | {visit.packed / 1000:.1f} |"
        )
    return [*lines, ""]


def _looks(done: Pages) -> list[str]:
    looks = done.look_ups
    rows = (
        ("each pausing when they like", looks.apart),
        ("all pausing at the same moment, again and again", looks.together),
    )
    return [
        f"The look-up while typing, against {done.projects:,} customer names: {TYPISTS} salespeople fill in "
        f"registrations at once, {2 * NAMES_EACH} names",
        "each, a third registered, a third short forms, a third not registered; looked up after 3, 5 and 8 characters "
        f"and at the end. The page waits {PAUSE_SECONDS} s",
        "after the last key, which is not counted.",
        "",
        f"| {TYPISTS} people typing | p50 ms | p95 ms ≤ {1000 * MUST_LOOK:.0f} | most ms | n | |",
        "|---|---:|---:|---:|---:|---|",
        *(
            f"| {how} | {1000 * quantile(taken, 0.5):.0f} | {1000 * quantile(taken, 0.95):.0f} | "
            f"{1000 * max(taken):.0f} | {len(taken)} | {_held(quantile(taken, 0.95) <= MUST_LOOK)} |"
            for how, taken in rows
        ),
        "",
        f"{looks.found} of {len(looks.apart) + len(looks.together)} look-ups found something registered; "
        f"{looks.cut_short} left names out for want of time.",
        "",
    ]


def _both(seconds: Sequence[float]) -> str:
    return f"{1000 * quantile(seconds, 0.5):.0f}, {1000 * quantile(seconds, 0.95):.0f} ms"


def _held(held: bool) -> str:
    return "holds" if held else "**missed**"

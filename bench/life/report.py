"""Writes the section of the page on five years of a project."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime

from bench.life.life import BURST, TENTH, WEEKS, YEARS, Life, Pair
from bench.rounds import PRODUCT_PARTS
from embedded.servers.service import project_root

HEADING = "## A project of five years"
MUST_EVENTS, MUST_ACTIONS, MUST_RUN = 14, 4, 500
LEAST_WARM, MOST_WARM = 0.9, 1.1
MUST_COLD = 1.5


def commit() -> str:
    """The measured commit; "unknown" outside a git checkout."""

    def git(*words: str) -> str:
        asked = ["git", "-C", str(project_root()), *words]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "*.py")
        return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def ratio(pairs: Sequence[Pair]) -> float:
    """The ratio over all pairs: a single pair is only a few hundred milliseconds."""
    return sum(sum(pair.late.values()) for pair in pairs) / sum(sum(pair.early.values()) for pair in pairs)


def _held(held: bool) -> str:
    return "holds" if held else "**missed**"


def life_section(life: Life) -> list[str]:
    return [HEADING, "", *_head(life), *_judged(life), *_cpu(life), *_years(life), ""]


def _head(life: Life) -> list[str]:
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    late = WEEKS * YEARS - life.size.colds
    return [
        f"{life.size.projects} projects, registered, assigned, checked and approved, then {WEEKS * YEARS} updates",
        "each, over HTTP, one after the other: an update costs by the contents of its process and of the record,",
        "not by the time in between. In production the process is no longer in the cache of the worker after a week:",
        f"this is cold, on a restarted worker. Warm: updates 2–{TENTH + 1} of other projects against "
        f"{late - TENTH + 1}–{late}, alternately.",
        f"Cold: the 2nd update of {life.size.projects} fresh projects against one of {late + 1}–{WEEKS * YEARS}, "
        "each such pair on a new worker.",
        f"CPU is that of {', '.join(PRODUCT_PARTS)}.",
        "",
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}, {life.seconds:.0f} s; load average {load} at "
        f"the end; processes outside the bench took up to {life.other_cores:.2f} cores",
        f"- sandbox {'on' if life.sandbox else 'off'}; "
        f"a run continues as new after {life.hand_over} events (`LIFE_HISTORY`)",
        "",
    ]


def _judged(life: Life) -> list[str]:
    events = [update.events for update in life.updates]
    actions = [update.actions for update in life.updates]
    warm, cold = ratio(life.warm), ratio(life.cold)
    lost = life.sent - life.recorded
    return [
        "| | must | median | mean | most | |",
        "|---|---|---|---|---|---|",
        f"| history events an update | ≤ {MUST_EVENTS} | {statistics.median(events):.0f} | "
        f"{statistics.mean(events):.2f} | {max(events)} | {_held(max(events) <= MUST_EVENTS)} |",
        f"| Actions an update | ≤ {MUST_ACTIONS} | {statistics.median(actions):.0f} | "
        f"{statistics.mean(actions):.2f} | {max(actions)} | {_held(max(actions) <= MUST_ACTIONS)} |",
        f"| events of a run | ≤ {MUST_RUN} | | | {life.largest_run} | {_held(life.largest_run <= MUST_RUN)} |",
        f"| CPU late / early, warm | {LEAST_WARM}–{MOST_WARM} | {statistics.median(p.ratio for p in life.warm):.2f} | "
        f"**{warm:.2f}** | {max(p.ratio for p in life.warm):.2f} | {_held(LEAST_WARM <= warm <= MOST_WARM)} |",
        f"| CPU late / early, cold | ≤ {MUST_COLD} | {statistics.median(p.ratio for p in life.cold):.2f} | "
        f"**{cold:.2f}** | {max(p.ratio for p in life.cold):.2f} | {_held(cold <= MUST_COLD)} |",
        f"| updates lost | 0 | | | {lost} of {life.sent} | {_held(lost == 0)} |",
        f"| runs that do not replay | 0 | | | {life.runs - life.replayed} of {life.runs} | "
        f"{_held(life.runs == life.replayed)} |",
        "",
        "An update that causes a continue-as-new includes it. Mean of CPU: all late CPU divided by all early CPU.",
        f"At the end each project was sent {BURST} updates at once, so that some coincide with a continue-as-new:",
        "they count as sent, and the largest run is from there. Every run was replayed with that commit.",
        "",
    ]


def _cpu(life: Life) -> list[str]:
    lines = [
        "| CPU ms an update | together | " + " | ".join(PRODUCT_PARTS) + " | events to read again |",
        "|---|---|" + "---|" * (len(PRODUCT_PARTS) + 1),
    ]
    early_held = f"{statistics.mean(early for early, _ in life.cold_events):.0f}"
    late = [late for _, late in life.cold_events]
    late_held = f"{statistics.mean(late):.0f} ({min(late):.0f} to {max(late):.0f})"
    for name, costs, held in (
        ("early, warm", [pair.early for pair in life.warm], "0"),
        ("late, warm", [pair.late for pair in life.warm], "0"),
        ("early, cold", [pair.early for pair in life.cold], early_held),
        ("late, cold", [pair.late for pair in life.cold], late_held),
    ):
        parts = [statistics.mean(cost[part] for cost in costs) for part in PRODUCT_PARTS]
        lines.append(f"| {name} | **{sum(parts):.1f}** | {' | '.join(f'{part:.1f}' for part in parts)} | {held} |")
    return [*lines, ""]


def _years(life: Life) -> list[str]:
    first = life.registration
    lines = [
        "One project by year of 52 updates:",
        "",
        "| | events | Actions | runs ended | largest run |",
        "|---|---|---|---|---|",
        f"| form to approval | {first.events} | {first.actions} | | |",
    ]
    lines += [
        f"| year {year.number} | {year.events} | {year.actions} | {year.runs} | {year.largest} |" for year in life.years
    ]
    events = first.events + sum(year.events for year in life.years)
    actions = first.actions + sum(year.actions for year in life.years)
    runs, largest = sum(year.runs for year in life.years), max(year.largest for year in life.years)
    return [*lines, f"| together | {events} | {actions} | {runs} | {largest} |"]


def with_section(page: str, section: Sequence[str]) -> str:
    """Replace this section in `page`; everything else is unchanged."""
    before, found, after = page.partition(f"{section[0]}\n")
    if not found:
        return "\n".join([page.rstrip("\n"), "", *section])
    _, more, rest = after.partition("\n## ")
    return before + "\n".join(section) + (f"\n## {rest}" if more else "")


def with_parts(page: str, measured: str) -> str:
    """Replace the head and each section of `measured` in `page`; sections that this run skipped are unchanged."""
    head, *sections = re.split(r"^(?=## )", measured, flags=re.MULTILINE)
    _, *before = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    written = "".join([head, *before])
    for section in sections:
        written = with_section(written, [*section.rstrip("\n").split("\n"), ""])
    return written

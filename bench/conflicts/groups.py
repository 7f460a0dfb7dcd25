"""Large groups registered at once: their cost, and how long everybody else waits for them (N3, P4, X3)."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.driving import ProductDriver, Unexpected, expect
from bench.ground import CLERK, HOST, Ground
from bench.instruments.lane import Lane
from bench.life.report import commit
from embedded import welcome

HEADING = "## Large groups at once"
ALIASES, RELATED = 20, 100
"""Related parties of one customer, as many as a form accepts: 121 names including its own."""
FIRST, AT_ONCE, QUIET, BESIDE = 18, 6, 8, 8
"""Groups registered before, concurrent groups, and small applications alone and beside them."""
MUST_DELAY, MUST_JUDGED, MUST_CHECK = 2.0, 60.0, 3.0
PATIENCE = 240.0

PLACES = (
    "北京 天津 上海 重庆 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 海南 "
    "四川 贵州 云南 陕西 甘肃 青海 内蒙古 广西 西藏 宁夏 新疆"
).split()
TRADES = (
    "销售 炼化 勘探 管道 物资 工程 技术 信息 运输 化工 燃气 润滑油 储备 国际 装备 测井 钻井 检测 设计 实业"
).split()


def members(seed: int) -> list[str]:
    """Similar names of members of one group, deterministic for a seed."""
    some = [
        name
        for place in PLACES
        for trade in TRADES
        for name in (
            f"中国石油天然气股份有限公司{place}{trade}分公司",
            f"中国石油{place}{trade}有限公司",
            f"中国石油{trade}{place}有限责任公司",
        )
    ]
    random.Random(seed).shuffle(some)
    return some


@dataclass(frozen=True)
class Groups:
    """The measurements; times in seconds."""

    parties: int
    """Live parties in the record before the concurrent groups."""
    alone: Sequence[float]
    """From a group's form to the routing of its registration, one group at a time."""
    judged: Sequence[float]
    """The same for each concurrent group."""
    left_out: int
    """Their names that were not compared."""
    quiet: Sequence[float]
    """From a small application's form to commerce's task, without other load."""
    beside: Sequence[float]
    """The same while the groups are compared."""
    check: float
    check_names: int
    check_left_out: int


class GroupTrial:
    """`product` has signed everybody in; a worker runs."""

    def __init__(self, ground: Ground, product: ProductDriver) -> None:
        self._ground = ground
        self._product = product
        self._sample: dict[str, Any] = json.loads(welcome.PROJECT_FILE.read_text(encoding="utf-8"))

    async def run(self, say: Callable[[str], None]) -> Groups:
        async with self._ground.worker(sandbox=True):
            alone = [await self._group(seed) for seed in range(FIRST)]
            await self._ground.query("VACUUM ANALYZE party")
            parties = await self._ground.count("select count(*) from party where live")
            say(f"{FIRST} groups are registered, {parties} live parties")
            await self._small()  # warm
            quiet = [await self._small() for _ in range(QUIET)]
            groups = [asyncio.create_task(self._group(FIRST + number)) for number in range(AT_ONCE)]
            beside: list[float] = []
            while len(beside) < BESIDE and not all(group.done() for group in groups):
                beside.append(await self._small())
            judged = await asyncio.gather(*groups)
            say(f"{AT_ONCE} at once are judged after {', '.join(f'{seconds:.1f}' for seconds in sorted(judged))} s")
            left_out = await self._ground.count(
                "select coalesce(sum(jsonb_array_length(not_compared)), 0) from project_round"
            )
            check, names, unchecked = await self._check()
        return Groups(parties, alone, judged, left_out, quiet, beside, check, names, unchecked)

    async def _group(self, seed: int) -> float:
        names = members(seed)
        form = copy.deepcopy(self._sample) | {"name": f"{names[0]}机房改造"}
        related = [{"name": name, "relation": "集团成员"} for name in names[1 + ALIASES : 1 + ALIASES + RELATED]]
        form["customer"] |= {
            "name": names[0],
            "uscc": None,
            "aliases": names[1 : 1 + ALIASES],
            "related_parties": related,
        }
        person = f"sales{seed:04}"
        started = time.perf_counter()
        async with Lane(HOST, self._product.port) as lane:
            reply = await lane.post("/api/v1/projects", self._product.token(person), form)
            await self._product.recorded(lane, person, reply)
        routed = "select count(*) from project where id = $1 and stage <> 'routing'"
        await _until(lambda: self._ground.count(routed, reply.json["id"]))
        return time.perf_counter() - started

    async def _small(self) -> float:
        """Seconds from a small application with a unique customer to commerce's task for it."""
        started = time.perf_counter()
        async with Lane(HOST, self._product.port) as lane:
            application = await self._product.submit(lane)
        asked = "select count(*) from task where subject_id = $1 and kind = 'commerce_check'"
        await _until(lambda: self._ground.count(asked, application))
        return time.perf_counter() - started

    async def _check(self) -> tuple[float, int, int]:
        """A dry run with the maximum number of names; the second of two, as while typing."""
        names = members(999)
        related = [{"name": name} for name in names[21:221]]
        draft = {
            "customer": {"name": names[0], "aliases": names[1:21], "related_parties": related[:100]},
            "related_parties": related[100:],
            "end_user": {"name": names[221]},
            "channel": {"name": names[222]},
            "project": {"name": f"{names[0]}机房改造"},
        }
        async with Lane(HOST, self._product.port) as lane:
            for _ in range(2):
                started = time.perf_counter()
                reply = await lane.post("/api/v1/conflicts/check", self._product.token(CLERK), draft)
                seconds = time.perf_counter() - started
        return seconds, len(names[:223]) + 1, len(expect(reply, 200)["not_compared"])


async def _until(there: Callable[[], Awaitable[int]]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not await there():
        if time.monotonic() > deadline:
            raise Unexpected(f"not done after {PATIENCE:.0f} s")
        await asyncio.sleep(0.02)


def groups_section(done: Groups) -> list[str]:
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    delay = max(done.beside) - statistics.median(done.quiet)
    whole = "whole" if not done.left_out else f"but for {done.left_out} names"
    check = (
        f"{done.check_left_out} of its names reported as left out"
        if done.check_left_out
        else "all of its names compared"
    )
    return [
        HEADING,
        "",
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}, load {load}",
        f"- a group: a project whose customer has {ALIASES} other names and {RELATED} related parties, all of them",
        f"  similar, among {done.parties:,} live parties of the same kind; routed: from the form until it is routed",
        "- beside: a small application, from the form until commerce has its task; delayed: the slowest beside",
        "  the groups against the median alone",
        "",
        "| | must | measured | |",
        "|---|---|---|---|",
        f"| {AT_ONCE} groups at once, the last routed ({whole}) | ≤ {MUST_JUDGED:.0f} s | {max(done.judged):.1f} s | "
        f"{_held(max(done.judged) <= MUST_JUDGED and not done.left_out)} |",
        f"| an unrelated application beside them, delayed by at most | ≤ {MUST_DELAY:.0f} s | {delay:.2f} s | "
        f"{_held(delay <= MUST_DELAY)} |",
        f"| a check of {done.check_names} names, {check} | ≤ {MUST_CHECK:.0f} s | {done.check:.2f} s | "
        f"{_held(done.check <= MUST_CHECK)} |",
        f"| one group alone, median, slowest | | {statistics.median(done.alone):.1f}, {max(done.alone):.1f} s | |",
        f"| a small application alone, median; beside, median of {len(done.beside)} | | "
        f"{statistics.median(done.quiet):.2f}; {statistics.median(done.beside):.2f} s | |",
        "",
    ]


def _held(held: bool) -> str:
    return "holds" if held else "**missed**"

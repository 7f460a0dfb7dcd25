"""Measurements beside the rounds: reads, latency without load, a killed worker, many open applications."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from bench.driving import PATIENCE, ProductDriver, Ran, Unexpected, expect, in_lanes
from bench.ground import GENERAL_MANAGER, HOST, VPS, Ground
from bench.instruments.histories import history_of
from bench.instruments.lane import Lane
from bench.instruments.meter import cpu_seconds, memory_bytes
from crypto.keyring import Keyring
from crypto.links import link_token
from embedded.processes.supervisor import Supervisor
from embedded.screen import Screen
from embedded.servers.service import Service

ACTION_LIKE = re.compile(
    r"^(Start|Signal|Query|Update|Execute|Terminate|Reset|RequestCancel|RecordActivityTaskHeartbeat)|"
    r"^(List|Scan|Count|Describe|Get)WorkflowExecution"
)
"""Frontend calls that are billed, or that would show that reading calls the engine."""
METRICS_LAG = 3.0
"""Seconds until the engine's own metrics are up to date."""
REQUESTS = re.compile(r"^service_requests\{([^}]*)\} ([0-9.e+]+)$", re.MULTILINE)


async def engine_requests(ground: Ground) -> Counter[str]:
    """Calls per operation of the engine's frontend since it started, from its own metrics."""
    async with Lane(HOST, ground.ports.temporal_metrics) as lane:
        text = (await lane.get("/metrics")).body.decode()
    seen: Counter[str] = Counter()
    for labels, value in REQUESTS.findall(text):
        named = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if named.get("service_name") == "frontend" and ACTION_LIKE.search(named.get("operation", "")):
            seen[named["operation"]] += int(float(value))
    return seen


@dataclass(frozen=True)
class Reads:
    paths: int
    requests: int
    events_added: int
    engine_calls: dict[str, int]
    """Billed calls to the engine meanwhile, by operation."""


async def reads(ground: Ground, driver: ProductDriver, done: Sequence[str], open_one: str) -> Reads:
    """Call every GET route on a finished and on an open application, and count the effects on the engine."""
    async with Lane(HOST, driver.port) as lane:
        paths = [path for path, ways in expect(await lane.get("/openapi.json"), 200)["paths"].items() if "get" in ways]
        # The development routes read the mail sink's files, thousands of them by now.
        paths = [path for path in paths if not path.startswith("/dev/")]
        paths.append("/d/{token}")  # not in the schema
        task = await driver.task(lane, VPS[0], open_one)
        receipt = await ground.query("select message_id from receipt where person = $1 limit 1", VPS[0])
        link = await ground.query("select link_id from task_person where task_id = $1", task)
        token = link_token(link[0][0], Keyring.parse(ground.environment["BAOBEI_LINK_KEYS"]))
        given = {"account_id": done[0], "task_id": task, "receipt": receipt[0][0], "token": token}
        seen = [*(f"application-{number}" for number in done[:5]), f"application-{open_one}"]
        events = sum([(await history_of(ground.client, workflow_id)).events for workflow_id in seen])
        await asyncio.sleep(METRICS_LAG)
        before = await engine_requests(ground)
        called = 0
        for path in paths:
            for application in (*done[:5], open_one):
                known = defaultdict(lambda: "unknown", given, application_id=application)
                filled = path.replace(":path}", "}").format_map(known)
                person = VPS[0] if "task" in path or "receipt" in path else GENERAL_MANAGER
                reply = await lane.get(filled, driver.token(person))
                if reply.status >= 500:
                    raise Unexpected(f"GET {filled}: {reply.status}")
                called += 1
        await asyncio.sleep(METRICS_LAG)
        after = await engine_requests(ground)
        grown = sum([(await history_of(ground.client, workflow_id)).events for workflow_id in seen]) - events
    return Reads(len(paths), called, grown, {name: n for name, n in (after - before).items() if n})


async def quiet_latency(driver: ProductDriver, count: int) -> Ran:
    """One application after the other, without other load."""
    return await driver.drive(count, 1)


@dataclass(frozen=True)
class Crash:
    """A worker killed with -9 while it held open applications."""

    seconds: tuple[float, ...]
    """Seconds from the kill until each of the next decisions is recorded, in order."""


async def killed_worker(ground: Ground, driver: ProductDriver, *, second: bool, sandbox: bool, held: int) -> Crash:
    """Kill the worker that holds `held` applications; the next decision on each is sent at once.

    With `second` another worker is up; without, the supervisor of the one-machine mode starts it again.
    """
    first = ground.worker(sandbox=sandbox)
    keeper = Supervisor(Screen(_quiet_console()))
    other = ground.worker(sandbox=sandbox, number=2)
    try:
        if second:
            await first.start()
        else:
            await keeper.start([first])
        tasks: list[tuple[str, str]] = []
        applications: list[str] = []

        async def prepare(lane: Lane) -> None:
            application = await driver.to_vps(lane)
            applications.append(application)
            tasks.append((application, await driver.task(lane, VPS[0], application)))

        await in_lanes(held, 5, prepare, driver.port)
        if second:
            await other.start()
        await asyncio.sleep(1)  # the last workflow tasks are done: the killed worker holds the processes and is idle
        assert first.child is not None
        killed = time.monotonic()
        os.kill(first.child.pid, signal.SIGKILL)
        recorded: list[float] = []
        left = iter(tasks)

        async def answer(lane: Lane) -> None:
            _, task = next(left)
            await driver.answer(lane, VPS[0], task, "approve")
            recorded.append(time.monotonic() - killed)

        await in_lanes(held, held, answer, driver.port)
        return Crash(tuple(sorted(recorded)))
    finally:
        await keeper.stop()
        for worker in (first, other):
            await worker.stop()


def _quiet_console() -> Any:
    from rich.console import Console

    return Console(quiet=True)


@dataclass(frozen=True)
class OpenLoad:
    """The cost of many open applications."""

    count: int
    seconds: float
    before: dict[str, int]
    after: dict[str, int]
    idle_cores: dict[str, float]

    def each_kb(self, part: str) -> float:
        return (self.after[part] - self.before[part]) / self.count / 1000


async def open_load(ground: Ground, driver: ProductDriver, *, count: int, lanes: int, sandbox: bool) -> OpenLoad:
    """`count` applications waiting for commerce: memory before and after, then ten idle seconds."""
    worker = ground.worker(sandbox=sandbox)
    async with worker:
        await driver.drive(10, 5)
        services: dict[str, Service] = {
            "temporal": ground.temporal,
            "worker": worker,
            "api": ground.api,
            "postgres": ground.postgres,
        }
        pids = {name: service.child.pid for name, service in services.items() if service.child}
        await asyncio.sleep(2)
        before = {name: memory_bytes(pid) for name, pid in pids.items()}
        began = time.monotonic()

        async def one(lane: Lane) -> None:
            await driver.submit(lane)

        await in_lanes(count, lanes, one, driver.port)
        deadline = time.monotonic() + 4 * PATIENCE
        while await ground.count("select count(*) from mail where sent_at is null") or await ground.count(
            "select count(*) from application where stage = 'evidence'"
        ):
            if time.monotonic() > deadline:
                raise Unexpected("the open applications do not come to rest")
            await asyncio.sleep(0.2)
        seconds = time.monotonic() - began
        await asyncio.sleep(5)
        after = {name: memory_bytes(pid) for name, pid in pids.items()}
        used = {name: cpu_seconds(pid) for name, pid in pids.items()}
        await asyncio.sleep(10)
        idle = {name: (cpu_seconds(pid) - used[name]) / 10 for name, pid in pids.items()}
    return OpenLoad(count, seconds, before, after, idle)


def machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores, {memory:.0f} GiB"

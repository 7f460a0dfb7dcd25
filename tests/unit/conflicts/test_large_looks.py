"""N3, X3: a look for a large group costs so much and no more, and stops nobody."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from subprocess import PIPE
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from activities.under_way import UnderWay
from conflicts import budget as budgets
from conflicts import judge as judges
from conflicts.budget import Budget, Busy, turn
from conflicts.judge import Judge
from conflicts.judging import costs, judge
from domain.policy import load_policy
from matching.parties import Party, PartyRole, compare, may_be_same
from runtime.health import HealthServer
from runtime.settings import Settings

BOUNDS = load_policy().matching
NAMES = [
    "中国石油天然气集团有限公司",
    "中石油",
    "中国石油天然气股份有限公司北京销售分公司",
    "中国石油天然气股份有限公司四川销售分公司",
    "昆仑能源有限公司",
    "Kunlun Energy",
    "苏州云岭精密制造股份有限公司",
]
SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]
ROLES: tuple[PartyRole, ...] = ("customer", "related_party")


def parties(role: PartyRole) -> list[Party]:
    return [Party(name=name, role=role) for name in NAMES]


@pytest.fixture
def apart() -> Iterator[Judge]:
    made = Judge()
    yield made
    made.close()


def test_n3_skipped_pairs_could_not_have_been_the_same_company() -> None:
    """Two companies that are only bound to the customers count only as one and the same."""
    skipped = 0
    for left, right in product(NAMES, NAMES):
        mine, there = Party(name=left, role="related_party"), Party(name=right, role="related_party")
        if not may_be_same(mine, there):
            skipped += 1
            alone = (Party(name=left), Party(name=right))
            assert compare(*alone, bounds=BOUNDS).level != "same"
            assert costs([mine], [there]) == 0
            assert judge([mine], [there], BOUNDS) == []
    assert skipped > len(NAMES)


async def test_n3_the_helper_process_gives_the_same_verdicts_and_is_restarted_after_it_dies(apart: Judge) -> None:
    for role, beside in product(ROLES, ROLES):
        for mine in parties(role):
            here = judge([mine], parties(beside), BOUNDS)
            assert await apart.judge([mine], parties(beside), BOUNDS) == here
    assert apart._process is not None
    apart._process.kill()
    apart._process.wait()
    assert await apart.judge(parties("customer")[:2], parties("customer"), BOUNDS)


async def test_n3_names_are_compared_in_process_when_no_helper_can_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cannot() -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(judges, "_start", cannot)
    monkeypatch.setattr(judges, "FEW", 0)
    monkeypatch.setattr(judges, "_judge", Judge())
    mine, others = parties("customer")[:1], parties("customer")
    assert await judges.judged(mine, others, BOUNDS) == judge(mine, others, BOUNDS)


async def test_n3_a_hanging_helper_is_killed_and_names_are_compared_in_process(
    monkeypatch: pytest.MonkeyPatch, apart: Judge
) -> None:
    monkeypatch.setattr(judges, "ANSWER_SECONDS", 0.0)
    monkeypatch.setattr(judges, "FEW", 0)
    monkeypatch.setattr(judges, "_judge", apart)
    monkeypatch.setattr(judges, "_start", lambda: subprocess.Popen(SLEEPS, stdin=PIPE, stdout=PIPE))
    mine, others = parties("customer")[:1], parties("customer")
    assert await judges.judged(mine, others, BOUNDS) == judge(mine, others, BOUNDS)


async def test_x3_large_searches_take_turns_and_time_out_waiting() -> None:
    at_work, done = asyncio.Event(), asyncio.Event()

    async def large() -> None:
        async with turn(budgets.MANY, Budget()):
            at_work.set()
            await done.wait()

    first = asyncio.create_task(large())
    await at_work.wait()
    async with turn(budgets.MANY - 1, Budget()):
        pass  # a small one waits for nobody
    with pytest.raises(Busy):
        async with turn(budgets.MANY, Budget(patience=0.01)):
            pass
    waiting = [asyncio.create_task(large()) for _ in range(budgets.WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        async with turn(budgets.MANY, Budget()):
            pass
    done.set()
    await asyncio.gather(first, *waiting)


def test_x3_an_uncompleted_step_is_counted_until_it_completes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    steps = UnderWay()

    def attempt(error: BaseException | None) -> None:
        with steps.attempt("project-1", "route:1", "RouteStep"):
            if error:
                raise error

    for error in (TimeoutError(), asyncio.CancelledError()):
        with pytest.raises(type(error)):
            attempt(error)
    assert steps.standing() == 0
    now += 61
    assert steps.standing() == 1
    attempt(None)
    assert steps.standing() == 0
    with pytest.raises(TimeoutError):
        attempt(TimeoutError())
    now += 301
    assert steps.standing() == 0, "another worker has taken it"


async def test_x3_a_worker_with_stuck_steps_is_not_ready_and_reports_their_number() -> None:
    async def healthy() -> bool:
        return True

    client: Any = SimpleNamespace(service_client=SimpleNamespace(check_health=healthy))
    worker: Any = SimpleNamespace(is_running=True)
    standing = 0
    server = HealthServer(Settings(embedded=True), client, worker, lambda: standing)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app), base_url="http://worker") as probe:
        ready = await probe.get("/readyz")
        assert (ready.status_code, ready.text) == (200, "ready\n")
        standing = 3
        stalled = await probe.get("/readyz")
        assert stalled.status_code == 503
        assert stalled.text.startswith("3 steps")
        assert "baobei_steps_standing " in (await probe.get("/metrics")).text


STARTS_A_JUDGE = """
import subprocess, sys
from domain.policy import load_policy
from pydantic_core import to_json
names = [[f"云石能源第{number}区域有限公司", None, "customer"] for number in range(1000)]
judge = subprocess.Popen([sys.executable, "-m", "conflicts.judge"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
judge.stdin.write(to_json([names, names, load_policy().matching]) + b"\\n")
judge.stdin.flush()
print(judge.pid, flush=True)
judge.wait()
"""


def test_x3_the_helper_process_exits_with_its_parent_even_during_a_request() -> None:
    """A worker that is killed leaves nothing behind: the question would take minutes."""
    with subprocess.Popen([sys.executable, "-c", STARTS_A_JUDGE], stdout=PIPE, cwd=Path(__file__).parents[3]) as parent:
        assert parent.stdout
        judge = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 30
    while _runs(judge):
        assert time.monotonic() < deadline, "still there"
        time.sleep(0.1)


def _runs(process: int) -> bool:
    """Whether it is there and not only waiting to be reaped."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")

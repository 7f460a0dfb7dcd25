"""X3, with kill -9: whatever part dies in the middle of an application, it goes on, and everything counts once."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import count

import asyncpg
import psutil
import pytest

from embedded.servers.service import until
from tests.e2e.support.running import CLERK, PARTS, SALESPEOPLE, VPS, Caller, Running, side_by_side, wholeness

SEED = 20261123
numbers = count()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    made = Running()
    try:
        made.start()
        for person in (*SALESPEOPLE, CLERK, *VPS):
            made.portal.token(person)
        yield made
    finally:
        made.stop()
    shutil.rmtree(made.folder, ignore_errors=True)


def later(act: Callable[[], None], seconds: float) -> Callable[[], None]:
    def wait_and_act() -> None:
        time.sleep(seconds)
        act()

    return wait_and_act


def callers(running: Running, many: int) -> list[Caller]:
    return [Caller(running, next(numbers)) for _ in range(many)]


@pytest.mark.parametrize("part", PARTS)
def test_x3_a_part_is_killed_at_every_point_of_an_application_and_all_of_them_finish_once(
    running: Running, part: str
) -> None:
    at_points = callers(running, 4)
    acts: list[Callable[[], None]] = [lambda: None] * 4

    def prepare(point: int) -> Callable[[], None]:
        def go() -> None:
            acts[point] = at_points[point].to(point)

        return go

    side_by_side(prepare(point) for point in range(4))
    before = running.pid(part)
    # The acts are under way when it dies: one has just arrived, another is being recorded.
    side_by_side([*acts, later(lambda: running.kill(part), 0.03)])
    side_by_side((lambda caller=caller, point=point: caller.finish(point)) for point, caller in enumerate(at_points))  # type: ignore[misc]
    running.ready()
    assert running.pid(part) != before
    wholeness(running, at_points)


def test_x3_the_supervisor_is_killed_and_the_same_home_goes_on_where_it_was(running: Running) -> None:
    at_points = callers(running, 3)
    acts = [caller.to(point + 1) for point, caller in enumerate(at_points)]

    def die_and_come_back() -> None:
        time.sleep(0.02)
        running.kill_supervisor()
        running.start()

    side_by_side([*acts, die_and_come_back])
    for point, caller in enumerate(at_points):
        caller.finish(point + 1)
    wholeness(running, at_points)


HOLD_BACK = """
CREATE FUNCTION hold_back() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER held AFTER INSERT ON application
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold_back();
CREATE CONSTRAINT TRIGGER held AFTER INSERT ON decision
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.choice = 'pass') EXECUTE FUNCTION hold_back();
CREATE CONSTRAINT TRIGGER held AFTER INSERT ON account
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold_back();
"""
"""Makes the COMMIT of these steps wait as long as somebody holds the lock 42."""
LET_GO = "DROP FUNCTION hold_back CASCADE"
HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = 42 AND granted = $1"


def test_x3_a_worker_dies_after_a_step_is_committed_and_before_the_engine_is_told(running: Running) -> None:
    """Submission, an answer and an activation are each in the record; the engine knows of none and has them again."""
    three = callers(running, 3)
    acts = [caller.to(point) for caller, point in zip(three, (0, 1, 3), strict=True)]

    async def committed_and_not_told(lock: asyncpg.Connection, act: Callable[[], None]) -> asyncio.Task[None]:
        async def waiting() -> bool:
            return bool(await lock.fetchval(HELD, False))

        async def committed() -> bool:
            return not await lock.fetchval(HELD, False) and not await lock.fetchval(HELD, True)

        await lock.execute("SELECT pg_advisory_lock(42)")
        acting = asyncio.create_task(asyncio.to_thread(act))
        assert await until(waiting, 20)
        worker = psutil.Process(running.pid("worker"))
        worker.suspend()
        await lock.execute("SELECT pg_advisory_unlock(42)")
        assert await until(committed, 20)
        worker.kill()
        await asyncio.to_thread(running.worker_after, worker.pid)
        return acting

    async def scenario() -> None:
        lock = await asyncpg.connect(running.database_url, timeout=5)
        try:
            await lock.execute(HOLD_BACK)
            acting = [await committed_and_not_told(lock, act) for act in acts]
            await asyncio.gather(*acting)
        finally:
            await lock.execute(LET_GO)
            await lock.close()

    asyncio.run(scenario())
    for caller, point in zip(three, (0, 1, 3), strict=True):
        caller.finish(point)
        assert "WORKFLOW_TASK_TIMED_OUT" in running.history(caller.id)
    wholeness(running, three)


def test_x3_ten_applications_at_once_and_five_kills_at_random_all_finish_once(running: Running) -> None:
    chance = random.Random(SEED)
    ten = callers(running, 10)
    killed: list[str] = []

    def kill_now_and_then() -> None:
        for part in (*chance.choices(PARTS, k=3), "worker", "worker"):
            time.sleep(chance.uniform(0.4, 1.6))
            running.kill(part)
            killed.append(part)

    side_by_side([*(caller.all for caller in ten), kill_now_and_then])
    running.ready()
    wholeness(running, ten)
    assert len(killed) == 5, f"seed {SEED}: {killed}"


def test_x3_a_request_that_is_repeated_while_it_is_being_recorded_is_answered_like_the_first(running: Running) -> None:
    """The browser or the portal's client repeats what it has no answer to yet, also the very last answer."""
    few = callers(running, 2)
    side_by_side(caller.submit for caller in few)

    for person, choice in ((CLERK, "pass"), (VPS[0], "approve"), (VPS[1], "approve")):
        for caller in few:
            act = caller.answers(person, choice)
            side_by_side(later(act, 0.006 * repetition) for repetition in range(12))
    for caller in few:
        caller.active()
    wholeness(running, few)

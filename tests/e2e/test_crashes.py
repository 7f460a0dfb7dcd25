"""X3, with kill -9: whatever part dies in the middle of an application, it goes on, and everything counts once."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.e2e.running import CLERK, PARTS, SALESPEOPLE, VPS, Caller, Running, side_by_side, wholeness

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
    side_by_side([*acts, lambda: (time.sleep(0.03), running.kill(part))[1]])
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
    few = callers(running, 4)
    side_by_side(caller.submit for caller in few)

    def later(act: Callable[[], None], seconds: float) -> Callable[[], None]:
        return lambda: (time.sleep(seconds), act())[1]

    for person, choice in ((CLERK, "pass"), (VPS[0], "approve"), (VPS[1], "approve")):
        for caller in few:
            act = caller.answers(person, choice)
            side_by_side(later(act, 0.006 * repetition) for repetition in range(12))
    for caller in few:
        caller.active()
    wholeness(running, few)

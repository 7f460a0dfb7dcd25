"""The engine is down at the moment a week ends: when it is back, the week is reviewed, once (R1, R6, U1, X3)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import Client

from crypto.codec import data_converter
from crypto.keyring import Keyring
from domain.policy import load_policy
from embedded.demo.driver import until
from runtime.schedules import ensure_schedules
from tests.e2e.support.journey import Journey
from tests.e2e.support.stack import Stack, write_policy

ZONE = ZoneInfo("Asia/Shanghai")
TRIES = tuple(timedelta(seconds=seconds) for seconds in (15, 30, 60))
"""From writing the policy to the end of the week: time for the engine to be told of it, and to go down."""


def schedules(stack: Stack) -> list[str]:
    """As a worker that starts with this policy does; no worker is there to do so."""

    async def ensure() -> list[str]:
        client = await Client.connect(
            stack.environment["TEMPORAL_ADDRESS"],
            data_converter=data_converter(Keyring.parse(stack.environment["BAOBEI_PAYLOAD_KEYS"])),
        )
        return await ensure_schedules(client, load_policy(stack.policy_file))

    return asyncio.run(ensure())


@pytest.fixture
def stack(first_home: Path) -> Iterator[Stack]:
    """A company with a policy of its own."""
    made = Stack(first_home)
    made.open()
    yield made
    made.close()


def soon_ends(ahead: timedelta) -> datetime:
    """A moment that much ahead, of the day that it is then."""
    ending = datetime.now(ZONE) + ahead
    if ending.date() != datetime.now(ZONE).date():
        until("another day", lambda: datetime.now(ZONE).date() == ending.date(), ahead.total_seconds() + 1)
        ending = datetime.now(ZONE) + ahead
    return ending.replace(microsecond=0)


def engine_goes_down_before_a_week_ends(stack: Stack) -> datetime:
    """When that week ends. A machine that is too busy for it is given more time with each try."""
    for ahead in TRIES:
        ending = soon_ends(ahead)
        write_policy(
            stack.policy_file,
            week_starts=str(ending.isoweekday()),
            send_at=f"{ending:%H:%M:%S}",
            working_days_only="false",
        )
        lines = schedules(stack)
        assert f"period-weekly  {ending.isoformat()}" in lines
        stack.stop(stack.temporal, grace=0)
        if datetime.now(ZONE) < ending:
            return ending
        stack.start(stack.temporal)
    raise AssertionError("the engine never went down before the week ended")


def test_r1_u1_r6_x3_a_week_that_ended_while_the_engine_was_down_is_reviewed_once(stack: Stack) -> None:
    held = Journey(stack).activate()
    stack.stop(stack.worker)
    ending = engine_goes_down_before_a_week_ends(stack)
    until("the week has ended", lambda: datetime.now(ZONE) > ending + timedelta(seconds=2), 120)
    stack.start(stack.temporal)
    stack.start(stack.worker)

    def weekly() -> list[str]:
        return [task["id"] for task in stack.portal.tasks(held.salesperson) if task["kind"] == "weekly_update"]

    (asked,) = until("the salesperson is asked", weekly, 90)
    time.sleep(3)  # whoever would ask a second time would have done so
    assert weekly() == [asked]

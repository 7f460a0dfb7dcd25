"""The engine is down at the moment a week ends: when it is back, the week is reviewed, once (R1, R6, U1, X3)."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import Client

from crypto.codec import data_converter
from crypto.keyring import Keyring
from domain.policy import DEFAULT_POLICY_FILE, load_policy
from embedded.driver import until
from schedules import ensure_schedules
from tests.e2e.journey import Journey
from tests.e2e.stack import Stack

ZONE = ZoneInfo("Asia/Shanghai")
AHEAD = timedelta(seconds=15)
"""From writing the policy to the end of the week: time for the engine to be told of it, and to go down."""


def rewrite(policy: Path, **values: str) -> None:
    """Set values of `[reviews]` in a policy file."""
    lines = DEFAULT_POLICY_FILE.read_text(encoding="utf-8").splitlines()
    for name, value in values.items():
        (number,) = [place for place, line in enumerate(lines) if line.startswith(f"{name} = ")]
        lines[number] = f"{name} = {value}"
    policy.write_text("\n".join(lines), encoding="utf-8")


def schedule(stack: Stack, policy: Path) -> list[str]:
    """As a worker that starts with this policy does; no worker is there to do so."""

    async def ensure() -> list[str]:
        client = await Client.connect(
            stack.environment["TEMPORAL_ADDRESS"],
            data_converter=data_converter(Keyring.parse(stack.environment["BAOBEI_PAYLOAD_KEYS"])),
        )
        return await ensure_schedules(client, load_policy(policy))

    return asyncio.run(ensure())


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    file = tmp_path / "policy.toml"
    shutil.copy(DEFAULT_POLICY_FILE, file)
    return file


@pytest.fixture
def stack(first_home: Path, policy_file: Path) -> Iterator[Stack]:
    """A company with a policy of its own."""
    made = Stack(first_home)
    made.environment["BAOBEI_POLICY_FILE"] = str(policy_file)
    made.home.write_environment(made.environment)
    made.open()
    yield made
    made.close()


def test_r1_u1_r6_x3_a_week_that_ended_while_the_engine_was_down_is_reviewed_once(
    stack: Stack, policy_file: Path
) -> None:
    held = Journey(stack).activate()
    stack.stop(stack.worker)
    ending = datetime.now(ZONE) + AHEAD
    if ending.date() != datetime.now(ZONE).date():  # the week ends today
        until("another day", lambda: datetime.now(ZONE).date() == ending.date(), 60)
        ending = datetime.now(ZONE) + AHEAD
    rewrite(
        policy_file,
        week_starts=str(ending.isoweekday()),
        send_at=f"{ending:%H:%M:%S}",
        working_days_only="false",
    )
    lines = schedule(stack, policy_file)
    assert f"period-weekly  {ending.replace(microsecond=0).isoformat()}" in lines
    stack.stop(stack.temporal, grace=0)
    assert datetime.now(ZONE) < ending, "the engine was down before the week ended"
    until("the week has ended", lambda: datetime.now(ZONE) > ending + timedelta(seconds=2), 120)
    stack.start(stack.temporal)
    stack.start(stack.worker)

    def weekly() -> list[str]:
        return [one["id"] for one in stack.portal.tasks(held.salesperson) if one["kind"] == "weekly_update"]

    (asked,) = until("the salesperson is asked", weekly, 90)
    time.sleep(3)  # whoever would ask a second time would have done so
    assert weekly() == [asked]

"""The schedules of reviews and reports on a real server (R1–R4, U1, U9)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, ScheduleBackfill, ScheduleOverlapPolicy
from temporalio.testing import WorkflowEnvironment

from crypto.codec import data_converter
from db.reference_data import ReferenceData
from db.tables.reviews import review_period
from domain.policy import Policy, load_policy
from domain.reviews.periods import Rhythm
from domain.reviews.review import ReviewStage
from runtime.schedules import ensure_schedules, schedule_id
from runtime.temporal_client import ensure_search_attributes
from tests.eventually import eventually
from tests.integration.projects.people import FAN
from tests.integration.reviews.year_ground import ReviewGround
from tests.integration.tasks.race_ground import KEYS
from tests.periods import half_a_day_away, last_opened

POLICY = load_policy()


def policy(**reviews: object) -> Policy:
    return POLICY.model_copy(update={"reviews": POLICY.reviews.model_copy(update=reviews)})


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[Client]:
    temporal = Path(sys.executable).with_name("temporal")
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal), data_converter=data_converter(KEYS)
    ) as env:
        await ensure_search_attributes(env.client)
        yield env.client


async def rows(engine: AsyncEngine) -> list[tuple[str, str]]:
    async with engine.begin() as connection:
        found = await connection.execute(select(review_period.c.period, review_period.c.workflow_id).order_by("period"))
    return [(row.period, row.workflow_id) for row in found]


async def begun(engine: AsyncEngine, weeks: set[str]) -> bool:
    return {period for period, _ in await rows(engine)} == weeks


async def fires(client: Client, rhythm: Rhythm) -> list[datetime]:
    known = await client.get_schedule_handle(schedule_id(rhythm)).describe()
    return [moment.astimezone(POLICY.zone) for moment in known.info.next_action_times]


@pytest.mark.parametrize(
    ("rhythm", "months"),
    [
        (Rhythm.MONTHLY, set(range(1, 13))),
        (Rhythm.QUARTERLY, {1, 4, 7, 10}),
        (Rhythm.HALF_YEARLY, {7}),
        (Rhythm.YEARLY, {1}),
    ],
)
async def test_r2_r3_r4_u9_each_rhythm_fires_on_the_first_day_after_its_period(
    client: Client, rhythm: Rhythm, months: set[int]
) -> None:
    await ensure_schedules(client, POLICY)
    coming = await fires(client, rhythm)
    assert len(coming) >= 3
    assert {(moment.day, moment.time()) for moment in coming} == {(1, time(9))}
    assert {moment.month for moment in coming} <= months


async def test_r1_u1_the_week_ends_on_its_own_day(client: Client) -> None:
    await ensure_schedules(client, POLICY)
    assert {moment.isoweekday() for moment in await fires(client, Rhythm.WEEKLY)} == {1}
    await ensure_schedules(client, policy(week_starts=7, send_at=time(17, 30)))
    coming = await fires(client, Rhythm.WEEKLY)
    assert {(moment.isoweekday(), moment.time()) for moment in coming} == {(7, time(17, 30))}
    await ensure_schedules(client, POLICY)


async def test_r4_a_fiscal_year_from_april_ends_in_april(client: Client) -> None:
    await ensure_schedules(client, policy(fiscal_year_starts=4))
    assert {moment.month for moment in await fires(client, Rhythm.YEARLY)} == {4}
    assert {moment.month for moment in await fires(client, Rhythm.HALF_YEARLY)} == {10}
    assert {moment.month for moment in await fires(client, Rhythm.QUARTERLY)} <= {1, 4, 7, 10}
    await ensure_schedules(client, POLICY)


async def test_u1_one_that_an_operator_has_paused_stays_paused(client: Client) -> None:
    await ensure_schedules(client, POLICY)
    handle = client.get_schedule_handle(schedule_id(Rhythm.WEEKLY))
    await handle.pause(note="盘点")
    lines = await ensure_schedules(client, policy(send_at=time(8)))
    known = await handle.describe()
    assert (known.schedule.state.paused, known.schedule.state.note) == (True, "盘点")
    assert known.schedule.spec.calendars[0].hour[0].start == 8
    assert any("paused" in line for line in lines if line.startswith(schedule_id(Rhythm.WEEKLY)))
    await handle.unpause()
    await ensure_schedules(client, POLICY)


async def test_r6_x3_weeks_that_the_engine_slept_through_are_caught_up_each_once(
    client: Client, engine: AsyncEngine
) -> None:
    """Each run is about the week before the moment it was scheduled for, however late it runs."""
    until = datetime.now(UTC)
    every_day = policy(**half_a_day_away(until, POLICY))
    ground = ReviewGround(engine, KEYS, client)
    ground.facts = ReferenceData(every_day)
    await ground.prepare(sellers=0)
    await ground.holds("account-1", FAN, "北方重工测试有限公司")
    await ensure_schedules(client, every_day)
    handle = client.get_schedule_handle(schedule_id(Rhythm.WEEKLY))
    slept = ScheduleBackfill(until - timedelta(days=28), until, overlap=ScheduleOverlapPolicy.ALLOW_ALL)
    slept_weeks = [last_opened(Rhythm.WEEKLY, until - timedelta(days=7 * number), every_day) for number in range(4)]
    weeks = {week.id for week, _ in slept_weeks}
    async with ground.worker():
        await handle.backfill(slept)
        await eventually(lambda: begun(engine, weeks), f"{weeks} begun")
        first = await rows(engine)
        await handle.backfill(slept)
        for week in weeks:
            await ground.comes_to(f"{week}-north", ReviewStage.UPDATES)
        again = [await (await ground.ends(Rhythm.WEEKLY, fired_at)).result() for _, fired_at in slept_weeks]
    assert all(done.done_before for done in again)
    assert {done.period for done in again} == weeks
    assert await rows(engine) == first
    assert len(await ground.mails("task")) == 4, "one task a week for each salesperson, whenever it is asked"


async def test_x3_many_workers_may_start_at_once(client: Client) -> None:
    lines = await asyncio.gather(*(ensure_schedules(client, POLICY) for _ in range(4)))
    assert {len(worker_lines) for worker_lines in lines} == {len(Rhythm)}

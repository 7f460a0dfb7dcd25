"""Reviews that begin when their time is nearly over, or over: nobody misses what they could not do (R1, R4, R6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.reviews.steps import ReviewSteps
from activities.steps import Moved, MoveStep, OpenReviewStep, ReviewOpened
from db.reports import reports
from db.reviews import reviews
from db.reviews.reviews import PeriodRow
from domain.reviews.periods import Period, Rhythm, read_period
from domain.reviews.review import ReviewStage, review_id
from domain.subject import Subject, SubjectType
from domain.tasks.task import Ask, TaskKind
from tests.integration.projects.people import FAN, NORTH_GM
from tests.integration.reports.report_ground import ReportGround, at
from tests.integration.tasks.race_ground import KEYS

OPENED, CLOSES = at("2026-11-30", "01:00"), at("2026-12-07", "01:00")
"""Mondays, 09:00 in Shanghai."""


class LateGround(ReportGround):
    """Where a week of 北方区 is reviewed, step by step, at any moment."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, KEYS)
        self.week: Period = read_period("2026-W48", self.facts.policy.reviews)
        self.review = review_id(self.week.id, "north")
        self.review_steps = ReviewSteps(self.recorder)

    async def begins(self) -> None:
        row = PeriodRow(
            rhythm=Rhythm.WEEKLY,
            period=self.week.id,
            workflow_id="period-1",
            opens_at=OPENED,
            closes_at=CLOSES,
            policy_digest=self.facts.digest,
        )
        async with self.engine.begin() as connection:
            await reviews.begin_period(connection, row)

    async def opens(self, now: datetime) -> ReviewOpened:
        step = OpenReviewStep(key="open", now=now, review_id=self.review, period=self.week, unit="north")
        return await self.run(self.review_steps.open_review, step, f"review-{self.review}")

    async def moves(self, now: datetime, stage: ReviewStage, *asks: TaskKind) -> Moved:
        step = MoveStep(
            key=f"move:{stage}:{now:%H%M%S}",
            now=now,
            subject=Subject(type=SubjectType.REVIEW, id=self.review),
            stage=stage,
            asks=tuple(Ask(kind=kind, slot="north" if kind is TaskKind.WEEKLY_REVIEW else "") for kind in asks),
        )
        return await self.run(self.records.move, step, f"review-{self.review}")

    async def missed(self, until: datetime) -> set[str]:
        async with self.engine.connect() as connection:
            return {step.person for step in await reports.missed_steps(connection, [Rhythm.WEEKLY], None, until)}


@pytest.fixture
async def ground(engine: AsyncEngine) -> AsyncIterator[LateGround]:
    made = LateGround(engine)
    await made.prepare(sellers=0)
    await made.holds("a-1", FAN, "北方重工测试有限公司")
    async with engine.begin() as connection:
        await connection.exec_driver_sql(
            "UPDATE account SET department = 'north', activated_at = '2026-08-01T00:00:00Z'"
        )
    await made.begins()
    yield made
    await made.record_holds()


async def test_r6_a_review_that_opens_when_its_time_is_over_has_until_the_next_one_begins(ground: LateGround) -> None:
    opened = await ground.opens(CLOSES)
    assert opened.closes_at == CLOSES + timedelta(days=7)
    assert CLOSES < opened.updates_until < opened.closes_at
    moved = await ground.moves(CLOSES, ReviewStage.UPDATES, TaskKind.WEEKLY_UPDATE)
    assert [task.slot for task in moved.tasks] == [FAN]
    assert await ground.missed(CLOSES) == set()
    assert await ground.missed(opened.closes_at) == {FAN}


async def test_r6_a_department_gm_asked_in_the_moment_the_review_closes_misses_nothing(ground: LateGround) -> None:
    await ground.opens(OPENED)
    asked = await ground.moves(OPENED, ReviewStage.UPDATES, TaskKind.WEEKLY_UPDATE)
    assert len(asked.tasks) == 1
    gm = await ground.moves(CLOSES, ReviewStage.DEPARTMENT_REVIEW, TaskKind.WEEKLY_REVIEW)
    assert gm.tasks == (), "the worker was away until then"
    assert await ground.missed(CLOSES) == {FAN}
    await ground.moves(CLOSES, ReviewStage.MISSED)
    told = await ground.rows("SELECT person FROM mail WHERE facts->>'kind' IN ('missed', 'task')")
    assert NORTH_GM not in {person for (person,) in told}


async def test_r1_a_department_gm_who_is_asked_has_a_working_day_left(ground: LateGround) -> None:
    opened = await ground.opens(CLOSES - timedelta(days=3))  # Friday 09:00: the policy's two days end on Tuesday
    assert opened.closes_at == CLOSES
    assert opened.updates_until == CLOSES - timedelta(days=3) / 2
    asked = await ground.moves(CLOSES - timedelta(days=3), ReviewStage.UPDATES, TaskKind.WEEKLY_UPDATE)
    assert asked.tasks[0].due_at == opened.updates_until
    gm = await ground.moves(opened.updates_until, ReviewStage.DEPARTMENT_REVIEW, TaskKind.WEEKLY_REVIEW)
    assert len(gm.tasks) == 1

"""Weeks, months and years end: people are asked, answer or stay silent, and accounts are kept or revoked (R1–R6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import time, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from db.accounts import accounts
from db.reference_data import ReferenceData, import_organisation
from db.reviews import reviews
from db.tables.accounts import account
from db.tables.audit import audit
from db.tables.conflicts import claim, party
from db.tables.reviews import account_review, account_target
from db.tasks.tasks import TaskRow
from domain.calendar import WorkCalendar
from domain.reviews.notes import ReviewNote
from domain.reviews.periods import Period, Rhythm, after, closes_at, opens_at, period_at
from domain.reviews.review import ReviewStage
from domain.tasks.task import TaskKind, TaskStatus
from tests.integration.projects.people import (
    COMMERCE,
    EAST_GM,
    EAST_VP,
    FAN,
    GENERAL_MANAGER,
    JING,
    LEI,
    NORTH_GM,
    NORTH_VP,
)
from tests.integration.reviews.year_ground import SAID, YearGround, reviews_on
from tests.integration.tasks.race_ground import KEYS
from tests.servers.time_skipping import time_skipping

OURS, THEIRS, THIRD = "account-ours", "account-theirs", "account-third"


@pytest.fixture
async def ground(engine: AsyncEngine) -> AsyncIterator[YearGround]:
    async with reviews_on(engine, KEYS) as made:
        await made.holds(OURS, FAN, "北方重工测试有限公司")
        await made.holds(THIRD, FAN, "辽河水务测试有限公司")
        await made.holds(THEIRS, JING, "江南纺织测试有限公司")
        yield made


def days(ground: YearGround) -> WorkCalendar:
    policy = ground.facts.policy
    return WorkCalendar(region=policy.calendar_region, time_zone=policy.time_zone)


def note_of(task: TaskRow) -> ReviewNote:
    return ReviewNote.model_validate(task.note)


async def next_end(ground: YearGround, rhythm: Rhythm) -> Period:
    """Time goes by until a period of that rhythm has ended and its reviews are about to begin."""
    policy, calendar = ground.facts.policy, days(ground)
    now = await ground.now()
    period = period_at(rhythm, now.astimezone(calendar.zone).date(), policy.reviews)
    await ground.passes(opens_at(period, policy.reviews, calendar))
    return period


async def begins(ground: YearGround, rhythm: Rhythm) -> Period:
    period = await next_end(ground, rhythm)
    await ground.ends(rhythm, await ground.now())
    return period


async def test_r1_a_week_is_reported_by_each_salesperson_and_planned_by_the_department_gm(ground: YearGround) -> None:
    week = await begins(ground, Rhythm.WEEKLY)
    north, east = f"{week.id}-north", f"{week.id}-east"
    await ground.comes_to(north, ReviewStage.UPDATES)
    (mine,) = await ground.tasks(north)
    assert (mine.kind, mine.slot, await ground.asked(mine)) == (TaskKind.WEEKLY_UPDATE, FAN, (FAN,))
    assert set(mine.choices[0].fields[0].options) == {OURS, THIRD}, "one task for all their accounts"
    assert await ground.answers(mine) == "accepted"
    await ground.comes_to(north, ReviewStage.DEPARTMENT_REVIEW)
    (plan,) = await ground.tasks(north, TaskKind.WEEKLY_REVIEW)
    assert await ground.asked(plan) == (NORTH_GM,)
    (ours,) = [noted for noted in note_of(plan).accounts if noted.account == OURS]
    assert ours.said[0].fields == SAID[TaskKind.WEEKLY_UPDATE]
    assert await ground.answers(plan) == "accepted"
    await ground.comes_to(north, ReviewStage.DONE)
    await ground.comes_to(east, ReviewStage.UPDATES)
    assert await ground.asked((await ground.tasks(east))[0]) == (JING,)
    following = await begins(ground, Rhythm.WEEKLY)
    assert following == after(week, ground.facts.policy.reviews)
    await ground.comes_to(f"{following.id}-north", ReviewStage.UPDATES)
    (again,) = await ground.tasks(f"{following.id}-north")
    assert {noted.plan for noted in note_of(again).accounts} == {"约财务负责人"}, "the plan set the week before"


async def test_r6_who_says_nothing_is_reminded_then_missed_and_the_next_week_begins(ground: YearGround) -> None:
    week = await begins(ground, Rhythm.WEEKLY)
    east = f"{week.id}-east"
    await ground.comes_to(east, ReviewStage.UPDATES)
    (silent,) = await ground.tasks(east)
    assert note_of(silent).closes_at == silent.due_at, "what people are told is what happens"
    await ground.passes(silent.due_at)
    await ground.comes_to(east, ReviewStage.DEPARTMENT_REVIEW)
    assert JING in {mail["person"] for mail in await ground.mails("reminder")}
    (missed, plan) = await ground.tasks(east)
    assert (missed.status, plan.kind) == (TaskStatus.MISSED, TaskKind.WEEKLY_REVIEW)
    assert await ground.asked(plan) == (EAST_GM,)
    assert note_of(plan).silent == ("徐静",)
    assert await ground.answers(silent, person=JING) == "refused", "its time is over"
    following = await begins(ground, Rhythm.WEEKLY)
    await ground.comes_to(east, ReviewStage.MISSED)
    await ground.comes_to(f"{following.id}-east", ReviewStage.UPDATES)
    assert [task.status for task in await ground.tasks(east)] == [TaskStatus.MISSED, TaskStatus.MISSED]
    assert {mail["person"] for mail in await ground.mails("missed")} == {JING, EAST_GM, FAN, NORTH_GM}


async def test_r2_a_vp_judges_the_month_and_sets_the_next_ones_targets(ground: YearGround) -> None:
    month = await begins(ground, Rhythm.MONTHLY)
    mine, theirs = f"{month.id}-{NORTH_VP}", f"{month.id}-{EAST_VP}"
    await ground.comes_to(mine, ReviewStage.MONTHLY_REVIEW)
    (asked,) = await ground.tasks(mine)
    assert await ground.asked(asked) == (NORTH_VP,)
    assert {noted.figures.account for noted in note_of(asked).accounts if noted.figures} == {OURS, THIRD}
    assert await ground.answers(asked) == "accepted"
    await ground.comes_to(mine, ReviewStage.DONE)
    async with ground.engine.begin() as connection:
        targets = (await connection.execute(select(account_target).order_by(account_target.c.account_id))).all()
    following = after(month, ground.facts.policy.reviews).id
    assert [(target.account_id, target.period, str(target.contracts), target.set_by) for target in targets] == [
        (OURS, following, "100000.00", NORTH_VP),
        (THIRD, following, "100000.00", NORTH_VP),
    ]
    await ground.comes_to(theirs, ReviewStage.MONTHLY_REVIEW)


async def test_r4_r5_an_account_that_is_revoked_is_free_and_its_place_counts_again(ground: YearGround) -> None:
    year = await begins(ground, Rhythm.YEARLY)
    await ground.comes_to(year.id, ReviewStage.STARTING)
    (start,) = await ground.tasks(year.id)
    assert await ground.asked(start) == (COMMERCE,)
    assert await ground.answers(start) == "accepted"
    await ground.comes_to(year.id, ReviewStage.MANAGEMENT_REVIEW)
    decide = {task.slot: task for task in await ground.tasks(year.id, TaskKind.ANNUAL_REVIEW)}
    assert set(decide) == {"north", "east"}
    assert {await ground.asked(task) for task in decide.values()} == {(GENERAL_MANAGER,)}
    revoked = {OURS: {"decision": "revoke", "reason": "连续两个季度无合同"}}
    assert await ground.answers(decide["north"], revoked) == "accepted"
    async with ground.engine.begin() as connection:
        assert await accounts.count_held(connection, FAN) == 1
        gone = await accounts.find(connection, OURS)
        assert gone is not None
        assert gone.revoked_at is not None
        held = set(await connection.scalars(select(claim.c.account_id).where(claim.c.live)))
        found = set(
            await connection.scalars(select(party.c.subject_id).where(party.c.subject_type == "account", party.c.live))
        )
        targets = set(await connection.scalars(select(account_target.c.account_id)))
        events = (await connection.execute(select(audit).where(audit.c.event == "account_revoked"))).all()
    assert held == found == {THIRD, THEIRS}
    assert targets == {THIRD}
    assert [(event.actor, event.body["account"], event.body["rule"]) for event in events] == [
        (GENERAL_MANAGER, OURS, "R5")
    ]
    told = {mail["person"] for mail in await ground.mails("revoked")}
    assert {FAN, NORTH_GM, NORTH_VP, EAST_VP, COMMERCE} <= told
    await ground.holds("account-anew", LEI, "北方重工测试有限公司")  # N14: the customer is free for another salesperson
    assert await ground.answers(decide["east"]) == "accepted"
    await ground.comes_to(year.id, ReviewStage.DONE)


async def test_r4_commerce_that_does_not_start_it_is_missed(ground: YearGround) -> None:
    year = await begins(ground, Rhythm.YEARLY)
    await ground.comes_to(year.id, ReviewStage.STARTING)
    policy, calendar = ground.facts.policy, days(ground)
    await ground.passes(closes_at(year, await ground.now(), policy.reviews, calendar))
    await ground.comes_to(year.id, ReviewStage.MISSED)
    (start,) = await ground.tasks(year.id)
    assert start.status is TaskStatus.MISSED
    assert start.chased > 0


async def test_x3_a_period_is_done_once_however_often_it_is_started(ground: YearGround) -> None:
    week = await begins(ground, Rhythm.WEEKLY)
    await ground.comes_to(f"{week.id}-north", ReviewStage.UPDATES)
    late = await ground.now() + timedelta(hours=1)
    again = await (await ground.ends(Rhythm.WEEKLY, late)).result()
    assert (again.period, again.done_before, again.reviews) == (week.id, True, 0)
    async with ground.engine.begin() as connection:
        begun = await reviews.find_period(connection, Rhythm.WEEKLY, week.id)
        said = (await connection.execute(select(account_review))).all()
        live = set(await connection.scalars(select(account.c.id).where(account.c.revoked_at.is_(None))))
    assert begun is not None
    assert begun.workflow_id == "period-weekly-1"
    assert said == []
    assert live == {OURS, THIRD, THEIRS}


async def test_r6_a_week_that_was_slept_through_is_caught_up_and_still_gives_people_time(ground: YearGround) -> None:
    """The engine was down for ten days: both weeks are begun, each once, and close with the one that comes."""
    first = await next_end(ground, Rhythm.WEEKLY)
    scheduled = await ground.now()
    second = await next_end(ground, Rhythm.WEEKLY)
    await ground.passes(await ground.now() + timedelta(days=2))
    now = await ground.now()
    for moment in (scheduled, scheduled + timedelta(days=7)):
        await ground.ends(Rhythm.WEEKLY, moment)
    policy, calendar = ground.facts.policy, days(ground)
    for week in (first, second):
        await ground.comes_to(f"{week.id}-north", ReviewStage.UPDATES)
        async with ground.engine.begin() as connection:
            row = await reviews.find(connection, f"{week.id}-north")
        assert row is not None
        assert row.closes_at == closes_at(week, now, policy.reviews, calendar) > now


async def test_r1_r6_a_week_that_begins_on_another_day_leaves_a_running_review_as_it_is(engine: AsyncEngine) -> None:
    """The policy changes while a week is reviewed: that review ends as it began, the next week is the new one."""
    async with time_skipping() as env:
        ground = YearGround(engine, KEYS, env)
        await ground.prepare(sellers=0)
        await ground.holds(OURS, FAN, "北方重工测试有限公司")
        async with ground.worker(max_cached_workflows=0):
            old = await begins(ground, Rhythm.WEEKLY)
            running = f"{old.id}-north"
            await ground.comes_to(running, ReviewStage.UPDATES)
        async with engine.begin() as connection:
            before = await reviews.find(connection, running)
        changed = ground.facts.policy.reviews.model_copy(
            update={"week_starts": 7, "send_at": time(17, 30), "working_days_only": False}
        )
        ground.facts = ReferenceData(ground.facts.policy.model_copy(update={"reviews": changed}))
        async with ground.worker():
            new = await begins(ground, Rhythm.WEEKLY)
            await ground.comes_to(f"{new.id}-north", ReviewStage.UPDATES)
            async with engine.begin() as connection:
                after_change = await reviews.find(connection, running)
            assert before is not None
            assert after_change is not None
            assert after_change.closes_at == before.closes_at
            assert new.id != old.id
            assert new.last.isoweekday() == 6
            await ground.passes(before.closes_at)
            await ground.comes_to(running, ReviewStage.MISSED)


async def test_r1_a_salesperson_who_moves_to_another_department_still_answers_for_their_accounts(
    ground: YearGround,
) -> None:
    week = await begins(ground, Rhythm.WEEKLY)
    north = f"{week.id}-north"
    await ground.comes_to(north, ReviewStage.UPDATES)
    (asked,) = await ground.tasks(north)
    async with ground.engine.begin() as connection:
        company = await ground.facts.organisation(connection)
        people = tuple(
            person.model_copy(update={"department": "east"}) if person.id == FAN else person
            for person in company.people
        )
        moved = company.model_copy(update={"people": people})
        await import_organisation(connection, moved, now=await ground.now(), by="test")
    assert await ground.answers(asked) == "accepted"
    async with ground.engine.begin() as connection:
        said = set(await connection.scalars(select(account_review.c.account_id)))
    assert said == {OURS, THIRD}

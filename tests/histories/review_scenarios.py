"""What periods and their reviews go through in the recorded histories; `record.py` runs these on a real record."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from db.connection.engine import make_engine
from db.connection.migrate import upgrade
from domain.calendar import WorkCalendar
from domain.reviews.periods import Period, Rhythm, closes_at, opens_at, period_at
from domain.reviews.review import ReviewStage
from domain.tasks.task import TaskKind
from embedded.processes.ports import free_row
from embedded.servers.postgres import PostgresServer
from tests.integration.projects.people import FAN, JING
from tests.integration.reviews.year_ground import YearGround
from tests.integration.tasks.race_ground import KEYS
from workflows.messages import FactsChanged, review_workflow_id

OURS, THEIRS = "account-ours", "account-theirs"
PERIOD = "period-{rhythm}-1"
Scenario = Callable[[YearGround], Awaitable[WorkflowHistory]]


@contextlib.asynccontextmanager
async def company(env: WorkflowEnvironment) -> AsyncIterator[YearGround]:
    """Two accounts of two departments, on a PostgreSQL that forgets."""
    folder = Path(tempfile.mkdtemp(prefix="baobei-histories-"))
    try:
        async with PostgresServer(folder, free_row(1), durable=False) as postgres:
            url = await postgres.create_database("histories")
            await upgrade(url)
            engine = make_engine(url, process="test")
            ground = YearGround(engine, KEYS, env)
            await ground.prepare(sellers=0)
            await ground.holds(OURS, FAN, "北方重工测试有限公司")
            await ground.holds(THEIRS, JING, "江南纺织测试有限公司")
            async with ground.worker():
                yield ground
            await engine.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def begins(ground: YearGround, rhythm: Rhythm) -> Period:
    """A period ends, and its run begins."""
    policy = ground.facts.policy
    calendar = WorkCalendar(region=policy.calendar_region, time_zone=policy.time_zone)
    period = period_at(rhythm, (await ground.now()).astimezone(calendar.zone).date(), policy.reviews)
    await ground.passes(opens_at(period, policy.reviews, calendar))
    await ground.ends(rhythm, await ground.now())
    return period


async def to_its_close(ground: YearGround, period: Period) -> None:
    policy = ground.facts.policy
    calendar = WorkCalendar(region=policy.calendar_region, time_zone=policy.time_zone)
    await ground.passes(closes_at(period, await ground.now(), policy.reviews, calendar))


async def history_of(ground: YearGround, workflow_id: str) -> WorkflowHistory:
    return await ground.client.get_workflow_handle(workflow_id).fetch_history()


async def ended(ground: YearGround, workflow_id: str) -> WorkflowHistory:
    await ground.client.get_workflow_handle(workflow_id).result()
    return await history_of(ground, workflow_id)


async def week_done(ground: YearGround) -> WorkflowHistory:
    week = await begins(ground, Rhythm.WEEKLY)
    north = f"{week.id}-north"
    await ground.comes_to(north, ReviewStage.UPDATES)
    await ground.everybody_answers(north, TaskKind.WEEKLY_UPDATE)
    await ground.comes_to(north, ReviewStage.DEPARTMENT_REVIEW)
    await ground.everybody_answers(north, TaskKind.WEEKLY_REVIEW)
    return await ended(ground, review_workflow_id(north))


async def week_missed(ground: YearGround) -> WorkflowHistory:
    """Reminded, the GM asked without an update, and nobody answers."""
    week = await begins(ground, Rhythm.WEEKLY)
    await ground.comes_to(f"{week.id}-north", ReviewStage.UPDATES)
    await to_its_close(ground, week)
    return await ended(ground, review_workflow_id(f"{week.id}-north"))


async def month_done(ground: YearGround) -> WorkflowHistory:
    month = await begins(ground, Rhythm.MONTHLY)
    review = f"{month.id}-li.ming"
    await ground.comes_to(review, ReviewStage.MONTHLY_REVIEW)
    await ground.everybody_answers(review, TaskKind.MONTHLY_REVIEW)
    return await ended(ground, review_workflow_id(review))


async def year_done(ground: YearGround) -> WorkflowHistory:
    year = await begins(ground, Rhythm.YEARLY)
    await ground.comes_to(year.id, ReviewStage.STARTING)
    await ground.everybody_answers(year.id, TaskKind.START_REVIEW)
    await ground.comes_to(year.id, ReviewStage.MANAGEMENT_REVIEW)
    first, *others = await ground.tasks(year.id, TaskKind.ANNUAL_REVIEW)
    (account,) = first.choices[0].fields[0].options
    await ground.answers(first, {account: {"decision": "revoke", "reason": "no contract"}})
    for task in others:
        await ground.answers(task)
    return await ended(ground, review_workflow_id(year.id))


async def week_waiting(ground: YearGround) -> WorkflowHistory:
    """Open: the salesperson is asked and the organisation has changed."""
    week = await begins(ground, Rhythm.WEEKLY)
    north = review_workflow_id(f"{week.id}-north")
    await ground.comes_to(f"{week.id}-north", ReviewStage.UPDATES)
    handle = ground.client.get_workflow_handle(north)
    await handle.signal("facts_changed", FactsChanged(version="2"))
    await handle.query("status")
    return await history_of(ground, north)


async def year_waiting(ground: YearGround) -> WorkflowHistory:
    """Open: management is asked."""
    year = await begins(ground, Rhythm.YEARLY)
    await ground.comes_to(year.id, ReviewStage.STARTING)
    await ground.everybody_answers(year.id, TaskKind.START_REVIEW)
    await ground.comes_to(year.id, ReviewStage.MANAGEMENT_REVIEW)
    await ground.client.get_workflow_handle(review_workflow_id(year.id)).query("status")
    return await history_of(ground, review_workflow_id(year.id))


async def quarter_told(ground: YearGround) -> WorkflowHistory:
    await begins(ground, Rhythm.QUARTERLY)
    return await ended(ground, PERIOD.format(rhythm=Rhythm.QUARTERLY))


async def done_before(ground: YearGround) -> WorkflowHistory:
    await begins(ground, Rhythm.QUARTERLY)
    await ground.client.get_workflow_handle(PERIOD.format(rhythm=Rhythm.QUARTERLY)).result()
    again = await ground.ends(Rhythm.QUARTERLY, await ground.now())
    return await ended(ground, again.id)


async def week_ended(ground: YearGround) -> WorkflowHistory:
    """Both departments have missed their week."""
    week = await begins(ground, Rhythm.WEEKLY)
    await ground.comes_to(f"{week.id}-north", ReviewStage.UPDATES)
    await to_its_close(ground, week)
    return await ended(ground, PERIOD.format(rhythm=Rhythm.WEEKLY))


async def week_running(ground: YearGround) -> WorkflowHistory:
    """Open: it waits for its reviews."""
    week = await begins(ground, Rhythm.WEEKLY)
    await ground.comes_to(f"{week.id}-north", ReviewStage.UPDATES)
    await ground.comes_to(f"{week.id}-east", ReviewStage.UPDATES)
    return await history_of(ground, PERIOD.format(rhythm=Rhythm.WEEKLY))


REVIEWS: dict[str, Scenario] = {
    "closed-week-done": week_done,
    "closed-week-missed": week_missed,
    "closed-month-done": month_done,
    "closed-year-with-a-revocation": year_done,
    "open-week-waiting": week_waiting,
    "open-year-waiting": year_waiting,
}
PERIODS: dict[str, Scenario] = {
    "closed-quarter-told": quarter_told,
    "closed-done-before": done_before,
    "closed-week": week_ended,
    "open-week": week_running,
}

"""A simulated year of a company: every digest, forecast, report and review in its period, once (R1–R6, U1, U9).

Uses the product's own workflows and activities and a real PostgreSQL; the engine is the one whose clock can be moved.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import shutil
import sys
import tempfile
import time as clock
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import SecretBytes, TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.unit_of_work import Recorder
from bench.instruments.histories import actions, runs_of
from bench.year.checks import (
    credits_whole,
    digests_told,
    forecasts_chained,
    missing_reports,
    periods_of,
    total,
    years_of_months,
)
from bench.year.company import Business, company
from crypto.codec import data_converter
from crypto.keyring import Keyring
from crypto.seal import seal
from db.connection.engine import make_engine
from db.connection.migrate import upgrade
from db.reference_data import ReferenceData, import_organisation
from db.tables.accounts import account
from db.tables.messages import mail
from db.tables.projects import project, project_update
from db.tables.reviews import report, review, review_period
from db.tables.tasks import task, task_person
from db.tasks import tasks
from domain.calendar import WorkCalendar
from domain.policy import Policy, load_policy
from domain.reports.report import AccountStatistics, Report
from domain.reviews.notes import AccountNote, ReviewNote
from domain.reviews.periods import Period, Rhythm, after, opens_at, period_at
from domain.reviews.review import ACCOUNTS_FIELD, Proposal
from domain.statements import AnswerTask
from domain.tasks.task import TaskKind, TaskStatus
from embedded.processes.ports import free_row
from embedded.servers.postgres import PostgresServer
from runtime.sandbox import Sandbox
from runtime.worker_registry import WORKFLOWS, activities_of
from workflows.messages import SEARCH_ATTRIBUTES, TASK_QUEUE, StartPeriod
from workflows.period import ReviewPeriod

SEED = 20261129
SILENT = 0.08
"""The probability that an assignee does not answer."""
PATIENCE = 120.0
"""Real seconds after which a step of the simulation is aborted."""
REPORT: TypeAdapter[Report] = TypeAdapter(Report)


@dataclass(frozen=True)
class Year:
    """The result of a year, and its discrepancies."""

    first: date
    last: date
    periods: dict[str, int]
    reports: dict[str, int]
    reviews: dict[str, int]
    answers: int
    missed: int
    mails: dict[str, int]
    actions: int
    events: int
    largest_run: int
    revoked: int
    contracts: Decimal
    seconds: float
    wrong: tuple[str, ...]
    """Everything that does not reconcile with the record; empty if all is well."""


class YearTrial:
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._chance = random.Random(SEED)
        self._keys = Keyring((("k1", SecretBytes(secrets.token_bytes(32))),))
        self._numbers = itertools.count(1)
        self._answers = 0

    async def run(self) -> Year:
        began = clock.monotonic()
        folder = Path(tempfile.mkdtemp(prefix="baobei-year-"))
        server = Path(sys.executable).with_name("temporal-test-server")
        try:
            async with (
                PostgresServer(folder, free_row(1), durable=False) as postgres,
                await WorkflowEnvironment.start_time_skipping(
                    data_converter=data_converter(self._keys), test_server_existing_path=str(server)
                ) as env,
            ):
                url = await postgres.create_database("year")
                await upgrade(url)
                engine = make_engine(url, process="bench")
                try:
                    return await self._simulate(engine, env, began)
                finally:
                    await engine.dispose()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _simulate(self, engine: AsyncEngine, env: WorkflowEnvironment, began: float) -> Year:
        self._engine, self._env = engine, env
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                search_attributes={
                    key.name: IndexedValueType.ValueType(int(key.indexed_value_type)) for key in SEARCH_ATTRIBUTES
                }
            )
        )
        start = await env.get_current_time()
        policy = load_policy()
        calendar = WorkCalendar(region=policy.calendar_region, time_zone=policy.time_zone)
        # The fiscal year is the simulated year: it begins with the coming month.
        month = after(period_at(Rhythm.MONTHLY, start.astimezone(calendar.zone).date(), policy.reviews), policy.reviews)
        rules = policy.reviews.model_copy(update={"fiscal_year_starts": month.first.month})
        policy = policy.model_copy(update={"reviews": rules})
        year = period_at(Rhythm.YEARLY, month.first, rules)
        facts = ReferenceData(policy)
        async with engine.begin() as tx:
            await import_organisation(tx, company(), now=start, by="bench")
            business = Business(await facts.pin_policy(tx), SEED)
            await business.begin(tx, start)
        self._say("40 salespeople hold 120 accounts and 600 projects")
        recorder = Recorder(engine, facts, self._keys)
        async with Worker(
            env.client,
            task_queue=TASK_QUEUE,
            workflows=WORKFLOWS,
            activities=activities_of(recorder),
            workflow_runner=Sandbox(),
        ):
            for event in agenda(year, policy, calendar):
                await self._passes(event.at)
                if event.what == "ends":
                    await self._ends(event.period, event.at)
                async with engine.begin() as tx:
                    if event.what == "business":
                        await business.week(tx, event.at)
                    elif event.what == "results":
                        await business.results(tx, event.period.first, event.at)
                await self._everybody_answers()
                if event.what == "ends" and event.period.rhythm is Rhythm.MONTHLY:
                    self._say(f"{event.period.id} has ended")
            return await self._reconciled(year, policy, calendar, clock.monotonic() - began)

    async def _passes(self, moment: datetime) -> None:
        left = moment - await self._env.get_current_time()
        if left > timedelta():
            await self._env.sleep(left)

    async def _ends(self, period: Period, moment: datetime) -> None:
        start = StartPeriod(rhythm=period.rhythm, scheduled_at=moment)
        name = f"period-{period.rhythm}-{moment:%Y-%m-%dT%H:%M:%SZ}"
        await self._env.client.start_workflow(ReviewPeriod.run, start, id=name, task_queue=TASK_QUEUE)

        async def asked() -> bool:
            async with self._engine.begin() as tx:
                of_period = select(func.count()).where(report.c.period == period.id)
                made = await tx.scalar(of_period)
                units = select(func.count()).where(review.c.period == period.id, review.c.rhythm == period.rhythm.value)
                begun = await tx.scalar(units)
                open_for = select(func.count(func.distinct(task.c.subject_id))).where(
                    task.c.subject_id.in_(select(review.c.id).where(review.c.period == period.id))
                )
                return bool(made) and begun == UNITS[period.rhythm] == await tx.scalar(open_for)

        await self._until(asked, f"{period.id} begun")

    async def _everybody_answers(self) -> None:
        """Answer every open task at once, except for the few people who never answer; repeat for the tasks that
        follow."""
        silent: set[str] = set()
        while True:
            async with self._engine.begin() as tx:
                found = await tx.execute(select(task.c.id).where(task.c.status == TaskStatus.OPEN.value))
                waiting = [row.id for row in found if row.id not in silent]
            said = []
            for task_id in waiting:
                if self._chance.random() < SILENT:
                    silent.add(task_id)
                else:
                    said.append(task_id)
                    await self._answer(task_id)
            if not said:
                return
            self._answers += len(said)

            async def taken(said: list[str] = said) -> bool:
                async with self._engine.begin() as tx:
                    still = select(func.count()).where(task.c.id.in_(said), task.c.status == TaskStatus.OPEN.value)
                    return await tx.scalar(still) == 0

            await self._until(taken, "answers taken")
            await asyncio.sleep(0.2)  # follow-up tasks are opened a moment later

    async def _answer(self, task_id: str) -> None:
        async with self._engine.begin() as tx:
            asked = await tasks.find(tx, task_id)
            person = await tx.scalar(select(task_person.c.person).where(task_person.c.task_id == task_id))
        assert asked is not None
        (choice,) = asked.choices
        fields: dict[str, Any] = {}
        if choice.fields:
            notes = {note.account: note for note in ReviewNote.model_validate(asked.note).accounts}
            rows = [{"id": each, **self._says(asked.kind, notes.get(each))} for each in choice.fields[0].options]
            fields = {ACCOUNTS_FIELD: rows}
        said = AnswerTask(
            message_id=f"message-{next(self._numbers)}",
            workflow_id=asked.workflow_id,
            person=str(person),
            said_at=await self._env.get_current_time(),
            channel="bench",
            task_id=task_id,
            choice=choice.choice,
            fields=fields,
        )
        await self._env.client.get_workflow_handle(asked.workflow_id).signal("answer_task", seal(said, self._keys))

    def _says(self, kind: TaskKind, note: AccountNote | None) -> dict[str, str]:
        match kind:
            case TaskKind.WEEKLY_UPDATE:
                return {"work": "拜访", "progress": "正常"}
            case TaskKind.WEEKLY_REVIEW:
                return {"plan": "继续"}
            case TaskKind.MONTHLY_REVIEW:
                progress = self._chance.choice(("on_track", "on_track", "behind", "failed"))
                targets = {"target_contracts": "400000.00", "target_revenue": "500000.00"}
                return {"plan_progress": progress, "action_plan": "推进重点项目", **targets}
            case _:
                if note and note.figures and note.figures.proposal is Proposal.REVOKE:
                    return {"decision": "revoke", "reason": "未完成计划且合同低于预期"}
                return {"decision": "keep", "target_contracts": "5000000.00", "target_revenue": "6000000.00"}

    async def _until(self, held: Callable[[], Any], what: str) -> None:
        deadline = clock.monotonic() + PATIENCE
        while not await held():
            if clock.monotonic() > deadline:
                raise TimeoutError(what)
            await asyncio.sleep(0.02)

    async def _reconciled(self, year: Period, policy: Policy, calendar: WorkCalendar, seconds: float) -> Year:
        async with self._engine.begin() as tx:
            kept = (await tx.execute(select(report))).all()
            periods = Counter(row.rhythm for row in await tx.execute(select(review_period.c.rhythm)))
            reviews = Counter(row.stage for row in await tx.execute(select(review.c.stage)))
            mails = Counter(row.kind for row in await tx.execute(select(mail.c.facts["kind"].astext.label("kind"))))
            missed = await tx.scalar(select(func.count()).where(task.c.status == TaskStatus.MISSED.value))
            weeks = periods_of(year, Rhythm.WEEKLY, policy)
            within = (calendar.at(weeks[0].first, time.min), calendar.at(weeks[-1].last + timedelta(days=1), time.min))
            told = project_update.c.recorded_at.between(*within)
            updates = await tx.scalar(select(func.count()).select_from(project_update).where(told))
            ids = [
                *await tx.scalars(select(review.c.workflow_id)),
                *await tx.scalars(select(review_period.c.workflow_id)),
            ]
            revoked = await tx.scalar(select(func.count()).where(account.c.revoked_at.is_not(None)))
            signed = await tx.scalar(select(func.count()).where(project.c.stage == "contract_signed"))
        reports = [REPORT.validate_python(row.document) for row in kept]
        histories = [run for workflow_id in ids for run in await runs_of(self._env.client, workflow_id)]
        accounts_of = {report.period.id: report for report in reports if isinstance(report, AccountStatistics)}
        whole = accounts_of.get(year.id)
        return Year(
            first=year.first,
            last=year.last,
            periods=dict(periods),
            reports=dict(Counter(report.kind.value for report in reports)),
            reviews=dict(reviews),
            answers=self._answers,
            missed=int(missed or 0),
            mails=dict(sorted(mails.items())),
            actions=sum(map(actions, histories)),
            events=sum(map(len, histories)),
            largest_run=max(map(len, histories)),
            revoked=int(revoked or 0),
            contracts=total(row.contracts for row in whole.rows) if whole else Decimal(0),
            seconds=seconds,
            wrong=(
                *missing_reports(reports, year, policy),
                *digests_told(reports, int(updates or 0)),
                *forecasts_chained(reports),
                *credits_whole(reports),
                *years_of_months(accounts_of, year, policy),
                *([] if signed else ["no project was signed"]),
            ),
        )


UNITS = {Rhythm.WEEKLY: 4, Rhythm.MONTHLY: 2, Rhythm.QUARTERLY: 0, Rhythm.HALF_YEARLY: 1, Rhythm.YEARLY: 1}
"""Number of reviews per period in this company."""


class Event(NamedTuple):
    """An event of the simulated year; people are at work at each of them."""

    at: datetime
    what: Literal["ends", "business", "results", "desks"]
    period: Period


def agenda(year: Period, policy: Policy, calendar: WorkCalendar) -> list[Event]:
    """The events of the year: periods end; the business of a week and the results of a month come in before its end;
    in the middle of a week, the tasks that follow from missing answers are due."""
    found = []
    for period in (period for rhythm in Rhythm for period in periods_of(year, rhythm, policy)):
        opens = opens_at(period, policy.reviews, calendar)
        found.append(Event(opens, "ends", period))
        if period.rhythm is Rhythm.WEEKLY:
            found.append(Event(opens - timedelta(minutes=30), "business", period))
            late = calendar.add_working_days(opens, policy.reviews.updates_within).at
            found.append(Event(late + timedelta(hours=1), "desks", period))
        elif period.rhythm is Rhythm.MONTHLY:
            found.append(Event(opens - timedelta(minutes=20), "results", period))
    return sorted(found, key=lambda event: event.at)

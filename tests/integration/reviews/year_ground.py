"""A year of reviews on a real record: the real processes and steps, on a server whose clock can be moved."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.unit_of_work import Recorder
from crypto.keyring import Keyring
from crypto.seal import seal
from db import messages
from db.tables.messages import mail
from db.tables.reviews import review
from db.tasks import tasks
from db.tasks.tasks import TaskRow
from domain.reviews.periods import Rhythm
from domain.reviews.review import ACCOUNTS_FIELD, ReviewStage
from domain.statements import AnswerTask
from domain.tasks.task import TaskKind, TaskStatus
from runtime.worker_registry import WORKFLOWS, activities_of
from tests.eventually import eventually
from tests.integration.projects.project_ground import ProjectGround
from tests.servers.time_skipping import time_skipping
from workflows.messages import TASK_QUEUE, PeriodDone, StartPeriod
from workflows.period import ReviewPeriod

SAID: Mapping[TaskKind, Mapping[str, str]] = {
    TaskKind.WEEKLY_UPDATE: {"work": "拜访信息部", "progress": "方案已提交", "problems": "预算未定"},
    TaskKind.WEEKLY_REVIEW: {"plan": "约财务负责人"},
    TaskKind.MONTHLY_REVIEW: {
        "plan_progress": "on_track",
        "action_plan": "完成方案评审",
        "target_contracts": "100000.00",
        "target_revenue": "80000.00",
    },
    TaskKind.ANNUAL_REVIEW: {
        "decision": "keep",
        "target_contracts": "2000000.00",
        "target_revenue": "1500000.00",
    },
}
CHOICES = {
    TaskKind.WEEKLY_UPDATE: "report",
    TaskKind.WEEKLY_REVIEW: "plan",
    TaskKind.MONTHLY_REVIEW: "set_targets",
    TaskKind.START_REVIEW: "start",
    TaskKind.ANNUAL_REVIEW: "decide",
}


class ReviewGround(ProjectGround):
    """Periods end here, and people answer."""

    def __init__(self, engine: AsyncEngine, keys: Keyring, client: Client) -> None:
        super().__init__(engine, keys)
        self.client = client
        self.runs = itertools.count(1)

    @contextlib.asynccontextmanager
    async def worker(self, **options: Any) -> AsyncIterator[None]:
        recorder = Recorder(self.engine, self.facts, self.keys)
        async with Worker(
            self.client,
            task_queue=TASK_QUEUE,
            workflows=WORKFLOWS,
            activities=activities_of(recorder),
            workflow_runner=UnsandboxedWorkflowRunner(),
            **options,
        ):
            yield

    async def now(self) -> datetime:
        return datetime.now(UTC)

    async def ends(self, rhythm: Rhythm, scheduled_at: datetime) -> WorkflowHandle[ReviewPeriod, PeriodDone]:
        """The schedule of a rhythm fires."""
        name = f"period-{rhythm}-{next(self.runs)}"
        start = StartPeriod(rhythm=rhythm, scheduled_at=scheduled_at)
        return await self.client.start_workflow(ReviewPeriod.run, start, id=name, task_queue=TASK_QUEUE)

    async def stage(self, review_id: str) -> str | None:
        async with self.engine.begin() as connection:
            found: str | None = await connection.scalar(select(review.c.stage).where(review.c.id == review_id))
        return found

    async def comes_to(self, review_id: str, stage: ReviewStage) -> None:
        """Until it has that stage and, unless it is over, somebody is asked."""

        async def there() -> bool:
            asked = stage.ended or any(task.status is TaskStatus.OPEN for task in await self.tasks(review_id))
            return asked and await self.stage(review_id) == stage

        await eventually(there, f"{review_id} at {stage}, not {await self.stage(review_id)}")

    async def tasks(self, review_id: str, kind: TaskKind | None = None) -> tuple[TaskRow, ...]:
        async with self.engine.begin() as connection:
            found = await tasks.of_subject(connection, review_id)
        return tuple(task for task in found if kind in (None, task.kind))

    async def asked(self, task: TaskRow) -> tuple[str, ...]:
        async with self.engine.begin() as connection:
            people = (await tasks.asked_by(connection, [task.id]))[task.id]
        return tuple(person.person for person in people if person.removed_at is None)

    async def answers(
        self, task: TaskRow, rows: Mapping[str, Mapping[str, str]] | None = None, *, person: str = ""
    ) -> str:
        """Whoever is asked first answers; `rows` say something else of single accounts. Returns its status."""
        message_id = f"message-{task.id}-{next(self.numbers)}"
        fields: dict[str, Any] = {}
        if task.kind in SAID:
            options = task.choices[0].fields[0].options
            fields = {
                ACCOUNTS_FIELD: [
                    {"id": account_id, **(rows or {}).get(account_id, SAID[task.kind])} for account_id in options
                ]
            }
        said = AnswerTask(
            message_id=message_id,
            workflow_id=task.workflow_id,
            person=person or (await self.asked(task))[0],
            said_at=await self.now(),
            channel="test",
            task_id=task.id,
            choice=CHOICES[task.kind],
            fields=fields,
        )
        sealed = seal(said, self.keys)
        await self.client.get_workflow_handle(task.workflow_id).signal("answer_task", sealed)

        async def received() -> bool:
            return await self.receipt(message_id) is not None

        await eventually(received, "a receipt")
        receipt = await self.receipt(message_id)
        assert receipt is not None
        return str(receipt["status"])

    async def receipt(self, message_id: str) -> dict[str, Any] | None:
        async with self.engine.begin() as connection:
            found = await messages.find_receipt(connection, message_id)
        return found.result if found else None

    async def everybody_answers(self, review_id: str, kind: TaskKind) -> Sequence[TaskRow]:
        asked = await self.tasks(review_id, kind)
        for task in asked:
            assert await self.answers(task) == "accepted"
        return asked

    async def mails(self, kind: str) -> list[dict[str, Any]]:
        async with self.engine.begin() as connection:
            rows = await connection.execute(select(mail.c.person, mail.c.facts).order_by(mail.c.id))
        return [{"person": row.person, **row.facts} for row in rows if row.facts["kind"] == kind]


class YearGround(ReviewGround):
    """Where time can be made to go by."""

    def __init__(self, engine: AsyncEngine, keys: Keyring, env: WorkflowEnvironment) -> None:
        super().__init__(engine, keys, env.client)
        self.env = env

    async def now(self) -> datetime:
        return await self.env.get_current_time()

    async def passes(self, until: datetime) -> None:
        """Time goes by."""
        left = until - await self.now()
        if left > timedelta():
            await self.env.sleep(left)


@contextlib.asynccontextmanager
async def reviews_on(engine: AsyncEngine, keys: Keyring) -> AsyncIterator[YearGround]:
    async with time_skipping() as env:
        ground = YearGround(engine, keys, env)
        await ground.prepare(sellers=0)
        async with ground.worker():
            yield ground

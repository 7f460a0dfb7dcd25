"""One application told from outside: what people say, how time passes, what the engine and the record then show."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from crypto.seal import seal
from domain.accounts.application import Stage
from domain.statements import AnswerTask, AppealRejection, GatherEvidence, Statement, SubmitApplication, Withdraw
from domain.tasks.task import AssigneeCapacity
from tests.eventually import PATIENCE, eventually
from tests.samples import CLARA, SAM, application_form
from tests.workflow.doubles.fake_activities import FakeActivities, FakeSteps
from tests.workflow.doubles.fake_record import SEAL_KEYS, FakeRecord, FakeTask
from workflows.desk import FULL_HISTORY
from workflows.messages import (
    APPLICANT,
    DEPARTMENT,
    TASK_QUEUE,
    FactsChanged,
    ProcessStatus,
    StartApplication,
    application_workflow_id,
)
from workflows.named_account import NamedAccountApplication

CUSTOMER = "苏州测试精密制造有限公司"
SIGNALS: dict[type[Statement], str] = {
    AnswerTask: "answer_task",
    Withdraw: "withdraw",
    AppealRejection: "appeal",
    GatherEvidence: "gather_evidence",
}

S = TypeVar("S", bound=Statement)


class Story:
    """One application, from the form on."""

    def __init__(self, env: WorkflowEnvironment, number: str = "A-1") -> None:
        self.env = env
        self.client: Client = env.client
        self.id = number
        self.workflow_id = application_workflow_id(number)
        self.record = FakeRecord()
        self.activities: FakeSteps = FakeActivities(self.record)
        self.handle: WorkflowHandle[Any, str] = self.client.get_workflow_handle(self.workflow_id)
        self._numbers = count(1)

    @contextlib.asynccontextmanager
    async def worker(self, runner: WorkflowRunner | None = None, **options: Any) -> AsyncIterator[Worker]:
        """A worker with the fakes; `options` go to it as they are.

        A worker that will be stopped while the process lives needs `max_cached_workflows=0`: this server waits long
        before it gives what is kept for one worker to another.
        """
        options.setdefault("activities", self.activities.all)
        options.setdefault("workflows", [NamedAccountApplication])
        async with Worker(
            self.client,
            task_queue=TASK_QUEUE,
            workflow_runner=runner or UnsandboxedWorkflowRunner(),
            build_id="test",
            **options,
        ) as worker:
            yield worker

    def sealed(self, statement: S) -> S:
        said_at = datetime.fromisoformat("2026-01-05T09:00:00+08:00")
        filled = {
            "message_id": statement.message_id or f"m{next(self._numbers)}",
            "workflow_id": self.workflow_id,
            "said_at": said_at,
            "channel": "portal",
        }
        return seal(statement.model_copy(update=filled), SEAL_KEYS)

    def submission(self) -> SubmitApplication:
        return SubmitApplication(person=SAM, application_id=self.id, form=application_form(CUSTOMER))

    async def submits(self, submission: SubmitApplication | None = None) -> None:
        """N1: the salesperson submits; the process starts as the front door starts it."""
        said = submission or self.sealed(self.submission())
        await self.client.start_workflow(
            NamedAccountApplication.run,
            StartApplication(submission=said),
            id=self.workflow_id,
            task_queue=TASK_QUEUE,
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(APPLICANT, SAM), SearchAttributePair(DEPARTMENT, "north")]
            ),
        )

    def task_of(self, person: str) -> FakeTask:
        """The open task that asks `person`. Raises `StopIteration` when none does."""
        return next(task for task in self.record.open if any(assignee.person == person for assignee in task.asked))

    def answer(self, person: str, choice: str, reason: str = "", task: FakeTask | None = None) -> AnswerTask:
        asked = task or self.task_of(person)
        fields: dict[str, Any] = (
            {"application": application_form(CUSTOMER).model_dump(mode="json")} if choice == "supply" else {}
        )
        return self.sealed(AnswerTask(person=person, task_id=asked.id, choice=choice, reason=reason, fields=fields))

    def withdrawal(self, person: str = SAM) -> Withdraw:
        return self.sealed(Withdraw(person=person, reason="customer merged"))

    def gathering(self, person: str = CLARA) -> GatherEvidence:
        return self.sealed(GatherEvidence(person=person))

    def objection(self, person: str = SAM) -> AppealRejection:
        return self.sealed(AppealRejection(person=person, reason="the figures were old"))

    async def signal(self, *statements: Statement) -> None:
        """Send without waiting for what becomes of it."""
        for said in statements:
            await self.handle.signal(SIGNALS[type(said)], said)

    async def sends(self, *statements: Statement) -> None:
        """Send and wait until each is recorded, accepted or refused."""
        await self.signal(*statements)
        ids = {said.message_id for said in statements}
        await eventually(lambda: ids <= self.record.heard, f"a receipt for {sorted(ids)}")

    async def says(self, person: str, choice: str, reason: str = "", *, then: Stage | None = None) -> AnswerTask:
        """`person` answers the task that asks them; then the application is at `then`."""
        said = self.answer(person, choice, reason)
        await self.sends(said)
        if then:
            await self.reaches(then)
        return said

    async def reaches(self, stage: Stage) -> None:
        """Wait until the record stands at `stage` and the process is waiting there, or over."""
        await eventually(lambda: bool(self.record.application and self.record.application.stage is stage), stage.value)

        async def there() -> bool:
            return (await self.status()).stage == stage

        await eventually(there, f"the process at {stage.value}")

    async def facts_changed(self) -> None:
        before = self.count("refreshed")
        await self.handle.signal("facts_changed", FactsChanged(version="2"))
        await eventually(lambda: self.count("refreshed") > before, "a refresh")

    async def waits(self, **length: float) -> None:
        """Let business time pass: `days=`, `hours=`, …"""
        await self.env.sleep(timedelta(**length))

    async def waits_until(self, moment: datetime) -> None:
        left = moment - await self.env.get_current_time()
        if left > timedelta(0):
            await self.env.sleep(left)

    async def status(self) -> ProcessStatus:
        return await self.handle.query(NamedAccountApplication.status, rpc_timeout=timedelta(seconds=10))

    async def _description(self) -> DescribeWorkflowExecutionResponse:
        # Not by the client's `describe`, which cannot read the nulls that this server keeps for attributes unset.
        return await self.client.workflow_service.describe_workflow_execution(
            DescribeWorkflowExecutionRequest(
                namespace=self.client.namespace, execution=WorkflowExecution(workflow_id=self.workflow_id)
            )
        )

    async def search_attributes(self) -> dict[str, Any]:
        found = await self._description()
        fields = found.workflow_execution_info.search_attributes.indexed_fields
        return {name: json.loads(payload.data or b"null") for name, payload in fields.items()}

    async def run_id(self) -> str:
        """Of the latest run."""
        return (await self._description()).workflow_execution_info.execution.run_id

    async def details(self) -> str:
        """What the Temporal UI shows as current details."""
        found = await self.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return str(found.current_details)

    @property
    def by_hand(self) -> WorkflowHandle[Any, Any]:
        """The process as somebody sees it who has access to the engine and none of our keys."""
        return Client(self.client.service_client).get_workflow_handle(self.workflow_id)

    def count(self, event: str) -> int:
        return sum(note.event == event for note in self.record.notes)

    def told(self, kind: str) -> list[str]:
        return sorted(mail.person for mail in self.record.mails if mail.kind == kind)

    async def comes(self, event: str, times: int) -> None:
        await eventually(lambda: self.count(event) >= times, f"{event} number {times}")

    async def result(self) -> str:
        with self.env.auto_time_skipping_disabled():  # time passes only where a test says so
            return await asyncio.wait_for(self.handle.result(), PATIENCE)

    async def history(self) -> WorkflowHistory:
        return await self.handle.fetch_history()

    async def task_failures(self) -> list[str]:
        """Messages of the workflow tasks that failed in the latest run."""
        failed = [e.workflow_task_failed_event_attributes for e in (await self.history()).events]
        return [str(attributes.failure.message or attributes.cause) for attributes in failed if attributes.ByteSize()]

    def while_recording(self, prefix: str, *arriving: Statement) -> None:
        """While the first step whose key begins with `prefix` is recorded, these messages reach the engine."""
        sent: list[str] = []

        async def send(key: str) -> None:
            if key.startswith(prefix) and not sent:
                sent.append(key)
                await self.signal(*arriving)

        self.activities.before_result = send

    async def is_flooded(self) -> None:
        """Junk by hand, one signal at a time, until a new run begins. Raises `AssertionError` when none does."""
        first_run, before = await self.run_id(), len(self.record.refused)
        for number in range(before, before + FULL_HISTORY):
            await self.signal(AnswerTask(message_id=f"junk{number}"))
            await eventually(partial(self._has_refused, number + 1), "a refusal")
            if await self.run_id() != first_run:
                return
        raise AssertionError("no new run began")

    def _has_refused(self, number: int) -> bool:
        return len(self.record.refused) >= number

    # The ways to a stage, shared by tests and recorded histories.

    async def to_returned(self) -> None:
        await self.to_check()
        await self.says("clara", "return", "no related parties given", then=Stage.RETURNED)

    async def to_check(self) -> None:
        await self.submits()
        await self.reaches(Stage.COMMERCE_CHECK)

    async def to_review(self) -> None:
        await self.to_check()
        await self.says("clara", "pass", then=Stage.VP_REVIEW)

    async def to_rejected(self) -> None:
        await self.to_review()
        await self.says("vera", "reject", "margins too thin", then=Stage.REJECTED)

    async def to_appeal(self) -> None:
        await self.to_rejected()
        await self.sends(self.objection())
        await self.reaches(Stage.GM_APPEAL)

    async def to_general_manager(self) -> None:
        """N8: above the limit, both VPs with a special reason."""
        self.record.held = self.record.policy.accounts.limit
        await self.to_review()
        await self.says("vera", "approve", "a key account of the region")
        await self.says("viktor", "approve", "strategic")
        await self.reaches(Stage.GM_APPROVAL)


def capacity_of(record: FakeRecord, person: str) -> AssigneeCapacity | None:
    """In which capacity `person` is asked by an open task."""
    return next((asked.capacity for task in record.open for asked in task.asked if asked.person == person), None)

"""One registration told from outside: what people say, how weeks and months pass, what engine and record then show."""

from __future__ import annotations

import calendar
import copy
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.client import WorkflowHistory
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from crypto.seal import seal
from domain.disputes.dispute import Claimant, DisputeStage
from domain.projects.project import (
    Company,
    ContractCorrection,
    ContractReview,
    Loss,
    ProjectForm,
    ProjectStage,
    ProjectUpdate,
    Resumption,
)
from domain.statements import (
    AnswerTask,
    CallForMeeting,
    CallOffMeeting,
    CorrectContract,
    ObjectToRefusal,
    Reassign,
    ReceiveContract,
    RegisterProject,
    ReportLoss,
    Statement,
    UpdateProject,
    Withdraw,
)
from domain.tasks.task import TaskKind
from tests import samples
from tests.eventually import PATIENCE, eventually
from tests.samples import CLARA, MONA, OPERATOR, SAM, SUE, VERA, VIKTOR, account_of, registration_of
from tests.workflow.doubles.fake_projects import FakeProjectActivities
from tests.workflow.doubles.fake_record import SEAL_KEYS, FakeTask, ProjectRecord
from tests.workflow.projects.record_view import HALVES, RecordView
from tests.workflow.story import CUSTOMER, Story
from workflows.contract_correction import ContractCorrection as CorrectionProcess
from workflows.dispute import ProjectDispute
from workflows.messages import (
    APPLICANT,
    DEPARTMENT,
    TASK_QUEUE,
    ProcessStatus,
    StartCorrection,
    StartProject,
    correction_workflow_id,
    project_workflow_id,
)
from workflows.project import ProjectRegistration

S = TypeVar("S", bound=Statement)

SIGNALS = {
    AnswerTask: "answer_task",
    Withdraw: "withdraw",
    UpdateProject: "update",
    ReportLoss: "report_loss",
    ReceiveContract: "receive_contract",
    ObjectToRefusal: "object_to_refusal",
    Reassign: "reassign",
    CallForMeeting: "call_for_meeting",
    CallOffMeeting: "call_off_meeting",
}


def project_form(*, end_user: str = "", name: str = "Synthetic storage") -> ProjectForm:
    end = Company(name=end_user) if end_user else None
    return samples.project_form(CUSTOMER, name=name, end_user=end)


def _pending_timers(history: WorkflowHistory) -> list[HistoryEvent]:
    """The timers that have neither fired nor been cancelled."""
    over = {event.timer_fired_event_attributes.started_event_id for event in history.events}
    over |= {event.timer_canceled_event_attributes.started_event_id for event in history.events}
    started = [event for event in history.events if event.HasField("timer_started_event_attributes")]
    return [event for event in started if event.event_id not in over]


def _fires_at(started: HistoryEvent) -> datetime:
    length = started.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
    return started.event_time.ToDatetime(tzinfo=UTC) + length


class ProjectStory(RecordView, Story):
    """One registration, from the form on, and its disputes."""

    record: ProjectRecord

    def __init__(self, env: WorkflowEnvironment, number: str = "B-1", record: ProjectRecord | None = None) -> None:
        super().__init__(env, number)
        self.record = record or ProjectRecord()
        self.activities = FakeProjectActivities(self.record)
        self._at(project_workflow_id(number))

    def _at(self, workflow_id: str) -> None:
        self.workflow_id = workflow_id
        self.handle = self.client.get_workflow_handle(workflow_id, result_type=str)

    def seen(self, workflow_id: str) -> Self:
        """The same story, looking at another of its processes, such as its dispute."""
        other = copy.copy(self)
        other._at(workflow_id)
        return other

    def worker(self, *args: Any, **options: Any) -> Any:
        options.setdefault("workflows", [ProjectRegistration, ProjectDispute, CorrectionProcess])
        return super().worker(*args, **options)

    @property
    def child(self) -> Self:
        """The process of that dispute."""
        return self.seen(self.dispute.workflow_id)

    # What people say.

    def sealed(self, statement: S, *, workflow_id: str = "", said_at: datetime | None = None) -> S:
        filled = {
            "message_id": statement.message_id or f"{self.id}-m{next(self._numbers)}",
            "workflow_id": workflow_id or self.workflow_id,
            "said_at": said_at or datetime.fromisoformat("2026-01-05T09:00:00+08:00"),
            "channel": "portal",
        }
        return seal(statement.model_copy(update=filled), SEAL_KEYS)

    def answer(
        self, person: str, choice: str, reason: str = "", task: FakeTask | None = None, **fields: Any
    ) -> AnswerTask:
        asked = task or self.task_of(person)
        if choice == "supply" and not fields:
            fields = {"project": project_form().model_dump(mode="json")}
        said = AnswerTask(person=person, task_id=asked.id, choice=choice, reason=reason, fields=fields)
        return self.sealed(said, workflow_id=asked.workflow_id)

    def update(self, person: str = SAM, **news: Any) -> UpdateProject:
        made = ProjectUpdate(progress="synthetic progress", next_steps="go on", **news)
        return self.sealed(UpdateProject(person=person, update=made))

    def loss(self, person: str = SAM) -> ReportLoss:
        return self.sealed(ReportLoss(person=person, loss=Loss(reason="the price")))

    def contract(self, person: str = MONA) -> ReceiveContract:
        made = ContractReview.model_validate({"amount": "1150000.00", "contract_number": "C-1"})
        return self.sealed(ReceiveContract(person=person, contract=made))

    def withdrawal(self, person: str = SAM) -> Withdraw:
        return self.sealed(Withdraw(person=person, reason="no budget"))

    def objects(self, person: str = SAM, said_at: datetime | None = None) -> ObjectToRefusal:
        return self.sealed(ObjectToRefusal(person=person, reason="another project"), said_at=said_at)

    def wants_meeting(self, person: str) -> CallForMeeting:
        said = CallForMeeting(person=person, reason="no agreement in sight")
        return self.sealed(said, workflow_id=self.dispute.workflow_id)

    def steps_in(self, person: str) -> CallForMeeting:
        """D4: after the agreement, it is the registration that hears it."""
        return self.sealed(CallForMeeting(person=person, reason="too large to leave to two"))

    def calls_off(self, person: str = MONA) -> CallOffMeeting:
        return self.sealed(
            CallOffMeeting(person=person, reason="they talk again"), workflow_id=self.dispute.workflow_id
        )

    async def to_agreement(self) -> None:
        """D1: both have confirmed one text, and the VP is asked."""
        await self.to_dispute()
        await self.tells(SAM, "agree", **HALVES)
        await self.dispute_comes_to(DisputeStage.NEGOTIATION, asked=("sue",))
        await self.tells("sue", "agree")
        await self.comes_to(ProjectStage.APPROVAL)

    def reassignment(self, to: str, person: str = OPERATOR) -> Reassign:
        return self.sealed(Reassign(person=person, to=to, reason="has left"))

    async def corrects(self, person: str, amount: str, *, sealed: bool = True) -> WorkflowHistory:
        """U7: commerce corrects the amount on record; the history of the process that does it, once it has ended."""
        correction = ContractCorrection.model_validate({"amount": amount, "reason": "a slip of the pen"})
        said = CorrectContract(person=person, project_id=self.id, correction=correction)
        workflow_id = correction_workflow_id(f"{self.id}-{next(self._numbers)}")
        handle = await self.client.start_workflow(
            CorrectionProcess.run,
            StartCorrection(correction=self.sealed(said, workflow_id=workflow_id) if sealed else said),
            id=workflow_id,
            task_queue=TASK_QUEUE,
        )
        assert await handle.result() == ("corrected" if sealed else "refused")
        return await handle.fetch_history()

    async def signal(self, *statements: Statement) -> None:
        for said in statements:
            handle = self.client.get_workflow_handle(said.workflow_id or self.workflow_id)
            await self.across_runs(partial(handle.signal, SIGNALS[type(said)], said))

    async def across_runs(self, send: Callable[[], Awaitable[None]]) -> None:
        """Send a signal; in the moment of a hand-over this server knows only the run that has just ended."""

        async def taken() -> bool:
            try:
                await send()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND or self.project.stage.ended:
                    raise
                return False
            return True

        await eventually(taken, "a run that takes the signal")

    async def tells(self, person: str, choice: str, reason: str = "", **fields: Any) -> AnswerTask:
        """`person` answers the task that asks them; it is recorded, accepted or refused."""
        said = self.answer(person, choice, reason, **fields)
        await self.sends(said)
        return said

    async def updates(self, **news: Any) -> UpdateProject:
        """One update; the process shows it. Not asked by a query: one that meets a hand-over stays without an answer,
        and with it this server's clock stands still."""
        said = self.update(**news)
        await self.sends(said)
        await eventually(self.shows_last_update, "the update shown to operators")
        return said

    async def shows_last_update(self) -> bool:
        shown = (await self.search_attributes()).get("LastUpdateAt") or ""
        return bool(shown[:19] == f"{self.project.updated_at:%Y-%m-%dT%H:%M:%S}")

    async def status(self) -> ProcessStatus:
        """Where the process stands. A question that meets a run just handing over is asked again: this server leaves
        it without an answer."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return await self.handle.query(ProjectRegistration.status, rpc_timeout=timedelta(seconds=1))
            except RPCError as error:
                gone = error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)
                if not gone or time.monotonic() > deadline:
                    raise

    # How time passes.

    async def nobody_works_until(self, moment: datetime) -> None:
        """Time passes while no worker runs, also beyond the moment at which the process should have woken up.

        With a workflow task waiting for a worker the server holds its clock; one more unlocking lets it go on.
        """
        history = await self.history()
        due = min(_fires_at(timer) for timer in _pending_timers(history))
        await self.waits_until(min(due + timedelta(milliseconds=2), moment))
        if due < moment:
            server = self.client.test_service
            await server.unlock_time_skipping(UnlockTimeSkippingRequest())
            await self.waits_until(moment)
            await server.lock_time_skipping(LockTimeSkippingRequest())

    async def goes_to(self, month: int, day: int, *, before_leap_day: bool = False) -> datetime:
        """Go to 14:05 in Shanghai on the next such day that exists, if asked for one in the year before a leap year."""
        zone = ZoneInfo(self.record.policy.time_zone)
        now = await self.env.get_current_time()
        years = (year for year in range(now.year, now.year + 12) if calendar.isleap(year + 1) == before_leap_day)
        days = (datetime(year, month, day, 14, 5, tzinfo=zone) for year in years)
        found = next(moment for moment in days if moment > now)
        await self.waits_until(found)
        return found

    # How it begins, and the ways to a stage, shared by tests and recorded histories.

    def registration(self, *, resumes: str | None = None, person: str = SAM) -> RegisterProject:
        why = Resumption(why_silent="no budget", why_resume="budget found") if resumes else None
        return RegisterProject(person=person, project_id=self.id, form=project_form(), resumes=resumes, resumption=why)

    async def registers(self, registration: RegisterProject | None = None, *, resumes: str | None = None) -> None:
        """P1, P4: the process starts as the front door starts it."""
        await self.client.start_workflow(
            ProjectRegistration.run,
            StartProject(registration=registration or self.sealed(self.registration(resumes=resumes))),
            id=self.workflow_id,
            task_queue=TASK_QUEUE,
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(APPLICANT, SAM), SearchAttributePair(DEPARTMENT, "north")]
            ),
        )

    async def comes_to(self, stage: ProjectStage) -> None:
        """Wait until the record stands at `stage` and the process is waiting there, or over."""
        await eventually(lambda: self.id in self.record.projects and self.project.stage is stage, stage.value)
        await eventually(partial(self._process_at, stage.value), f"the process at {stage}")

    async def is_asked(self, kind: TaskKind, person: str) -> None:
        """Wait until such a task asks `person`."""

        def asked() -> bool:
            return any(
                task.kind is kind and any(asked.person == person for asked in task.asked) for task in self.record.open
            )

        await eventually(asked, f"{kind} asking {person}")

    async def _process_at(self, stage: str) -> bool:
        return (await self.status()).stage == stage

    async def dispute_comes_to(self, stage: DisputeStage, *, asked: tuple[str, ...] | None = None) -> None:
        """Wait until the dispute stands at `stage` on record and in its process, waiting for `asked`."""

        async def there() -> bool:
            status = await self.child.status()
            return status.stage == stage and (asked is None or status.waiting_for == tuple(sorted(asked)))

        await eventually(lambda: any(dispute.stage is stage for dispute in self._disputes[-1:]), stage.value)
        await eventually(there, f"the dispute at {stage}")

    async def to_approval(self) -> None:
        """P1: under the salesperson's own account."""
        self.record.accounts = (account_of(SAM),)
        await self.registers()
        await self.comes_to(ProjectStage.APPROVAL)

    async def to_active(self) -> None:
        await self.to_approval()
        await self.tells(VERA, "approve")
        await self.comes_to(ProjectStage.ACTIVE)

    async def to_held(self) -> None:
        await self.to_approval()
        await self.tells(VERA, "hold", "who is the end user?")
        await self.comes_to(ProjectStage.HELD)

    async def to_assignment(self) -> None:
        """P4: under no account."""
        await self.registers()
        await self.comes_to(ProjectStage.ASSIGNMENT)

    async def to_check(self, *registered: Claimant) -> None:
        self.record.registered = registered
        await self.to_assignment()
        await self.tells(MONA, "assign", clerk=CLARA)
        await self.comes_to(ProjectStage.CONFLICT_CHECK)

    async def to_confirmation(self, *registered: Claimant) -> None:
        found = registered or (registration_of(SUE),)
        await self.to_check(*found)
        await self.tells(CLARA, "suspect", "the same tender", suspects=[match.subject_id for match in found])
        await self.comes_to(ProjectStage.CONFLICT_CONFIRMATION)

    async def to_refused(self) -> None:
        await self.to_confirmation()
        await self.tells(VIKTOR, "conflict", "the same tender")
        await self.comes_to(ProjectStage.REFUSED)

    async def to_objection(self) -> None:
        await self.to_refused()
        await self.sends(self.objects())
        await self.comes_to(ProjectStage.OBJECTION)

    async def to_dispute(self, *holders: str) -> None:
        """P3: under the account of another."""
        self.record.accounts = tuple(account_of(person) for person in holders or (SUE,))
        await self.registers()
        await self.comes_to(ProjectStage.DISPUTED)
        await self.dispute_comes_to(DisputeStage.NEGOTIATION)

    async def to_calling(self) -> None:
        await self.to_dispute()
        await self.tells(SUE, "disagree", "my customer")
        await self.dispute_comes_to(DisputeStage.CALLING_MEETING)

    async def meeting_is_called(self, person: str = MONA) -> None:
        """D2: commerce calls the meeting, a week from now."""
        starts = await self.env.get_current_time() + timedelta(days=7)
        people = ["vera", "viktor", "gina", "carl", "dora", "dirk"]
        await self.tells(person, "called", starts_at=starts.isoformat(), place="Room 3", participants=people)
        await self.dispute_comes_to(DisputeStage.MEETING)

    async def to_shelved(self) -> None:
        await self.to_active()
        (*_, last) = self.record.ahead(self.project)
        await self.waits_until(last.at + timedelta(seconds=1))
        await self.comes_to(ProjectStage.SHELVED)

    async def histories(self) -> list[WorkflowHistory]:
        """Of every run, from the first on."""
        found: list[WorkflowHistory] = []
        run_id = await self.run_id()
        while run_id:  # backwards: this server now and then keeps no last event of a run that has handed over
            found.append(await self.client.get_workflow_handle(self.workflow_id, run_id=run_id).fetch_history())
            begun = found[-1].events[0].workflow_execution_started_event_attributes
            run_id = begun.continued_execution_run_id
        return found[::-1]

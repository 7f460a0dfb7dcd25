"""The activities of the process, on an in-memory record: same names, same messages, same rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from temporalio import activity

from activities.steps import (
    Activated,
    ActivateStep,
    Gathered,
    GatherStep,
    Moved,
    MoveStep,
    OpenTask,
    Recorded,
    RecordStep,
    Refreshed,
    RefreshStep,
    ReminderStep,
    Sifted,
    SiftStep,
    Step,
    SubmitStep,
    Submitted,
)
from crypto.seal import seal_holds
from domain.accounts.application import WEIGHED, Stage
from domain.accounts.named_account import Obstacle, above_limit, appeal_in_time, may_be_appealed, recipients_of
from domain.notices import Notice
from domain.refusals import RefusalCode
from domain.statements import AnswerTask, AppealRejection, GatherEvidence, Statement, Withdraw, statement_of
from domain.tasks.answer_fields import answer_problems
from domain.tasks.asking import refilled_slots
from domain.tasks.deadlines import appeal_until, due_at, due_step
from domain.tasks.task import AnswerChoice, Asked, AssigneeCapacity, DueAction, RecordedDecision, TaskKind, TaskStatus
from tests.workflow.doubles.fake_record import CLARA, SEAL_KEYS, FakeApplication, FakeRecord, FakeTask

R = TypeVar("R")


class Refused(Exception):
    """A statement changes nothing, and why."""


class FakeActivities:
    """What a worker runs in place of the real activities."""

    def __init__(self, record: FakeRecord) -> None:
        self.record = record
        self.outside_answers = asyncio.Event()
        self.before_result: Callable[[str], Any] = lambda _: None
        """Called with the step's key after the step is recorded and before the worker hears of it; may be async."""

    @property
    def all(self) -> list[Callable[..., Any]]:
        marked = [name for name, found in vars(type(self)).items() if hasattr(found, "__temporal_activity_definition")]
        return [getattr(self, name) for name in marked]

    async def _once(self, step: Step, work: Callable[[], R]) -> R:
        info = activity.info()
        result = self.record.once(info.workflow_id or "", info.activity_type, step.key, work)
        waits = self.before_result(step.key)
        if waits is not None:
            await waits
        return result

    def _own(self) -> FakeApplication:
        return self.record.load_for_update(activity.info().workflow_id or "")

    @activity.defn(name="submit_application")
    async def submit_application(self, step: SubmitStep) -> Submitted:
        def work() -> Submitted:
            said, workflow_id = step.statement, activity.info().workflow_id or ""
            if not seal_holds(said, SEAL_KEYS) or said.workflow_id != workflow_id or said.form is None:
                self.record.note("statement_unsealed", step.now)
                return Submitted(accepted=False, application_id=said.application_id)
            if self.record.application is not None:
                raise LookupError("this application exists")
            self.record.application = FakeApplication(said.application_id, workflow_id, said.person)
            self.record.heard.add(said.message_id)
            return Submitted(accepted=True, application_id=said.application_id, title=f"{said.application_id} · Sam")

        return await self._once(step, work)

    async def _gather(self, step: GatherStep, name: str) -> Gathered:
        def work() -> Gathered:
            self._own()
            self.record.gathered.append((name, step.round))
            return Gathered(ask_outside=self.record.outside and name == "gather_background")

        return await self._once(step, work)

    @activity.defn(name="gather_registrations")
    async def gather_registrations(self, step: GatherStep) -> Gathered:
        return await self._gather(step, "gather_registrations")

    @activity.defn(name="gather_background")
    async def gather_background(self, step: GatherStep) -> Gathered:
        return await self._gather(step, "gather_background")

    @activity.defn(name="ask_outside_sources")
    async def ask_outside_sources(self, step: GatherStep) -> Gathered:
        if not self.outside_answers.is_set():
            raise ConnectionError("the credit bureau is silent")
        return await self._gather(step, "ask_outside_sources")

    @activity.defn(name="mark_outside_sources_unavailable")
    async def mark_outside_sources_unavailable(self, step: GatherStep) -> Gathered:
        return await self._gather(step, "unavailable")

    @activity.defn(name="record_statement")
    async def record_statement(self, step: RecordStep) -> Recorded:
        said = step.statement
        work: Callable[[], Recorded]
        match said:
            case AnswerTask():
                work = partial(self._answer, said, step)
            case Withdraw():
                work = partial(self._withdraw, said)
            case AppealRejection():
                work = partial(self._appeal, said, step)
            case GatherEvidence():
                work = partial(self._gather_for_commerce, said)
            case _:
                raise LookupError(f"no application hears {said.kind}")
        return await self._once(step, lambda: self._heard(said, step, work))

    @activity.defn(name="sift_messages")
    async def sift_messages(self, step: SiftStep) -> Sifted:
        workflow_id = activity.info().workflow_id

        def work() -> Sifted:
            said = [statement_of(sent.kind, sent.text) for sent in step.messages]
            sealed = [seal_holds(one, SEAL_KEYS) and one.workflow_id == workflow_id for one in said]
            unsealed = [one for one, held in zip(said, sealed, strict=True) if not held]
            self.record.refused += [(one.message_id, "unsealed") for one in unsealed]
            self.record.note("statements_unsealed", step.now, number=len(unsealed))
            first: dict[str, int] = {}
            for position, one in enumerate(said):
                if sealed[position]:
                    first.setdefault(one.fingerprint, position)
            return Sifted(sealed=tuple(first.values()))

        return await self._once(step, work)

    def _heard(self, said: Statement, step: Step, work: Callable[[], Recorded]) -> Recorded:
        own = self._own()
        if said.message_id in self.record.heard:
            return Recorded(accepted=False, code="duplicate")
        sealed = seal_holds(said, SEAL_KEYS) and said.workflow_id == own.workflow_id
        try:
            if not sealed:
                raise Refused(RefusalCode.UNSEALED)
            recorded = work()
        except Refused as refusal:
            why = str(refusal)
            self.record.refused.append((said.message_id, why))
            self.record.note("statement_refused", step.now, code=why)
            if sealed:
                self.record.heard.add(said.message_id)
                self.record.settled.add(said.message_id)
            return Recorded(accepted=False, code=why)
        self.record.heard.add(said.message_id)
        return recorded

    def _answer(self, said: AnswerTask, step: Step) -> Recorded:
        record, own = self.record, self._own()
        task = record.tasks.get(said.task_id)
        if task is None:
            raise Refused(RefusalCode.UNKNOWN_TASK)
        if task.status is not TaskStatus.OPEN:
            raise Refused(RefusalCode.ALREADY_ANSWERED if task.status is TaskStatus.ANSWERED else "task_withdrawn")
        mine = next((one for one in record.people(task, step.now) if one.person == said.person), None)
        if mine is None:
            raise Refused(RefusalCode.NOT_ASKED)
        choices = record.choices(task.kind)
        problems = answer_problems(choices, choice=said.choice, reason=said.reason, fields=said.fields)
        if problems:
            raise Refused(problems[0].key)
        decision = self._decision(task, mine, said, step)
        task.status = TaskStatus.ANSWERED
        record.decisions.append((own.round, decision))
        record.note("answer_accepted", step.now, choice=said.choice, person=said.person, task=task.id)
        if said.choice == AnswerChoice.SUPPLY:
            own.round += 1
        if record.open and said.choice == AnswerChoice.APPROVE:
            record.settled.add(said.message_id)
        return Recorded(
            accepted=True, decision=decision, round=own.round if said.choice == AnswerChoice.SUPPLY else None
        )

    def _decision(self, task: FakeTask, mine: Asked, said: AnswerTask, step: Step) -> RecordedDecision:
        return RecordedDecision(
            task_id=task.id,
            kind=task.kind,
            slot=task.slot,
            choice=said.choice,
            special=said.choice == AnswerChoice.APPROVE
            and any(c.special_reason for c in self.record.choices(task.kind)),
            reason=said.reason,
            person=said.person,
            on_behalf_of=mine.on_behalf_of,
            capacity=mine.capacity,
            decided_at=step.now,
        )

    def _withdraw(self, said: Withdraw) -> Recorded:
        own = self._own()
        if said.person != own.applicant:
            raise Refused(RefusalCode.NOT_APPLICANT)
        if own.stage.ended or own.stage is Stage.REJECTED:
            raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW)
        return Recorded(accepted=True)

    def _gather_for_commerce(self, said: GatherEvidence) -> Recorded:
        if said.person != CLARA:
            raise Refused(RefusalCode.ONLY_COMMERCE_GATHERS)
        own = self._own()
        if own.stage not in WEIGHED:
            raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW)
        self.record.gathered.append((said.kind, own.round))
        self.record.settled.add(said.message_id)
        return Recorded(accepted=True, settled=True)

    def _appeal(self, said: AppealRejection, step: Step) -> Recorded:
        own = self._own()
        if said.person != own.applicant:
            raise Refused(RefusalCode.NOT_APPLICANT)
        if own.appealed:
            raise Refused(RefusalCode.APPEAL_USED)
        if own.stage is not Stage.REJECTED or own.appeal_until is None:
            raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW)
        if not appeal_in_time(said.said_at, step.now, own.appeal_until):
            raise Refused(RefusalCode.APPEAL_TOO_LATE)
        own.appealed = True
        return Recorded(accepted=True)

    @activity.defn(name="move")
    async def move(self, step: MoveStep) -> Moved:
        def work() -> Moved:
            record, own, stage = self.record, self._own(), Stage(step.stage)
            involved = tuple(one.person for task in record.tasks.values() for one in task.asked)
            for task in record.open:
                task.status = TaskStatus.WITHDRAWN
                if stage not in (Stage.WITHDRAWN, own.stage):
                    record.mail("task_withdrawn", tuple(one.person for one in task.asked), step.now, task.id)
            if stage is Stage.REJECTED:
                rejected = [d for _, d in record.decisions if d.choice == AnswerChoice.REJECT]
                appealable = may_be_appealed(rejected[-1], record.organisation)
                own.appeal_until = appeal_until(step.now, record.policy, record.calendar) if appealable else None
            own.stage, own.obstacle = stage, step.obstacle
            opened = [record.open_task(ask, n, step.now) for n, ask in enumerate(record.each(step.asks))]
            for notice in step.notices:
                self._tell(notice, step, involved)
            record.settled.update(step.settles)
            record.note("moved", step.now, stage=stage.value)
            until = own.appeal_until if stage is Stage.REJECTED else None
            return Moved(tasks=tuple(record.known(task, step.now) for task in opened), until=until)

        return await self._once(step, work)

    def _tell(self, notice: Notice, step: Step, involved: tuple[str, ...]) -> None:
        own = self._own()
        facts = self.record.organisation
        people = recipients_of(notice, facts, applicant=own.applicant, department="north", involved=involved)
        self.record.mail(notice.value, people, step.now)

    @activity.defn(name="activate_account")
    async def activate_account(self, step: ActivateStep) -> Activated:
        def work() -> Activated:
            record, own = self.record, self._own()
            reviewed = [d for n, d in record.decisions if n == own.round and d.kind is TaskKind.VP_REVIEW]
            approvals = {d.slot for d in reviewed if d.choice == AnswerChoice.APPROVE}
            general = any(d.task_id == step.gm_decision for _, d in record.decisions)
            appealed = own.stage is Stage.GM_APPEAL
            if (step.gm_decision and not general) or (not appealed and len(approvals) < 2):
                raise LookupError("not approved on record")
            if above_limit(record.held, record.policy.accounts.limit) and not step.gm_decision:
                record.note("limit_reached", step.now)
                return Activated(obstacle=Obstacle.ABOVE_LIMIT)
            if record.taken:
                return Activated(obstacle=Obstacle(record.taken))
            own.stage, own.account = Stage.ACTIVE, True
            record.settled.update(step.settles)
            self._tell(Notice.ACTIVATED, step, ())
            record.note("activated", step.now)
            return Activated(account_id=own.id)

        return await self._once(step, work)

    @activity.defn(name="chase_task")
    async def remind_or_escalate(self, step: ReminderStep) -> OpenTask:
        def work() -> OpenTask:
            record, task = self.record, self.record.tasks[step.task_id]
            if step.action in (DueAction.WARN, DueAction.LAPSE):
                return record.chased(task, step.action, step.now)
            due = due_step(task.kind, task.opened_at, task.chased, record.policy, record.calendar)
            if due.at > step.now:
                return record.known(task, step.now)
            before = {one.person for one in task.asked}
            task.chased += 1
            task.asked = record.people(task, step.now)
            fresh = tuple(one.person for one in task.asked if one.person not in before)
            if due.action is DueAction.REMIND:
                record.mail("reminder", tuple(one.person for one in task.asked), step.now, task.id)
                record.note("reminder", step.now, task=task.id, due=due.at)
            else:
                record.mail("stand_in", fresh, step.now, task.id)
                record.note("stand_in", step.now, task=task.id, due=due.at)
            return record.known(task, step.now)

        return await self._once(step, work)

    @activity.defn(name="refresh_tasks")
    async def refresh_tasks(self, step: RefreshStep) -> Refreshed:
        def work() -> Refreshed:
            record = self.record
            self._own()
            reviews = [task for task in record.open if task.kind is TaskKind.VP_REVIEW]
            slots = refilled_slots(tuple(task.slot for task in reviews), record.organisation, record.decided_slots())
            for task, slot in zip(reviews, slots, strict=True):
                task.slot = slot
            for task in record.open:
                before = {one.person for one in task.asked}
                task.due_at = due_at(task.kind, task.opened_at, record.policy, record.calendar)
                task.asked = record.people(task, step.now)
                now = {one.person for one in task.asked}
                record.mail("task", tuple(sorted(now - before)), step.now, task.id)
                record.mail("task_withdrawn", tuple(sorted(before - now)), step.now, task.id)
            record.note("refreshed", step.now)
            return Refreshed(tasks=tuple(record.known(task, step.now) for task in record.open))

        return await self._once(step, work)


def capacity_of(record: FakeRecord, person: str) -> AssigneeCapacity | None:
    """In which capacity `person` is asked by an open task."""
    return next((one.capacity for task in record.open for one in task.asked if one.person == person), None)

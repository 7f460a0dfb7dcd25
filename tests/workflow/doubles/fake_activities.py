"""The activities of the process, on an in-memory record: same names, same messages, same rules."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from datetime import datetime
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
from activities.tasks.context import IllegalTransition
from crypto.seal import seal_holds
from domain.accounts.application import Stage
from domain.accounts.judgements import (
    judge_appeal,
    judge_gathering,
    judge_supplied_form,
    judge_withdrawal,
    stage_refuses,
)
from domain.accounts.named_account import Obstacle, above_limit, recipients_of
from domain.accounts.transitions import approvals, rejection, transition_problem
from domain.notices import Notice
from domain.refusals import RefusalCode, Refused
from domain.statements import AnswerTask, AppealRejection, GatherEvidence, Said, Statement, Withdraw, statement_of
from domain.tasks.asking import refilled_slots
from domain.tasks.deadlines import due_step
from domain.tasks.judgements import judge_form, judge_respondent, waits_for_others
from domain.tasks.task import AssigneeCapacity, DueAction, RecordedDecision, TaskKind, TaskStatus
from tests.workflow.doubles.fake_record import SEAL_KEYS, FakeApplication, FakeRecord, FakeTask

A = TypeVar("A", bound="FakeActivities")
P = TypeVar("P", bound=Step)
R = TypeVar("R")


def step_of(name: str) -> Callable[[Callable[[A, P], R]], Callable[[A, P], Coroutine[Any, Any, R]]]:
    """The activity `name`, from what it does to the record; done once under the key of its step."""

    def made(work: Callable[[A, P], R]) -> Callable[[A, P], Coroutine[Any, Any, R]]:
        @functools.wraps(work)
        async def carried_out(self: A, step: P) -> R:
            result = self.record.once(workflow_id(), name, step.key, lambda: work(self, step))
            waits = self.before_result(step.key)
            if waits is not None:
                await waits
            return result

        return activity.defn(name=name)(carried_out)

    return made


def is_sealed(said: Statement) -> bool:
    """Whether the gateway has sealed it for the process that calls."""
    return seal_holds(said, SEAL_KEYS) and said.workflow_id == workflow_id()


def workflow_id() -> str:
    """Of the process that calls."""
    return activity.info().workflow_id or ""


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

    def _own(self, step: Step) -> Any:
        """What the process that calls is about."""
        del step
        return self.record.load_for_update(workflow_id())

    @step_of("submit_application")
    def submit_application(self, step: SubmitStep) -> Submitted:
        said = step.statement
        if not is_sealed(said) or said.form is None:
            self.record.note("statement_unsealed", step.now)
            return Submitted(accepted=False, application_id=said.application_id)
        if self.record.application is not None:
            raise LookupError("this application exists")
        self.record.application = FakeApplication(said.application_id, workflow_id(), said.person)
        self.record.heard.add(said.message_id)
        return Submitted(accepted=True, application_id=said.application_id, title=f"{said.application_id} · Sam")

    def _gather(self, step: GatherStep, name: str) -> Gathered:
        self._own(step)
        self.record.gathered.append((name, step.round))
        return Gathered(ask_outside=self.record.outside and name == "gather_background")

    @step_of("gather_registrations")
    def gather_registrations(self, step: GatherStep) -> Gathered:
        return self._gather(step, "gather_registrations")

    @step_of("gather_background")
    def gather_background(self, step: GatherStep) -> Gathered:
        return self._gather(step, "gather_background")

    @step_of("ask_outside_sources")
    def ask_outside_sources(self, step: GatherStep) -> Gathered:
        if not self.outside_answers.is_set():
            raise ConnectionError("the credit bureau is silent")
        return self._gather(step, "ask_outside_sources")

    @step_of("mark_outside_sources_unavailable")
    def mark_outside_sources_unavailable(self, step: GatherStep) -> Gathered:
        return self._gather(step, "unavailable")

    @step_of("record_statement")
    def record_statement(self, step: RecordStep) -> Recorded:
        record, own, said = self.record, self._own(step), step.statement
        if said.message_id in record.heard:
            return Recorded(accepted=False, code=RefusalCode.DUPLICATE)
        sealed = is_sealed(said)
        try:
            if not sealed:
                raise Refused(RefusalCode.UNSEALED)
            recorded = self._judged(own, said, step.now)
        except Refused as refusal:
            record.refused.append((said.message_id, refusal.code))
            record.note("statement_refused", step.now, code=refusal.code)
            if sealed:
                record.heard.add(said.message_id)
                record.settled.add(said.message_id)
            return Recorded(accepted=False, code=refusal.code)
        record.heard.add(said.message_id)
        return recorded

    @step_of("sift_messages")
    def sift_messages(self, step: SiftStep) -> Sifted:
        said = [statement_of(sent.kind, sent.text) for sent in step.messages]
        sealed = [is_sealed(message) for message in said]
        unsealed = [message for message, held in zip(said, sealed, strict=True) if not held]
        self.record.refused += [(message.message_id, RefusalCode.UNSEALED) for message in unsealed]
        self.record.note("statements_unsealed", step.now, number=len(unsealed))
        first: dict[str, int] = {}
        for position, message in enumerate(said):
            if sealed[position]:
                first.setdefault(message.fingerprint, position)
        return Sifted(sealed=tuple(first.values()))

    def _judged(self, own: Any, said: Said, now: datetime) -> Recorded:
        match said:
            case AnswerTask():
                return self._answer(own, said, now)
            case Withdraw():
                judge_withdrawal(own.statement_facts, said)
                own.ending = True
            case AppealRejection():
                judge_appeal(own.statement_facts, said, now)
                own.appealed = True
            case GatherEvidence():
                judge_gathering(own.statement_facts, said, self.record.organisation)
                self.record.gathered.append((said.kind, own.round))
                self.record.settled.add(said.message_id)
                return Recorded(accepted=True, settled=True)
            case _:
                raise stage_refuses(own.stage)
        return Recorded(accepted=True)

    def _answer(self, own: Any, answer: AnswerTask, now: datetime) -> Recorded:
        record, number, task = self.record, own.round, self.record.tasks.get(answer.task_id)
        if task and record.workflow_of[task.id] != own.workflow_id:
            task = None
        facts = record.answer_facts(task, answer.person, now) if task else None
        asked = judge_respondent(facts, answer.person, record.organisation, now)
        assert task is not None
        chosen = judge_form(record.offered(task), answer)
        brought = self._answered(own, task, answer, now)
        begun = brought.pop("round", None)
        decision = RecordedDecision(
            task_id=task.id,
            kind=task.kind,
            slot=task.slot,
            choice=answer.choice,
            special=chosen.special_reason,
            reason=answer.reason,
            person=answer.person,
            on_behalf_of=asked.on_behalf_of,
            capacity=asked.capacity,
            decided_at=now,
            **brought,
        )
        task.status = TaskStatus.ANSWERED
        record.decisions.append((number, decision))
        record.note("answer_accepted", now, choice=answer.choice, person=answer.person, task=task.id)
        still_asked = bool(record.tasks_of(own.workflow_id, open_only=True))
        if waits_for_others(answer.choice, decision.outcome, still_asked=still_asked):
            record.settled.add(answer.message_id)
        return Recorded(accepted=True, decision=decision, round=begun)

    def _answered(self, own: Any, task: FakeTask, answer: AnswerTask, now: datetime) -> dict[str, Any]:
        """What follows from an answer that fits its form: fields of the decision, and the round that it begins."""
        del now
        if task.kind is not TaskKind.SUPPLY_INFORMATION:
            return {}
        judge_supplied_form(answer.fields, self.record.policy.eligibility)
        own.round += 1
        return {"round": own.round}

    @step_of("move")
    def move(self, step: MoveStep) -> Moved:
        record, own, stage = self.record, self._own(step), Stage(step.stage)
        problem = "it is over" if own.stage.ended else transition_problem(record.facts(step.now), stage)
        if problem:
            raise IllegalTransition(problem)
        involved = tuple(asked.person for task in record.tasks.values() for asked in task.asked)
        for task in record.open:
            task.status = TaskStatus.WITHDRAWN
            if stage not in (Stage.WITHDRAWN, own.stage):
                record.mail("task_withdrawn", tuple(asked.person for asked in task.asked), step.now, task.id)
        if stage is Stage.REJECTED:
            decisions = [decision for _, decision in record.decisions]
            own.rejection = rejection(decisions, record.organisation, record.policy, record.calendar, step.now)
        own.stage, own.obstacle = stage, step.obstacle
        opened = [record.ask(own, ask, number, step.now) for number, ask in enumerate(record.each(step.asks))]
        for notice in step.notices:
            self._tell(notice, step, involved)
        record.settled.update(step.settles)
        record.note("moved", step.now, stage=stage.value)
        return Moved(tasks=tuple(record.known(task, step.now) for task in opened), until=own.appeal_until)

    def _tell(self, notice: Notice, step: Step, involved: tuple[str, ...]) -> None:
        own = self._own(step)
        facts = self.record.organisation
        people = recipients_of(notice, facts, applicant=own.applicant, department="north", involved=involved)
        self.record.mail(notice.value, people, step.now)

    @step_of("activate_account")
    def activate_account(self, step: ActivateStep) -> Activated:
        record, own = self.record, self._own(step)
        if own.stage.ended:
            raise IllegalTransition(f"{own.id} is over: {own.stage}")
        approvals(record.facts(step.now), step.gm_decision)
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

    @step_of("chase_task")
    def remind_or_escalate(self, step: ReminderStep) -> OpenTask:
        record, task = self.record, self.record.tasks[step.task_id]
        if step.action in (DueAction.WARN, DueAction.LAPSE):
            return record.chased(task, step.action, step.now)
        due = due_step(task.kind, task.opened_at, task.chased, record.policy, record.calendar)
        if due.at > step.now:
            return record.known(task, step.now)
        before = {asked.person for asked in task.asked}
        task.chased += 1
        task.asked = record.people(task, step.now)
        fresh = tuple(asked.person for asked in task.asked if asked.person not in before)
        if due.action is DueAction.REMIND:
            record.mail("reminder", tuple(asked.person for asked in task.asked), step.now, task.id)
            record.note("reminder", step.now, task=task.id, due=due.at)
        else:
            record.mail("stand_in", fresh, step.now, task.id)
            record.note("stand_in", step.now, task=task.id, due=due.at)
        return record.known(task, step.now)

    @step_of("refresh_tasks")
    def refresh_tasks(self, step: RefreshStep) -> Refreshed:
        record = self.record
        self._own(step)
        reviews = [task for task in record.open if task.kind is TaskKind.VP_REVIEW]
        slots = refilled_slots(tuple(task.slot for task in reviews), record.organisation, record.decided_slots())
        for task, slot in zip(reviews, slots, strict=True):
            task.slot = slot
        for task in record.open:
            record.refresh(task, step.now)
        record.note("refreshed", step.now)
        return Refreshed(tasks=tuple(record.known(task, step.now) for task in record.open))


def capacity_of(record: FakeRecord, person: str) -> AssigneeCapacity | None:
    """In which capacity `person` is asked by an open task."""
    return next((asked.capacity for task in record.open for asked in task.asked if asked.person == person), None)

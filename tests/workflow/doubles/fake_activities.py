"""The activities of the processes on an in-memory record: same names, same messages, same rules."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime
from typing import Any, TypeVar

from temporalio import activity

from activities import steps
from activities.accounts import record as application_record
from activities.tasks.context import Answered, IllegalTransition, SubjectOver
from crypto.seal import seal_holds
from db.accounts.applications import ApplicationRow
from domain.accounts import judgements
from domain.accounts.application import Stage
from domain.accounts.named_account import Obstacle, above_limit, recipients_of
from domain.accounts.transitions import approvals, rejection, transition_problem
from domain.notices import Notice
from domain.projects.project import ProjectStage
from domain.refusals import RefusalCode, Refused
from domain.statements import AnswerTask, AppealRejection, GatherEvidence, Said, Statement, Withdraw, statement_of
from domain.tasks.asking import refilled_slots
from domain.tasks.deadlines import due_step
from domain.tasks.judgements import judge_form, judge_respondent, waits_for_others
from domain.tasks.task import DueAction, RecordedDecision, TaskKind, TaskStatus
from tests.workflow.doubles.fake_record import SEAL_KEYS, FakeRecord, FakeTask

A = TypeVar("A", bound="FakeSteps")
P = TypeVar("P", bound=steps.Step)
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


def require(problem: str | None) -> None:
    """Raises `IllegalTransition` where there is a problem."""
    if problem:
        raise IllegalTransition(problem)


def goes_on(own: Any) -> None:
    """Raises `SubjectOver` for what was ended from outside its process (D6)."""
    if own.stage is ProjectStage.MERGED:
        raise SubjectOver(own.stage.value)


class FakeSteps:
    """The steps that the processes of all subjects have in common, and what differs between the subjects."""

    judged: Callable[..., steps.Recorded]  # What becomes of a sealed statement that is no answer. Raises `Refused`
    answered: Callable[..., Answered]  # What follows from an answer that fits its form. Raises `Refused`
    enter: Callable[..., steps.Moved]  # Go to a stage. Raises `IllegalTransition`
    recipients: Callable[..., tuple[str, ...]]

    def __init__(self, record: FakeRecord) -> None:
        self.record = record
        self.outside_answers = asyncio.Event()
        self.before_result: Callable[[str], Any] = lambda _: None
        """Called with the step's key after the step is recorded and before the worker hears of it; may be async."""

    @property
    def all(self) -> list[Callable[..., Any]]:
        kind = type(self)
        marked = [name for name in dir(kind) if hasattr(getattr(kind, name), "__temporal_activity_definition")]
        return [getattr(self, name) for name in marked]

    @property
    def own(self) -> Any:
        """The row of the subject of the process that calls. Raises `IllegalTransition`."""
        return self.record.own(workflow_id())

    def begins(self, said: Statement, now: datetime, *, form: object) -> bool:
        """Whether a process begins with it; noted where nobody has sealed it."""
        begins = is_sealed(said) and form is not None
        if not begins:
            self.record.note("statement_unsealed", now)
        return begins

    def notify(self, own: Any, notice: Notice, involved: Iterable[str] = ()) -> None:
        self.record.mail(notice.value, self.recipients(own, notice, involved))

    @step_of("record_statement")
    def record_statement(self, step: steps.RecordStep) -> steps.Recorded:
        record, own, said = self.record, self.own, step.statement
        if said.message_id in record.heard:
            return steps.Recorded(accepted=False, code=RefusalCode.DUPLICATE)
        sealed = is_sealed(said)
        try:
            if not sealed:
                raise Refused(RefusalCode.UNSEALED)
            if isinstance(said, AnswerTask):
                recorded = self._answer(own, said, step.now)
            else:
                recorded = self.judged(own, said, step.now)
        except Refused as refusal:
            record.refused.append((said.message_id, refusal.code))
            recorded = steps.Recorded(accepted=False, code=refusal.code)
        if sealed:
            record.heard.add(said.message_id)
        if sealed and (recorded.settled or not recorded.accepted):
            record.settled.add(said.message_id)
        return recorded

    @step_of("sift_messages")
    def sift_messages(self, step: steps.SiftStep) -> steps.Sifted:
        said = [statement_of(sent.kind, sent.text) for sent in step.messages]
        sealed = [position for position, message in enumerate(said) if is_sealed(message)]
        unsealed = [message for position, message in enumerate(said) if position not in sealed]
        self.record.refused += [(message.message_id, RefusalCode.UNSEALED) for message in unsealed]
        self.record.note("statements_unsealed", step.now, number=len(unsealed))
        first = {said[position].fingerprint: position for position in reversed(sealed)}
        return steps.Sifted(sealed=tuple(sorted(first.values())))

    def _answer(self, own: Any, said: AnswerTask, now: datetime) -> steps.Recorded:
        record = self.record
        task = next((task for task in record.tasks_of(own) if task.id == said.task_id), None)
        facts = record.answer_facts(task, said.person, now) if task else None
        asked = judge_respondent(facts, said.person, record.organisation, now)
        assert task is not None
        chosen = judge_form(record.offered(task, now), said)
        answered = self.answered(own, task, said, now)
        decision = RecordedDecision(
            task_id=task.id,
            kind=task.kind,
            slot=task.slot,
            choice=said.choice,
            special=chosen.special_reason,
            reason=said.reason,
            decided_at=now,
            outcome=answered.outcome,
            names=answered.names,
            **asked.model_dump(exclude={"name"}),
        )
        task.status = TaskStatus.ANSWERED
        record.decisions.append((task.round, decision))
        record.note("answer_accepted", now, choice=said.choice, person=said.person, task=task.id)
        if waits_for_others(said.choice, decision.outcome, still_asked=bool(record.open_of(own))):
            record.settled.add(said.message_id)
        return steps.Recorded(accepted=True, decision=decision, round=answered.round)

    @step_of("move")
    def move(self, step: steps.MoveStep) -> steps.Moved:
        record, own = self.record, self.own
        goes_on(own)
        require(f"{own.id} is over: {own.stage}" if record.over(own) else None)
        this_round = [task for task in record.tasks_of(own) if task.round == own.round]
        involved = tuple(person for task in this_round for person in task.people)
        entered = self.enter(own, step)
        for task in this_round:
            if task.status is TaskStatus.OPEN:
                task.status = TaskStatus.WITHDRAWN
                if step.stage not in ("withdrawn", own.stage):
                    record.mail("task_withdrawn", task.people)
        own = self.own
        opened = record.ask(own, step.asks, step.now)
        for notice in step.notices:
            self.notify(own, notice, involved)
        record.settled.update(step.settles)
        record.note("moved", step.now, subject=own.id, stage=step.stage)
        return entered.model_copy(update={"tasks": opened})

    @step_of("chase_task")
    def remind_or_escalate(self, step: steps.ReminderStep) -> steps.OpenTask:
        record, task = self.record, self.record.tasks[step.task_id]
        goes_on(self.own)
        if step.action in (DueAction.WARN, DueAction.LAPSE):  # U10
            over = step.action is DueAction.LAPSE and record.lapsed(task, step.now)
            standing = record.standing(task)
            if standing and standing.action is step.action is DueAction.WARN and standing.at <= step.now:
                for other in record.open_of(self.own):  # the sides of one dispute
                    other.warned_at = step.now
                record.note("warned", step.now, task=task.id)
            return record.known(task, step.now).model_copy(update={"lapsed": over})
        due = due_step(task.kind, task.opened_at, task.chased, record.policy, record.calendar)
        if task.status is not TaskStatus.OPEN:  # as if all that was due had been done
            return record.known(record.past_due(task, step.now), step.now)
        if due.at <= step.now:
            before = task.people
            task.chased += 1
            task.asked = record.people(task, step.now)
            reminds = due.action is DueAction.REMIND
            event = "reminder" if reminds else "stand_in"
            record.mail(event, [person for person in task.people if reminds or person not in before])
            record.note(event, step.now, task=task.id, due=due.at)
        return record.known(task, step.now)

    @step_of("refresh_tasks")
    def refresh_tasks(self, step: steps.RefreshStep) -> steps.Refreshed:
        record, own = self.record, self.own
        goes_on(own)
        still_open = record.open_of(own)
        reviews = [task for task in still_open if task.kind is TaskKind.VP_REVIEW]
        slots = refilled_slots(tuple(task.slot for task in reviews), record.organisation, record.decided_slots(own))
        for task, slot in zip(reviews, slots, strict=True):
            task.slot = slot
        record.note("refreshed", step.now)
        return steps.Refreshed(tasks=tuple(record.refresh(task, step.now) for task in still_open))


class FakeActivities(FakeSteps):
    """What a worker runs in place of the real activities, for applications."""

    def _gather(self, step: steps.GatherStep) -> steps.Gathered:
        name = activity.info().activity_type
        if name == "ask_outside_sources" and not self.outside_answers.is_set():
            raise ConnectionError("the credit bureau is silent")
        assert self.own
        self.record.gathered.append((name, step.round))
        return steps.Gathered(ask_outside=self.record.outside and name == "gather_background")

    gather_registrations = step_of("gather_registrations")(_gather)
    gather_background = step_of("gather_background")(_gather)
    ask_outside_sources = step_of("ask_outside_sources")(_gather)
    mark_outside_sources_unavailable = step_of("mark_outside_sources_unavailable")(_gather)

    @step_of("submit_application")
    def submit_application(self, step: steps.SubmitStep) -> steps.Submitted:
        said, rows = step.statement, self.record.rows
        if not self.begins(said, step.now, form=said.form):
            return steps.Submitted(accepted=False, application_id=said.application_id)
        assert said.form is not None
        rows[said.application_id] = application_record.row_of(
            said, said.form, workflow_id=workflow_id(), department="north", policy_digest="", now=step.now
        )
        self.record.heard.add(said.message_id)
        title = f"{said.application_id} · {said.person.title()}"
        return steps.Submitted(accepted=True, application_id=said.application_id, title=title)

    def judged(self, own: ApplicationRow, said: Said, now: datetime) -> steps.Recorded:
        facts = own.statement_facts
        match said:
            case Withdraw():
                judgements.judge_withdrawal(facts, said)
                self.record.change(own, end_reason={"reason": said.reason})
            case AppealRejection():
                judgements.judge_appeal(facts, said, now)
                self.record.change(own, appeal={"reason": said.reason})
            case GatherEvidence():
                judgements.judge_gathering(facts, said, self.record.organisation)
                self.record.gathered.append((said.kind, own.round))
                return steps.Recorded(accepted=True, settled=True)
            case _:
                raise judgements.stage_refuses(own.stage)
        return steps.Recorded(accepted=True)

    def answered(self, own: ApplicationRow, task: FakeTask, said: AnswerTask, now: datetime) -> Answered:
        del now
        if task.kind is not TaskKind.SUPPLY_INFORMATION:
            return Answered()
        judgements.judge_supplied_form(said.fields, self.record.policy.eligibility)
        return Answered(round=self.record.change(own, round=own.round + 1).round)

    def enter(self, own: ApplicationRow, step: steps.MoveStep) -> steps.Moved:
        record, stage = self.record, Stage(step.stage)
        require(transition_problem(record.transition_facts(own, step.now), stage))
        values: dict[str, Any] = {"stage": stage}
        if stage is Stage.REJECTED:
            decisions = [decision for _, decision in record.decisions]
            values["rejection"] = rejection(decisions, record.organisation, record.policy, record.calendar, step.now)
        if step.obstacle:
            values["end_reason"] = {"code": step.obstacle.value}
        record.change(own, **values)
        return steps.Moved(until=record.appeal_until)

    def recipients(self, own: ApplicationRow, notice: Notice, involved: Iterable[str]) -> tuple[str, ...]:
        organisation = self.record.organisation
        return recipients_of(
            notice, organisation, applicant=own.applicant, department=own.department, involved=involved
        )

    @step_of("activate_account")
    def activate_account(self, step: steps.ActivateStep) -> steps.Activated:
        record, own = self.record, self.own
        approvals(record.transition_facts(own, step.now), step.gm_decision)
        if above_limit(record.held, record.policy.accounts.limit) and not step.gm_decision:
            return steps.Activated(obstacle=Obstacle.ABOVE_LIMIT)
        if record.taken:
            return steps.Activated(obstacle=Obstacle(record.taken))
        record.change(own, stage=Stage.ACTIVE)
        record.settled.update(step.settles)
        self.notify(own, Notice.ACTIVATED)
        record.note("activated", step.now)
        return steps.Activated(account_id=own.id)

"""The subject a step works on, with the reference data the rules need.

How tasks are opened, answered, reminded of and closed is the same for all subjects. What differs between applications,
projects, disputes and reviews are the methods of a `Context`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import JsonValue
from temporalio.exceptions import ApplicationError

from activities.steps import Moved, MoveStep, Recorded
from activities.tasks.docket import Docket
from activities.unit_of_work import UnitOfWork
from db.reads.step_snapshot import step_snapshot
from db.tasks.tasks import DecisionRow, TaskRow
from domain.calendar import WorkCalendar
from domain.notices import Notice
from domain.organisation import Organisation
from domain.policy import Policy
from domain.statements import AnswerTask, Statement
from domain.subject import Subject, SubjectType, stage_key
from domain.tasks.asking import IN_PERSON
from domain.tasks.standstill import closes_at, standstill_step
from domain.tasks.task import Ask, Choice, DueAction, DueStep, TaskKind, TaskStatus
from texts.mails.facts import MailFacts
from texts.tasks.deciding import DecidingFacts, TaskDeadline

SUBJECT_OVER = "SubjectOver"


class IllegalTransition(ApplicationError):
    """A process tries a step on a subject that is not its own, or moves one that is over.

    Only a process started by hand does that. No retry helps, and the process fails for everyone to see.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, type="ForeignStep", non_retryable=True)


class SubjectOver(ApplicationError):
    """The record has ended the subject from outside its process, which has not heard of it yet (D6).

    The process then goes to that end: to the stage in `details`.
    """

    def __init__(self, stage: str) -> None:
        super().__init__(f"the record has ended it: {stage}", stage, type=SUBJECT_OVER, non_retryable=True)


class Answered(NamedTuple):
    """What an accepted answer changed."""

    round: int | None = None
    """The new round, if it began one."""
    outcome: str = ""
    names: tuple[str, ...] = ()
    """As in `RecordedDecision`."""


class Context(ABC):
    """One subject in one step."""

    type: ClassVar[SubjectType]
    left_open: ClassVar[TaskStatus] = TaskStatus.WITHDRAWN
    """What becomes of tasks that nobody has answered when the process goes on."""
    left_open_mail: ClassVar[Notice] = Notice.TASK_WITHDRAWN

    def __init__(
        self, uow: UnitOfWork, organisation: Organisation, calendar: WorkCalendar, policy: Policy, docket: Docket
    ) -> None:
        self.uow = uow
        self.organisation = organisation
        self.calendar = calendar
        self.policy = policy
        self.docket = docket
        """The subject's tasks and decisions."""

    @classmethod
    @abstractmethod
    async def load_for_update(cls, uow: UnitOfWork, subject_id: str) -> Self:
        """The process's own subject, its row locked. Raises `IllegalTransition`."""

    @classmethod
    async def with_facts(cls, uow: UnitOfWork, policy_digest: str) -> Self:
        """A context of the step's subject, which is locked, with the facts of this moment and the policy that the
        process began with."""
        found = await step_snapshot(uow.connection, uow.subject_id or "")
        organisation, calendar = await uow.facts.of_versions(
            uow.connection, found.organisation_version, found.calendar_version
        )
        policy = await uow.facts.pinned_policy(uow.connection, policy_digest)
        return cls(uow, organisation, calendar, policy, Docket(uow.connection, found))

    @property
    @abstractmethod
    def subject(self) -> Subject:
        """Whose tasks, decisions and mails these are. A dispute's are those of its project."""

    @property
    @abstractmethod
    def applicant(self) -> str:
        """Who must not decide on this subject (separation of duties)."""

    @property
    @abstractmethod
    def department(self) -> str | None: ...

    @property
    @abstractmethod
    def stage(self) -> StrEnum: ...

    def stage_key(self, stage: str) -> str:
        """Text key of a stage."""
        return stage_key(self.type, stage)

    @property
    @abstractmethod
    def over(self) -> bool:
        """The process has reached an end; no step moves it any more."""

    @property
    def ended_outside(self) -> bool:
        """Something else than its own process has ended the subject."""
        return False

    def goes_on(self) -> None:
        """Raises `SubjectOver` for a subject that was ended from outside its process."""
        if self.ended_outside:
            raise SubjectOver(self.stage.value)

    @property
    @abstractmethod
    def round(self) -> int: ...

    @abstractmethod
    async def check_transition(self, stage: str) -> None:
        """Whether the record holds what leads to `stage`. Raises `IllegalTransition`.

        Whoever can write to the engine can start a process by hand with an invented state; what was decided is read
        from the record.
        """

    @abstractmethod
    async def enter(self, step: MoveStep) -> Moved:
        """Go to a stage; the context shows it from then on. Returns what the process goes on with, without tasks."""

    @abstractmethod
    async def notify(self, notice: Notice, step: MoveStep, involved: tuple[str, ...]) -> None:
        """Queue the mails of one notice. `involved`: everyone asked or heard in this round."""

    def slots(self, ask: Ask) -> Sequence[str]:
        """The slots of which `ask` opens one task each."""
        return (ask.slot,)

    def closes_at(self, kind: TaskKind) -> datetime | None:
        """The moment at which a task of that kind is over, answered or not, where there is one."""
        del kind
        return None

    def stands_since(self, task: TaskRow) -> datetime:
        """U10: since when nobody has taken the matter further."""
        return task.opened_at

    def standing(self, task: TaskRow) -> DueStep | None:
        """U10: what happens automatically while this task stays open, if anything."""
        return standstill_step(task.kind, self.stands_since(task), task.warned_at, self.policy, self.calendar)

    def closes_unless_answered(self, task: TaskRow) -> datetime | None:
        """U10: when it is shelved or closed."""
        return closes_at(task.kind, self.stands_since(task), task.warned_at, self.policy, self.calendar)

    def deadline_of(self, task: TaskRow) -> TaskDeadline:
        """N12, U10: until when an answer is expected, and what follows without one."""
        closes = self.closes_unless_answered(task)
        return TaskDeadline.of(task.kind, self.policy, chased=task.chased, due_at=task.due_at, closes_at=closes)

    def stands_still(self, workflow_id: str) -> bool:
        """U10: whether a process waits for something that nobody has answered in time, warning included."""
        waiting = [self.standing(task) for task in self.docket.open_tasks if task.workflow_id == workflow_id]
        return any(step and step.action is DueAction.LAPSE and step.at <= self.uow.now for step in waiting)

    async def warn(self, task: TaskRow, until: datetime) -> None:
        """U10: notify the people concerned when the matter will be shelved or closed."""
        raise NotImplementedError(f"no {self.type} stands still: {task.kind}, {until}")

    @abstractmethod
    async def choices_now(self, kind: TaskKind, slot: str) -> tuple[Choice, ...]:
        """What may be answered at this moment."""

    @abstractmethod
    async def note_for(self, ask: Ask) -> dict[str, JsonValue] | None:
        """What the assignee has to know beside the subject itself."""

    @abstractmethod
    async def ruled_out(self, task: TaskRow) -> frozenset[str]:
        """Who holds or has decided another task that must not be decided by the same person (N6, N8, N10)."""

    async def look_again(self, kind: TaskKind) -> None:
        """N15, P4: somebody is about to be reminded of a task of that kind, or asked in another's place."""
        del kind

    def answers_own(self, kind: TaskKind) -> bool:
        """Whether the applicant answers tasks of this kind themselves."""
        return kind in IN_PERSON

    @abstractmethod
    async def check(self, task: TaskRow, said: AnswerTask) -> None:
        """Judge what the form of an answer does not show. Raises `Refused`."""

    def kept(self, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """The fields to store of an answer that `check` has accepted."""
        return fields

    @abstractmethod
    async def answered(self, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
        """Apply an accepted answer, in the transaction that records it."""

    @abstractmethod
    async def judge(self, said: Statement) -> Recorded:
        """Judge a statement that is no answer. Raises `Refused`."""

    @abstractmethod
    def mail_facts(self) -> MailFacts:
        """What every mail about the subject says."""

    async def deciding(self, task: TaskRow, reader: str) -> DecidingFacts | None:
        """What `reader`, whom `task` asks, must know before anything else."""
        del task, reader
        return None

    @abstractmethod
    async def mail_evidence(self, kind: TaskKind) -> Mapping[str, Any]:
        """What a mail that asks for a decision shows beside that: fields of `MailFacts`."""

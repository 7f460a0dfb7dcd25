"""An in-memory record that keeps the rules: the activities' stand-in in workflow tests.

It applies the same domain functions as the real activities, remembers every step under its key, and knows what people
were told. Synthetic people and one synthetic customer; no database, no mail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from pydantic import SecretBytes

from activities.steps import OpenTask
from crypto.keyring import Keyring
from domain.accounts.application import Stage
from domain.accounts.judgements import StatementFacts, ruled_out
from domain.accounts.named_account import Rejection, above_limit, choices_for
from domain.accounts.transitions import ApplicationFacts
from domain.calendar import WorkCalendar
from domain.organisation import Delegation, Organisation
from domain.policy import load_policy
from domain.tasks.asking import IN_PERSON, vp_slots, who_is_asked
from domain.tasks.deadlines import due_at, due_step, stand_in_due
from domain.tasks.judgements import AnswerFacts
from domain.tasks.standstill import standstill_step
from domain.tasks.task import Ask, Asked, Choice, Decision, DueAction, DueStep, TaskKind, TaskStatus
from tests.samples import company

SEAL_KEYS = Keyring((("seal-test", SecretBytes(b"s" * 32)),))

SAM, VERA, VIKTOR, GINA, CLARA, MONA, DORA = "sam", "vera", "viktor", "gina", "clara", "mona", "dora"
PEOPLE = (SAM, DORA, VERA, VIKTOR, GINA, "carl", CLARA, MONA, "victor")

R = TypeVar("R")


def organisation(*, gone: tuple[str, ...] = (), delegations: tuple[Delegation, ...] = ()) -> Organisation:
    """The synthetic company; `gone` have left and a VP among them is followed by `victor`."""
    sales_vps = tuple("victor" if name in gone else name for name in (VERA, VIKTOR))
    return company(PEOPLE, gone=gone, delegations=delegations, sales_vps=sales_vps)


@dataclass
class FakeTask:
    id: str
    kind: TaskKind
    slot: str
    round: int
    opened_at: datetime
    due_at: datetime
    asked: tuple[Asked, ...]
    status: TaskStatus = TaskStatus.OPEN
    chased: int = 0
    warned_at: datetime | None = None


@dataclass
class FakeApplication:
    id: str
    workflow_id: str
    applicant: str
    stage: Stage = Stage.EVIDENCE
    round: int = 1
    rejection: Rejection | None = None
    appealed: bool = False
    ending: bool = False
    """N13: it is withdrawn."""
    account: bool = False
    obstacle: str | None = None

    @property
    def appeal_until(self) -> datetime | None:
        return self.rejection.appeal_until if self.rejection else None

    @property
    def statement_facts(self) -> StatementFacts:
        return StatementFacts(
            stage=self.stage, applicant=self.applicant, appealed=self.appealed, appeal_until=self.appeal_until
        )


@dataclass(frozen=True)
class Note:
    """Something the record remembers: an event, when, and what belongs to it."""

    event: str
    at: datetime
    body: dict[str, Any]


@dataclass(frozen=True)
class Mail:
    kind: str
    person: str
    task: str
    at: datetime


@dataclass
class FakeRecord:
    """What is remembered, and the switches a test turns. A step that raises leaves nothing behind."""

    organisation: Organisation = field(default_factory=organisation)
    held: int = 0
    """Named Accounts the applicant holds already (N8)."""
    taken: str | None = None
    """The obstacle that meets an activation (N14)."""
    away: set[str] = field(default_factory=set)
    """Activities that raise, as with PostgreSQL away; `*` stands for all of them."""
    refused_calls: int = 0
    outside: bool = False
    """A source outside is plugged in (N4)."""

    application: FakeApplication | None = None
    tasks: dict[str, FakeTask] = field(default_factory=dict)
    workflow_of: dict[str, str] = field(default_factory=dict)
    """Task id: the process that asks."""
    decisions: list[tuple[int, Decision]] = field(default_factory=list)
    heard: set[str] = field(default_factory=set)
    """Message ids that have a receipt."""
    settled: set[str] = field(default_factory=set)
    refused: list[tuple[str, str]] = field(default_factory=list)
    """(message id, why) of what changed nothing."""
    gathered: list[tuple[str, int]] = field(default_factory=list)
    done: dict[tuple[str, str], Any] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy = load_policy()
        self.calendar = WorkCalendar(region=self.policy.calendar_region, time_zone=self.policy.time_zone)

    def once(self, workflow_id: str, name: str, key: str, work: Callable[[], R]) -> R:
        """Do `work` unless the step under this key was done. Raises `ConnectionError` while the record is away."""
        if {name, "*"} & self.away:
            self.refused_calls += 1
            raise ConnectionError("the record is away")
        self.keys.append(key)
        if (workflow_id, key) in self.done:
            found: R = self.done[workflow_id, key]
            return found
        result = work()
        self.done[workflow_id, key] = result
        return result

    def load_for_update(self, workflow_id: str) -> FakeApplication:
        if self.application is None or self.application.workflow_id != workflow_id:
            raise LookupError(f"{workflow_id} has no application")
        return self.application

    def facts(self, now: datetime) -> ApplicationFacts:
        """What is remembered of the application for its next stage."""
        own = self.application
        assert own is not None
        return ApplicationFacts(
            stage=own.stage,
            decisions=tuple(decision for number, decision in self.decisions if number == own.round),
            vps=vp_slots(self.organisation),
            rejected=own.rejection is not None,
            appealed=own.appealed,
            ending=own.ending,
            stands_still=any(self.lapsed(task, now) for task in self.open),
        )

    def answer_facts(self, task: FakeTask, person: str, now: datetime) -> AnswerFacts:
        """What is remembered of a task that somebody answers."""
        own = self.application
        return AnswerFacts(
            status=task.status,
            own=own is not None and person == own.applicant and task.kind not in IN_PERSON,
            asked=self.people(task, now),
        )

    def note(self, event: str, at: datetime, **body: Any) -> None:
        self.notes.append(Note(event, at, body))

    def mail(self, kind: str, people: tuple[str, ...], at: datetime, task: str = "") -> None:
        self.mails += [Mail(kind, person, task, at) for person in people]

    @property
    def open(self) -> list[FakeTask]:
        return [task for task in self.tasks.values() if task.status is TaskStatus.OPEN]

    def tasks_of(self, workflow_id: str, *, open_only: bool = False) -> list[FakeTask]:
        return [
            task
            for task in self.tasks.values()
            if self.workflow_of[task.id] == workflow_id and (not open_only or task.status is TaskStatus.OPEN)
        ]

    def decided_slots(self) -> frozenset[str]:
        """N6: slots of the open review whose answer stands; asked again (N8), one without special reason does not."""
        asked_last = max((task.opened_at for task in self.open), default=None)
        return frozenset(
            decision.slot
            for number, decision in self.decisions
            if decision.kind is TaskKind.VP_REVIEW
            and self.application
            and number == self.application.round
            and (decision.special or self.tasks[decision.task_id].opened_at == asked_last)
        )

    def ask(self, own: Any, ask: Ask, number: int, now: datetime) -> FakeTask:
        """Open a task of an application, a registration or a dispute, and write to whom it asks."""
        parts = (own.workflow_id, str(own.round), now.isoformat(), ask.kind, str(number))
        task = FakeTask(
            id=hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32],
            kind=ask.kind,
            slot=ask.slot,
            round=own.round,
            opened_at=now,
            due_at=due_at(ask.kind, now, self.policy, self.calendar),
            asked=(),
        )
        self.tasks[task.id] = task
        self.workflow_of[task.id] = own.workflow_id
        task.asked = self.people(task, now)
        self.mail("task", tuple(asked.person for asked in task.asked), now, task.id)
        return task

    def refresh(self, task: FakeTask, now: datetime) -> None:
        """Work out again who is asked and until when; notify who is new and who is asked no longer."""
        before = {asked.person for asked in task.asked}
        task.due_at = due_at(task.kind, task.opened_at, self.policy, self.calendar)
        task.asked = self.people(task, now)
        asked_now = {asked.person for asked in task.asked}
        self.mail("task", tuple(sorted(asked_now - before)), now, task.id)
        self.mail("task_withdrawn", tuple(sorted(before - asked_now)), now, task.id)

    def each(self, asks: tuple[Ask, ...]) -> list[Ask]:
        """N6: a review without a slot is one task for each sales VP."""
        return [
            Ask(kind=ask.kind, slot=slot)
            for ask in asks
            for slot in (vp_slots(self.organisation) if ask.kind is TaskKind.VP_REVIEW and not ask.slot else [ask.slot])
        ]

    def people(self, task: FakeTask, now: datetime) -> tuple[Asked, ...]:
        assert self.application is not None
        this_round = [d for number, d in self.decisions if d.kind is TaskKind.VP_REVIEW and number == task.round]
        others = (
            other.slot
            for other in self.tasks.values()
            if other.kind is TaskKind.VP_REVIEW and other.round == task.round and other.slot != task.slot
        )
        asked = who_is_asked(
            Ask(kind=task.kind, slot=task.slot),
            self.organisation,
            self.policy,
            applicant=self.application.applicant,
            now=now,
            standing_in=stand_in_due(task.kind, task.chased, self.policy),
            other_reviewers=ruled_out(
                task.kind, task.slot, other_slots=others, reviews=this_round, vps=vp_slots(self.organisation)
            ),
        )
        return tuple(person.model_copy(update={"name": self.organisation.name_of(person.person)}) for person in asked)

    def known(self, task: FakeTask, now: datetime) -> OpenTask:
        following = due_step(task.kind, task.opened_at, task.chased, self.policy, self.calendar)
        principals = {asked.person for asked in task.asked} | {asked.on_behalf_of or "" for asked in task.asked}
        change = self.organisation.next_delegation_change([*principals, task.slot], now)
        if change and change < following.at:
            following = DueStep(at=change, action=DueAction.REFRESH)
        standing = self.standing(task)
        if standing and standing.at <= following.at:
            following = standing
        return OpenTask(
            id=task.id,
            kind=task.kind,
            slot=task.slot,
            asked=task.asked,
            opened_at=task.opened_at,
            due_at=task.due_at,
            next_step=following,
            chased=task.chased,
        )

    def standing(self, task: FakeTask) -> DueStep | None:
        """U10: what becomes of the matter by itself while this task is open."""
        if task.status is not TaskStatus.OPEN:
            return None
        return standstill_step(task.kind, task.opened_at, task.warned_at, self.policy, self.calendar)

    def lapsed(self, task: FakeTask, now: datetime) -> bool:
        """U10: whether nobody has answered in time."""
        step = self.standing(task)
        return step is not None and step.action is DueAction.LAPSE and step.at <= now

    def chased(self, task: FakeTask, action: DueAction, now: datetime) -> OpenTask:
        """U10: warn, or say that it is over."""
        over = action is DueAction.LAPSE and self.lapsed(task, now)
        if action is DueAction.WARN and task.warned_at is None:
            for other in self.tasks.values():
                if other.status is TaskStatus.OPEN and other.opened_at == task.opened_at:  # the sides of one dispute
                    other.warned_at = now
            self.note("warned", now, task=task.id)
        return self.known(task, now).model_copy(update={"lapsed": over})

    def offered(self, task: FakeTask) -> tuple[Choice, ...]:
        """What may be answered at this moment."""
        above = task.kind is TaskKind.VP_REVIEW and above_limit(self.held, self.policy.accounts.limit)
        return choices_for(task.kind, above_limit=above)

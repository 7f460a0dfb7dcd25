"""An in-memory record that keeps the rules: the activities' stand-in in workflow tests.

It applies the same domain functions as the real activities, remembers every step under its key, and knows what people
were told. No database, no mail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, NamedTuple, TypeVar

from pydantic import SecretBytes

from activities.accounts import record as application_record
from activities.disputes.record import project_is_over
from activities.projects.record import ahead_of
from activities.steps import OpenTask
from activities.tasks.context import IllegalTransition
from crypto.keyring import Keyring
from db.accounts.applications import ApplicationRow
from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from domain.accounts.judgements import ruled_out
from domain.accounts.named_account import above_limit, choices_for
from domain.accounts.transitions import ApplicationFacts
from domain.calendar import WorkCalendar
from domain.disputes.dispute import Claimant, dispute_is_of
from domain.organisation import Organisation
from domain.policy import load_policy
from domain.projects.project import Track
from domain.projects.rules import BOUND_BY_AN_OUTCOME, project_choices
from domain.projects.silence import SilenceDue
from domain.statements import UpdateProject
from domain.tasks.asking import IN_PERSON, concerned_by, slots_of, standing_slots, vp_slots, who_is_asked
from domain.tasks.deadlines import due_at, due_step, next_step, stand_in_due
from domain.tasks.judgements import AnswerFacts
from domain.tasks.standstill import standstill_step
from domain.tasks.task import AnswerChoice, Ask, Asked, Choice, Decision, DueAction, DueStep, TaskKind, TaskStatus
from tests.samples import CLARA, MONA, one_department, two_departments
from tests.workflow.doubles import dispute_rows

SEAL_KEYS = Keyring((("seal-test", SecretBytes(b"s" * 32)),))

R = TypeVar("R")
Own = ProjectRow | DisputeRow
Row = TypeVar("Row", ApplicationRow, ProjectRow, DisputeRow)


@dataclass
class FakeTask:
    id: str
    workflow_id: str
    kind: TaskKind
    slot: str
    round: int
    opened_at: datetime
    due_at: datetime
    asked: tuple[Asked, ...] = ()
    status: TaskStatus = TaskStatus.OPEN
    chased: int = 0
    warned_at: datetime | None = None

    @property
    def people(self) -> tuple[str, ...]:
        return tuple(asked.person for asked in self.asked)


class Note(NamedTuple):
    """Something the record remembers: an event, when, and what belongs to it."""

    event: str
    at: datetime
    body: dict[str, Any]


class Mail(NamedTuple):
    kind: str
    person: str


@dataclass
class FakeRecord:
    """What is remembered, and the switches a test turns. A step that raises leaves nothing behind."""

    organisation: Organisation = field(default_factory=one_department)
    held: int = 0  # Named Accounts the applicant holds already (N8)
    taken: str | None = None  # The obstacle that meets an activation (N14)
    away: set[str] = field(default_factory=set)  # activities that raise, PostgreSQL being away; `*`: all of them
    refused_calls: int = 0
    outside: bool = False  # A source outside is plugged in (N4)

    rows: dict[str, Any] = field(default_factory=dict)  # Subject id: its row
    tasks: dict[str, FakeTask] = field(default_factory=dict)
    decisions: list[tuple[int, Decision]] = field(default_factory=list)
    heard: set[str] = field(default_factory=set)  # Message ids that have a receipt
    settled: set[str] = field(default_factory=set)
    refused: list[tuple[str, str]] = field(default_factory=list)  # (message id, why) of what changed nothing
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
        if (workflow_id, key) not in self.done:
            self.done[workflow_id, key] = work()
        result: R = self.done[workflow_id, key]
        return result

    def own(self, workflow_id: str) -> Any:
        """The row of the subject of a process. Raises `IllegalTransition`."""
        if found := [row for row in self.rows.values() if row.workflow_id == workflow_id]:
            return found[0]
        raise IllegalTransition(f"{workflow_id} has no subject")

    def change(self, own: Row, **values: Any) -> Row:
        """Set columns of a row; returns it as it is then."""
        self.rows[own.id] = changed = own.model_copy(update=values)
        return changed

    @property
    def application(self) -> ApplicationRow | None:
        return next(iter(self.rows.values()), None)

    @property
    def appeal_until(self) -> datetime | None:
        """N10."""
        rejection = self.application.rejection if self.application else None
        return rejection.appeal_until if rejection else None

    def over(self, own: Any) -> bool:
        return bool(own.stage.ended)

    def decided_by(self, own: Any) -> list[Decision]:
        """Decisions of this round of a process."""
        process = (own.workflow_id, own.round)
        return [made for number, made in self.decisions if (self.tasks[made.task_id].workflow_id, number) == process]

    def transition_facts(self, own: ApplicationRow, now: datetime) -> ApplicationFacts:
        return application_record.transition_facts(
            own,
            decisions=tuple(self.decided_by(own)),
            vps=vp_slots(self.organisation),
            stands_still=self.stands_still(own, now),
        )

    def answer_facts(self, task: FakeTask, person: str, now: datetime) -> AnswerFacts:
        """What is remembered of a task that somebody answers."""
        own = person == self.apart(task)[0] and task.kind not in IN_PERSON
        return AnswerFacts(status=task.status, own=own, asked=self.people(task, now))

    def note(self, event: str, at: datetime, **body: Any) -> None:
        self.notes.append(Note(event, at, body))

    def mail(self, kind: str, people: Sequence[str]) -> None:
        self.mails += [Mail(kind, person) for person in people]

    @property
    def open(self) -> list[FakeTask]:
        return [task for task in self.tasks.values() if task.status is TaskStatus.OPEN]

    def tasks_of(self, own: Any) -> list[FakeTask]:
        return [task for task in self.tasks.values() if task.workflow_id == own.workflow_id]

    def open_of(self, own: Any) -> list[FakeTask]:
        return [task for task in self.open if task.workflow_id == own.workflow_id]

    def decided_slots(self, own: Any) -> frozenset[str]:
        """N6: slots of the open review whose answer stands; asked again (N8), one without special reason does not."""
        asked_last = max((task.opened_at for task in self.open), default=None)
        asked_now = [task.id for task in self.tasks.values() if task.opened_at == asked_last]
        return standing_slots(self.decided_by(own), asked_now)

    def ask(self, own: Any, asks: Sequence[Ask], now: datetime) -> tuple[OpenTask, ...]:
        """Open tasks of a subject, and write to whom they ask."""
        opened: list[OpenTask] = []
        asked = [(ask.kind, slot) for ask in asks for slot in self.slots(own, ask)]
        for number, (kind, slot) in enumerate(asked):
            parts = (own.workflow_id, str(own.round), now.isoformat(), kind, str(number))
            task_id = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
            until = due_at(kind, now, self.policy, self.calendar)
            task = FakeTask(task_id, own.workflow_id, kind, slot, own.round, opened_at=now, due_at=until)
            self.tasks[task.id] = task
            opened.append(self.refresh(task, now))
        return tuple(opened)

    def slots(self, own: Any, ask: Ask) -> Sequence[str]:
        """The slots of the tasks that an ask opens."""
        del own
        return slots_of(ask, self.organisation)

    def refresh(self, task: FakeTask, now: datetime) -> OpenTask:
        """Work out again who is asked and until when; notify who is new and who is asked no longer."""
        before = set(task.people)
        task.due_at = due_at(task.kind, task.opened_at, self.policy, self.calendar)
        task.asked = self.people(task, now)
        self.mail("task", sorted(set(task.people) - before))
        self.mail("task_withdrawn", sorted(before - set(task.people)))
        return self.known(task, now)

    def apart(self, task: FakeTask) -> tuple[str, frozenset[str]]:
        """Whose subject a task is of, and who else does not decide on it."""
        reviews = [made for number, made in self.decisions if (number, made.kind) == (task.round, TaskKind.VP_REVIEW)]
        others = (
            other.slot
            for other in self.tasks.values()
            if other.kind is TaskKind.VP_REVIEW and other.round == task.round and other.slot != task.slot
        )
        vps = vp_slots(self.organisation)
        applicant = self.own(task.workflow_id).applicant
        return applicant, ruled_out(task.kind, task.slot, other_slots=others, reviews=reviews, vps=vps)

    def people(self, task: FakeTask, now: datetime) -> tuple[Asked, ...]:
        applicant, others = self.apart(task)
        asked = who_is_asked(
            Ask(kind=task.kind, slot=task.slot),
            self.organisation,
            self.policy,
            applicant=applicant,
            now=now,
            standing_in=stand_in_due(task.kind, task.chased, self.policy),
            other_reviewers=others,
        )
        return tuple(person.model_copy(update={"name": self.organisation.name_of(person.person)}) for person in asked)

    def known(self, task: FakeTask, now: datetime) -> OpenTask:
        following = next_step(
            due_step(task.kind, task.opened_at, task.chased, self.policy, self.calendar),
            delegation_changes=self.organisation.next_delegation_change(concerned_by(task.asked, task.slot), now),
            standstill=self.standing(task),
        )
        return OpenTask.model_validate({**vars(task), "next_step": following})

    def past_due(self, task: FakeTask, now: datetime) -> FakeTask:
        """A closed task as if all that was due had been done: who believes it open does not come back at once."""
        chased = task.chased
        while due_step(task.kind, task.opened_at, chased, self.policy, self.calendar).at <= now:
            chased += 1
        return replace(task, chased=chased)

    def standing(self, task: FakeTask) -> DueStep | None:
        """U10: what becomes of the matter automatically while this task is open."""
        if task.status is not TaskStatus.OPEN:
            return None
        return standstill_step(task.kind, self.stands_since(task), task.warned_at, self.policy, self.calendar)

    def stands_since(self, task: FakeTask) -> datetime:
        """U10: since when nobody has taken the matter further."""
        return task.opened_at

    def stands_still(self, own: Any, now: datetime) -> bool:
        """U10: whether a process waits for something that nobody has answered in time."""
        return any(self.lapsed(task, now) for task in self.open_of(own))

    def lapsed(self, task: FakeTask, now: datetime) -> bool:
        step = self.standing(task)
        return step is not None and step.action is DueAction.LAPSE and step.at <= now

    def offered(self, task: FakeTask, now: datetime) -> tuple[Choice, ...]:
        """What may be answered at this moment."""
        del now
        above = task.kind is TaskKind.VP_REVIEW and above_limit(self.held, self.policy.accounts.limit)
        return choices_for(task.kind, above_limit=above)


@dataclass
class ProjectRecord(FakeRecord):
    """What is remembered of registrations, their disputes and updates, and what they meet."""

    organisation: Organisation = field(default_factory=two_departments)
    accounts: tuple[Claimant, ...] = ()  # Live Named Accounts of the companies of every project here (P1, P3)
    registered: tuple[Claimant, ...] = ()  # Other live registrations for them (P5)
    suspected: dict[str, Sequence[str]] = field(default_factory=dict)  # P5: by registration, those its clerk suspects
    updates: list[UpdateProject] = field(default_factory=list)  # U1
    bound: list[str] = field(default_factory=list)  # D2: registrations that the outcome of a dispute binds
    issued: int = 0  # P9: project numbers

    @property
    def projects(self) -> dict[str, ProjectRow]:
        return {row.id: row for row in self.rows.values() if isinstance(row, ProjectRow)}

    @property
    def disputes(self) -> dict[str, DisputeRow]:
        return {row.id: row for row in self.rows.values() if isinstance(row, DisputeRow)}

    def disputes_over(self, project: ProjectRow) -> list[DisputeRow]:
        """Oldest first."""
        return [dispute for dispute in self.disputes.values() if dispute.project_id == project.id]

    def project_of(self, own: Own) -> ProjectRow:
        """The registration itself, or the one that a dispute is over."""
        return own if isinstance(own, ProjectRow) else self.projects[own.project_id]

    def over(self, own: Any) -> bool:
        """A dispute that ended just before its project was withdrawn may still move on to the withdrawal."""
        return super().over(own) and (isinstance(own, ProjectRow) or not project_is_over(self.project_of(own)))

    def today(self, now: datetime) -> date:
        return now.astimezone(self.policy.zone).date()

    def apart(self, task: FakeTask) -> tuple[str, frozenset[str]]:
        own = self.own(task.workflow_id)
        project = self.project_of(own)
        sides = set(own.sides) if isinstance(own, DisputeRow) else set()
        # The salesperson whom a VP's slot names is never asked by it anyway.
        return project.salesperson, frozenset({project.applicant, project.salesperson} | sides) - {task.slot}

    def slots(self, own: Own, ask: Ask) -> Sequence[str]:
        """D6: the process does not know yet whom the outcome of another's dispute has made responsible."""
        if isinstance(own, DisputeRow):
            return dispute_rows.slots(own, self.project_of(own), ask)
        by_another = own.agreement is not None and not dispute_is_of(own.agreement, own.id)
        return (own.salesperson,) if by_another and ask.kind in BOUND_BY_AN_OUTCOME else (ask.slot,)

    def stands_since(self, task: FakeTask) -> datetime:
        """U10: nobody can record a meeting before it was held."""
        own = self.own(task.workflow_id)
        meeting = isinstance(own, DisputeRow) and task.kind is TaskKind.RECORD_MEETING
        since: datetime = max([task.opened_at, *(dispute_rows.held_at(own) if meeting else ())])
        return since

    def hand_on(self, own: Own, before: str, successor: str) -> None:
        """A6: the open tasks of a process that were of `before`."""
        for task in self.open_of(own):
            task.slot = successor if task.slot == before else task.slot

    def disputes_with(self, project_id: str) -> list[DisputeRow]:
        """The running disputes in which a registration is a side, its own or another's."""
        running = (dispute for dispute in self.disputes.values() if not dispute.stage.ended)
        return [dispute for dispute in running if project_id in dispute_rows.registrations(dispute)]

    def invitable(self, dispute: DisputeRow, now: datetime, starts_at: datetime | None = None) -> tuple[str, ...]:
        """D5: who may be invited to its meeting."""
        project = self.project_of(dispute)
        asked = [task.people for own in (project, *self.disputes_over(project)) for task in self.tasks_of(own)]
        everybody = [person for people in asked for person in people]
        return dispute_rows.invitable(
            dispute, project, self.organisation, asked=everybody, now=now, starts_at=starts_at
        )

    def offered(self, task: FakeTask, now: datetime) -> tuple[Choice, ...]:
        own = self.own(task.workflow_id)
        dispute = own if isinstance(own, DisputeRow) else None
        people: Sequence[str] = [CLARA, MONA] if task.kind is TaskKind.ASSIGN_CLERK else ()
        if dispute and task.kind is TaskKind.CALL_MEETING:
            people = self.invitable(dispute, now)
        return project_choices(
            task.kind,
            people=people,
            salespeople=dispute.sides if dispute else (),
            suspects=[claim.subject_id for claim in self.registered],
            registrations=dispute_rows.registrations(dispute) if dispute else (),
            text_on_the_table=dispute is not None and dispute.proposal is not None,
        )

    def account_holders(self, project: ProjectRow) -> tuple[Claimant, ...]:
        """P3: whose account it is registered under."""
        others = (account for account in self.accounts if account.person != project.salesperson)
        return tuple(others) if project.track is Track.OTHER_ACCOUNT else ()

    def suspects(self, project: ProjectRow) -> tuple[Claimant, ...]:
        """P5."""
        suspected = self.suspected.get(project.id, ())
        return tuple(claim for claim in self.registered if claim.subject_id in suspected)

    def confirmed_conflicts(self, project: ProjectRow) -> tuple[Claimant, ...]:
        """P5: the registrations whose VP has confirmed the conflict; each VP decides on those of their slot."""
        confirmed = {made.slot for made in self.decided_by(project) if made.choice == AnswerChoice.CONFLICT}
        return tuple(claim for claim in self.suspects(project) if claim.person in confirmed)

    def ahead(self, project: ProjectRow) -> tuple[SilenceDue, ...]:
        """U2–U5."""
        return ahead_of(project, self.policy, self.calendar)

"""An in-memory record of registrations and disputes that keeps the rules, for workflow tests.

Beside `fake_record` for applications: the same memory of steps, tasks, notes and mails. Synthetic people and one
synthetic customer; no database, no mail.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from activities.tasks.context import IllegalTransition
from domain.disputes.dispute import Agreement, Claimant, DisputeStage, Origin, agreement_waits, settled
from domain.disputes.judgements import DisputeFacts
from domain.organisation import Delegation, Department, Organisation, Person, Role
from domain.projects.judgements import ProjectFacts
from domain.projects.project import ProjectForm, ProjectStage, ProjectUpdate, Track
from domain.projects.rules import project_choices
from domain.projects.silence import SilenceDue, silence_ahead, silent_for_long
from domain.projects.transitions import TransitionFacts
from domain.subject import Subject
from domain.tasks.asking import who_is_asked
from domain.tasks.deadlines import due_at, stand_in_due
from domain.tasks.task import Ask, Asked, Choice, Decision, TaskKind, TaskStatus
from tests.workflow.doubles.fake_record import CLARA, DORA, GINA, MONA, SAM, VERA, VIKTOR, FakeRecord, FakeTask

SUE, DIRK, TESS, PAT, CARL = "sue", "dirk", "tess", "pat", "carl"
OPERATOR = "operator:root"
_PEOPLE: dict[str, tuple[Role, str | None]] = {
    SAM: (Role.SALESPERSON, "north"),
    TESS: (Role.SALESPERSON, "north"),
    SUE: (Role.SALESPERSON, "south"),
    DORA: (Role.DEPARTMENT_GM, "north"),
    DIRK: (Role.DEPARTMENT_GM, "south"),
    VERA: (Role.VP, None),
    VIKTOR: (Role.VP, None),
    GINA: (Role.GENERAL_MANAGER, None),
    CARL: (Role.COO, None),
    CLARA: (Role.COMMERCE_CLERK, None),
    MONA: (Role.COMMERCE_MANAGER, None),
    PAT: (Role.PRODUCT_MANAGER, None),
}
LONG_AGO = datetime(2026, 1, 5, 1, tzinfo=UTC)


def company(*, gone: tuple[str, ...] = (), delegations: tuple[Delegation, ...] = ()) -> Organisation:
    """Two departments under two VPs: sam and tess in the north under vera, sue in the south under viktor."""
    return Organisation(
        company="Example",
        people=tuple(
            Person(
                id=name,
                name=name.title(),
                email=f"{name}@example.com",
                login=name,
                roles=frozenset({role}),
                active=name not in gone,
                department=department,
            )
            for name, (role, department) in _PEOPLE.items()
        ),
        departments=(
            Department(id="north", name="North", gm=DORA, vp=VERA),
            Department(id="south", name="South", gm=DIRK, vp=VIKTOR),
        ),
        sales_vps=(VERA, VIKTOR),
        delegations=delegations,
    )


def account_of(person: str) -> Claimant:
    """P1, P3: a Named Account that the project touches."""
    return Claimant(person=person, subject_type="account", subject_id=f"NA-{person}", since=LONG_AGO)


def registration_of(person: str, project_id: str = "") -> Claimant:
    """P5: another registration for a company of the project."""
    return Claimant(person=person, subject_type="project", subject_id=project_id or f"P-{person}", since=LONG_AGO)


@dataclass
class FakeProject:
    id: str
    workflow_id: str
    applicant: str
    salesperson: str
    form: ProjectForm
    registered_at: datetime
    stage: ProjectStage = ProjectStage.ROUTING
    round: int = 1
    track: Track | None = None
    resumes: str | None = None
    number: str = ""
    updated_at: datetime | None = None
    silences: int = 0
    suspects: tuple[str, ...] = ()
    objection_until: datetime | None = None
    objection: str = ""
    agreement: dict[str, Any] | None = None
    loss: str = ""
    contract: str = ""
    application: str = ""
    """U7: the amount of the contract review application that was handed in."""
    with_commerce: bool = False
    """U7: commerce is asked to receive it."""
    withdrawn: str = ""
    """By whom."""

    @property
    def over(self) -> bool:
        return self.stage.ended

    @property
    def facts(self) -> ProjectFacts:
        return ProjectFacts(
            stage=self.stage,
            applicant=self.applicant,
            salesperson=self.salesperson,
            lost=bool(self.loss),
            contract_received=bool(self.contract),
            contract_with_commerce=self.with_commerce,
            withdrawn=bool(self.withdrawn),
            objected=bool(self.objection),
            objection_until=self.objection_until,
            agreement_waits=agreement_waits(self.agreement) is not None,
        )


@dataclass
class FakeDispute:
    id: str
    project: FakeProject
    workflow_id: str
    origin: Origin
    claimants: tuple[Claimant, ...]
    stage: DisputeStage = DisputeStage.NEGOTIATION
    round: int = 1
    proposal: dict[str, Any] | None = None
    """D1: the text on the table, its `round`, and by whom it is `confirmed`."""
    wanted: str = ""
    """D2: who wants the meeting."""
    participants: tuple[str, ...] = ()
    """Of the meeting, once it is called and while it is not called off (D5)."""
    responsible: str = ""
    """D2: what the meeting has decided."""

    @property
    def sides(self) -> tuple[str, ...]:
        return self.facts.sides

    @property
    def text(self) -> dict[str, Any] | None:
        return {name: self.proposal[name] for name in Agreement.model_fields} if self.proposal else None

    @property
    def confirmed(self) -> set[str]:
        return set(self.proposal["confirmed"]) if self.proposal else set()

    @property
    def over(self) -> bool:
        return self.stage.ended and not self.project_is_over

    @property
    def project_is_over(self) -> bool:
        return self.project.stage is not ProjectStage.DISPUTED or bool(self.project.withdrawn)

    @property
    def facts(self) -> DisputeFacts:
        return DisputeFacts(
            stage=self.stage,
            project_stage=self.project.stage,
            project_over=self.project_is_over,
            claimants=self.claimants,
            salesperson=self.project.salesperson,
            proposal=self.proposal,
            wanted=wanted_by(self.wanted),
            called=bool(self.participants),
            outcome_recorded=bool(self.responsible),
        )


def wanted_by(person: str) -> dict[str, str] | None:
    """D2, D4: who wants the meeting, as the rules read it."""
    return {"by": person, "at": LONG_AGO.isoformat()} if person else None


@dataclass(frozen=True)
class Update:
    """U1: one weekly update as the record keeps it."""

    message_id: str
    at: datetime
    update: ProjectUpdate


@dataclass
class ProjectRecord(FakeRecord):
    """What is remembered of registrations, their disputes and updates, and what they meet."""

    organisation: Organisation = field(default_factory=company)
    accounts: tuple[Claimant, ...] = ()
    """Live Named Accounts of the companies of every project here (P1, P3)."""
    registered: tuple[Claimant, ...] = ()
    """Other live registrations for them (P5)."""
    projects: dict[str, FakeProject] = field(default_factory=dict)
    disputes: dict[str, FakeDispute] = field(default_factory=dict)
    updates: list[Update] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)
    """D2: registrations that the outcome of a dispute binds."""
    workflow_of: dict[str, str] = field(default_factory=dict)
    """Task id: the process that asks."""
    issued: int = 0
    """P9: project numbers."""

    def subject(self, subject: Subject, workflow_id: str) -> FakeProject | FakeDispute:
        """The process's own registration or dispute. Raises `IllegalTransition`."""
        known: dict[str, FakeProject | FakeDispute] = {**self.projects, **self.disputes}
        own = known.get(subject.id)
        if own is None or own.workflow_id != workflow_id:
            raise IllegalTransition(f"{workflow_id} has no {subject.type} {subject.id}")
        return own

    def project(self, subject: Subject, workflow_id: str) -> FakeProject:
        own = self.subject(subject, workflow_id)
        assert isinstance(own, FakeProject)
        return own

    def asker(self, task_id: str) -> FakeProject | FakeDispute:
        """Whose task it is."""
        everybody: list[FakeProject | FakeDispute] = [*self.projects.values(), *self.disputes.values()]
        return next(own for own in everybody if own.workflow_id == self.workflow_of[task_id])

    def tasks_of(self, workflow_id: str, *, open_only: bool = False) -> list[FakeTask]:
        return [
            task
            for task in self.tasks.values()
            if self.workflow_of[task.id] == workflow_id and (not open_only or task.status is TaskStatus.OPEN)
        ]

    def ask(self, own: FakeProject | FakeDispute, ask: Ask, number: int, now: datetime) -> FakeTask:
        """Open a task and write to whom it asks."""
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
        self.workflow_of[task.id] = own.workflow_id
        task.asked = self.people(task, now)
        self.tasks[task.id] = task
        self.mail("task", tuple(asked.person for asked in task.asked), now, task.id)
        return task

    def people(self, task: FakeTask, now: datetime) -> tuple[Asked, ...]:
        own = self.asker(task.id)
        project = own.project if isinstance(own, FakeDispute) else own
        ruled_out = {project.applicant, project.salesperson}
        if isinstance(own, FakeDispute):
            ruled_out = (ruled_out | set(own.sides)) - {task.slot}
        asked = who_is_asked(
            Ask(kind=task.kind, slot=task.slot),
            self.organisation,
            self.policy,
            applicant=project.salesperson,
            now=now,
            standing_in=stand_in_due(task.kind, task.chased, self.policy),
            other_reviewers=frozenset(ruled_out),
        )
        return tuple(person.model_copy(update={"name": self.organisation.name_of(person.person)}) for person in asked)

    def offered(self, task: FakeTask) -> tuple[Choice, ...]:
        """What may be answered at this moment."""
        own = self.asker(task.id)
        active = [person.id for person in self.organisation.people if person.active]
        if isinstance(own, FakeDispute):
            return project_choices(
                task.kind, people=active, salespeople=own.sides, text_on_the_table=own.proposal is not None
            )
        people = [CLARA, MONA] if task.kind is TaskKind.ASSIGN_CLERK else active
        return project_choices(task.kind, people=people, suspects=[claim.subject_id for claim in self.registered])

    def disputes_over(self, project: FakeProject) -> list[FakeDispute]:
        """Oldest first."""
        return [dispute for dispute in self.disputes.values() if dispute.project is project]

    def decided_by(self, own: FakeProject | FakeDispute) -> list[Decision]:
        """Decisions of this round of a process."""
        mine = [(number, made) for number, made in self.decisions if self.workflow_of[made.task_id] == own.workflow_id]
        return [decision for number, decision in mine if number == own.round]

    def stands_still(self, own: FakeProject | FakeDispute, now: datetime) -> bool:
        """U10."""
        return any(self.lapsed(task, now) for task in self.tasks_of(own.workflow_id))

    def transition_facts(self, own: FakeProject, now: datetime) -> TransitionFacts:
        """What is on record of a registration at the moment of a move."""
        over = self.disputes_over(own)
        still_open = {task.kind for task in self.tasks_of(own.workflow_id, open_only=True)}
        return TransitionFacts(
            stage=own.stage,
            choices={decision.choice for decision in self.decided_by(own)},
            track=own.track,
            resumes=own.resumes is not None,
            confirmation_open=TaskKind.CONFLICT_CONFIRMATION in still_open,
            contract_review_open=TaskKind.CONTRACT_REVIEW in still_open,
            contract_handed_in=bool(own.application),
            objected=bool(own.objection),
            objection_lapsed=own.objection_until is not None and own.objection_until <= now,
            agreed=own.agreement is not None,
            agreement_waits=agreement_waits(own.agreement) is not None,
            dispute_settled=settled([dispute.stage for dispute in over]),
            dispute_shelved=bool(over) and over[-1].stage is DisputeStage.SHELVED,
            lost=bool(own.loss),
            contract_received=bool(own.contract),
            silent_for_long=silent_for_long(self.ahead(own), now),
            stands_still=self.stands_still(own, now),
            withdrawn=bool(own.withdrawn),
        )

    def ahead(self, project: FakeProject) -> tuple[SilenceDue, ...]:
        """U2–U5."""
        if project.updated_at is None or project.with_commerce:
            return ()
        return silence_ahead(project.updated_at, project.silences, self.policy, self.calendar)

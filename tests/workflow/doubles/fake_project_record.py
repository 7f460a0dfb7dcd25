"""An in-memory record of registrations and disputes that keeps the rules, for workflow tests.

Beside `fake_record` for applications: the same memory of steps, tasks, notes and mails. Synthetic people and one
synthetic customer; no database, no mail.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from activities.tasks.context import IllegalTransition
from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from domain.disputes.dispute import Claimant
from domain.organisation import Delegation, Organisation
from domain.projects.project import ProjectUpdate
from domain.projects.rules import project_choices
from domain.projects.silence import SilenceDue, silence_ahead
from domain.subject import Subject
from domain.tasks.asking import who_is_asked
from domain.tasks.deadlines import stand_in_due
from domain.tasks.judgements import AnswerFacts
from domain.tasks.task import Ask, Asked, Choice, Decision, TaskKind
from tests import samples
from tests.workflow.doubles.fake_record import CLARA, DORA, GINA, MONA, SAM, VERA, VIKTOR, FakeRecord, FakeTask

Own = ProjectRow | DisputeRow
R = TypeVar("R", ProjectRow, DisputeRow)

SUE, DIRK, TESS, PAT, CARL = "sue", "dirk", "tess", "pat", "carl"
OPERATOR = "operator:root"
_PEOPLE = (SAM, TESS, SUE, DORA, DIRK, VERA, VIKTOR, GINA, CARL, CLARA, MONA, PAT)
LONG_AGO = datetime(2026, 1, 5, 1, tzinfo=UTC)


def company(*, gone: tuple[str, ...] = (), delegations: tuple[Delegation, ...] = ()) -> Organisation:
    """Two departments under two VPs: sam and tess in the north under vera, sue in the south under viktor."""
    return samples.company(_PEOPLE, departments=(samples.NORTH, samples.SOUTH), gone=gone, delegations=delegations)


def account_of(person: str) -> Claimant:
    """P1, P3: a Named Account that the project touches."""
    return Claimant(person=person, subject_type="account", subject_id=f"NA-{person}", since=LONG_AGO)


def registration_of(person: str, project_id: str = "") -> Claimant:
    """P5: another registration for a company of the project."""
    return Claimant(person=person, subject_type="project", subject_id=project_id or f"P-{person}", since=LONG_AGO)


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
    projects: dict[str, ProjectRow] = field(default_factory=dict)
    disputes: dict[str, DisputeRow] = field(default_factory=dict)
    suspected: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """P5: by registration, those that its clerk suspects."""
    updates: list[Update] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)
    """D2: registrations that the outcome of a dispute binds."""
    issued: int = 0
    """P9: project numbers."""

    def subject(self, subject: Subject, workflow_id: str) -> Own:
        """The process's own registration or dispute. Raises `IllegalTransition`."""
        own: Own | None = self.projects.get(subject.id) or self.disputes.get(subject.id)
        if own is None or own.workflow_id != workflow_id:
            raise IllegalTransition(f"{workflow_id} has no {subject.type} {subject.id}")
        return own

    def project(self, subject: Subject, workflow_id: str) -> ProjectRow:
        own = self.subject(subject, workflow_id)
        assert isinstance(own, ProjectRow)
        return own

    def project_of(self, own: Own) -> ProjectRow:
        """The registration itself, or the one that a dispute is over."""
        return own if isinstance(own, ProjectRow) else self.projects[own.project_id]

    def change(self, own: R, **values: Any) -> R:
        """Set columns of a registration or a dispute; returns it as it is then."""
        changed = own.model_copy(update=values)
        if isinstance(changed, ProjectRow):
            self.projects[own.id] = changed
        else:
            self.disputes[own.id] = changed
        return changed

    def asker(self, task_id: str) -> Own:
        """Whose task it is."""
        everybody: list[Own] = [*self.projects.values(), *self.disputes.values()]
        return next(own for own in everybody if own.workflow_id == self.workflow_of[task_id])

    def people(self, task: FakeTask, now: datetime) -> tuple[Asked, ...]:
        own = self.asker(task.id)
        project = self.project_of(own)
        ruled_out = {project.applicant, project.salesperson}
        if isinstance(own, DisputeRow):
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

    def answer_facts(self, task: FakeTask, person: str, now: datetime) -> AnswerFacts:
        del person  # of a project's tasks, `people` leaves out whose it is
        return AnswerFacts(status=task.status, asked=self.people(task, now))

    def offered(self, task: FakeTask) -> tuple[Choice, ...]:
        own = self.asker(task.id)
        active = [person.id for person in self.organisation.people if person.active]
        if isinstance(own, DisputeRow):
            return project_choices(
                task.kind, people=active, salespeople=own.sides, text_on_the_table=own.proposal is not None
            )
        people = [CLARA, MONA] if task.kind is TaskKind.ASSIGN_CLERK else active
        return project_choices(task.kind, people=people, suspects=[claim.subject_id for claim in self.registered])

    def disputes_over(self, project: ProjectRow) -> list[DisputeRow]:
        """Oldest first."""
        return [dispute for dispute in self.disputes.values() if dispute.project_id == project.id]

    def decided_by(self, own: Own) -> list[Decision]:
        """Decisions of this round of a process."""
        mine = [(number, made) for number, made in self.decisions if self.workflow_of[made.task_id] == own.workflow_id]
        return [decision for number, decision in mine if number == own.round]

    def ahead(self, project: ProjectRow) -> tuple[SilenceDue, ...]:
        """U2–U5."""
        if project.updated_at is None or project.contract_with_commerce:
            return ()
        return silence_ahead(project.updated_at, project.silences, self.policy, self.calendar)

    def stands_still(self, own: Own, now: datetime) -> bool:
        """U10."""
        return any(self.lapsed(task, now) for task in self.tasks_of(own.workflow_id))

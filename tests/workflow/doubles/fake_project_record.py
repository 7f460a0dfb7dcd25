"""An in-memory record of registrations and disputes that keeps the rules, for workflow tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from activities.disputes.record import project_is_over
from activities.projects.record import ahead_of
from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from domain.disputes.dispute import Claimant
from domain.organisation import Organisation
from domain.projects.project import Track
from domain.projects.rules import project_choices
from domain.projects.silence import SilenceDue
from domain.statements import UpdateProject
from domain.tasks.judgements import AnswerFacts
from domain.tasks.task import Ask, Choice, TaskKind
from tests.samples import CLARA, MONA, two_departments
from tests.workflow.doubles.fake_record import FakeRecord, FakeTask

Own = ProjectRow | DisputeRow


@dataclass
class ProjectRecord(FakeRecord):
    """What is remembered of registrations, their disputes and updates, and what they meet."""

    organisation: Organisation = field(default_factory=two_departments)
    accounts: tuple[Claimant, ...] = ()
    """Live Named Accounts of the companies of every project here (P1, P3)."""
    registered: tuple[Claimant, ...] = ()
    """Other live registrations for them (P5)."""
    suspected: dict[str, Sequence[str]] = field(default_factory=dict)
    """P5: by registration, those that its clerk suspects."""
    updates: list[UpdateProject] = field(default_factory=list)
    """U1."""
    bound: list[str] = field(default_factory=list)
    """D2: registrations that the outcome of a dispute binds."""
    issued: int = 0
    """P9: project numbers."""

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

    def slots(self, ask: Ask) -> tuple[str, ...]:
        return (ask.slot,)

    def apart(self, task: FakeTask) -> tuple[str, frozenset[str]]:
        own = self.own(task.workflow_id)
        project = self.project_of(own)
        sides = set(own.sides) if isinstance(own, DisputeRow) else set()
        # The salesperson whom a VP's slot names is never asked by it anyway.
        return project.salesperson, frozenset({project.applicant, project.salesperson} | sides) - {task.slot}

    def answer_facts(self, task: FakeTask, person: str, now: datetime) -> AnswerFacts:
        return super().answer_facts(task, person, now).model_copy(update={"own": False})

    def offered(self, task: FakeTask) -> tuple[Choice, ...]:
        own = self.own(task.workflow_id)
        active = [person.id for person in self.organisation.people if person.active]
        return project_choices(
            task.kind,
            people=[CLARA, MONA] if task.kind is TaskKind.ASSIGN_CLERK else active,
            salespeople=own.sides if isinstance(own, DisputeRow) else (),
            suspects=[claim.subject_id for claim in self.registered],
            text_on_the_table=isinstance(own, DisputeRow) and own.proposal is not None,
        )

    def account_holders(self, project: ProjectRow) -> tuple[Claimant, ...]:
        """P3: whose account it is registered under."""
        others = (account for account in self.accounts if account.person != project.salesperson)
        return tuple(others) if project.track is Track.OTHER_ACCOUNT else ()

    def suspects(self, project: ProjectRow) -> tuple[Claimant, ...]:
        """P5."""
        suspected = self.suspected.get(project.id, ())
        return tuple(claim for claim in self.registered if claim.subject_id in suspected)

    def ahead(self, project: ProjectRow) -> tuple[SilenceDue, ...]:
        """U2–U5."""
        return ahead_of(project, self.policy, self.calendar)

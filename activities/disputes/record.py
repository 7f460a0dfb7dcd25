"""What a dispute is in one step: its row, its project, and whose tasks and mails it has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from activities.projects.record import ProjectRecord
from activities.tasks.context import Context, IllegalTransition
from activities.unit_of_work import UnitOfWork
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects import projects
from db.projects.projects import ProjectRow
from db.tasks.tasks import TaskRow
from domain.disputes.dispute import Claimant, DisputeOutcome, DisputeStage, deciding_salesperson
from domain.disputes.judgements import DisputeFacts
from domain.disputes.transitions import TransitionFacts
from domain.notices import Notice
from domain.projects.project import ProjectStage
from domain.subject import Subject, SubjectType
from domain.tasks.task import Ask, TaskKind
from texts.mails.facts import MailFacts
from texts.tasks.deciding import DecidingFacts, Negotiation


class DisputeRecord(Context):
    """One dispute in one step. Its tasks, decisions and mails are those of its project. What its process does with it
    is `activities.disputes.process`."""

    type = SubjectType.DISPUTE
    row: DisputeRow
    project: ProjectRow

    @classmethod
    async def load_for_update(cls, uow: UnitOfWork, subject_id: str) -> Self:
        known = await disputes.find(uow.connection, subject_id)
        if known is None or known.workflow_id != uow.workflow_id:
            raise IllegalTransition(f"{uow.workflow_id} has no dispute {subject_id}")
        # The project first, as its own process does: the two never wait for each other.
        project = await projects.find(uow.connection, known.project_id, lock=True)
        row = await disputes.find(uow.connection, subject_id, lock=True)
        assert project is not None
        assert row is not None
        uow.subject_id = project.id
        context = await cls.with_facts(uow, project.policy_digest)
        context.row, context.project = row, project
        return context

    @classmethod
    def beside(cls, project: ProjectRecord, row: DisputeRow) -> Self:
        """The dispute of a project in a step of that project's own process."""
        context = cls(project.uow, project.organisation, project.calendar, project.policy, project.docket)
        context.row, context.project = row, project.row
        return context

    @property
    def subject(self) -> Subject:
        return Subject(type=SubjectType.PROJECT, id=self.project.id)

    @property
    def applicant(self) -> str:
        return self.project.salesperson

    @property
    def department(self) -> str | None:
        return self.project.department

    @property
    def stage(self) -> DisputeStage:
        return self.row.stage

    @property
    def over(self) -> bool:
        """One that ended just before its project was withdrawn may still move on to the withdrawal."""
        return self.row.stage.ended and not self.project_is_over

    @property
    def round(self) -> int:
        return self.row.round

    @property
    def sides(self) -> tuple[str, ...]:
        return self.row.sides

    @property
    def project_is_over(self) -> bool:
        """Withdrawn, most likely: there is nothing to settle any more."""
        return project_is_over(self.project)

    @property
    def others(self) -> tuple[Claimant, ...]:
        """The sides beside the project itself."""
        return tuple(claimant for claimant in self.row.claimants if claimant.subject_id != self.project.id)

    @property
    def registrations(self) -> tuple[str, ...]:
        """D6: the registrations that are sides of the dispute, its project first."""
        others = {claimant.subject_id for claimant in self.others if claimant.subject_type == "project"}
        return (self.project.id, *sorted(others))

    @property
    def facts(self) -> DisputeFacts:
        """What statements in the dispute are judged by."""
        return facts_of(self.row, self.project)

    async def change(self, **values: Any) -> None:
        """Set columns of the dispute; the context shows them from then on."""
        await disputes.change(self.uow.connection, self.row.id, **values)
        self.row = self.row.model_copy(update=values)

    def stands_since(self, task: TaskRow) -> datetime:
        """U10: nobody can record a meeting before it was held."""
        called = (self.row.called or {}).get("starts_at") if task.kind is TaskKind.RECORD_MEETING else None
        return max(task.opened_at, datetime.fromisoformat(str(called))) if called else task.opened_at

    def slots(self, ask: Ask) -> Sequence[str]:
        # A side may have been handed to somebody else since the process was told whom to ask (A6).
        if ask.kind is TaskKind.RECORD_MEETING:
            return (deciding_salesperson(self.row.origin, self.project.applicant, self.others),)
        if ask.kind is not TaskKind.AGREE_SPLIT or ask.slot in self.sides:
            return (ask.slot,)
        confirmed = self.row.proposal["confirmed"] if self.row.proposal else {}
        return tuple(person for person in self.sides if person not in confirmed)

    async def ruled_out(self, task: TaskRow) -> frozenset[str]:
        """Nobody decides on what is their own side of the matter."""
        return frozenset({*self.sides, self.project.applicant, self.project.salesperson}) - {task.slot}

    async def deciding(self, task: TaskRow, reader: str) -> DecidingFacts:
        agreeing = task.kind is TaskKind.AGREE_SPLIT
        others = [self.organisation.name_with_department(side) for side in self.sides if side != reader]
        negotiation = Negotiation.of(task.note or {}, others) if agreeing else None
        deadline = self.deadline_of(task)
        return DecidingFacts(kind=task.kind, of_project=True, negotiation=negotiation, deadline=deadline)

    def mail_facts(self) -> MailFacts:
        return MailFacts(
            kind=Notice.TASK,
            subject_type=SubjectType.PROJECT,
            subject_id=self.project.id,
            project_number=self.project.number or "",
            project_name=self.project.form.name,
            customer_name=self.project.customer_name,
            stage_key=self.stage_key(self.row.stage),
        )


def project_is_over(project: ProjectRow) -> bool:
    """Withdrawn, most likely: there is nothing to settle any more."""
    return project.stage is not ProjectStage.DISPUTED or project.end_reason is not None


def facts_of(row: DisputeRow, project: ProjectRow) -> DisputeFacts:
    """What statements in a dispute over `project` are judged by."""
    return DisputeFacts(
        stage=row.stage,
        project_stage=project.stage,
        project_over=project_is_over(project),
        claimants=row.claimants,
        salesperson=project.salesperson,
        proposal=row.proposal,
        wanted=row.wanted,
        called=row.called is not None,
        outcome_recorded=row.outcome is not None,
    )


def transition_facts(row: DisputeRow, project: ProjectRow, *, agreed: bool, stands_still: bool) -> TransitionFacts:
    """What a move of a dispute over `project` is judged by. `agreed`: every side has confirmed the text on the table in
    a decision of its own; `stands_still`: a task has been left unanswered for too long (U10)."""
    return TransitionFacts(
        stage=row.stage,
        origin=row.origin,
        project_over=project_is_over(project),
        wanted=row.wanted is not None,
        called=row.called is not None,
        agreed=agreed,
        outcome_recorded=row.outcome is not None,
        stands_still=stands_still,
    )


def outcome_on_record(row: DisputeRow, project: ProjectRow) -> DisputeOutcome:
    """D1, D2: how a dispute over `project` has ended."""
    assert row.outcome is not None
    others = [claimant for claimant in row.claimants if claimant.subject_id != project.id]
    ends = project.id in row.outcome.get("ends", ())
    return DisputeOutcome(
        stage=row.stage,
        responsible=str(row.outcome["responsible"]),
        decided_by_vp_of=deciding_salesperson(row.origin, project.applicant, others),
        merged_into=str(row.outcome["goes_on"]) if ends else "",
    )


def shelved(project: ProjectRow) -> DisputeOutcome:
    """U10: nobody has settled it; who is responsible stays as it was."""
    own = project.salesperson
    return DisputeOutcome(stage=DisputeStage.SHELVED, responsible=own, decided_by_vp_of=own)

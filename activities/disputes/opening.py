"""A dispute over a project begins: who its sides are, and whether the meeting is wanted at once (D1, D4, P3, P8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from activities.projects.matches import confirmed_conflicts
from activities.steps import DisputeOpened, OpenDisputeStep
from activities.tasks.context import IllegalTransition
from activities.unit_of_work import UnitOfWork
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects import projects
from db.projects.projects import ProjectRow
from db.tasks import tasks
from domain.disputes.dispute import Claimant, DisputeStage, Origin, agreement_waits
from domain.disputes.transitions import OpeningFacts, opening_problem
from domain.tasks.task import AnswerChoice, TaskKind


async def open_dispute(uow: UnitOfWork, step: OpenDisputeStep) -> DisputeOpened:
    """P3, P8: both sides, and what each has registered when, are on record. Raises `IllegalTransition`."""
    project = await projects.find(uow.connection, step.project_id, lock=True)
    if project is None:
        raise IllegalTransition(f"{uow.workflow_id} has no project {step.project_id}")
    uow.subject_id = project.id
    before = await disputes.of_project(uow.connection, project.id)
    found = await projects.matches_of(uow.connection, project.id, project.round)
    facts = OpeningFacts(
        project_id=project.id,
        project_stage=project.stage,
        track=project.track,
        found={(match.subject_type, match.subject_id, match.salesperson) for match in found},
        dispute_open=any(not dispute.stage.ended for dispute in before),
    )
    claimed = {(claimant.subject_type, claimant.subject_id, claimant.person) for claimant in step.claimants}
    problem = opening_problem(
        facts, dispute_id=step.dispute_id, workflow_id=uow.workflow_id, origin=step.origin, claimed=claimed
    )
    if problem:
        raise IllegalTransition(problem)
    waits = agreement_waits(project.agreement)
    claimants = await _claimants(uow, step, project, before)
    meeting = {"wanted": dict(waits)} if waits else await _wanted_by_objection(uow, step, project)
    row = row_of(step, claimants, meeting, workflow_id=uow.workflow_id)
    await disputes.add(uow.connection, row)
    sides = row.sides
    uow.note(
        "dispute_opened",
        dispute=row.id,
        origin=row.origin.value,
        claimants=[claimant.model_dump(mode="json") for claimant in row.claimants],
        rule=row.origin.value,
    )
    organisation = await uow.facts.organisation(uow.connection)
    policy = await uow.facts.pinned_policy(uow.connection, project.policy_digest)
    title = f"{row.id} · {'、'.join(organisation.name_of(person) for person in sides)}"
    if policy.privacy.customer_name_in_engine:
        title += f" · {project.customer_name}"
    return DisputeOpened(title=title, applicant=project.applicant, sides=sides, meeting_wanted=row.wanted is not None)


def row_of(
    step: OpenDisputeStep, claimants: tuple[Claimant, ...], meeting: dict[str, Any] | None, *, workflow_id: str
) -> DisputeRow:
    """The dispute that a step begins. `meeting`: who wants it, where somebody does from the start (D4, P8)."""
    return DisputeRow(
        id=step.dispute_id,
        project_id=step.project_id,
        workflow_id=workflow_id,
        origin=step.origin,
        stage=DisputeStage.NEGOTIATION,
        round=1,
        opened_at=step.now,
        stage_since=step.now,
        claimants=claimants,
        meeting=meeting,
    )


async def _claimants(
    uow: UnitOfWork, step: OpenDisputeStep, project: ProjectRow, before: Sequence[DisputeRow]
) -> tuple[Claimant, ...]:
    """D1: the sides, the project's own first. P5: of registrations, those whose conflict was confirmed. D4: where an
    agreement waits, those who have agreed: one of them may have become responsible since."""
    if agreement_waits(project.agreement):
        return next(dispute.claimants for dispute in reversed(before) if dispute.stage is DisputeStage.AGREED)
    mine = Claimant(
        person=project.salesperson, subject_type="project", subject_id=project.id, since=project.registered_at
    )
    if step.origin is not Origin.OBJECTION:
        return (mine, *step.claimants)
    decided = await tasks.decisions_of(uow.connection, project.id)
    asked = await tasks.of_subject(uow.connection, project.id)
    found = await projects.matches_of(uow.connection, project.id, project.round)
    confirmed = confirmed_conflicts(project.round, decided, asked, found)
    return (mine, *(claimant for claimant in step.claimants if claimant.subject_id in confirmed))


async def _wanted_by_objection(uow: UnitOfWork, step: OpenDisputeStep, project: ProjectRow) -> dict[str, Any] | None:
    """P8: the VP who reviewed the objection has the meeting called, for the reasons of whoever objects."""
    if step.origin is not Origin.OBJECTION:
        return None
    reviewed = [
        decision
        for _, decision in await tasks.decisions_of(uow.connection, project.id)
        if decision.kind is TaskKind.OBJECTION_REVIEW and decision.choice == AnswerChoice.CALL_MEETING
    ]
    if not reviewed or project.objection is None:
        raise IllegalTransition(f"{project.id}: nobody has the meeting called")
    reason = "\n".join(text for text in (str(project.objection["reason"]), reviewed[-1].reason) if text)
    return {"wanted": {"by": reviewed[-1].person, "reason": reason, "at": uow.now.isoformat()}}

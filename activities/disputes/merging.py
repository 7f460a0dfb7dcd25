"""What the outcome of a dispute does to the other registrations that are sides of it (D6)."""

from __future__ import annotations

from typing import Any

from activities.disputes.record import DisputeRecord
from activities.projects.process import ProjectContext
from activities.projects.reassigning import carry_over
from activities.tasks.mail_outbox import MailOutbox
from db import messages
from db.accounts import applications
from db.projects import projects
from domain.disputes.dispute import merged_reason
from domain.notices import Notice
from domain.projects.project import ProjectStage
from domain.tasks.task import TaskStatus


async def bind(dispute: DisputeRecord, project_id: str, agreement: dict[str, Any]) -> None:
    """D6: the responsible person and the split stand in another registration as well, and it ends if it is to.

    One that is over keeps its salesperson: what they did is done. Its own process is nudged.
    """
    uow, mine = dispute.uow, dispute.uow.subject_id
    row = await projects.find(uow.connection, project_id, lock=True)
    if row is None:
        return
    try:
        other = await ProjectContext.of(uow, row)
        if row.stage.ended or row.loss or row.contract or row.end_reason:  # over, or with its next step
            await other.change(agreement=agreement)
            return
        responsible = str(agreement["responsible"])
        office = dispute.organisation.department_of(responsible)
        department = office.id if office and responsible != row.salesperson else row.department
        await other.change(agreement=agreement, salesperson=responsible, department=department)
        if row.id in agreement.get("ends", ()):
            await _merge(other, agreement)
        else:
            uow.note("outcome_carried", dispute=agreement["dispute"], responsible=responsible, rule="D6")
            await carry_over(other, row.salesperson, but=dispute.row.id)
        await messages.nudge_process(uow.connection, row.workflow_id, because="dispute outcome")
    finally:
        uow.subject_id = mine


async def _merge(other: ProjectContext, agreement: dict[str, Any]) -> None:
    uow, before = other.uow, other.row
    await other.change(stage=ProjectStage.MERGED, stage_since=uow.now, end_reason=merged_reason(agreement))
    await applications.set_live(uow.connection, "project", before.id, False)  # P10
    still_open = other.docket.open_tasks
    asked = {task.id: other.docket.asked_before(task.id) for task in still_open}
    await other.docket.close(still_open, TaskStatus.WITHDRAWN, at=uow.now, because=ProjectStage.MERGED.value)
    outbox = MailOutbox(other, other.stage_key(ProjectStage.MERGED))
    for task in still_open:
        people = [person for person in asked[task.id] if person.removed_at is None]
        await outbox.to_asked(Notice.TASK_WITHDRAWN, task, people)
    uow.note(
        "stage_moved",
        stage_from=before.stage.value,
        stage=ProjectStage.MERGED.value,
        status=ProjectStage.MERGED.status.value,
        rule="D6",
        round=before.round,
        merged_into=agreement["goes_on"],
    )

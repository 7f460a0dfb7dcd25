"""A dispute whose process somebody with access to the engine has ended by hand (D1, D2, X3)."""

from __future__ import annotations

from activities.disputes import meetings
from activities.disputes.process import DisputeContext
from activities.disputes.record import outcome_on_record, shelved
from activities.projects.record import ProjectRecord
from activities.steps import BrokenDispute
from activities.tasks.context import IllegalTransition
from db.disputes import disputes
from domain.disputes.dispute import DisputeStage
from domain.projects.project import ProjectStage
from domain.tasks.task import TaskStatus


async def end_broken_dispute(context: ProjectRecord, dispute_id: str) -> BrokenDispute:
    """Close it on record, for its project to open another; what it had settled by then stands.

    Raises `IllegalTransition`.
    """
    uow, project = context.uow, context.row
    row = await disputes.find(uow.connection, dispute_id, lock=True)
    if row is None:  # it was ended before it began
        return BrokenDispute()
    if row.project_id != project.id or project.stage is not ProjectStage.DISPUTED:
        raise IllegalTransition(f"{project.id} has no dispute {dispute_id}")
    if row.stage in (DisputeStage.AGREED, DisputeStage.DECIDED):
        return BrokenDispute(outcome=outcome_on_record(row, project))
    if row.stage is DisputeStage.SHELVED:
        return BrokenDispute(outcome=shelved(project))
    await meetings.end_with_the_dispute(DisputeContext.beside(context, row), key=f"{row.id}:broken")  # D5
    # Nobody else is notified: the dispute that follows asks the same people again.
    its_own = [task for task in context.docket.open_tasks if task.workflow_id == row.workflow_id]
    stage = DisputeStage.WITHDRAWN
    await context.docket.close(its_own, TaskStatus.WITHDRAWN, at=uow.now, because=stage.value)
    await disputes.change(uow.connection, row.id, stage=stage, stage_since=uow.now)
    uow.note("dispute_closed", dispute=row.id, stage=stage.value, broken_off=True)
    return BrokenDispute()

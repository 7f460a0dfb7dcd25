"""Somebody leaves: their registration, its tasks and their side of a dispute go to another salesperson (A2, A6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from activities.projects.notices import notify_people
from activities.projects.record import ProjectRecord
from activities.steps import OpenTask, Recorded
from activities.tasks.asking import known_to_workflow, people_of, with_deadline
from activities.tasks.context import Context
from activities.tasks.docket import Docket
from activities.tasks.mail_outbox import MailOutbox
from activities.tasks.receipts import accept
from activities.unit_of_work import UnitOfWork
from db import messages
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.tasks import tasks
from domain.disputes.handing_on import hand_on_side
from domain.notices import Notice
from domain.projects.judgements import judge_reassignment
from domain.projects.rules import BOUND_BY_AN_OUTCOME
from domain.statements import Reassign
from domain.tasks.task import Ask


async def reassign(project: ProjectRecord, said: Reassign) -> Recorded:
    """A2, A6: an operator hands the project to another salesperson, with a reason. Raises `Refused`."""
    successor = judge_reassignment(project.facts, said, project.organisation)
    uow, before = project.uow, project.row.salesperson
    await project.change(salesperson=successor.id, department=successor.department)
    uow.note("project_reassigned", said.person, was=before, now=successor.id, reason=said.reason, rule="A6")
    moved = await reassign_tasks(project, uow.workflow_id, {before: successor.id})
    running = await disputes.open_with(uow.connection, project.row.id)
    await _hand_on(uow, project.docket, running, before, successor.id, because="reassigned")
    await notify_people(
        project, Notice.REASSIGNED, key=said.message_id, involved=[before], reason=said.reason, by=said.person
    )
    await accept(uow, said, settled=True, salesperson=successor.id)
    return Recorded(accepted=True, settled=True, tasks=moved)


async def carry_over(project: ProjectRecord, before: str, *, but: str) -> None:
    """D6: the meeting over another registration has bound this one. Its open tasks ask the salesperson responsible now
    and their VP, who reads the outcome; and they speak for it in disputes, `but` the one that has decided so."""
    docket, row = project.docket, project.row
    mine = [task for task in docket.open_tasks if task.workflow_id == row.workflow_id]
    slots = {task.slot: row.salesperson for task in mine if task.kind in BOUND_BY_AN_OUTCOME}
    await reassign_tasks(project, row.workflow_id, {**slots, before: row.salesperson})
    for task in docket.open_tasks:
        if task.workflow_id == row.workflow_id and task.kind in BOUND_BY_AN_OUTCOME:
            note = await project.note_for(Ask(kind=task.kind, slot=task.slot))
            await docket.change(task, note=note)
    await hand_on_sides(project.uow, docket, row.id, before, row.salesperson, but=but)


async def hand_on_sides(
    uow: UnitOfWork, docket: Docket, project_id: str, before: str, successor: str, *, but: str
) -> None:
    """D6: whoever an outcome has made responsible for a registration speaks for it in its running disputes, `but` the
    one that has decided so."""
    if before != successor:
        running = [dispute for dispute in await disputes.open_with(uow.connection, project_id) if dispute.id != but]
        await _hand_on(uow, docket, running, before, successor, because="dispute outcome", only=project_id)


async def reassign_tasks(context: Context, workflow_id: str, slots: Mapping[str, str]) -> tuple[OpenTask, ...]:
    """The open tasks of a process, those of the salespeople in `slots` now being their successors'."""
    uow = context.uow
    still_open = [task for task in context.docket.open_tasks if task.workflow_id == workflow_id]
    letters, moved = MailOutbox(context), []
    for task in still_open:
        if slots.get(task.slot, task.slot) != task.slot:
            task = await context.docket.change(task, slot=slots[task.slot])
        before_that = tuple(person for person in context.docket.asked_before(task.id) if person.removed_at is None)
        people = await people_of(task, context, already=before_that)
        now, known = {person.person for person in people}, {person.person for person in before_that}
        gone = [person for person in before_that if person.person not in now]
        fresh = [person for person in people if person.person not in known]
        await tasks.remove_assignees(uow.connection, task.id, [person.person for person in gone], at=uow.now)
        await tasks.add_assignees(uow.connection, people)
        task = await with_deadline(context, task, people)
        await letters.to_asked(Notice.TASK, task, fresh, each_link=True)
        await letters.to_asked(Notice.TASK_WITHDRAWN, task, gone, each_link=True, handed_on=True)
        moved.append(known_to_workflow(task, people, context, uow.now))
    return tuple(moved)


async def _hand_on(
    uow: UnitOfWork,
    docket: Docket,
    running: Sequence[DisputeRow],
    before: str,
    successor: str,
    *,
    because: str,
    only: str = "",
) -> None:
    for dispute in running:
        claimants, proposal = hand_on_side(
            dispute.claimants, dispute.proposal, before=before, successor=successor, only=only
        )
        await disputes.change(uow.connection, dispute.id, claimants=claimants, proposal=proposal)
        for task in docket.open_tasks:
            if task.workflow_id == dispute.workflow_id and task.slot == before:
                await docket.change(task, slot=successor)
        await messages.nudge_process(uow.connection, dispute.workflow_id, because=because)

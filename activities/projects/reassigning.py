"""Somebody leaves: their registration, its tasks and their side of a dispute go to another salesperson (A2, A6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
from domain.notices import Notice
from domain.organisation import Person, Role
from domain.projects.rules import BOUND_BY_AN_OUTCOME
from domain.refusals import RefusalCode, Refused
from domain.statements import Reassign
from domain.tasks.task import Ask

if TYPE_CHECKING:
    from activities.disputes.disputes import DisputeContext
    from activities.projects.projects import ProjectContext

OPERATOR = "operator:"
"""Who runs a command is named so; no person of the organisation can be."""


async def judge_reassignment(context: ProjectContext, said: Reassign) -> Recorded:
    """A2, A6: an operator hands the project to another salesperson, with a reason. Raises `Refused`."""
    row, uow = context.row, context.uow
    successor = _successor(context, said)
    if row.stage.ended:
        raise Refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW, stage=row.stage.value)
    if said.was and row.salesperson != said.was:  # a dispute, or the command given twice, was quicker
        raise Refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT, salesperson=row.salesperson)
    before = row.salesperson
    await context.change(salesperson=successor.id, department=successor.department)
    uow.note("project_reassigned", said.person, was=before, now=successor.id, reason=said.reason, rule="A6")
    moved = await _reassign_tasks(context, uow.workflow_id, {before: successor.id})
    await _reassign_disputes(context, before)
    await context.notify_people(
        Notice.REASSIGNED, key=said.message_id, involved=[before], reason=said.reason, by=said.person
    )
    await accept(uow, said, settled=True, salesperson=successor.id)
    return Recorded(accepted=True, settled=True, tasks=moved)


async def judge_side_reassignment(context: DisputeContext, said: Reassign) -> Recorded:
    """D1, D2: an account holder leaves, and another salesperson speaks for their side. Raises `Refused`.

    The account itself stays where an approved application has put it (A2).
    """
    row, uow = context.row, context.uow
    successor = _successor(context, said)
    if row.stage.ended or context.project_is_over:
        raise Refused(RefusalCode.DISPUTE_NOT_OPEN, stage=row.stage.value)
    if not any(one.person == said.was and one.subject_type == "account" for one in row.claimants):
        raise Refused(RefusalCode.NOT_PARTY_OF_DISPUTE)
    await context.change(**_handed_on(row, said.was, successor.id))
    uow.note(
        "side_handed_on", said.person, dispute=row.id, was=said.was, now=successor.id, reason=said.reason, rule="D1"
    )
    moved = await _reassign_tasks(context, uow.workflow_id, {said.was: successor.id})
    await accept(uow, said, settled=True, salesperson=successor.id)
    return Recorded(accepted=True, settled=True, tasks=moved)


async def carry_over(context: ProjectContext, before: str, *, but: str) -> None:
    """D6: the meeting over another registration has bound this one. Its open tasks ask the salesperson responsible now
    and their VP, who reads the outcome; and they speak for it in disputes, `but` the one that has decided so."""
    docket, row = context.docket, context.row
    mine = [task for task in docket.open_tasks if task.workflow_id == row.workflow_id]
    slots = {task.slot: row.salesperson for task in mine if task.kind in BOUND_BY_AN_OUTCOME}
    await _reassign_tasks(context, row.workflow_id, {**slots, before: row.salesperson})
    for task in docket.open_tasks:
        if task.workflow_id == row.workflow_id and task.kind in BOUND_BY_AN_OUTCOME:
            note = await context.note_for(Ask(kind=task.kind, slot=task.slot))
            await docket.change(task, note=note)
    await hand_on_sides(context.uow, docket, row.id, before, row.salesperson, but=but)


async def hand_on_sides(
    uow: UnitOfWork, docket: Docket, project_id: str, before: str, successor: str, *, but: str
) -> None:
    """D6: whoever an outcome has made responsible for a registration speaks for it in its running disputes, `but` the
    one that has decided so."""
    if before != successor:
        running = [dispute for dispute in await disputes.open_with(uow.connection, project_id) if dispute.id != but]
        await _hand_on(uow, docket, running, before, successor, because="dispute outcome", only=project_id)


def _successor(context: Context, said: Reassign) -> Person:
    """An active salesperson, named by an operator. Raises `Refused`."""
    if not said.person.startswith(OPERATOR):
        raise Refused(RefusalCode.NOT_OPERATOR)
    successor = context.organisation.person(said.to)
    if successor is None or not successor.active or Role.SALESPERSON not in successor.roles:
        raise Refused(RefusalCode.REASSIGN_UNKNOWN, person=said.to)
    return successor


async def _reassign_tasks(context: Context, workflow_id: str, slots: Mapping[str, str]) -> tuple[OpenTask, ...]:
    """The open tasks of a process, those of the salespeople in `slots` now being their successors'."""
    uow = context.uow
    still_open = [task for task in context.docket.open_tasks if task.workflow_id == workflow_id]
    letters, moved = MailOutbox(context), []
    for task in still_open:
        if slots.get(task.slot, task.slot) != task.slot:
            task = await context.docket.change(task, slot=slots[task.slot])
        before_that = tuple(person for person in context.docket.asked_before(task.id) if person.removed_at is None)
        people = await people_of(task, context, already=before_that)
        now = {person.person for person in people}
        gone = [person for person in before_that if person.person not in now]
        fresh = [person for person in people if person.person not in {one.person for one in before_that}]
        await tasks.remove_assignees(uow.connection, task.id, [person.person for person in gone], at=uow.now)
        await tasks.add_assignees(uow.connection, people)
        task = await with_deadline(context, task, people)
        await letters.to_asked(Notice.TASK, task, fresh, each_link=True)
        await letters.to_asked(Notice.TASK_WITHDRAWN, task, gone, each_link=True, handed_on=True)
        moved.append(known_to_workflow(task, people, context, uow.now))
    return tuple(moved)


async def _reassign_disputes(context: ProjectContext, before: str) -> None:
    """D1, D2: the successor speaks for their side of a running dispute, whose own process then asks them."""
    uow, row = context.uow, context.row
    running = await disputes.open_with(uow.connection, row.id)
    await _hand_on(uow, context.docket, running, before, row.salesperson, because="reassigned")


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
        await disputes.change(uow.connection, dispute.id, **_handed_on(dispute, before, successor, only))
        for task in docket.open_tasks:
            if task.workflow_id == dispute.workflow_id and task.slot == before:
                await docket.change(task, slot=successor)
        await messages.nudge_process(uow.connection, dispute.workflow_id, because=because)


def _handed_on(dispute: DisputeRow, before: str, successor: str, only: str = "") -> dict[str, Any]:
    """What changes in a dispute when `successor` speaks for the side of `before`; `only` for one of what is theirs."""
    sides = {
        (one.person, one.subject_id): one
        for one in (
            claimant.model_copy(update={"person": successor})
            if claimant.person == before and only in ("", claimant.subject_id)
            else claimant
            for claimant in dispute.claimants
        )
    }
    was_a_side = any(one.person == successor for one in dispute.claimants)
    stays_a_side = any(one.person == before for one in sides.values())
    proposal = dispute.proposal
    if proposal and (was_a_side or stays_a_side) and not dispute.all_confirmed:
        proposal = None  # nobody confirms one side by having confirmed for the other: a text is put there anew
    elif proposal:
        confirmed = {successor if one == before else one: task for one, task in proposal["confirmed"].items()}
        if stays_a_side:
            confirmed = {**proposal["confirmed"], **confirmed}
        by = successor if proposal["by"] == before else proposal["by"]
        named = {"responsible": successor} if proposal.get("responsible") == before else {}
        proposal = {**proposal, "by": by, "confirmed": confirmed, **named}
    return {"claimants": tuple(sides.values()), "proposal": proposal}

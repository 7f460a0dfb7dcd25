"""Somebody leaves: their registration, its tasks and their side of a dispute go to another salesperson (A2, A6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from activities.asking import known_to_workflow, people_of, with_deadline
from activities.context import Context, Refused
from activities.letters import Letters
from activities.receipts import accept
from activities.steps import OpenTask, Recorded
from db import disputes, messages, tasks
from db.disputes import DisputeRow
from domain.organisation import Person, Role
from domain.project_rules import ProjectNotice
from domain.statements import Reassign
from texts.mail import MailKind

if TYPE_CHECKING:
    from activities.disputes import DisputeContext
    from activities.projects import ProjectContext

OPERATOR = "operator:"
"""Who runs a command is named so; no person of the organisation can be."""


async def take_reassignment(context: ProjectContext, said: Reassign) -> Recorded:
    """A2, A6: an operator hands the project to another salesperson, with a reason. Raises `Refused`."""
    row, work = context.row, context.work
    successor = _successor(context, said)
    if row.stage.ended:
        raise Refused("project_stage_does_not_allow", stage=row.stage.value)
    if said.was and row.salesperson != said.was:  # a dispute, or the command given twice, was quicker
        raise Refused("not_salesperson_of_project", salesperson=row.salesperson)
    before = row.salesperson
    await context.change(salesperson=successor.id, department=successor.department)
    work.note("project_reassigned", said.person, was=before, now=successor.id, reason=said.reason, rule="A6")
    moved = await _reassign_tasks(context, before, successor.id)
    await _reassign_disputes(context, before)
    await context.tell_people(
        ProjectNotice.REASSIGNED, key=said.message_id, involved=[before], reason=said.reason, by=said.person
    )
    await accept(work, said, settled=True, salesperson=successor.id)
    return Recorded(accepted=True, settled=True, tasks=moved)


async def take_side(context: DisputeContext, said: Reassign) -> Recorded:
    """D1, D2: an account holder leaves, and another salesperson speaks for their side. Raises `Refused`.

    The account itself stays where an approved application has put it (A2).
    """
    row, work = context.row, context.work
    successor = _successor(context, said)
    if row.stage.ended or context.project_is_over:
        raise Refused("dispute_not_open", stage=row.stage.value)
    if not any(one.person == said.was and one.subject_type == "account" for one in row.claimants):
        raise Refused("not_party_of_dispute")
    await context.change(**_handed_on(row, said.was, successor.id))
    work.note(
        "side_handed_on", said.person, dispute=row.id, was=said.was, now=successor.id, reason=said.reason, rule="D1"
    )
    moved = await _reassign_tasks(context, said.was, successor.id)
    await accept(work, said, settled=True, salesperson=successor.id)
    return Recorded(accepted=True, settled=True, tasks=moved)


def _successor(context: Context, said: Reassign) -> Person:
    """An active salesperson, named by an operator. Raises `Refused`."""
    if not said.person.startswith(OPERATOR):
        raise Refused("not_operator")
    successor = context.organisation.person(said.to)
    if successor is None or not successor.active or Role.SALESPERSON not in successor.roles:
        raise Refused("reassign_unknown", person=said.to)
    return successor


async def _reassign_tasks(context: Context, before: str, successor: str) -> tuple[OpenTask, ...]:
    """The open tasks of the process, those of the salesperson now being their successor's."""
    work = context.work
    still_open = [task for task in context.docket.open_tasks if task.workflow_id == work.workflow_id]
    letters, moved = Letters(context), []
    for task in still_open:
        if task.slot == before:
            task = await context.docket.change(task, slot=successor)
        before_that = tuple(person for person in context.docket.asked_before(task.id) if person.removed_at is None)
        people = await people_of(task, context, already=before_that)
        now = {person.person for person in people}
        gone = [person for person in before_that if person.person not in now]
        fresh = [person for person in people if person.person not in {one.person for one in before_that}]
        await tasks.take_off(work.tx, task.id, [person.person for person in gone], at=work.now)
        await tasks.ask_people(work.tx, people)
        task = await with_deadline(context, task, people)
        await letters.to_asked(MailKind.TASK, task, fresh, each_link=True)
        await letters.to_asked(MailKind.TASK_WITHDRAWN, task, gone, each_link=True, handed_on=True)
        moved.append(known_to_workflow(task, people, context, work.now))
    return tuple(moved)


async def _reassign_disputes(context: ProjectContext, before: str) -> None:
    """D1, D2: the successor speaks for their side of a running dispute, whose own process then asks them."""
    work, successor = context.work, context.row.salesperson
    for dispute in await disputes.open_with(work.tx, context.row.id):
        await disputes.change(work.tx, dispute.id, **_handed_on(dispute, before, successor))
        for task in context.docket.open_tasks:
            if task.workflow_id == dispute.workflow_id and task.slot == before:
                await context.docket.change(task, slot=successor)
        await messages.nudge_process(work.tx, dispute.workflow_id, because="reassigned")


def _handed_on(dispute: DisputeRow, before: str, successor: str) -> dict[str, Any]:
    """What changes in a dispute when `successor` speaks for the side of `before`."""
    sides = {
        (one.person, one.subject_id): one
        for one in (
            claimant.model_copy(update={"person": successor}) if claimant.person == before else claimant
            for claimant in dispute.claimants
        )
    }
    was_a_side = any(one.person == successor for one in dispute.claimants)
    proposal = dispute.proposal
    if proposal and was_a_side and not dispute.all_confirmed:
        proposal = None  # nobody confirms one side by having confirmed for the other: a text is put there anew
    elif proposal:
        confirmed = {successor if one == before else one: task for one, task in proposal["confirmed"].items()}
        by = successor if proposal["by"] == before else proposal["by"]
        named = {"responsible": successor} if proposal.get("responsible") == before else {}
        proposal = {**proposal, "by": by, "confirmed": confirmed, **named}
    return {"claimants": tuple(sides.values()), "proposal": proposal}

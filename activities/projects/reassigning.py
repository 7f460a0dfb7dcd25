"""Somebody leaves: their registration, its tasks and their side of a dispute go to another salesperson (A2, A6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from activities.steps import OpenTask, Recorded
from activities.tasks.asking import known_to_workflow, people_of, with_deadline
from activities.tasks.context import Context, Refused
from activities.tasks.docket import Docket
from activities.tasks.mail_outbox import Letters
from activities.tasks.receipts import accept
from activities.unit_of_work import Work
from db import messages
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.tasks import tasks
from domain.organisation import Person, Role
from domain.projects.rules import BOUND_BY_AN_OUTCOME, ProjectNotice
from domain.statements import Reassign
from domain.tasks.task import Ask
from texts.mails.mail import MailKind

if TYPE_CHECKING:
    from activities.disputes.disputes import DisputeContext
    from activities.projects.projects import ProjectContext

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
    moved = await _reassign_tasks(context, work.workflow_id, {before: successor.id})
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
    moved = await _reassign_tasks(context, work.workflow_id, {said.was: successor.id})
    await accept(work, said, settled=True, salesperson=successor.id)
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
    await hand_on_sides(context.work, docket, row.id, before, row.salesperson, but=but)


async def hand_on_sides(work: Work, docket: Docket, project_id: str, before: str, successor: str, *, but: str) -> None:
    """D6: whoever an outcome has made responsible for a registration speaks for it in its running disputes, `but` the
    one that has decided so."""
    if before != successor:
        running = [dispute for dispute in await disputes.open_with(work.tx, project_id) if dispute.id != but]
        await _hand_on(work, docket, running, before, successor, because="dispute outcome", only=project_id)


def _successor(context: Context, said: Reassign) -> Person:
    """An active salesperson, named by an operator. Raises `Refused`."""
    if not said.person.startswith(OPERATOR):
        raise Refused("not_operator")
    successor = context.organisation.person(said.to)
    if successor is None or not successor.active or Role.SALESPERSON not in successor.roles:
        raise Refused("reassign_unknown", person=said.to)
    return successor


async def _reassign_tasks(context: Context, workflow_id: str, slots: Mapping[str, str]) -> tuple[OpenTask, ...]:
    """The open tasks of a process, those of the salespeople in `slots` now being their successors'."""
    work = context.work
    still_open = [task for task in context.docket.open_tasks if task.workflow_id == workflow_id]
    letters, moved = Letters(context), []
    for task in still_open:
        if slots.get(task.slot, task.slot) != task.slot:
            task = await context.docket.change(task, slot=slots[task.slot])
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
    work, row = context.work, context.row
    running = await disputes.open_with(work.tx, row.id)
    await _hand_on(work, context.docket, running, before, row.salesperson, because="reassigned")


async def _hand_on(
    work: Work,
    docket: Docket,
    running: Sequence[DisputeRow],
    before: str,
    successor: str,
    *,
    because: str,
    only: str = "",
) -> None:
    for dispute in running:
        await disputes.change(work.tx, dispute.id, **_handed_on(dispute, before, successor, only))
        for task in docket.open_tasks:
            if task.workflow_id == dispute.workflow_id and task.slot == before:
                await docket.change(task, slot=successor)
        await messages.nudge_process(work.tx, dispute.workflow_id, because=because)


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

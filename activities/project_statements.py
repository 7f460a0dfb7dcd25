"""What people say to a registration beside their answers to tasks: updates, loss, contract, objection, withdrawal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from activities.asking import known_to_workflow, people_of
from activities.context import Refused
from activities.letters import Letters
from activities.receipts import accept
from activities.steps import OpenTask, Recorded
from db import projects, tasks
from db.projects import UpdateRow
from domain.access import may_receive_contract
from domain.named_account import appeal_in_time
from domain.organisation import Role
from domain.project import ProjectStage
from domain.project_rules import ProjectNotice
from domain.statements import (
    ObjectToRefusal,
    Reassign,
    ReceiveContract,
    ReportLoss,
    Statement,
    UpdateProject,
    Withdraw,
)
from texts.mail import MailKind

OPERATOR = "operator:"
"""Who runs a command is named so; no person of the organisation can be."""

if TYPE_CHECKING:
    from activities.projects import ProjectContext


async def take(context: ProjectContext, said: Statement) -> Recorded:
    """Judge a statement that is no answer, and record what becomes of it. Raises `Refused`."""
    match said:
        case UpdateProject():
            return await _take_update(context, said)
        case ReportLoss():
            return await _take_loss(context, said)
        case ReceiveContract():
            return await _take_contract(context, said)
        case ObjectToRefusal():
            return await _take_objection(context, said)
        case Withdraw():
            return await _take_withdrawal(context, said)
        case Reassign():
            return await _take_reassignment(context, said)
        case _:
            raise Refused("project_stage_does_not_allow", stage=context.row.stage.value)


def _active(context: ProjectContext) -> None:
    """Active, and nothing on record that ends it with the next step."""
    row = context.row
    if row.stage is not ProjectStage.ACTIVE or row.loss or row.contract:
        raise Refused("project_not_active", stage=row.stage.value, status=row.stage.status.value)


def _by_its_salesperson(context: ProjectContext, person: str) -> None:
    if person != context.row.salesperson:
        raise Refused("not_salesperson_of_project")


async def _take_update(context: ProjectContext, said: UpdateProject) -> Recorded:
    """U1, U5: by the responsible salesperson; all three clocks start again."""
    work, row, update = context.work, context.row, said.update
    _by_its_salesperson(context, said.person)
    _active(context)
    if update is None:
        raise Refused("unreadable")
    number = await projects.last_update_number(work.tx, row.id) + 1
    await projects.add_update(
        work.tx,
        UpdateRow(
            project_id=row.id,
            number=number,
            message_id=said.message_id,
            person=said.person,
            said_at=said.said_at,
            recorded_at=work.now,
            **update.model_dump(),
        ),
    )
    news = update.model_dump(include={"stage", "amount", "expected_signing"}, exclude_none=True)
    form: dict[str, Any] = {"form": row.form.model_copy(update=news)} if news else {}
    await context.change(updated_at=work.now, silences=0, **form)
    work.note("project_updated", said.person, number=number, channel=said.channel, rule="U1")
    ahead = context.ahead()
    events = [{"at": due.at.isoformat(), "what": due.silence.value} for due in ahead]
    await accept(work, said, settled=True, number=number, next_events=events)
    return Recorded(accepted=True, settled=True, ahead=ahead)


async def _take_loss(context: ProjectContext, said: ReportLoss) -> Recorded:
    """U8: the reason is not optional."""
    _by_its_salesperson(context, said.person)
    _active(context)
    if said.loss is None:
        raise Refused("unreadable")
    loss = {**said.loss.model_dump(mode="json"), "by": said.person, "at": context.work.now.isoformat()}
    await context.change(loss=loss)
    context.work.note("project_lost", said.person, reason=said.loss.reason, channel=said.channel, rule="U8")
    await accept(context.work, said)
    return Recorded(accepted=True)


async def _take_contract(context: ProjectContext, said: ReceiveContract) -> Recorded:
    """U7: the contract review application is with commerce; the amount is recorded."""
    person = context.organisation.person(said.person)
    if person is None or not may_receive_contract(person, salesperson=context.row.salesperson):
        raise Refused("not_commerce_or_salesperson")
    _active(context)
    if said.contract is None:
        raise Refused("unreadable")
    contract = {**said.contract.model_dump(mode="json"), "by": said.person, "at": context.work.now.isoformat()}
    await context.change(contract=contract)
    context.work.note("contract_received", said.person, channel=said.channel, rule="U7")
    await accept(context.work, said)
    return Recorded(accepted=True)


async def _take_objection(context: ProjectContext, said: ObjectToRefusal) -> Recorded:
    """P8: once, by the applicant, in time."""
    row, work = context.row, context.work
    _by_its_salesperson(context, said.person)
    if row.objection:
        raise Refused("objection_used")
    if row.stage is not ProjectStage.REFUSED or not row.refusal:
        raise Refused("project_stage_does_not_allow", stage=row.stage.value)
    until = context.objection_until
    if until is None or not appeal_in_time(said.said_at, work.now, until):
        raise Refused("objection_too_late", until=until.isoformat() if until else None)
    await context.change(objection={"reason": said.reason, "at": work.now.isoformat()})
    work.note("objection_accepted", said.person, reason=said.reason, channel=said.channel, rule="P8")
    await accept(work, said)
    return Recorded(accepted=True)


async def _take_withdrawal(context: ProjectContext, said: Withdraw) -> Recorded:
    """By the applicant, at any time before the approval; an active project is lost or signed, not withdrawn."""
    row = context.row
    if said.person not in (row.applicant, row.salesperson):
        raise Refused("not_salesperson_of_project")
    if row.stage.ended or row.stage is ProjectStage.ACTIVE or row.end_reason:
        raise Refused("project_stage_does_not_allow", stage=row.stage.value)
    await context.change(end_reason={"reason": said.reason, "by": said.person})
    context.work.note("project_withdrawn", said.person, reason=said.reason, channel=said.channel)
    await accept(context.work, said)
    return Recorded(accepted=True)


async def _take_reassignment(context: ProjectContext, said: Reassign) -> Recorded:
    """A2, A6: a salesperson leaves, and an operator hands the project to another, with a reason."""
    row, work, organisation = context.row, context.work, context.organisation
    successor = organisation.person(said.to)
    if not said.person.startswith(OPERATOR):
        raise Refused("not_operator")
    if successor is None or not successor.active or Role.SALESPERSON not in successor.roles:
        raise Refused("reassign_unknown", person=said.to)
    if row.stage.ended:
        raise Refused("project_stage_does_not_allow", stage=row.stage.value)
    before = row.salesperson
    await context.change(salesperson=successor.id, department=successor.department)
    work.note("project_reassigned", said.person, was=before, now=successor.id, reason=said.reason, rule="A6")
    moved = await _reassign_tasks(context, before)
    await context.tell_people(
        ProjectNotice.REASSIGNED, key=said.message_id, involved=[before], reason=said.reason, by=said.person
    )
    await accept(work, said, settled=True, salesperson=successor.id)
    return Recorded(accepted=True, settled=True, tasks=moved)


async def _reassign_tasks(context: ProjectContext, before: str) -> tuple[OpenTask, ...]:
    """The open tasks of the process, those of the salesperson now being their successor's."""
    work = context.work
    still_open = [
        task
        for task in await tasks.of_subject(work.tx, context.row.id, open_only=True)
        if task.workflow_id == work.workflow_id
    ]
    asked = await tasks.asked_by(work.tx, [task.id for task in still_open])
    letters, moved = Letters(context), []
    for task in still_open:
        if task.slot == before:
            task = task.model_copy(update={"slot": context.row.salesperson})
            await tasks.change(work.tx, task.id, slot=task.slot)
        before_that = tuple(person for person in asked[task.id] if person.removed_at is None)
        people = await people_of(task, context, already=before_that)
        now = {person.person for person in people}
        gone = [person for person in before_that if person.person not in now]
        fresh = [person for person in people if person.person not in {one.person for one in before_that}]
        await tasks.take_off(work.tx, task.id, [person.person for person in gone], at=work.now)
        await tasks.ask_people(work.tx, people)
        await letters.to_asked(MailKind.TASK, task, fresh, each_link=True)
        await letters.to_asked(MailKind.TASK_WITHDRAWN, task, gone, each_link=True)
        moved.append(known_to_workflow(task, people, context, work.now))
    return tuple(moved)

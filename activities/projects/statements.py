"""What people say to a registration beside their answers to tasks: updates, loss, contract, objection, withdrawal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from activities.disputes.stepping_in import step_in
from activities.projects.reassigning import judge_reassignment
from activities.steps import Recorded
from activities.tasks.receipts import accept
from db.projects import projects
from db.projects.projects import UpdateRow
from domain.access import may_receive_contract
from domain.accounts.named_account import appeal_in_time
from domain.projects.contract_review import application_problems, on_record, receipt_problems
from domain.projects.project import ContractReview, ProjectStage
from domain.refusals import RefusalCode, Refused
from domain.statements import (
    CallForMeeting,
    ObjectToRefusal,
    Reassign,
    ReceiveContract,
    ReportLoss,
    Statement,
    UpdateProject,
    Withdraw,
)
from domain.tasks.task import Problem

if TYPE_CHECKING:
    from activities.projects.projects import ProjectContext


async def judge(context: ProjectContext, said: Statement) -> Recorded:
    """Judge a statement that is no answer, and record what becomes of it. Raises `Refused`."""
    match said:
        case UpdateProject():
            return await _take_update(context, said)
        case CallForMeeting():
            return await step_in(context, context.row, said)
        case ReportLoss():
            return await _take_loss(context, said)
        case ReceiveContract():
            return await _take_contract(context, said)
        case ObjectToRefusal():
            return await _take_objection(context, said)
        case Withdraw():
            return await _take_withdrawal(context, said)
        case Reassign():
            return await judge_reassignment(context, said)
        case _:
            raise Refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW, stage=context.row.stage.value)


def active(context: ProjectContext) -> None:
    """Active, and nothing on record that ends it with the next step. Raises `Refused`."""
    row = context.row
    if row.stage is not ProjectStage.ACTIVE or row.loss or row.contract:
        raise Refused(RefusalCode.PROJECT_NOT_ACTIVE, stage=row.stage.value, status=row.stage.status.value)


def _by_its_salesperson(context: ProjectContext, person: str) -> None:
    if person != context.row.salesperson:
        raise Refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT)


async def _take_update(context: ProjectContext, said: UpdateProject) -> Recorded:
    """U1, U5: by the responsible salesperson; all three clocks start again."""
    uow, row, update = context.uow, context.row, said.update
    _by_its_salesperson(context, said.person)
    active(context)
    if update is None:
        raise Refused(RefusalCode.UNREADABLE)
    number = await projects.last_update_number(uow.connection, row.id) + 1
    await projects.add_update(
        uow.connection,
        UpdateRow(
            project_id=row.id,
            number=number,
            message_id=said.message_id,
            person=said.person,
            said_at=said.said_at,
            recorded_at=uow.now,
            **update.model_dump(),
        ),
    )
    news = update.model_dump(include={"stage", "amount", "expected_signing"}, exclude_none=True)
    form: dict[str, Any] = {"form": row.form.model_copy(update=news)} if news else {}
    await context.change(updated_at=uow.now, silences=0, **form)
    uow.note("project_updated", said.person, number=number, channel=said.channel, rule="U1")
    ahead = context.ahead()
    events = [{"at": due.at.isoformat(), "what": due.silence.value} for due in ahead]
    await accept(uow, said, settled=True, number=number, next_events=events)
    return Recorded(accepted=True, settled=True, ahead=ahead, updated_at=uow.now)


async def _take_loss(context: ProjectContext, said: ReportLoss) -> Recorded:
    """U8: the reason is not optional."""
    _by_its_salesperson(context, said.person)
    active(context)
    if said.loss is None:
        raise Refused(RefusalCode.UNREADABLE)
    loss = {**said.loss.model_dump(mode="json"), "by": said.person, "at": context.uow.now.isoformat()}
    await context.change(loss=loss)
    context.uow.note("project_lost", said.person, reason=said.loss.reason, channel=said.channel, rule="U8")
    await accept(context.uow, said)
    return Recorded(accepted=True)


async def _take_contract(context: ProjectContext, said: ReceiveContract) -> Recorded:
    """U7: its salesperson hands the contract review application in, and commerce is asked; or commerce records one
    that it has received on paper, whether or not it was handed in here as well."""
    row, person = context.row, context.organisation.person(said.person)
    handed_in = said.person == row.salesperson
    if person is None or not (handed_in or may_receive_contract(person, own=context.own_people)):
        raise Refused(RefusalCode.NOT_COMMERCE_OR_SALESPERSON)
    active(context)
    if said.contract is None:
        raise Refused(RefusalCode.UNREADABLE)
    if not handed_in:
        await receive_contract(context, said.contract, said.person, channel=said.channel)
        await accept(context.uow, said)
        return Recorded(accepted=True)
    if row.contract_with_commerce:
        raise Refused(RefusalCode.CONTRACT_REVIEW_OPEN)
    _refuse_if_wrong(application_problems(said.contract, today=context.today))
    given = {**said.contract.model_dump(mode="json"), "by": said.person, "at": context.uow.now.isoformat()}
    await context.change(contract_application=given)
    context.uow.note("contract_handed_in", said.person, channel=said.channel, rule="U7")
    await accept(context.uow, said)
    return Recorded(accepted=True, asks_commerce=True)


async def receive_contract(
    context: ProjectContext, contract: ContractReview, by: str, *, channel: str, of_task: bool = False
) -> None:
    """U7: put on record what commerce has received. Raises `Refused` with everything that is wrong with it."""
    refuse_wrong_contract(context, contract, of_task=of_task)
    now = context.uow.now
    kept = on_record(contract, today=context.today, by=by, at=now.isoformat())
    await context.change(contract=kept)
    context.uow.note("contract_received", by, channel=channel, rule="U7", amount=kept["amount"])


def refuse_wrong_contract(context: ProjectContext, contract: ContractReview, *, of_task: bool) -> None:
    """Raises `Refused` with everything wrong with a contract; `of_task` where it came as the fields of an answer."""
    where = {"number_field": "number", "prefix": "fields."} if of_task else {}
    _refuse_if_wrong(receipt_problems(contract, today=context.today, **where))


def _refuse_if_wrong(problems: tuple[Problem, ...]) -> None:
    if problems:
        raise Refused(problems[0].key, problems=problems)


async def _take_objection(context: ProjectContext, said: ObjectToRefusal) -> Recorded:
    """P8: once, by the applicant, in time."""
    row, uow = context.row, context.uow
    _by_its_salesperson(context, said.person)
    if row.objection:
        raise Refused(RefusalCode.OBJECTION_USED)
    if row.stage is not ProjectStage.REFUSED or not row.refusal:
        raise Refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW, stage=row.stage.value)
    until = context.objection_until
    if until is None or not appeal_in_time(said.said_at, uow.now, until):
        raise Refused(RefusalCode.OBJECTION_TOO_LATE, until=until.isoformat() if until else None)
    await context.change(objection={"reason": said.reason, "at": uow.now.isoformat()})
    uow.note("objection_accepted", said.person, reason=said.reason, channel=said.channel, rule="P8")
    await accept(uow, said)
    return Recorded(accepted=True)


async def _take_withdrawal(context: ProjectContext, said: Withdraw) -> Recorded:
    """By the salesperson, at any time before the approval; an active project is lost or signed, not withdrawn.

    What a dispute has made somebody else's (D2) is theirs to withdraw, and no longer the applicant's.
    """
    row = context.row
    _by_its_salesperson(context, said.person)
    if row.stage.ended or row.stage is ProjectStage.ACTIVE or row.end_reason:
        raise Refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW, stage=row.stage.value)
    await context.change(end_reason={"reason": said.reason, "by": said.person})
    context.uow.note("project_withdrawn", said.person, reason=said.reason, channel=said.channel)
    await accept(context.uow, said)
    return Recorded(accepted=True)

"""Statements about a registration that answer no task: updates, loss, contract, objection, withdrawal."""

from __future__ import annotations

from typing import Any

from activities.disputes.stepping_in import step_in
from activities.projects.reassigning import reassign
from activities.projects.record import ProjectRecord
from activities.steps import Recorded
from activities.tasks.receipts import accept
from db.projects import projects
from db.projects.projects import UpdateRow
from domain.projects.contract_review import on_record
from domain.projects.judgements import (
    judge_contract,
    judge_loss,
    judge_objection,
    judge_update,
    judge_withdrawal,
    not_at_this_stage,
)
from domain.projects.project import ContractReview
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


async def record_statement(project: ProjectRecord, said: Statement) -> Recorded:
    """Judge a statement that is not an answer, and apply it. Raises `Refused`."""
    match said:
        case UpdateProject():
            return await _update(project, said)
        case CallForMeeting():
            return await step_in(project, project.row, said)
        case ReportLoss():
            return await _lose(project, said)
        case ReceiveContract():
            return await _record_contract(project, said)
        case ObjectToRefusal():
            return await _object(project, said)
        case Withdraw():
            return await _withdraw(project, said)
        case Reassign():
            return await reassign(project, said)
        case _:
            raise not_at_this_stage(project.row.stage)


async def _update(project: ProjectRecord, said: UpdateProject) -> Recorded:
    """U1, U5: all three clocks start again."""
    update = judge_update(project.facts, said)
    uow, row = project.uow, project.row
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
    await project.change(updated_at=uow.now, silences=0, **form)
    uow.note("project_updated", said.person, number=number, channel=said.channel, rule="U1")
    ahead = project.ahead()
    events = [{"at": due.at.isoformat(), "what": due.silence.value} for due in ahead]
    await accept(uow, said, settled=True, number=number, next_events=events)
    return Recorded(accepted=True, settled=True, ahead=ahead, updated_at=uow.now)


async def _lose(project: ProjectRecord, said: ReportLoss) -> Recorded:
    """U8."""
    loss = judge_loss(project.facts, said)
    kept = {**loss.model_dump(mode="json"), "by": said.person, "at": project.uow.now.isoformat()}
    await project.change(loss=kept)
    project.uow.note("project_lost", said.person, reason=loss.reason, channel=said.channel, rule="U8")
    await accept(project.uow, said)
    return Recorded(accepted=True)


async def _record_contract(project: ProjectRecord, said: ReceiveContract) -> Recorded:
    """U7: handed in by its salesperson, so that commerce is asked; or received by commerce on paper."""
    person = project.organisation.person(said.person)
    contract, handed_in = judge_contract(project.facts, said, person, today=project.today)
    if not handed_in:
        await receive_contract(project, contract, said.person, channel=said.channel)
        await accept(project.uow, said)
        return Recorded(accepted=True)
    kept = {**contract.model_dump(mode="json"), "by": said.person, "at": project.uow.now.isoformat()}
    await project.change(contract_application=kept)
    project.uow.note("contract_handed_in", said.person, channel=said.channel, rule="U7")
    await accept(project.uow, said)
    return Recorded(accepted=True, asks_commerce=True)


async def receive_contract(project: ProjectRecord, contract: ContractReview, by: str, *, channel: str) -> None:
    """U7: put on record what commerce has received, which has been judged."""
    kept = on_record(contract, today=project.today, by=by, at=project.uow.now.isoformat())
    await project.change(contract=kept)
    project.uow.note("contract_received", by, channel=channel, rule="U7", amount=kept["amount"])


async def _object(project: ProjectRecord, said: ObjectToRefusal) -> Recorded:
    """P8."""
    uow = project.uow
    judge_objection(project.facts, said, now=uow.now)
    await project.change(objection={"reason": said.reason, "at": uow.now.isoformat()})
    uow.note("objection_accepted", said.person, reason=said.reason, channel=said.channel, rule="P8")
    await accept(uow, said)
    return Recorded(accepted=True)


async def _withdraw(project: ProjectRecord, said: Withdraw) -> Recorded:
    judge_withdrawal(project.facts, said)
    await project.change(end_reason={"reason": said.reason, "by": said.person})
    project.uow.note("project_withdrawn", said.person, reason=said.reason, channel=said.channel)
    await accept(project.uow, said)
    return Recorded(accepted=True)

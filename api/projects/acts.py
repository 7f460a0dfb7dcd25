"""What people do with a project: for the API and for the pages (P8, N13, U1, U6, U7, U8)."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from api.gateway.gateway import Caller
from api.gateway.receipts import refusal_by, refuse_unaccepted
from api.problems import Refusal
from api.projects.access import project_of_salesperson, project_to_act_on
from api.state import State, Viewer
from db.messages import Receipt
from db.projects.projects import ProjectRow
from domain.access import may_receive_contract
from domain.projects.judgements import (
    allow_contract,
    allow_objection,
    allow_report,
    allow_resumption,
    allow_withdrawal,
    signed_amount,
)
from domain.projects.project import ContractCorrection, ContractReview, Loss, ProjectUpdate, Resumption
from domain.refusals import RefusalCode
from domain.statements import ObjectToRefusal, ReceiveContract, ReportLoss, UpdateProject, Withdraw
from domain.subject import SubjectType


class ProjectAct(StrEnum):
    """The acts; the value is the last part of an act's address."""

    UPDATE = "update"
    CONTRACT = "contract"
    LOSS = "loss"
    OBJECT = "object"
    RESUME = "resume"
    WITHDRAW = "withdraw"
    CORRECTION = "correction"


def acts_of(row: ProjectRow, viewer: Viewer, state: State, *, resumed: bool) -> dict[ProjectAct, Refusal | None]:
    """The acts that are the viewer's to do, each with why it cannot be done now; those of a dispute are in
    `api.disputes.acts`. `resumed`: whether another registration resumes it (U6)."""
    person, facts, now = viewer.person, row.statement_facts, state.clock()
    checks: dict[ProjectAct, Callable[[], object]] = {}
    if person.id == row.salesperson:
        checks = {
            ProjectAct.UPDATE: lambda: allow_report(facts, person.id),
            ProjectAct.CONTRACT: lambda: allow_contract(facts, person),
            ProjectAct.LOSS: lambda: allow_report(facts, person.id),
            ProjectAct.OBJECT: lambda: allow_objection(facts, person.id, said_at=now, now=now),
            ProjectAct.RESUME: lambda: allow_resumption((row.stage, row.salesperson), person.id, running=resumed),
            ProjectAct.WITHDRAW: lambda: allow_withdrawal(facts, person.id),
        }
    elif may_receive_contract(person, own=facts.own_people):
        checks = {
            ProjectAct.CONTRACT: lambda: allow_contract(facts, person),
            ProjectAct.CORRECTION: lambda: signed_amount(row.stage, row.contract),
        }
    return {act: refusal_by(check, SubjectType.PROJECT) for act, check in checks.items()}


async def update(
    state: State, viewer: Viewer, caller: Caller, project_id: str, update: ProjectUpdate
) -> Receipt | None:
    """U1: only the responsible salesperson may."""
    row = await project_of_salesperson(state, viewer, project_id, "U1")
    return await state.gateway.submit(caller, UpdateProject, row.workflow_id, update=update)


async def report_loss(state: State, viewer: Viewer, caller: Caller, project_id: str, loss: Loss) -> Receipt | None:
    """U8: only the responsible salesperson may."""
    row = await project_of_salesperson(state, viewer, project_id, "U8")
    return await state.gateway.submit(caller, ReportLoss, row.workflow_id, loss=loss)


async def receive_contract(
    state: State, viewer: Viewer, caller: Caller, project_id: str, contract: ContractReview
) -> Receipt | None:
    """U7: the salesperson submits the application, or commerce records what it has received."""
    row = await project_to_act_on(state, viewer, project_id)
    own = frozenset({row.applicant, row.salesperson})
    if viewer.person.id != row.salesperson and not may_receive_contract(viewer.person, own=own):
        raise Refusal.forbidden(RefusalCode.NOT_COMMERCE_OR_SALESPERSON)
    return await state.gateway.submit(caller, ReceiveContract, row.workflow_id, contract=contract)


async def correct_contract(
    state: State, viewer: Viewer, caller: Caller, project_id: str, correction: ContractCorrection
) -> Receipt | None:
    """U7: only commerce may."""
    row = await project_to_act_on(state, viewer, project_id)
    if not may_receive_contract(viewer.person, own=frozenset({row.applicant, row.salesperson})):
        raise Refusal.forbidden(RefusalCode.NOT_COMMERCE)
    return await state.gateway.start_correction(caller, row.id, correction)


async def object_to_refusal(
    state: State, viewer: Viewer, caller: Caller, project_id: str, reason: str
) -> Receipt | None:
    """P8: only the responsible salesperson may."""
    row = await project_of_salesperson(state, viewer, project_id, "P8")
    return await state.gateway.submit(caller, ObjectToRefusal, row.workflow_id, reason=reason)


async def resume(
    state: State, viewer: Viewer, caller: Caller, project_id: str, resumption: Resumption
) -> tuple[str, Receipt | None]:
    """U6: only the responsible salesperson may. Registers the form of the old project anew. Returns the new id, and the
    receipt unless it is stored only. Raises `Refusal`."""
    row = await project_of_salesperson(state, viewer, project_id, "U6")
    named = state.facts.policy.privacy.customer_name_in_engine
    new_id, receipt = await state.gateway.start_registration(
        caller, row.form, customer_shown=named, resumes=row.id, resumption=resumption
    )
    if receipt is not None:
        refuse_unaccepted(caller, receipt, SubjectType.PROJECT)
    return new_id, receipt


async def withdraw(state: State, viewer: Viewer, caller: Caller, project_id: str, reason: str) -> Receipt | None:
    """N13: only the responsible salesperson may, before the approval."""
    row = await project_of_salesperson(state, viewer, project_id, "N13")
    return await state.gateway.submit(caller, Withdraw, row.workflow_id, reason=reason)

"""Pages of what people do with a project (U1, U6, U7, U8, P8, N13)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from fastapi import Request, Response

from api.gateway.gateway import Caller
from api.projects import acts
from api.projects.access import seen_project
from api.projects.acts import ProjectAct
from api.state import State
from db.connection.engine import AsyncConnection, autocommit
from db.messages import Receipt
from db.projects import projects
from db.projects.projects import ProjectRow, UpdateRow
from db.reads import lists
from domain.projects.project import ContractCorrection, ContractReview, Loss, ProjectUpdate, Resumption, SalesStage
from domain.refusals import RefusalCode
from domain.subject import SubjectType
from domain.tasks.task import FieldKind, FieldSpec
from texts.catalogue import Texts
from web.dossier.blocks import Block
from web.session.guard import SentForm
from web.session.sessions import Visitor
from web.subjects.acts import REASON, Act, act_page, choice_of, refuse_stranger, send_act

UPDATE_FIELDS: Final = (
    FieldSpec(name="progress", required=True),
    FieldSpec(name="problems"),
    FieldSpec(name="next_steps", required=True),
    choice_of("stage", tuple(SalesStage)),
    FieldSpec(name="amount", kind=FieldKind.MONEY),
    FieldSpec(name="expected_signing", kind=FieldKind.DATE),
)
"""U1."""
_AMOUNT: Final = FieldSpec(name="amount", kind=FieldKind.MONEY, required=True)
_SIGNED_ON: Final = FieldSpec(name="signed_on", kind=FieldKind.DATE)
_APPLICATION_FIELDS: Final = (_AMOUNT, FieldSpec(name="contract_number"), _SIGNED_ON)
_RECEIPT_FIELDS: Final = (
    FieldSpec(name="contract_number", required=True),
    _AMOUNT,
    _SIGNED_ON,
    FieldSpec(name="received_on", kind=FieldKind.DATE),
)
_RESUMPTION_FIELDS: Final = (FieldSpec(name="why_silent", required=True), FieldSpec(name="why_resume", required=True))
_STRANGER: Final = {
    ProjectAct.CONTRACT: RefusalCode.NOT_COMMERCE_OR_SALESPERSON,
    ProjectAct.CORRECTION: RefusalCode.NOT_COMMERCE,
}
_RULES: Final = {
    ProjectAct.UPDATE: "U1",
    ProjectAct.CONTRACT: "U7",
    ProjectAct.LOSS: "U8",
    ProjectAct.OBJECT: "P8",
    ProjectAct.RESUME: "U6",
    ProjectAct.WITHDRAW: "N13",
    ProjectAct.CORRECTION: "U7",
}


async def show_act(
    project_id: str,
    act: ProjectAct,
    visitor: Visitor,
    state: State,
    connection: AsyncConnection,
    request: Request,
) -> Response:
    """The page of an act."""
    row = await seen_project(connection, state, visitor.viewer, project_id, "page")
    resumed = bool(await lists.resumed_by(connection, row.id)) if act is ProjectAct.RESUME else False
    open_to_me = acts.acts_of(row, visitor.viewer, state, resumed=resumed)
    closed = refuse_stranger(open_to_me, act, _STRANGER.get(act, RefusalCode.NOT_SALESPERSON_OF_PROJECT))
    asked = await _asked(connection, visitor, state, row, act)
    return await act_page(request, visitor, connection, state, asked, closed=closed)


async def do_act(project_id: str, act: ProjectAct, sent: SentForm, state: State, request: Request) -> Response:
    """What was filled in."""
    visitor = sent.visitor
    async with autocommit(state.engine) as connection:
        row = await seen_project(connection, state, visitor.viewer, project_id, "page")
        asked = await _asked(connection, visitor, state, row, act)

    async def send(caller: Caller, body: Any) -> Receipt | None:
        given = (state, visitor.viewer, caller, project_id)
        match act:
            case ProjectAct.UPDATE:
                return await acts.update(*given, body)
            case ProjectAct.LOSS:
                return await acts.report_loss(*given, body)
            case ProjectAct.CONTRACT:
                return await acts.receive_contract(*given, body)
            case ProjectAct.CORRECTION:
                return await acts.correct_contract(*given, body)
            case ProjectAct.OBJECT:
                return await acts.object_to_refusal(*given, body.reason)
            case ProjectAct.WITHDRAW:
                return await acts.withdraw(*given, body.reason)
            case ProjectAct.RESUME:
                return (await acts.resume(*given, body))[1]

    return await send_act(request, sent, state, asked, send)


async def update_act(connection: AsyncConnection, visitor: Visitor, state: State, row: ProjectRow) -> Act:
    """U1: the act of updating a project."""
    return await _asked(connection, visitor, state, row, ProjectAct.UPDATE)


async def _asked(connection: AsyncConnection, visitor: Visitor, state: State, row: ProjectRow, act: ProjectAct) -> Act:
    texts = visitor.texts
    key, more = f"project_{act}", dict[str, Any]()
    match act:
        case ProjectAct.UPDATE:
            last = await projects.updates_of(connection, row.id, limit=1)
            more = {"body": ProjectUpdate, "specs": UPDATE_FIELDS, **update_inputs(row, texts)}
            more["shown"] = last_words(last[0] if last else None, visitor, state)
        case ProjectAct.LOSS:
            more = {"body": Loss, "specs": (*REASON, FieldSpec(name="competitor"))}
        case ProjectAct.CONTRACT:
            mine = visitor.person.id == row.salesperson
            key = key if mine else "project_contract_receipt"
            more = {"body": ContractReview, "specs": _APPLICATION_FIELDS if mine else _RECEIPT_FIELDS}
            application = row.contract_application or {}
            if not mine:
                more["given"] = {name: str(application.get(name) or "") for name in ContractReview.model_fields}
        case ProjectAct.CORRECTION:
            more = {"body": ContractCorrection, "specs": (_AMOUNT, *REASON)}
            more["shown"] = (
                Block(label=texts.text("contract_label.amount"), kind="text", text=_money((row.contract or {}), texts)),
            )
        case ProjectAct.OBJECT:
            why = str((row.refusal or {}).get("reason") or "")
            if why:
                more["shown"] = (Block(label=texts.text("dossier.section.refusal"), kind="text", text=why),)
        case ProjectAct.RESUME:
            more = {"body": Resumption, "specs": _RESUMPTION_FIELDS}
        case ProjectAct.WITHDRAW:
            pass
    return Act(
        key=key,
        rule=_RULES[act],
        address=f"/projects/{row.id}",
        name=row.form.name,
        customer=row.customer_name,
        subject=SubjectType.PROJECT,
        **more,
    )


def update_inputs(row: ProjectRow, texts: Texts) -> dict[str, Any]:
    """U1: what is unchanged if left empty."""
    now = {
        "stage": texts.text(f"sales_stage.{row.form.stage}"),
        "amount": texts.money(row.form.amount),
        "expected_signing": texts.date(row.form.expected_signing),
    }
    return {
        "labels": {"stage": tuple((stage.value, texts.text(f"sales_stage.{stage}")) for stage in SalesStage)},
        "hints": {name: texts.text("updates.unchanged", value=value) for name, value in now.items()},
    }


def last_words(last: UpdateRow | None, visitor: Visitor, state: State) -> tuple[Block, ...]:
    """U1: what was said last."""
    texts = visitor.texts
    if last is None:
        return (Block(label=texts.text("updates.last"), kind="text", text=texts.text("silence_label.never")),)
    said = {"progress": last.progress, "problems": last.problems, "next_steps": last.next_steps}
    inner = tuple(
        Block(label=texts.text(f"field.project.{name}"), kind="text", text=words)
        for name, words in said.items()
        if words
    )
    when = texts.text("updates.last_on", day=texts.day(last.said_at, state.facts.policy.zone))
    return (Block(label=when, kind="group", blocks=inner),)


def _money(contract: dict[str, Any], texts: Texts) -> str:
    return texts.money(Decimal(str(contract["amount"]))) if "amount" in contract else ""

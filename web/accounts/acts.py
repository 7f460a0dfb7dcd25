"""Pages of what people do with an application (N10, N13, N15)."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request, Response

from api.accounts import acts
from api.accounts.acts import ApplicationAct
from api.gateway.gateway import Caller
from api.state import State
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection, autocommit
from db.messages import Receipt
from domain.refusals import RefusalCode
from domain.subject import SubjectType
from web.dossier.blocks import Block
from web.session.guard import SentForm
from web.session.sessions import Visitor
from web.subjects.acts import Act, Nothing, act_page, refuse_stranger, send_act

_RULES: Final = {ApplicationAct.APPEAL: "N10", ApplicationAct.WITHDRAW: "N13", ApplicationAct.EVIDENCE: "N15"}


async def show_act(
    application_id: str,
    act: ApplicationAct,
    visitor: Visitor,
    state: State,
    connection: AsyncConnection,
    request: Request,
) -> Response:
    """The page of an act."""
    row = await acts.seen_application(connection, visitor.viewer, application_id, "page")
    stranger = RefusalCode.ONLY_COMMERCE_GATHERS if act is ApplicationAct.EVIDENCE else RefusalCode.NOT_APPLICANT
    closed = refuse_stranger(acts.acts_of(row, visitor.viewer, state), act, stranger)
    return await act_page(request, visitor, connection, state, _asked(visitor, row, act), closed=closed)


async def do_act(application_id: str, act: ApplicationAct, sent: SentForm, state: State, request: Request) -> Response:
    """What was filled in."""
    visitor = sent.visitor
    async with autocommit(state.engine) as connection:
        row = await acts.seen_application(connection, visitor.viewer, application_id, "page")

    async def send(caller: Caller, body: Any) -> Receipt | None:
        given = (state, visitor.viewer, caller, application_id)
        match act:
            case ApplicationAct.APPEAL:
                return await acts.appeal(*given, body.reason)
            case ApplicationAct.WITHDRAW:
                return await acts.withdraw(*given, body.reason)
            case ApplicationAct.EVIDENCE:
                return await acts.gather_evidence(*given)

    return await send_act(request, sent, state, _asked(visitor, row, act), send)


def _asked(visitor: Visitor, row: ApplicationRow, act: ApplicationAct) -> Act:
    more: dict[str, Any] = {}
    if act is ApplicationAct.EVIDENCE:
        more = {"body": Nothing, "specs": ()}
    elif act is ApplicationAct.APPEAL and row.rejection:
        by = visitor.viewer.organisation.name_of(row.rejection.person)
        label = visitor.texts.text("subject_page.rejected_by", person=by)
        more = {"shown": (Block(label=label, kind="text", text=row.rejection.reason),)}
    return Act(
        key=f"application_{act}",
        rule=_RULES[act],
        address=f"/applications/{row.id}",
        name=row.form.customer.name,
        customer=row.form.customer.name,
        subject=SubjectType.APPLICATION,
        **more,
    )

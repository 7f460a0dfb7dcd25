"""Pages of what people do with an application (N10, N13, N15)."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from api.accounts import acts
from api.accounts.acts import ApplicationAct
from api.gateway.gateway import Caller
from api.params import SubjectId
from api.state import ConnectionDep, StateDep
from db.accounts.applications import ApplicationRow
from db.connection.engine import autocommit
from db.messages import Receipt
from domain.refusals import RefusalCode
from domain.subject import SubjectType
from web.dossier.blocks import Block
from web.session.guard import PostedDep, SignedInDep
from web.session.sessions import Session
from web.subjects.acts import Act, Nothing, act_page, refuse_stranger, send_act

router = APIRouter(include_in_schema=False)


def _act_of(request: Request) -> ApplicationAct:
    return ApplicationAct(request.url.path.rpartition("/")[2])


ActDep = Annotated[ApplicationAct, Depends(_act_of)]

_RULES: Final = {ApplicationAct.APPEAL: "N10", ApplicationAct.WITHDRAW: "N13", ApplicationAct.EVIDENCE: "N15"}


async def act_on_application(
    application_id: SubjectId,
    act: ActDep,
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
) -> Response:
    """The page of an act."""
    row = await acts.seen_application(connection, session.viewer, application_id, "page")
    stranger = RefusalCode.ONLY_COMMERCE_GATHERS if act is ApplicationAct.EVIDENCE else RefusalCode.NOT_APPLICANT
    closed = refuse_stranger(acts.acts_of(row, session.viewer, state), act, stranger)
    return await act_page(request, session, connection, state, _asked(session, row, act), closed=closed)


async def do_on_application(
    application_id: SubjectId, act: ActDep, posted: PostedDep, state: StateDep, request: Request
) -> Response:
    """What was filled in."""
    session = posted.session
    async with autocommit(state.engine) as connection:
        row = await acts.seen_application(connection, session.viewer, application_id, "page")

    async def send(caller: Caller, body: Any) -> Receipt | None:
        given = (state, session.viewer, caller, application_id)
        match act:
            case ApplicationAct.APPEAL:
                return await acts.appeal(*given, body.reason)
            case ApplicationAct.WITHDRAW:
                return await acts.withdraw(*given, body.reason)
            case ApplicationAct.EVIDENCE:
                return await acts.gather_evidence(*given)

    return await send_act(request, posted, state, _asked(session, row, act), send)


def _asked(session: Session, row: ApplicationRow, act: ApplicationAct) -> Act:
    more: dict[str, Any] = {}
    if act is ApplicationAct.EVIDENCE:
        more = {"body": Nothing, "specs": ()}
    elif act is ApplicationAct.APPEAL and row.rejection:
        by = session.viewer.organisation.name_of(row.rejection.person)
        label = session.texts.text("subject_page.rejected_by", person=by)
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


for each_act in ApplicationAct:
    router.add_api_route(f"/applications/{{application_id}}/{each_act}", act_on_application)
    router.add_api_route(f"/applications/{{application_id}}/{each_act}", do_on_application, methods=["POST"])

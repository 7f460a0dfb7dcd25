"""Pages of what people do in a dispute over a project (D1–D5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from fastapi import Request, Response
from pydantic import ConfigDict

from api.disputes import acts
from api.disputes.acts import DisputeAct
from api.disputes.views import dispute_view
from api.gateway.gateway import Caller
from api.projects.access import seen_project
from api.state import State
from api.views import Views
from db.connection.engine import AsyncConnection, autocommit
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.messages import Receipt
from db.projects.projects import ProjectRow
from domain.base import Text
from domain.disputes.dispute import Agreement, MeetingCall
from domain.projects.rules import meeting_participants, project_choices
from domain.refusals import RefusalCode
from domain.subject import SubjectType
from domain.tasks.task import TaskKind
from web.dossier.blocks import Block, DossierBlocks
from web.forms.fields import Offered
from web.forms.form import flatten
from web.session.guard import SentForm
from web.session.sessions import Visitor
from web.subjects.acts import REASON, Act, act_page, refuse_stranger, send_act

_STRANGER: Final = {
    DisputeAct.AGREE: RefusalCode.NOT_PARTY_OF_DISPUTE,
    DisputeAct.MEETING: RefusalCode.MAY_NOT_CALL_MEETING,
    DisputeAct.MOVE_MEETING: RefusalCode.ONLY_COMMERCE_MOVES_MEETING,
    DisputeAct.CALL_OFF_MEETING: RefusalCode.ONLY_COMMERCE_MOVES_MEETING,
}
_RULES: Final = {
    DisputeAct.AGREE: "D1",
    DisputeAct.MEETING: "D2",
    DisputeAct.MOVE_MEETING: "D5",
    DisputeAct.CALL_OFF_MEETING: "D5",
}


class Moved(MeetingCall):
    """D5: the complete new details of the meeting, and the reason for the change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Text


async def show_act(
    project_id: str,
    act: DisputeAct,
    visitor: Visitor,
    state: State,
    connection: AsyncConnection,
    request: Request,
) -> Response:
    """The page of an act."""
    row = await seen_project(connection, state, visitor.viewer, project_id, "page")
    its_disputes = await disputes.of_project(connection, row.id)
    dispute = its_disputes[-1] if its_disputes else None
    open_to_me = await acts.acts_of(connection, row, dispute, visitor.viewer, state)
    closed = refuse_stranger(open_to_me, act, _STRANGER[act])
    asked = _asked(visitor, state, row, dispute, act)
    return await act_page(request, visitor, connection, state, asked, closed=closed)


async def do_act(project_id: str, act: DisputeAct, sent: SentForm, state: State, request: Request) -> Response:
    """What was filled in."""
    visitor = sent.visitor
    async with autocommit(state.engine) as connection:
        row = await seen_project(connection, state, visitor.viewer, project_id, "page")
        its_disputes = await disputes.of_project(connection, row.id)
        asked = _asked(visitor, state, row, its_disputes[-1] if its_disputes else None, act)

    async def send(caller: Caller, body: Any) -> Receipt | None:
        given = (state, visitor.viewer, caller, project_id)
        match act:
            case DisputeAct.AGREE:
                return await acts.agree(*given, body)
            case DisputeAct.MEETING:
                return await acts.call_for_meeting(*given, body.reason)
            case DisputeAct.MOVE_MEETING:
                meeting = MeetingCall.model_validate(body.model_dump(exclude={"reason"}))
                return await acts.move_meeting(*given, meeting, body.reason)
            case DisputeAct.CALL_OFF_MEETING:
                return await acts.call_off_meeting(*given, body.reason)

    return await send_act(request, sent, state, asked, send, back=f"/projects/{row.id}?done={asked.key}#dispute")


def _asked(visitor: Visitor, state: State, row: ProjectRow, dispute: DisputeRow | None, act: DisputeAct) -> Act:
    more: dict[str, Any] = {}
    if act is DisputeAct.AGREE and dispute:
        more = _agreement(visitor, dispute)
    elif act is DisputeAct.MOVE_MEETING and dispute:
        more = _meeting(visitor, state, dispute)
    shown = _shown(visitor, state, dispute, act) if dispute else ()
    return Act(
        key=f"dispute_{act.replace('-', '_')}",
        rule=_RULES[act],
        address=f"/projects/{row.id}",
        name=row.form.name,
        customer=row.customer_name,
        subject=SubjectType.PROJECT,
        shown=shown,
        **more,
    )


def _shown(visitor: Visitor, state: State, dispute: DisputeRow, act: DisputeAct) -> tuple[Block, ...]:
    """The text on the table, or the meeting as it is called."""
    texts, zone = visitor.texts, state.facts.policy.zone
    view = dispute_view(Views(state.facts, visitor.viewer, texts), dispute).model_dump(mode="json")
    name = "proposal" if act in (DisputeAct.AGREE, DisputeAct.MEETING) else "meeting"
    sides = [
        f"{claimant['person']['name']} · {texts.label('finding.' + claimant['subject_type'])}"
        for claimant in view["claimants"]
    ]
    both = Block(label=texts.text("dispute_page.sides"), kind="list", items=tuple(sides))
    return (both, *DossierBlocks(texts, zone, SubjectType.PROJECT).parts({name: view[name]}))


def _agreement(visitor: Visitor, dispute: DisputeRow) -> dict[str, Any]:
    """D1: the fields, with the text on the table in them: sent unchanged, it is confirmed."""
    named = tuple((person, visitor.viewer.organisation.name_of(person)) for person in dispute.sides)
    choice = project_choices(TaskKind.AGREE_SPLIT, salespeople=dispute.sides)[0]
    table = {name: value for name, value in (dispute.proposal or {}).items() if name in Agreement.model_fields}
    return {
        "body": Agreement,
        "specs": choice.fields,
        "offered": Offered(people=named, sides=dispute.sides),
        "given": flatten(table),
    }


def _meeting(visitor: Visitor, state: State, dispute: DisputeRow) -> dict[str, Any]:
    """D5: the meeting as it is called, to be changed."""
    organisation = visitor.viewer.organisation
    called = dispute.called or {}
    people = [person.id for person in organisation.people if person.active]
    suggested = meeting_participants(organisation, dispute.sides)
    ordered = tuple(dict.fromkeys([*map(str, called.get("participants", ())), *suggested, *people]))
    specs = project_choices(TaskKind.CALL_MEETING, people=ordered)[0].fields
    given = flatten({name: called.get(name) for name in MeetingCall.model_fields if called.get(name)})
    if "starts_at" in given:
        given["starts_at"] = _local(given["starts_at"], state)
    labels = {person: organisation.name_of(person) for person in ordered}
    return {
        "body": Moved,
        "specs": (*specs, *REASON),
        "offered": Offered(labels=labels),
        "given": given,
    }


def _local(moment: str, state: State) -> str:
    """A moment as an input of type `datetime-local` writes it."""
    return datetime.fromisoformat(moment).astimezone(state.facts.policy.zone).strftime("%Y-%m-%dT%H:%M")

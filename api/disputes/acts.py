"""What people do in a dispute over a project: for the API and for the pages (D1–D5)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from api.gateway.gateway import Caller
from api.gateway.receipts import refused
from api.problems import Refusal
from api.projects.access import seen_project
from api.state import State, Viewer
from api.tasks.answering import check_answer
from db.connection.engine import AsyncConnection, autocommit
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.messages import Receipt
from db.projects.projects import ProjectRow
from db.tasks import tasks
from db.tasks.tasks import TaskRow
from domain.access import may_call_meeting, may_move_meeting
from domain.disputes.dispute import Agreement, DisputeStage, MeetingCall
from domain.refusals import RefusalCode
from domain.statements import AnswerTask, CallForMeeting, CallOffMeeting, MoveMeeting
from domain.subject import SubjectType
from domain.tasks.task import AnswerChoice, TaskKind


class DisputeAct(StrEnum):
    """The acts; the value is the last part of an act's address."""

    AGREE = "agree"
    MEETING = "meeting"
    MOVE_MEETING = "move-meeting"
    CALL_OFF_MEETING = "call-off-meeting"


async def acts_of(
    connection: AsyncConnection, row: ProjectRow, dispute: DisputeRow | None, viewer: Viewer, state: State
) -> dict[DisputeAct, Refusal | None]:
    """The acts that are the viewer's to do in the latest dispute, each with why it cannot be done now."""
    if dispute is None:
        return {}
    found: dict[DisputeAct, Refusal | None] = {}
    if viewer.person.id in dispute.sides:
        task = await asked_to_agree(connection, viewer, row)
        found[DisputeAct.AGREE] = None if task else _cannot_agree(dispute)
    if may_call_meeting(viewer.person, viewer.organisation, _sides(row, dispute), state.clock()):
        found[DisputeAct.MEETING] = _cannot_call(row, dispute)
    if may_move_meeting(viewer.person):
        uncalled = None if dispute.called and not dispute.stage.ended else Refusal(409, RefusalCode.MEETING_NOT_CALLED)
        found[DisputeAct.MOVE_MEETING] = found[DisputeAct.CALL_OFF_MEETING] = uncalled
    return found


def _cannot_agree(dispute: DisputeRow) -> Refusal:
    """D1: why a side has no task to agree."""
    if dispute.stage.ended:
        return Refusal(409, RefusalCode.DISPUTE_NOT_OPEN)
    if dispute.stage is DisputeStage.NEGOTIATION:
        return refused({"code": RefusalCode.TASK_WITHDRAWN}, SubjectType.PROJECT)
    return Refusal(409, RefusalCode.MEETING_ALREADY_WANTED)


def _cannot_call(row: ProjectRow, dispute: DisputeRow) -> Refusal | None:
    if _over(row, dispute):
        return Refusal(409, RefusalCode.DISPUTE_NOT_OPEN)
    return Refusal(409, RefusalCode.MEETING_ALREADY_WANTED) if dispute.wanted and not dispute.stage.ended else None


async def agree(state: State, viewer: Viewer, caller: Caller, project_id: str, agreement: Agreement) -> Receipt | None:
    """D1, D3: propose an agreement, or confirm the current proposal. This answers the viewer's open task."""
    async with autocommit(state.engine) as connection:
        row = await seen_project(connection, state, viewer, project_id, "api")
        task = await asked_to_agree(connection, viewer, row)
        # After the task: if the first request has answered it, a repetition finds its receipt here.
        earlier = await state.gateway.earlier_receipt(caller)
        its_disputes = await disputes.of_project(connection, row.id)
    if earlier:
        return earlier
    dispute = next((dispute for dispute in its_disputes if not dispute.stage.ended), None)
    if dispute is None:
        raise Refusal(409, RefusalCode.DISPUTE_NOT_OPEN)
    if task is None and viewer.person.id not in _sides(row, dispute):
        raise Refusal.forbidden(RefusalCode.NOT_PARTY_OF_DISPUTE)
    if task is None:  # a side without a task: its own proposal is pending, or the meeting is to decide
        raise refused({"code": RefusalCode.TASK_WITHDRAWN}, SubjectType.PROJECT)
    fields = agreement.model_dump(mode="json")
    check_answer(task, AnswerChoice.AGREE, "", fields)
    return await state.gateway.submit(
        caller,
        AnswerTask,
        task.workflow_id,
        task_id=task.id,
        choice=AnswerChoice.AGREE,
        reason="",
        fields=fields,
    )


async def call_for_meeting(
    state: State, viewer: Viewer, caller: Caller, project_id: str, reason: str
) -> Receipt | None:
    """D2, D4: both sides, the VPs concerned and the general manager may."""
    async with autocommit(state.engine) as connection:
        row = await seen_project(connection, state, viewer, project_id, "api")
        earlier = await state.gateway.earlier_receipt(caller)
        its_disputes = await disputes.of_project(connection, row.id)
    if earlier:
        return earlier
    dispute = its_disputes[-1] if its_disputes else None
    if not may_call_meeting(viewer.person, viewer.organisation, _sides(row, dispute), state.clock()):
        raise Refusal.forbidden(RefusalCode.MAY_NOT_CALL_MEETING)
    if dispute is None or _over(row, dispute):
        raise Refusal(409, RefusalCode.DISPUTE_NOT_OPEN)
    # Once both sides have agreed, the registration's process handles the call.
    workflow_id = row.workflow_id if dispute.stage.ended else dispute.workflow_id
    try:
        return await state.gateway.submit(caller, CallForMeeting, workflow_id, reason=reason)
    except Refusal as refusal:
        if refusal.code != RefusalCode.PROCESS_OVER or workflow_id == row.workflow_id:
            raise
        # The dispute was settled in between: the registration's process handles the call until it is decided.
        return await state.gateway.submit(caller, CallForMeeting, row.workflow_id, reason=reason)


async def move_meeting(
    state: State, viewer: Viewer, caller: Caller, project_id: str, meeting: MeetingCall, reason: str
) -> Receipt | None:
    """D5: only commerce may."""
    workflow_id = await _process_of_meeting(state, viewer, project_id)
    return await state.gateway.submit(caller, MoveMeeting, workflow_id, meeting=meeting, reason=reason)


async def call_off_meeting(
    state: State, viewer: Viewer, caller: Caller, project_id: str, reason: str
) -> Receipt | None:
    """D5: only commerce may."""
    workflow_id = await _process_of_meeting(state, viewer, project_id)
    return await state.gateway.submit(caller, CallOffMeeting, workflow_id, reason=reason)


async def asked_to_agree(connection: AsyncConnection, viewer: Viewer, row: ProjectRow) -> TaskRow | None:
    """The viewer's open task to agree to the newest proposal."""
    still_open = [
        task for task in await tasks.of_subject(connection, row.id, open_only=True) if task.kind is TaskKind.AGREE_SPLIT
    ]
    asked = await tasks.asked_by(connection, [task.id for task in still_open])
    mine = [
        task
        for task in still_open
        if any(assignee.person == viewer.person.id and assignee.removed_at is None for assignee in asked[task.id])
    ]
    return mine[-1] if mine else None


async def _process_of_meeting(state: State, viewer: Viewer, project_id: str) -> str:
    """The id of the process whose meeting commerce moves or cancels. Raises `Refusal` 403, 404 or 409."""
    async with autocommit(state.engine) as connection:
        row = await seen_project(connection, state, viewer, project_id, "api")
        its_disputes = await disputes.of_project(connection, row.id)
    if not may_move_meeting(viewer.person):
        raise Refusal.forbidden(RefusalCode.ONLY_COMMERCE_MOVES_MEETING)
    if not its_disputes:
        raise Refusal(409, RefusalCode.MEETING_NOT_CALLED)
    return its_disputes[-1].workflow_id


def _over(row: ProjectRow, dispute: DisputeRow) -> bool:
    return dispute.stage in (DisputeStage.DECIDED, DisputeStage.WITHDRAWN) or row.stage.ended


def _sides(row: ProjectRow, dispute: DisputeRow | None) -> Iterable[str]:
    return [row.salesperson, *(claimant.person for claimant in (dispute.claimants if dispute else ()))]

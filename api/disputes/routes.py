"""Routes of disputes over a project: agreement and coordination meeting (D1–D5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request

from api.gateway.models import Result
from api.gateway.receipts import STORED, outcome, refused
from api.params import Reason, SubjectId
from api.problems import PROBLEM_RESPONSES, Refusal, texts_for
from api.projects.access import seen_project
from api.state import CallerDep, State, StateDep, Viewer, ViewerDep
from api.tasks.answering import check_answer
from db.connection.engine import AsyncConnection, autocommit
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from db.tasks import tasks
from db.tasks.tasks import TaskRow
from domain.access import may_call_meeting, may_move_meeting
from domain.base import Text
from domain.disputes.dispute import Agreement, DisputeStage, MeetingCall
from domain.refusals import RefusalCode
from domain.statements import AnswerTask, CallForMeeting, CallOffMeeting, MoveMeeting
from domain.subject import SubjectType
from domain.tasks.task import AnswerChoice, TaskKind

router = APIRouter(prefix="/api/v1", responses=PROBLEM_RESPONSES, tags=["projects"])


class MovedMeeting(MeetingCall):
    """D5: the complete new details of the meeting, and the reason for the change."""

    reason: Text


@router.post("/projects/{project_id}/agreement", response_model=Result, responses=STORED)
async def agree_on_split(
    project_id: SubjectId, body: Agreement, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Propose an agreement on a dispute, or confirm the current proposal (D1, D3). This answers your open task."""
    texts = texts_for(request)
    async with autocommit(state.engine) as connection:
        row = await seen_project(connection, state, viewer, project_id, "api")
        task = await _asked_to_agree(connection, viewer, row)
        # After the task: if the first request has answered it, a repetition finds its receipt here.
        earlier = await state.gateway.earlier_receipt(caller)
        dispute = await _open_dispute(connection, row)
    if earlier:
        return outcome(caller, earlier, texts, SubjectType.PROJECT)
    if dispute is None:
        raise Refusal(409, RefusalCode.DISPUTE_NOT_OPEN)
    if task is None and viewer.person.id not in _sides(row, dispute):
        raise Refusal.forbidden(RefusalCode.NOT_PARTY_OF_DISPUTE)
    if task is None:  # a side without a task: its own proposal is pending, or the meeting is to decide
        raise refused({"code": RefusalCode.TASK_WITHDRAWN}, SubjectType.PROJECT)
    fields = body.model_dump(mode="json")
    check_answer(task, AnswerChoice.AGREE, "", fields)
    receipt = await state.gateway.submit(
        caller,
        AnswerTask,
        task.workflow_id,
        task_id=task.id,
        choice=AnswerChoice.AGREE,
        reason="",
        fields=fields,
    )
    return outcome(caller, receipt, texts, SubjectType.PROJECT)


@router.post("/projects/{project_id}/meeting", response_model=Result, responses=STORED)
async def call_for_meeting(
    project_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Call for the coordination meeting instead of an agreement (D2, D4).

    Both sides, the VPs concerned and the general manager may call for it. VPs, the general manager and their delegates
    may do so until the project is decided, even after an agreement, which is then suspended.
    """
    texts = texts_for(request)
    async with autocommit(state.engine) as connection:
        row = await seen_project(connection, state, viewer, project_id, "api")
        earlier = await state.gateway.earlier_receipt(caller)
        its_disputes = await disputes.of_project(connection, row.id)
    if earlier:
        return outcome(caller, earlier, texts, SubjectType.PROJECT)
    dispute = its_disputes[-1] if its_disputes else None
    if not may_call_meeting(viewer.person, viewer.organisation, _sides(row, dispute), state.clock()):
        raise Refusal.forbidden(RefusalCode.MAY_NOT_CALL_MEETING)
    if dispute is None or dispute.stage in (DisputeStage.DECIDED, DisputeStage.WITHDRAWN) or row.stage.ended:
        raise Refusal(409, RefusalCode.DISPUTE_NOT_OPEN)
    # Once both sides have agreed, the registration's process handles the call.
    workflow_id = row.workflow_id if dispute.stage.ended else dispute.workflow_id
    try:
        receipt = await state.gateway.submit(caller, CallForMeeting, workflow_id, reason=body.reason)
    except Refusal as refusal:
        if refusal.code != RefusalCode.PROCESS_OVER or workflow_id == row.workflow_id:
            raise
        # The dispute was settled in between: the registration's process handles the call until it is decided.
        receipt = await state.gateway.submit(caller, CallForMeeting, row.workflow_id, reason=body.reason)
    return outcome(caller, receipt, texts, SubjectType.PROJECT)


@router.post("/projects/{project_id}/meeting/move", response_model=Result, responses=STORED)
async def move_meeting(
    project_id: SubjectId, body: MovedMeeting, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Move a coordination meeting (D5). Only commerce may. Everybody who was notified of it is notified again."""
    workflow_id = await _process_of_meeting(state, viewer, project_id)
    meeting = MeetingCall.model_validate(body.model_dump(exclude={"reason"}))
    receipt = await state.gateway.submit(caller, MoveMeeting, workflow_id, meeting=meeting, reason=body.reason)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/meeting/call-off", response_model=Result, responses=STORED)
async def call_off_meeting(
    project_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Cancel a coordination meeting (D5). Only commerce may.

    Everybody who was notified of it is notified again, and commerce gets a task to call another meeting.
    """
    workflow_id = await _process_of_meeting(state, viewer, project_id)
    receipt = await state.gateway.submit(caller, CallOffMeeting, workflow_id, reason=body.reason)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


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


async def _open_dispute(connection: AsyncConnection, row: ProjectRow) -> DisputeRow | None:
    return next((dispute for dispute in await disputes.of_project(connection, row.id) if not dispute.stage.ended), None)


def _sides(row: ProjectRow, dispute: DisputeRow | None) -> Iterable[str]:
    return [row.salesperson, *(claimant.person for claimant in (dispute.claimants if dispute else ()))]


async def _asked_to_agree(connection: AsyncConnection, viewer: Viewer, row: ProjectRow) -> TaskRow | None:
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

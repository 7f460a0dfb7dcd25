"""Routes of disputes over a project: agreement and coordination meeting (D1–D5)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from api.disputes import acts
from api.gateway.models import Result
from api.gateway.receipts import STORED, outcome
from api.params import Reason, SubjectId
from api.problems import PROBLEM_RESPONSES, texts_for
from api.state import CallerDep, StateDep, ViewerDep
from domain.base import Text
from domain.disputes.dispute import Agreement, MeetingCall
from domain.subject import SubjectType

router = APIRouter(prefix="/api/v1", responses=PROBLEM_RESPONSES, tags=["projects"])


class MovedMeeting(MeetingCall):
    """D5: the complete new details of the meeting, and the reason for the change."""

    reason: Text


@router.post("/projects/{project_id}/agreement", response_model=Result, responses=STORED)
async def agree_on_split(
    project_id: SubjectId, body: Agreement, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Propose an agreement on a dispute, or confirm the current proposal (D1, D3). This answers your open task."""
    receipt = await acts.agree(state, viewer, caller, project_id, body)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/meeting", response_model=Result, responses=STORED)
async def call_for_meeting(
    project_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Call for the coordination meeting instead of an agreement (D2, D4).

    Both sides, the VPs concerned and the general manager may call for it. VPs, the general manager and their delegates
    may do so until the project is decided, even after an agreement, which is then suspended.
    """
    receipt = await acts.call_for_meeting(state, viewer, caller, project_id, body.reason)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/meeting/move", response_model=Result, responses=STORED)
async def move_meeting(
    project_id: SubjectId, body: MovedMeeting, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Move a coordination meeting (D5). Only commerce may. Everybody who was notified of it is notified again."""
    meeting = MeetingCall.model_validate(body.model_dump(exclude={"reason"}))
    receipt = await acts.move_meeting(state, viewer, caller, project_id, meeting, body.reason)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/meeting/call-off", response_model=Result, responses=STORED)
async def call_off_meeting(
    project_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Cancel a coordination meeting (D5). Only commerce may.

    Everybody who was notified of it is notified again, and commerce gets a task to call another meeting.
    """
    receipt = await acts.call_off_meeting(state, viewer, caller, project_id, body.reason)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)

"""Projects: registered, updated, lost, signed, resumed, objected to, agreed on; and their numbers (P, D, U).

The door checks the form and who may call what; everything else is for the record to decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from api.accounts.routes import Cursor, Limit, PersonQuery, Reason, SubjectId
from api.composing import Composer
from api.dossier import dossier_of, dossier_response, dossier_texts
from api.gateway.gateway import Caller
from api.gateway.receipts import outcome, refused, stored
from api.models import (
    CheckedProject,
    NumberCheck,
    Page,
    ProjectSummary,
    ProjectView,
    Registered,
    Result,
    Stored,
    cursor_of,
    parse_cursor,
)
from api.problems import PROBLEM_RESPONSES, Refusal, texts_for
from api.state import CallerDep, ConnectionDep, State, StateDep, Viewer, ViewerDep
from api.tasks.routes import check_answer
from db import messages
from db.connection.engine import AsyncConnection, autocommit
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.messages import Receipt
from db.projects import projects
from db.projects.projects import ProjectRow
from db.reads import lists
from db.tasks import tasks
from db.tasks.tasks import TaskRow
from domain.access import may_call_meeting, may_move_meeting, may_receive_contract, may_register, scope_at
from domain.base import Text
from domain.disputes.dispute import Agreement, DisputeStage, MeetingCall
from domain.names import at_the_door
from domain.projects.project import (
    ContractCorrection,
    ContractReview,
    Loss,
    ProjectForm,
    ProjectStage,
    ProjectStatus,
    ProjectUpdate,
    Resumption,
)
from domain.refusals import RefusalCode
from domain.statements import (
    CallForMeeting,
    CallOffMeeting,
    MoveMeeting,
    ObjectToRefusal,
    ReceiveContract,
    ReportLoss,
    UpdateProject,
    Withdraw,
)
from domain.subject import SubjectType
from domain.tasks.task import AnswerChoice, TaskKind
from texts.catalogue import Texts
from workflows.messages import project_workflow_id

router = APIRouter(prefix="/api/v1", responses=PROBLEM_RESPONSES, tags=["projects"])

STORED: dict[int | str, dict[str, Any]] = {202: {"model": Stored}}
Number = Annotated[str, Path(max_length=200, description="A project number, as other systems have it.")]


class MovedMeeting(MeetingCall):
    """D5: the meeting as it takes place instead, whole, and why."""

    reason: Text


class Purpose(StrEnum):
    """P9: what a project number is shown for."""

    EARLY_ORDER = "early_order"
    EARLY_SHIPPING = "early_shipping"
    CONTRACT_REVIEW = "contract_review"


@router.post("/projects", status_code=201, response_model=Registered, responses=STORED)
async def register_project(
    form: Annotated[ProjectForm, at_the_door], caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """P1, P3, P4: register a project. Every wrong field is named at once."""
    if not may_register(viewer.person):
        raise Refusal.forbidden(RefusalCode.ONLY_SALESPEOPLE_REGISTER)
    named = state.facts.policy.privacy.customer_name_in_engine
    project_id, receipt = await state.door.register(caller, form, customer_shown=named)
    return _registered(caller, project_id, receipt, texts_for(request))


@router.get("/projects", response_model=Page[ProjectSummary])
async def list_projects(
    viewer: ViewerDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    status: Annotated[ProjectStatus | None, Query()] = None,
    salesperson: PersonQuery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """The projects the caller may see, the newest registration first."""
    rows = await lists.projects_seen(
        connection,
        scope_at(viewer.person, viewer.organisation, state.clock()),
        stages=[stage.value for stage in ProjectStage if stage.status is status] if status else None,
        salesperson=salesperson,
        after=parse_cursor(cursor, "moment", "id"),
        limit=limit + 1,
    )
    composer = Composer(connection, state.facts, viewer, texts_for(request))
    page, more = rows[:limit], len(rows) > limit
    await lists.note_listed(connection, viewer.person.id, "project", [row.id for row in page])
    return Page(
        items=[composer.project_summary(row) for row in page],
        next_cursor=cursor_of(page[-1].registered_at, page[-1].id) if more else None,
    )


async def seen_project(
    connection: AsyncConnection, state: State, viewer: Viewer, project_id: str, through: str
) -> ProjectRow:
    """The project if the viewer may see it; the reading is recorded (X2). Raises `Refusal` 404 otherwise."""
    row = await projects.find(connection, project_id)
    scope = scope_at(viewer.person, viewer.organisation, state.clock())
    if row is None or not await lists.sees_project(connection, scope, row.id):
        raise Refusal(404, RefusalCode.NOT_FOUND)
    await messages.note_reading(connection, viewer.person.id, "project", row.id, through)
    return row


@router.get("/projects/{project_id}", response_model=ProjectView)
async def read_project(
    project_id: SubjectId, viewer: ViewerDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Any:
    """Where one project stands, why, what comes next by itself and what prevents it."""
    row = await seen_project(connection, state, viewer, project_id, "api")
    composer = Composer(connection, state.facts, viewer, texts_for(request))
    return await composer.project(row, shown=await composer.sees_evidence(row), now=state.clock())


@router.get(
    "/projects/{project_id}/dossier",
    response_model=None,
    responses={200: {"content": {"text/html": {}, "application/json": {}}}},
)
async def read_project_dossier(
    project_id: SubjectId, viewer: ViewerDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Response:
    """N11: everything about one project in one document, JSON or printable HTML as `Accept` asks."""
    row = await seen_project(connection, state, viewer, project_id, "dossier")
    texts = dossier_texts(request)
    dossier = await dossier_of(connection, Composer(connection, state.facts, viewer, texts), row)
    return dossier_response(request, dossier, texts, state.facts.policy.time_zone)


@router.post("/projects/{project_id}/updates", response_model=Result, responses=STORED)
async def update_project(
    project_id: SubjectId, body: ProjectUpdate, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """U1: the weekly update by the responsible salesperson; it restarts every clock (U5)."""
    row = await _by_its_salesperson(state, viewer, project_id, "U1")
    receipt = await state.door.say(caller, UpdateProject, row.workflow_id, "update", update=body)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/loss", response_model=Result, responses=STORED)
async def report_loss(
    project_id: SubjectId, body: Loss, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """U8: the project is lost and ends; the reason is not optional."""
    row = await _by_its_salesperson(state, viewer, project_id, "U8")
    receipt = await state.door.say(caller, ReportLoss, row.workflow_id, "report_loss", loss=body)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/contract-review", response_model=Result, responses=STORED)
async def receive_contract(
    project_id: SubjectId, body: ContractReview, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """U7: by its salesperson: hand the contract review application in; commerce is asked to receive it
    (`contract_review`). By commerce: record what was received, also on paper: number, positive amount, received today
    (the default) or earlier and signed not after that; the project ends."""
    row = await _project(state, viewer, project_id)
    own = frozenset({row.applicant, row.salesperson})
    if viewer.person.id != row.salesperson and not may_receive_contract(viewer.person, own=own):
        raise Refusal.forbidden(RefusalCode.NOT_COMMERCE_OR_SALESPERSON)
    receipt = await state.door.say(caller, ReceiveContract, row.workflow_id, "receive_contract", contract=body)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/contract-correction", response_model=Result, responses=STORED)
async def correct_contract(
    project_id: SubjectId,
    body: ContractCorrection,
    caller: CallerDep,
    viewer: ViewerDep,
    state: StateDep,
    request: Request,
) -> Any:
    """U7: commerce corrects the amount of a signed contract, with the reason. Both figures stay under `contract`; the
    corrected one counts in R2–R4 from then on."""
    row = await _project(state, viewer, project_id)
    if not may_receive_contract(viewer.person, own=frozenset({row.applicant, row.salesperson})):
        raise Refusal.forbidden(RefusalCode.NOT_COMMERCE)
    receipt = await state.door.correct_contract(caller, row.id, body)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/resume", status_code=201, response_model=Registered, responses=STORED)
async def resume_project(
    project_id: SubjectId, body: Resumption, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """U6: ask commerce to resume a shelved project: a new registration, linked to the old one."""
    row = await _by_its_salesperson(state, viewer, project_id, "U6")
    named = state.facts.policy.privacy.customer_name_in_engine
    new_id, receipt = await state.door.register(caller, row.form, customer_shown=named, resumes=row.id, resumption=body)
    return _registered(caller, new_id, receipt, texts_for(request), resumes=row.id)


@router.post("/projects/{project_id}/objection", response_model=Result, responses=STORED)
async def object_to_refusal(
    project_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """P8: the applicant objects to a refusal, with reasons."""
    row = await _by_its_salesperson(state, viewer, project_id, "P8")
    receipt = await state.door.say(caller, ObjectToRefusal, row.workflow_id, "object_to_refusal", reason=body.reason)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/agreement", response_model=Result, responses=STORED)
async def agree_on_split(
    project_id: SubjectId, body: Agreement, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """D1, D3: put a text on the table, or confirm the one that lies there: the caller's open task is answered."""
    texts = texts_for(request)
    async with autocommit(state.engine) as connection:
        row = await seen_project(connection, state, viewer, project_id, "api")
        task = await _asked_to_agree(connection, viewer, row)
        # After the task: a repetition that finds it answered by the first request finds that one's receipt as well.
        earlier = await state.door.heard(caller)
        dispute = await _open_dispute(connection, row)
    if earlier:
        return outcome(caller, earlier, texts, SubjectType.PROJECT)
    if dispute is None:
        raise Refusal(409, RefusalCode.DISPUTE_NOT_OPEN)
    if task is None and viewer.person.id not in _sides(row, dispute):
        raise Refusal.forbidden(RefusalCode.NOT_PARTY_OF_DISPUTE)
    if task is None:  # a side that is not asked: its own text is on the table, or the meeting is to decide
        raise refused({"code": RefusalCode.TASK_WITHDRAWN}, SubjectType.PROJECT)
    fields = body.model_dump(mode="json")
    check_answer(task, AnswerChoice.AGREE, "", fields)
    receipt = await state.door.answer(
        caller, task.workflow_id, task.id, choice=AnswerChoice.AGREE, reason="", fields=fields
    )
    return outcome(caller, receipt, texts, SubjectType.PROJECT)


@router.post("/projects/{project_id}/meeting", response_model=Result, responses=STORED)
async def call_for_meeting(
    project_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """D2, D4: a side, a VP concerned or the general manager wants the coordination meeting instead of an agreement. VPs
    and the general manager, or their delegates, may step in until the project is decided, also after an agreement,
    which then waits."""
    texts = texts_for(request)
    async with autocommit(state.engine) as connection:
        row = await seen_project(connection, state, viewer, project_id, "api")
        earlier = await state.door.heard(caller)
        over = await disputes.of_project(connection, row.id)
    if earlier:
        return outcome(caller, earlier, texts, SubjectType.PROJECT)
    dispute = over[-1] if over else None
    if not may_call_meeting(viewer.person, viewer.organisation, _sides(row, dispute), state.clock()):
        raise Refusal.forbidden(RefusalCode.MAY_NOT_CALL_MEETING)
    if dispute is None or dispute.stage in (DisputeStage.DECIDED, DisputeStage.WITHDRAWN) or row.stage.ended:
        raise Refusal(409, RefusalCode.DISPUTE_NOT_OPEN)
    # Once both have agreed, the registration itself hears who steps in.
    hears = row.workflow_id if dispute.stage.ended else dispute.workflow_id
    signal = "call_for_meeting"
    try:
        receipt = await state.door.say(caller, CallForMeeting, hears, signal, reason=body.reason)
    except Refusal as refusal:
        if refusal.code != RefusalCode.PROCESS_OVER or hears == row.workflow_id:
            raise
        # The dispute was settled since we looked: its registration hears it, as long as it is not decided.
        receipt = await state.door.say(caller, CallForMeeting, row.workflow_id, signal, reason=body.reason)
    return outcome(caller, receipt, texts, SubjectType.PROJECT)


@router.post("/projects/{project_id}/meeting/move", response_model=Result, responses=STORED)
async def move_meeting(
    project_id: SubjectId, body: MovedMeeting, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """D5: commerce moves a meeting that was called; everybody who was told of it is told."""
    workflow_id = await _called_meeting(state, viewer, project_id)
    meeting = MeetingCall.model_validate(body.model_dump(exclude={"reason"}))
    receipt = await state.door.say(
        caller, MoveMeeting, workflow_id, "move_meeting", meeting=meeting, reason=body.reason
    )
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/meeting/call-off", response_model=Result, responses=STORED)
async def call_off_meeting(
    project_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """D5: commerce calls a meeting off; everybody who was told of it is told, and commerce is asked to call another."""
    workflow_id = await _called_meeting(state, viewer, project_id)
    receipt = await state.door.say(caller, CallOffMeeting, workflow_id, "call_off_meeting", reason=body.reason)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/withdraw", response_model=Result, responses=STORED)
async def withdraw_project(
    project_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Its salesperson takes a registration back, as long as it is not approved."""
    row = await _by_its_salesperson(state, viewer, project_id, "N13")
    receipt = await state.door.say(caller, Withdraw, row.workflow_id, "withdraw", reason=body.reason)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.get("/project-numbers/{number}", response_model=NumberCheck)
async def check_number(
    number: Number,
    viewer: ViewerDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    purpose: Annotated[Purpose, Query()],
) -> Any:
    """P9: whether a project number counts for early ordering, early shipping or contract review, and why.

    Numbers can be counted up: what stands behind one is only for those who may see the project (X2), and so are the
    finer reasons why it is not in force.
    """
    texts = texts_for(request)
    # Every number issued is of this shape (the policy sees to it); anything else need not be looked for.
    row = await projects.by_number(connection, number) if re.fullmatch(r"[A-Za-z0-9-]{1,32}", number) else None
    if row is None:
        return NumberCheck(allowed=False, reason=texts.text("number_check.unknown"))
    status = row.stage.status
    if not await lists.sees_project(connection, scope_at(viewer.person, viewer.organisation, state.clock()), row.id):
        allowed = status is ProjectStatus.ACTIVE
        return NumberCheck(
            allowed=allowed, reason=texts.text(f"number_check.{'allowed' if allowed else 'not_in_force'}")
        )
    await messages.note_reading(connection, viewer.person.id, "project", row.id, f"number for {purpose}")
    key = "allowed" if status is ProjectStatus.ACTIVE else row.stage.value
    known = f"number_check.{key}" if texts.has(f"number_check.{key}") else "number_check.not_active"
    return NumberCheck(
        allowed=status is ProjectStatus.ACTIVE,
        reason=texts.text(known),
        project=CheckedProject(id=row.id, name=row.form.name, number=number, status=status),
    )


def _registered(
    caller: Caller, project_id: str, receipt: Receipt | None, texts: Texts, *, resumes: str | None = None
) -> Any:
    """201 with where the registration stands. Raises `Refusal` when it was refused, or its key had another body."""
    if receipt is None:
        return stored(caller, texts, id=project_id, workflow_id=project_workflow_id(project_id))
    if receipt.body_hash != caller.body_hash:
        raise Refusal(422, RefusalCode.IDEMPOTENCY_REUSED)
    if not receipt.accepted:
        raise refused(receipt.result, SubjectType.PROJECT)
    stage = ProjectStage(receipt.result["stage"])
    return Registered(
        id=project_id, workflow_id=project_workflow_id(project_id), status=stage.status, stage=stage, resumes=resumes
    )


async def _called_meeting(state: State, viewer: Viewer, project_id: str) -> str:
    """The process whose meeting commerce moves or calls off. Raises `Refusal`."""
    async with autocommit(state.engine) as connection:
        row = await seen_project(connection, state, viewer, project_id, "api")
        over = await disputes.of_project(connection, row.id)
    if not may_move_meeting(viewer.person):
        raise Refusal.forbidden(RefusalCode.ONLY_COMMERCE_MOVES_MEETING)
    if not over:
        raise Refusal(409, RefusalCode.MEETING_NOT_CALLED)
    return over[-1].workflow_id


async def _project(state: State, viewer: Viewer, project_id: str) -> ProjectRow:
    async with autocommit(state.engine) as connection:
        return await seen_project(connection, state, viewer, project_id, "api")


async def _by_its_salesperson(state: State, viewer: Viewer, project_id: str, rule: str) -> ProjectRow:
    """Raises `Refusal` 403 for anybody but the responsible salesperson, 404 for those who may not know of it."""
    row = await _project(state, viewer, project_id)
    if viewer.person.id != row.salesperson:
        raise Refusal(403, RefusalCode.NOT_SALESPERSON_OF_PROJECT, rule=rule)
    return row


async def _open_dispute(connection: AsyncConnection, row: ProjectRow) -> DisputeRow | None:
    return next((one for one in await disputes.of_project(connection, row.id) if not one.stage.ended), None)


def _sides(row: ProjectRow, dispute: DisputeRow | None) -> Iterable[str]:
    return [row.salesperson, *(one.person for one in (dispute.claimants if dispute else ()))]


async def _asked_to_agree(connection: AsyncConnection, viewer: Viewer, row: ProjectRow) -> TaskRow | None:
    """The caller's open task that asks them to agree; the newest text's."""
    still_open = [
        task for task in await tasks.of_subject(connection, row.id, open_only=True) if task.kind is TaskKind.AGREE_SPLIT
    ]
    asked = await tasks.asked_by(connection, [task.id for task in still_open])
    mine = [
        task
        for task in still_open
        if any(one.person == viewer.person.id and one.removed_at is None for one in asked[task.id])
    ]
    return mine[-1] if mine else None

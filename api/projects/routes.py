"""Routes of projects and project numbers (P1–P9, U1–U8).

They validate the form and check who may call what; the record decides everything else.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from api.dossier import dossier_of, dossier_response, dossier_texts
from api.gateway.gateway import Caller
from api.gateway.models import Result
from api.gateway.receipts import STORED, outcome, stored
from api.paging import Page, page_of, parse_cursor
from api.params import Cursor, Limit, PersonQuery, Reason, SubjectId
from api.problems import PROBLEM_RESPONSES, texts_for
from api.projects import acts
from api.projects.access import seen_project
from api.projects.models import CheckedProject, NumberCheck, ProjectSummary, ProjectView, Registered
from api.projects.submission import register_form
from api.projects.views import project_summary, project_view
from api.state import CallerDep, ConnectionDep, StateDep, ViewerDep
from api.views import Composer, Views
from db.messages import Receipt
from db.projects import projects
from db.readings import note_reading
from db.reads import detail_reads, lists
from domain.access import scope_at
from domain.names import as_submitted
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
from domain.subject import SubjectType
from texts.catalogue import Texts
from workflows.messages import project_workflow_id

router = APIRouter(prefix="/api/v1", responses=PROBLEM_RESPONSES, tags=["projects"])

Number = Annotated[str, Path(max_length=200, description="A project number, as other systems store it.")]


class Purpose(StrEnum):
    """P9: the purpose for which a project number is presented."""

    EARLY_ORDER = "early_order"
    EARLY_SHIPPING = "early_shipping"
    CONTRACT_REVIEW = "contract_review"


@router.post("/projects", status_code=201, response_model=Registered, responses=STORED)
async def register_project(
    form: Annotated[ProjectForm, as_submitted], caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Register a project (P1, P3, P4). All invalid fields are reported in one response."""
    project_id, receipt = await register_form(state, viewer.person, caller, form)
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
    """List the projects that you may see, newest registration first."""
    rows = await lists.projects_seen(
        connection,
        scope_at(viewer.person, viewer.organisation, state.clock()),
        stages=[stage.value for stage in ProjectStage if stage.status is status] if status else None,
        salesperson=salesperson,
        after=parse_cursor(cursor, "moment", "id"),
        limit=limit + 1,
    )
    await note_reading(connection, viewer.person.id, "project", *(row.id for row in rows[:limit]), through="list")
    views = Views(state.facts, viewer, texts_for(request))
    return page_of(
        rows, limit, key=lambda row: (row.registered_at, row.id), view=lambda row: project_summary(views, row)
    )


@router.get("/projects/{project_id}", response_model=ProjectView)
async def read_project(
    project_id: SubjectId, viewer: ViewerDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Any:
    """Get a project: its stage, the reasons, what happens next automatically, and what prevents it."""
    row = await seen_project(connection, state, viewer, project_id, "api")
    composer = Composer(connection, state.facts, viewer, texts_for(request))
    return await project_view(composer, row, shown=await composer.sees_evidence(row), now=state.clock())


@router.get(
    "/projects/{project_id}/dossier",
    response_model=None,
    responses={200: {"content": {"text/html": {}, "application/json": {}}}},
)
async def read_project_dossier(
    project_id: SubjectId, viewer: ViewerDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Response:
    """Get the complete dossier of a project (N11), as JSON or as a printable page, depending on `Accept`."""
    row = await seen_project(connection, state, viewer, project_id, "dossier")
    texts = dossier_texts(request)
    dossier = await dossier_of(connection, Composer(connection, state.facts, viewer, texts), row)
    return dossier_response(request, dossier, texts, state.facts.policy.time_zone)


@router.post("/projects/{project_id}/updates", response_model=Result, responses=STORED)
async def update_project(
    project_id: SubjectId, body: ProjectUpdate, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Submit the weekly update of a project (U1). Only its salesperson may. It restarts all deadlines (U5)."""
    receipt = await acts.update(state, viewer, caller, project_id, body)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/loss", response_model=Result, responses=STORED)
async def report_loss(
    project_id: SubjectId, body: Loss, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Report a project as lost (U8). Only its salesperson may. A reason is required; the project ends."""
    receipt = await acts.report_loss(state, viewer, caller, project_id, body)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/contract-review", response_model=Result, responses=STORED)
async def receive_contract(
    project_id: SubjectId, body: ContractReview, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Submit or receive the contract review application of a project (U7).

    The project's salesperson submits the application; commerce then gets a `contract_review` task. Commerce records
    what was received, on paper as well: the number, a positive amount, the date of receipt (today, the default, or
    earlier) and the date of signing (not after receipt). The project then ends.
    """
    receipt = await acts.receive_contract(state, viewer, caller, project_id, body)
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
    """Correct the amount of a signed contract (U7). Only commerce may, and a reason is required.

    Both amounts stay under `contract`. The corrected one counts in R2–R4 from then on.
    """
    receipt = await acts.correct_contract(state, viewer, caller, project_id, body)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/resume", status_code=201, response_model=Registered, responses=STORED)
async def resume_project(
    project_id: SubjectId, body: Resumption, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Request that commerce resumes a shelved project (U6). Creates a new registration linked to the old one."""
    new_id, receipt = await acts.resume(state, viewer, caller, project_id, body)
    return _registered(caller, new_id, receipt, texts_for(request), resumes=project_id)


@router.post("/projects/{project_id}/objection", response_model=Result, responses=STORED)
async def object_to_refusal(
    project_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Object to the refusal of a registration, with a reason (P8). Only the project's salesperson may."""
    receipt = await acts.object_to_refusal(state, viewer, caller, project_id, body.reason)
    return outcome(caller, receipt, texts_for(request), SubjectType.PROJECT)


@router.post("/projects/{project_id}/withdraw", response_model=Result, responses=STORED)
async def withdraw_project(
    project_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Withdraw a registration before it is approved. Only the project's salesperson may."""
    receipt = await acts.withdraw(state, viewer, caller, project_id, body.reason)
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
    """Check whether a project number is valid for early ordering, early shipping or contract review, and why (P9).

    Numbers can be guessed, so the project and the detailed reason are returned only if you may see the project (X2).
    """
    texts = texts_for(request)
    # Every issued number has this form (the policy ensures it), so nothing else needs a query.
    row = await projects.by_number(connection, number) if re.fullmatch(r"[A-Za-z0-9-]{1,32}", number) else None
    if row is None:
        return NumberCheck(allowed=False, reason=texts.text("number_check.unknown"))
    status = row.stage.status
    scope = scope_at(viewer.person, viewer.organisation, state.clock())
    if await detail_reads.project_seen(connection, scope, row.id) is None:
        allowed = status is ProjectStatus.ACTIVE
        return NumberCheck(
            allowed=allowed, reason=texts.text(f"number_check.{'allowed' if allowed else 'not_in_force'}")
        )
    await note_reading(connection, viewer.person.id, "project", row.id, through=f"number for {purpose}")
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
    """The response to a registration that was accepted: 201 with its stage, or 202 while it is stored only."""
    if receipt is None:
        return stored(caller, texts, id=project_id, workflow_id=project_workflow_id(project_id))
    stage = ProjectStage(receipt.result["stage"])
    return Registered(
        id=project_id, workflow_id=project_workflow_id(project_id), status=stage.status, stage=stage, resumes=resumes
    )

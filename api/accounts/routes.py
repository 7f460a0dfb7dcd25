"""Routes of applications and Named Accounts (N1, N10, N11, N13, N15)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.accounts import acts
from api.accounts.models import AccountView, ApplicationSummary, ApplicationView, Submitted
from api.accounts.submission import submit_form
from api.accounts.views import (
    account_view,
    application_summary,
    application_view,
    whole_account,
)
from api.dossier import dossier_of, dossier_response, dossier_texts
from api.gateway.models import Result
from api.gateway.receipts import STORED, outcome, stored
from api.paging import Page, page_of, parse_cursor
from api.params import Cursor, Limit, PersonQuery, Reason, SubjectId
from api.problems import PROBLEM_RESPONSES, Refusal, texts_for
from api.state import CallerDep, ConnectionDep, StateDep, ViewerDep
from api.views import Composer, Views
from db.readings import note_reading
from db.reads import detail_reads, lists
from domain.access import scope_of
from domain.accounts.application import ApplicationForm, Stage
from domain.names import as_submitted
from domain.refusals import RefusalCode

router = APIRouter(prefix="/api/v1", responses=PROBLEM_RESPONSES)


@router.post(
    "/applications",
    status_code=201,
    response_model=Submitted,
    responses=STORED,
    tags=["applications"],
)
async def submit_application(
    form: Annotated[ApplicationForm, as_submitted],
    caller: CallerDep,
    viewer: ViewerDep,
    state: StateDep,
    request: Request,
) -> Any:
    """Submit an application for a Named Account (N1).

    All invalid fields are reported in one response. An application that fails E2 or E3 is refused, and the refusal is
    recorded.
    """
    texts = texts_for(request)
    application_id, receipt = await submit_form(state, viewer.person, caller, form)
    if receipt is None:
        return stored(caller, texts, id=application_id, workflow_id=f"application-{application_id}")
    conflicts = receipt.result.get("conflicts", [])
    notice = None
    if conflicts:
        first = next((conflict for conflict in conflicts if not conflict.get("own")), None)
        notice = texts.error(f"conflict_with_{first['kind']}" if first else "own_account")
    return Submitted(
        id=application_id,
        workflow_id=receipt.result["workflow_id"],
        stage=receipt.result["stage"],
        conflicts=conflicts,
        notice=notice,
    )


@router.get("/applications", response_model=Page[ApplicationSummary], tags=["applications"])
async def list_applications(
    viewer: ViewerDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    stage: Annotated[Stage | None, Query()] = None,
    applicant: PersonQuery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """List the applications that you may see, newest first."""
    rows = await lists.applications_seen(
        connection,
        scope_of(viewer.person, viewer.organisation),
        stage=stage.value if stage else None,
        applicant=applicant,
        after=parse_cursor(cursor, "moment", "id"),
        limit=limit + 1,
    )
    await note_reading(connection, viewer.person.id, "application", *(row.id for row in rows[:limit]), through="list")
    views = Views(state.facts, viewer, texts_for(request))
    return page_of(
        rows,
        limit,
        key=lambda row: (row.submitted_at, row.id),
        view=lambda row: application_summary(views, row),
    )


@router.get("/applications/{application_id}", response_model=ApplicationView, tags=["applications"])
async def read_application(
    application_id: SubjectId, viewer: ViewerDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Any:
    """Get an application: its stage, the reasons, and what happens next."""
    row = await acts.seen_application(connection, viewer, application_id, "api")
    composer = Composer(connection, state.facts, viewer, texts_for(request))
    return await application_view(composer, row, shown=await composer.sees_evidence(row))


@router.get(
    "/applications/{application_id}/dossier",
    tags=["applications"],
    response_model=None,
    responses={200: {"content": {"text/html": {}, "application/json": {}}}},
)
async def read_dossier(
    application_id: SubjectId, viewer: ViewerDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Response:
    """Get the complete dossier of an application (N11), as JSON or as a printable page, depending on `Accept`."""
    row = await acts.seen_application(connection, viewer, application_id, "dossier")
    texts = dossier_texts(request)
    dossier = await dossier_of(connection, Composer(connection, state.facts, viewer, texts), row)
    return dossier_response(request, dossier, texts, state.facts.policy.time_zone)


@router.post("/applications/{application_id}/withdraw", response_model=Result, responses=STORED, tags=["applications"])
async def withdraw_application(
    application_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Withdraw an application (N13). Only the applicant may, at any time before activation."""
    receipt = await acts.withdraw(state, viewer, caller, application_id, body.reason)
    return outcome(caller, receipt, texts_for(request))


@router.post("/applications/{application_id}/appeal", response_model=Result, responses=STORED, tags=["applications"])
async def appeal_rejection(
    application_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Appeal against a rejection to the general manager (N10). Only the applicant may."""
    receipt = await acts.appeal(state, viewer, caller, application_id, body.reason)
    return outcome(caller, receipt, texts_for(request))


@router.post("/applications/{application_id}/evidence", response_model=Result, responses=STORED, tags=["applications"])
async def gather_evidence(
    application_id: SubjectId, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """Gather the evidence again (N15). Only commerce may. Changes are marked wherever the evidence is shown."""
    receipt = await acts.gather_evidence(state, viewer, caller, application_id)
    return outcome(caller, receipt, texts_for(request))


@router.get("/accounts", response_model=Page[AccountView], tags=["accounts"])
async def list_accounts(
    viewer: ViewerDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    salesperson: PersonQuery = None,
    revoked: Annotated[bool, Query(description="Also list revoked accounts (R5).")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """List the Named Accounts that you may see, newest first. Revoked accounts are included on request only."""
    rows = await lists.accounts_seen(
        connection,
        scope_of(viewer.person, viewer.organisation),
        salesperson=salesperson,
        revoked=revoked,
        after=parse_cursor(cursor, "moment", "id"),
        limit=limit + 1,
    )
    await note_reading(connection, viewer.person.id, "account", *(row.id for row in rows[:limit]), through="list")
    views = Views(state.facts, viewer, texts_for(request))
    return page_of(rows, limit, key=lambda row: (row.activated_at, row.id), view=lambda row: account_view(views, row))


@router.get("/accounts/{account_id}", response_model=AccountView, tags=["accounts"])
async def read_account(
    account_id: SubjectId, viewer: ViewerDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Any:
    """Get a Named Account, with its projects that you may see (A2), its targets, its results, and what was said and
    decided about it in reviews (R1–R4)."""
    scope = scope_of(viewer.person, viewer.organisation)
    row = await detail_reads.account_seen(connection, scope, account_id)
    if row is None:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    view = await whole_account(Composer(connection, state.facts, viewer, texts_for(request)), row, scope)
    await note_reading(connection, viewer.person.id, "account", account_id, through="api")
    shown = [project.id for project in view.projects]
    await note_reading(connection, viewer.person.id, "project", *shown, through="list")
    return view

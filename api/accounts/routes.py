"""Applications and accounts (N1, N10, N11, N13)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from api.accounts.models import AccountView
from api.composing import TIMELINE_HIDES, TOLD_APART, Composer, Views
from api.dossier import dossier_of, dossier_response, dossier_texts
from api.gateway.receipts import outcome, stored
from api.models import ApplicationSummary, ApplicationView, Page, Result, Stored, Submitted, cursor_of, parse_cursor
from api.problems import PROBLEM_RESPONSES, Refusal, texts_for
from api.reviews.composing import MOST_SAID
from api.state import CallerDep, ConnectionDep, State, StateDep, Viewer, ViewerDep
from db import messages
from db.accounts import applications
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection, autocommit
from db.projects.projects import ProjectRow
from db.reads import detail_reads, gateway_reads, lists
from db.reports import reports
from domain.access import may_appeal, may_apply, may_gather_evidence, may_withdraw, scope_of
from domain.accounts.application import ApplicationForm, Stage
from domain.accounts.eligibility import refusal_problems
from domain.accounts.figures import SignedContract
from domain.base import Text
from domain.names import at_the_door
from domain.refusals import RefusalCode
from domain.statements import AppealRejection, GatherEvidence, Withdraw

router = APIRouter(prefix="/api/v1", responses=PROBLEM_RESPONSES)

SubjectId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$")]
Limit = Annotated[int, Query(ge=1, le=100, description="How many items at most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")]
PersonQuery = Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9._-]{0,62}$")]


class Reason(BaseModel):
    """Why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Text


@router.post(
    "/applications",
    status_code=201,
    response_model=Submitted,
    responses={202: {"model": Stored}},
    tags=["applications"],
)
async def submit_application(
    form: Annotated[ApplicationForm, at_the_door],
    caller: CallerDep,
    viewer: ViewerDep,
    state: StateDep,
    request: Request,
) -> Any:
    """N1: submit an application. Every wrong field is named at once; E2 and E3 refuse, on record."""
    if not may_apply(viewer.person):
        raise Refusal.forbidden(RefusalCode.ONLY_SALESPEOPLE_APPLY)
    named = state.facts.policy.privacy.customer_name_in_engine
    application_id, receipt = await state.door.submit(caller, form, customer_shown=named)
    texts = texts_for(request)
    if receipt is None:
        return stored(caller, texts, id=application_id, workflow_id=f"application-{application_id}")
    if receipt.body_hash != caller.body_hash:
        raise Refusal(422, RefusalCode.IDEMPOTENCY_REUSED)
    if not receipt.accepted:
        if not receipt.result["rules"]:  # whoever submitted has left meanwhile
            raise Refusal(403, RefusalCode.PERSON_INACTIVE)
        raise Refusal(422, RefusalCode.FIELDS_WRONG, problems=refusal_problems(receipt.result["rules"]))
    conflicts = receipt.result.get("conflicts", [])
    notice = texts.error(f"conflict_with_{conflicts[0]['kind']}") if conflicts else None
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
    """The applications the caller may see, newest first."""
    rows = await lists.applications_seen(
        connection,
        scope_of(viewer.person, viewer.organisation),
        stage=stage.value if stage else None,
        applicant=applicant,
        after=parse_cursor(cursor, "moment", "id"),
        limit=limit + 1,
    )
    composer = Composer(connection, state.facts, viewer, texts_for(request))
    page, more = rows[:limit], len(rows) > limit
    await lists.note_listed(connection, viewer.person.id, "application", [row.id for row in page])
    return Page(
        items=[composer.summary(row) for row in page],
        next_cursor=cursor_of(page[-1].submitted_at, page[-1].id) if more else None,
    )


async def seen_application(
    connection: AsyncConnection, viewer: Viewer, application_id: str, through: str
) -> ApplicationRow:
    """The application if the viewer may see it; the reading is recorded (X2). Raises `Refusal` 404 otherwise."""
    row = await applications.find(connection, application_id)
    if row is None:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    involved = bool(await lists.was_asked(connection, viewer.person.id, [row.id]))
    if not _sees(viewer, row, involved=involved):
        raise Refusal(404, RefusalCode.NOT_FOUND)
    await messages.note_reading(connection, viewer.person.id, "application", row.id, through)
    return row


def _sees(viewer: Viewer, row: ApplicationRow, *, involved: bool) -> bool:
    scope = scope_of(viewer.person, viewer.organisation)
    return scope.covers(applicant=row.applicant, department=row.department, involved=involved)


@router.get("/applications/{application_id}", response_model=ApplicationView, tags=["applications"])
async def read_application(application_id: SubjectId, viewer: ViewerDep, state: StateDep, request: Request) -> Any:
    """Where one application stands, why, and what comes next."""
    whole = await detail_reads.application(state.record, application_id, viewer.person.id, TIMELINE_HIDES - TOLD_APART)
    if whole is None or not _sees(viewer, whole.row, involved=whole.involved):
        raise Refusal(404, RefusalCode.NOT_FOUND)
    await gateway_reads.note_read(state.record, viewer.person.id, [("application", whole.row.id, "api")])
    policy = state.facts.known_policy(whole.row.policy_digest)
    if policy is None:
        async with autocommit(state.engine) as connection:
            policy = await state.facts.pinned_policy(connection, whole.row.policy_digest)
    return Views(state.facts, viewer, texts_for(request)).whole_application(whole, policy)


@router.get(
    "/applications/{application_id}/dossier",
    tags=["applications"],
    response_model=None,
    responses={200: {"content": {"text/html": {}, "application/json": {}}}},
)
async def read_dossier(
    application_id: SubjectId, viewer: ViewerDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Response:
    """N11: everything about one application in one document, JSON or printable HTML as `Accept` asks."""
    row = await seen_application(connection, viewer, application_id, "dossier")
    texts = dossier_texts(request)
    dossier = await dossier_of(connection, Composer(connection, state.facts, viewer, texts), row)
    return dossier_response(request, dossier, texts, state.facts.policy.time_zone)


async def own_process(state: State, viewer: Viewer, application_id: str) -> ApplicationRow:
    """The application, if the viewer may see it; raises the same refusal as for one that does not exist."""
    async with autocommit(state.engine) as connection:
        return await seen_application(connection, viewer, application_id, "api")


@router.post(
    "/applications/{application_id}/withdraw",
    response_model=Result,
    responses={202: {"model": Stored}},
    tags=["applications"],
)
async def withdraw_application(
    application_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """N13: the applicant withdraws, at any time before activation."""
    row = await own_process(state, viewer, application_id)
    if not may_withdraw(viewer.person, row.applicant):
        raise Refusal(403, RefusalCode.NOT_APPLICANT, rule="N13")
    return outcome(
        caller,
        await state.door.say(caller, Withdraw, row.workflow_id, "withdraw", reason=body.reason),
        texts_for(request),
    )


@router.post(
    "/applications/{application_id}/appeal",
    response_model=Result,
    responses={202: {"model": Stored}},
    tags=["applications"],
)
async def appeal_rejection(
    application_id: SubjectId, body: Reason, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """N10: the applicant puts a rejection before the general manager."""
    row = await own_process(state, viewer, application_id)
    if not may_appeal(viewer.person, row.applicant):
        raise Refusal(403, RefusalCode.NOT_APPLICANT, rule="N10")
    return outcome(
        caller,
        await state.door.say(caller, AppealRejection, row.workflow_id, "appeal", reason=body.reason),
        texts_for(request),
    )


@router.post(
    "/applications/{application_id}/evidence",
    response_model=Result,
    responses={202: {"model": Stored}},
    tags=["applications"],
)
async def gather_evidence(
    application_id: SubjectId, caller: CallerDep, viewer: ViewerDep, state: StateDep, request: Request
) -> Any:
    """N15: commerce has the evidence gathered again; what has changed is marked wherever it is shown."""
    row = await own_process(state, viewer, application_id)
    if not may_gather_evidence(viewer.person):
        raise Refusal.forbidden(RefusalCode.ONLY_COMMERCE_GATHERS)
    return outcome(
        caller,
        await state.door.say(caller, GatherEvidence, row.workflow_id, "gather_evidence"),
        texts_for(request),
    )


@router.get("/accounts", response_model=Page[AccountView], tags=["accounts"])
async def list_accounts(
    viewer: ViewerDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    salesperson: PersonQuery = None,
    revoked: Annotated[bool, Query(description="Those that were revoked (R5) as well.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """The Named Accounts the caller may see, newest first; those that were revoked only where they are asked for."""
    rows = await lists.accounts_seen(
        connection,
        scope_of(viewer.person, viewer.organisation),
        salesperson=salesperson,
        revoked=revoked,
        after=parse_cursor(cursor, "moment", "id"),
        limit=limit + 1,
    )
    composer = Composer(connection, state.facts, viewer, texts_for(request))
    page, more = rows[:limit], len(rows) > limit
    await lists.note_listed(connection, viewer.person.id, "account", [row.id for row in page])
    return Page(
        items=[composer.account(row) for row in page],
        next_cursor=cursor_of(page[-1].activated_at, page[-1].id) if more else None,
    )


@router.get("/accounts/{account_id}", response_model=AccountView, tags=["accounts"])
async def read_account(account_id: SubjectId, viewer: ViewerDep, state: StateDep, request: Request) -> Any:
    """One Named Account, with the projects under it that the caller may see (A2), its targets, what it has brought in
    and what was said of it in reviews (R1–R4)."""
    whole = await detail_reads.account(state.record, account_id, viewer.person.id, MOST_SAID)
    scope = scope_of(viewer.person, viewer.organisation)
    if whole is None or not scope.covers(
        applicant=whole.row.salesperson,
        department=whole.row.department,
        involved=whole.involved,
        in_reports=True,
    ):
        raise Refusal(404, RefusalCode.NOT_FOUND)
    under_it: Sequence[ProjectRow] = ()
    signed: Sequence[SignedContract] = ()
    if whole.has_projects:
        async with autocommit(state.engine) as connection:
            under_it = await lists.projects_seen(connection, scope, account_id=account_id)
            found = await reports.contracts_under(
                connection, [account_id], date.min, date.max, state.facts.policy.time_zone
            )
            signed = found.get(account_id, ())
    read = [("account", account_id, "api"), *(("project", one.id, "list") for one in under_it)]
    await gateway_reads.note_read(state.record, viewer.person.id, read)
    return Views(state.facts, viewer, texts_for(request)).whole_account(whole, under_it, signed)

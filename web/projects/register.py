"""Register a project (P1, P3, P4), or resume a shelved one (U6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError

from api.conflicts.models import ConflictCheck
from api.gateway.gateway import Caller
from api.params import SubjectId
from api.problems import Refusal, Unavailable, field_problems
from api.projects.access import project_of_salesperson, seen_project
from api.projects.submission import register_form, resume_form
from api.state import ConnectionDep, State, StateDep
from db.connection.engine import AsyncConnection, autocommit
from db.messages import Receipt
from db.projects.projects import ProjectRow
from db.readings import note_reading
from db.reads import detail_reads
from domain.access import may_register, scope_of
from domain.projects.project import ProjectForm, Resumption
from domain.projects.rules import track_of
from domain.refusals import RefusalCode
from domain.tasks.outlook import ExpectedStep, expected_steps, project_asks
from web.forms.filing import REGISTER, holders_among, messages, of_refusal
from web.forms.filing_pages import act, conflicts_found, draft_saved, form_page, opened_draft, submitted_to
from web.forms.form import Field, field_id, form_values, plain_text
from web.frame import page
from web.session.guard import PostedDep, SignedInDep
from web.session.sessions import Session

router = APIRouter(include_in_schema=False)

WHY_FIELDS: Final = (("why_silent", "filing.why_silent"), ("why_resume", "filing.why_resume"))
"""U6: the two reasons for resuming a project, with their labels."""


def _only_salespeople(session: Session) -> None:
    if not may_register(session.person):
        raise Refusal.forbidden(RefusalCode.ONLY_SALESPEOPLE_REGISTER)


@router.get("/register")
async def show_form(
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    draft: Annotated[str, Query(max_length=64)] = "",
    copied: Annotated[str, Query(alias="from", max_length=64)] = "",
    resumes: Annotated[str, Query(max_length=64)] = "",
    account: Annotated[str, Query(max_length=64)] = "",
    saved: Annotated[str, Query(max_length=3)] = "",
) -> Response:
    """The empty form, a draft, a copy of an earlier registration of one's own, a shelved project to resume, or the
    customer of a Named Account of one's own (P1)."""
    _only_salespeople(session)
    typed: Mapping[str, str] = {}
    if draft:
        typed = await opened_draft(connection, session, REGISTER, draft)
    elif earlier := copied or resumes:
        row = await seen_project(connection, state, session.viewer, earlier, "copy")
        if session.person.id not in (row.applicant, row.salesperson):
            raise Refusal(404, RefusalCode.NOT_FOUND)
        if resumes:
            return await _resume_page(request, session, connection, row, {}, {})
        typed = form_values(row.form)
    elif account:
        typed = await _customer_of(connection, session, account)
    said = session.texts.text("filing.saved") if saved else ""
    return await form_page(request, session, connection, REGISTER, typed, draft_id=draft, said=said)


async def _customer_of(connection: AsyncConnection, session: Session, account_id: str) -> Mapping[str, str]:
    """The customer of a Named Account of the viewer, as inputs. Raises `Refusal` 404 for any other."""
    held = await detail_reads.account_seen(
        connection, scope_of(session.person, session.viewer.organisation), account_id
    )
    if held is None or held.salesperson != session.person.id:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    await note_reading(connection, session.person.id, "account", account_id, through="copy")
    return {name: value for name, value in form_values(held.form).items() if name.startswith("customer.")}


@router.post("/register/draft")
async def save(posted: PostedDep, state: StateDep) -> Response:
    """Save what was typed so far."""
    _only_salespeople(posted.session)
    return await draft_saved(state, posted, REGISTER)


@router.post("/register/conflicts")
async def look(posted: PostedDep, state: StateDep, request: Request) -> Response:
    """P4: what is registered for this customer and project now."""
    _only_salespeople(posted.session)
    return await conflicts_found(state, posted, REGISTER, request)


@router.post("/register")
async def fill_in(posted: PostedDep, state: StateDep, request: Request) -> Response:
    """One step of filling in; the last one submits the registration."""
    session = posted.session
    _only_salespeople(session)

    async def outlook(
        connection: AsyncConnection, found: ConflictCheck | None
    ) -> tuple[tuple[ExpectedStep, ...], list[str]]:
        return await _outlook(connection, state, session, found)

    async def submit(caller: Caller, form: Any) -> tuple[str, Receipt | None]:
        assert isinstance(form, ProjectForm)
        return await register_form(state, session.person, caller, form)

    return await act(
        state,
        posted,
        request,
        REGISTER,
        ProjectForm,
        outlook=outlook,
        submit=submit,
        refuses=lambda _form: (),
    )


async def _resume_page(
    request: Request,
    session: Session,
    connection: AsyncConnection,
    row: ProjectRow,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    status: int = 200,
) -> Response:
    texts = session.texts
    fields = [
        Field(
            name=name,
            label=texts.text(label),
            type="text",
            value=typed.get(name, ""),
            error=errors.get(name, ""),
        )
        for name, label in WHY_FIELDS
    ]
    labels = dict(WHY_FIELDS)
    colon = "：" if texts.language == "zh" else ": "
    return await page(
        request,
        session,
        connection,
        "resume.html.j2",
        title=texts.text("filing.resume_title"),
        status=status,
        project=row.form.name,
        back=f"/projects/{row.id}",
        fields=fields,
        error_list=[
            (field_id(name) if name else "content", f"{texts.text(labels[name])}{colon}{message}" if name else message)
            for name, message in errors.items()
        ],
    )


@router.post("/register/resume/{project_id}")
async def resume(project_id: SubjectId, posted: PostedDep, state: StateDep, request: Request) -> Response:
    """U6: ask commerce to resume a shelved project: why it was not updated, and why it should go on."""
    session = posted.session
    _only_salespeople(session)
    row = await project_of_salesperson(state, session.viewer, project_id, "U6")
    status = 422
    try:
        given = {name: plain_text(posted.form.get(name, "")) for name, _ in WHY_FIELDS}
        resumption = Resumption.model_validate(given)
        new_id, receipt = await resume_form(state, posted.caller(request), row, resumption)
    except ValidationError as error:
        errors = messages(field_problems(error.errors(), rule_of_form="U6"), session.texts)
    except Unavailable:
        raise
    except Refusal as refusal:
        errors, status = of_refusal(refusal, session.texts, state.facts.policy.zone), refusal.status
    else:
        return submitted_to(request, session, f"/projects/{new_id}", receipt)
    async with autocommit(state.engine) as connection:
        return await _resume_page(request, session, connection, row, posted.form, errors, status)


async def _outlook(
    connection: AsyncConnection, state: State, session: Session, found: ConflictCheck | None
) -> tuple[tuple[ExpectedStep, ...], list[str]]:
    me, texts = session.person.id, session.texts
    holders = holders_among(found)
    steps = expected_steps(
        project_asks(track_of(me, holders), me),
        session.viewer.organisation,
        state.facts.policy,
        await state.facts.calendar(connection),
        applicant=me,
        now=state.clock(),
    )
    if set(holders) - {me}:
        return steps, [texts.text("filing.under_another_account")]
    return steps, [texts.text("filing.under_own_account")] if holders else []

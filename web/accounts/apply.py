"""Apply for a Named Account (N1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.accounts.submission import submit_form
from api.conflicts.models import ConflictCheck
from api.gateway.gateway import Caller
from api.problems import Refusal
from api.state import ConnectionDep, State, StateDep
from db.accounts import accounts
from db.connection.engine import AsyncConnection
from db.messages import Receipt
from db.readings import note_reading
from db.reads import detail_reads
from domain.access import may_apply, scope_of
from domain.accounts.application import ApplicationForm
from domain.accounts.eligibility import refusal_problems, refusals_in
from domain.accounts.named_account import above_limit
from domain.refusals import RefusalCode
from domain.tasks.outlook import ExpectedStep, application_asks, expected_steps
from domain.tasks.task import Problem
from web.forms.filing import APPLY, holders_among
from web.forms.filing_pages import act, conflicts_found, draft_saved, form_page, opened_draft
from web.forms.form import form_values
from web.session.guard import PostedDep, SignedInDep
from web.session.sessions import Session

router = APIRouter(include_in_schema=False)


def _only_salespeople(session: Session) -> None:
    if not may_apply(session.person):
        raise Refusal.forbidden(RefusalCode.ONLY_SALESPEOPLE_APPLY)


@router.get("/apply")
async def show_form(
    session: SignedInDep,
    connection: ConnectionDep,
    request: Request,
    draft: Annotated[str, Query(max_length=64)] = "",
    copied: Annotated[str, Query(alias="from", max_length=64)] = "",
    saved: Annotated[str, Query(max_length=3)] = "",
) -> Response:
    """The empty form, a draft, or a copy of an earlier application of one's own."""
    _only_salespeople(session)
    typed: Mapping[str, str] = {}
    if draft:
        typed = await opened_draft(connection, session, APPLY, draft)
    elif copied:
        scope = scope_of(session.person, session.viewer.organisation)
        row = await detail_reads.application_seen(connection, scope, copied)
        if row is None or row.applicant != session.person.id:
            raise Refusal(404, RefusalCode.NOT_FOUND)
        await note_reading(connection, session.person.id, "application", row.id, through="copy")
        typed = form_values(row.form)
    said = session.texts.text("filing.saved") if saved else ""
    return await form_page(request, session, connection, APPLY, typed, draft_id=draft, said=said)


@router.post("/apply/draft")
async def save(posted: PostedDep, state: StateDep) -> Response:
    """Save what was typed so far."""
    _only_salespeople(posted.session)
    return await draft_saved(state, posted, APPLY)


@router.post("/apply/conflicts")
async def look(posted: PostedDep, state: StateDep, request: Request) -> Response:
    """N3: what is registered for this customer now."""
    _only_salespeople(posted.session)
    return await conflicts_found(state, posted, APPLY, request)


@router.post("/apply")
async def fill_in(posted: PostedDep, state: StateDep, request: Request) -> Response:
    """One step of filling in; the last one submits the application."""
    session = posted.session
    _only_salespeople(session)

    async def outlook(
        connection: AsyncConnection, found: ConflictCheck | None
    ) -> tuple[tuple[ExpectedStep, ...], list[str]]:
        return await _outlook(connection, state, session, found)

    async def submit(caller: Caller, form: Any) -> tuple[str, Receipt | None]:
        assert isinstance(form, ApplicationForm)
        return await submit_form(state, session.person, caller, form)

    def refuses(form: Mapping[str, Any]) -> tuple[Problem, ...]:
        return refusal_problems(refusals_in(form, state.facts.policy.eligibility))

    return await act(
        state,
        posted,
        request,
        APPLY,
        ApplicationForm,
        outlook=outlook,
        submit=submit,
        refuses=refuses,
    )


async def _outlook(
    connection: AsyncConnection, state: State, session: Session, found: ConflictCheck | None
) -> tuple[tuple[ExpectedStep, ...], list[str]]:
    texts, policy = session.texts, state.facts.policy
    held = await accounts.count_held(connection, session.person.id)
    above = above_limit(held, policy.accounts.limit)
    steps = expected_steps(
        application_asks(above_limit=above),
        session.viewer.organisation,
        policy,
        await state.facts.calendar(connection),
        applicant=session.person.id,
        now=state.clock(),
    )
    in_addition = []
    if above:
        in_addition.append(texts.text("filing.above_limit"))
    holders = holders_among(found)
    if session.person.id in holders:
        in_addition.append(texts.text("filing.own_account"))
    elif holders:
        in_addition.append(texts.text("filing.collision"))
    return steps, in_addition

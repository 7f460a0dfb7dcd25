"""Apply for a Named Account (N1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from api.accounts.submission import submit_form
from api.conflicts.models import ConflictCheck
from api.problems import Refusal
from api.state import ConnectionDep, State
from db.accounts import accounts
from db.connection.engine import AsyncConnection
from db.readings import note_reading
from db.reads import detail_reads
from domain.access import may_apply, scope_of
from domain.accounts.application import ApplicationForm
from domain.accounts.eligibility import refusal_problems, refusals_in
from domain.accounts.named_account import above_limit
from domain.policy import Policy
from domain.refusals import RefusalCode
from domain.subject import SubjectType
from domain.tasks.outlook import application_asks, expected_steps
from domain.tasks.task import Problem
from web.forms.filing import Filing, Outlook, holders_among
from web.forms.filing_pages import add_steps, form_page, opened_draft
from web.forms.form import APPLICATION, form_values
from web.session.guard import SignedInDep
from web.session.sessions import Session


async def _outlook(connection: AsyncConnection, state: State, session: Session, found: ConflictCheck | None) -> Outlook:
    """N2, N6, N8: who decides, and what an account too many, or a collision, asks in addition."""
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
    if session.person.id in holders_among(found):
        in_addition.append(texts.text("filing.own_account"))
    elif found and any(match.kind == "account" and match.conflict for match in found.matches):
        in_addition.append(texts.text("filing.collision"))
    return Outlook(steps, in_addition)


def _refuses(form: Mapping[str, Any], policy: Policy) -> tuple[Problem, ...]:
    """E2, E3: what is refused whatever else the form says."""
    return refusal_problems(refusals_in(form, policy.eligibility))


APPLY: Final = Filing(
    kind=SubjectType.APPLICATION,
    path="/apply",
    title="filing.apply_title",
    intro="filing.apply_intro",
    form_rule="N1",
    layout=APPLICATION,
    model=ApplicationForm,
    may_file=may_apply,
    stranger=RefusalCode.ONLY_SALESPEOPLE_APPLY,
    refuses=_refuses,
    outlook=_outlook,
    submit=submit_form,
)
router = APIRouter(include_in_schema=False)
add_steps(router, APPLY)


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
    APPLY.check(session)
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

"""Register a project (P1, P3, P4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from api.conflicts.models import ConflictCheck
from api.problems import Refusal
from api.projects.access import seen_project
from api.projects.submission import register_form
from api.state import ConnectionDep, State, StateDep
from db.connection.engine import AsyncConnection
from db.readings import note_reading
from db.reads import detail_reads
from domain.access import may_register, scope_of
from domain.projects.project import ProjectForm
from domain.projects.rules import track_of
from domain.refusals import RefusalCode
from domain.subject import SubjectType
from domain.tasks.outlook import expected_steps, project_asks
from web.forms.filing import Filing, Outlook, holders_among
from web.forms.filing_pages import add_steps, form_page, opened_draft
from web.forms.form import PROJECT, form_values
from web.session.guard import SignedInDep
from web.session.sessions import Session


async def _outlook(connection: AsyncConnection, state: State, session: Session, found: ConflictCheck | None) -> Outlook:
    """P1, P3, P4: who decides on a project of one's own account, of somebody else's, and of none."""
    me, texts = session.person.id, session.texts
    holders = holders_among(found)
    known = [holder for holder in holders if holder]  # X2: who holds a protected account is not said
    steps = expected_steps(
        project_asks(track_of(me, holders), me, known),
        session.viewer.organisation,
        state.facts.policy,
        await state.facts.calendar(connection),
        applicant=me,
        now=state.clock(),
    )
    if set(holders) - {me}:
        return Outlook(steps, [texts.text("filing.under_another_account")])
    return Outlook(steps, [texts.text("filing.under_own_account")] if holders else [])


REGISTER: Final = Filing(
    kind=SubjectType.PROJECT,
    path="/register",
    title="filing.register_title",
    intro="filing.register_intro",
    form_rule="P1",
    layout=PROJECT,
    model=ProjectForm,
    may_file=may_register,
    stranger=RefusalCode.ONLY_SALESPEOPLE_REGISTER,
    refuses=lambda _form, _policy: (),
    outlook=_outlook,
    submit=register_form,
)
router = APIRouter(include_in_schema=False)
add_steps(router, REGISTER)


@router.get("/register")
async def show_form(
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    draft: Annotated[str, Query(max_length=64)] = "",
    copied: Annotated[str, Query(alias="from", max_length=64)] = "",
    account: Annotated[str, Query(max_length=64)] = "",
    saved: Annotated[str, Query(max_length=3)] = "",
) -> Response:
    """The empty form, a draft, a copy of an earlier registration of one's own, or the customer of a Named Account of
    one's own (P1)."""
    REGISTER.check(session)
    typed: Mapping[str, str] = {}
    if draft:
        typed = await opened_draft(connection, session, REGISTER, draft)
    elif copied:
        row = await seen_project(connection, state, session.viewer, copied, "copy")
        if session.person.id not in (row.applicant, row.salesperson):
            raise Refusal(404, RefusalCode.NOT_FOUND)
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

"""Lists of applications and Named Accounts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.accounts.views import account_view, application_summary
from api.paging import page_of, parse_cursor
from api.params import Cursor
from api.state import ConnectionDep, StateDep
from api.views import Views
from db.readings import note_reading
from db.reads import lists
from domain.access import scope_of
from domain.accounts.application import Stage
from web.frame import page
from web.session.guard import SignedInDep
from web.subjects.listing import (
    PAGE_SIZE,
    Filter,
    Word,
    address_with,
    chosen,
    departments_in,
    people_in,
)

router = APIRouter(include_in_schema=False)


@router.get("/applications")
async def applications_page(
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    stage: Word = "",
    person: Word = "",
    department: Word = "",
    cursor: Cursor = None,
) -> Response:
    """The applications that the viewer may see, newest first."""
    texts, scope = session.texts, scope_of(session.person, session.viewer.organisation)
    people, offices = people_in(scope, session.viewer), departments_in(scope, session.viewer)
    stages = tuple((known_stage.value, texts.text(f"stage.{known_stage}")) for known_stage in Stage)
    rows = await lists.applications_seen(
        connection,
        scope,
        stage=chosen(stage, [known_stage.value for known_stage in Stage]),
        applicant=chosen(person, [person_id for person_id, _ in people]),
        department=chosen(department, [office_id for office_id, _ in offices]),
        after=parse_cursor(cursor, "moment", "id"),
        limit=PAGE_SIZE + 1,
    )
    await note_reading(
        connection, session.person.id, "application", *(row.id for row in rows[:PAGE_SIZE]), through="list"
    )
    views = Views(state.facts, session.viewer, texts)
    found = page_of(
        rows,
        PAGE_SIZE,
        key=lambda row: (row.submitted_at, row.id),
        view=lambda row: application_summary(views, row),
    )
    return await page(
        request,
        session,
        connection,
        "subjects/applications.html.j2",
        title=texts.text("console.applications"),
        block="rows",
        rows=found.items,
        filters=(
            Filter(name="stage", label=texts.text("dossier.label.stage"), options=stages, value=stage),
            Filter(name="person", label=texts.text("page.applicant"), options=people, value=person),
            Filter(name="department", label=texts.text("page.department"), options=offices, value=department),
        ),
        next_page=address_with(request, cursor=found.next_cursor) if found.next_cursor else "",
    )


@router.get("/accounts")
async def accounts_page(
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    person: Word = "",
    department: Word = "",
    revoked: Annotated[str, Query(max_length=4)] = "",
    cursor: Cursor = None,
) -> Response:
    """The Named Accounts that the viewer may see, newest first; revoked ones where asked for (R5)."""
    texts, scope = session.texts, scope_of(session.person, session.viewer.organisation)
    people, offices = people_in(scope, session.viewer), departments_in(scope, session.viewer)
    rows = await lists.accounts_seen(
        connection,
        scope,
        salesperson=chosen(person, [person_id for person_id, _ in people]),
        department=chosen(department, [office_id for office_id, _ in offices]),
        revoked=chosen(revoked, ["yes"]) is not None,
        after=parse_cursor(cursor, "moment", "id"),
        limit=PAGE_SIZE + 1,
    )
    await note_reading(connection, session.person.id, "account", *(row.id for row in rows[:PAGE_SIZE]), through="list")
    views = Views(state.facts, session.viewer, texts)
    found = page_of(
        rows, PAGE_SIZE, key=lambda row: (row.activated_at, row.id), view=lambda row: account_view(views, row)
    )
    with_revoked = (("yes", texts.text("subject_list.with_revoked")),)
    return await page(
        request,
        session,
        connection,
        "subjects/accounts.html.j2",
        title=texts.text("console.accounts"),
        block="rows",
        rows=found.items,
        filters=(
            Filter(name="person", label=texts.text("page.salesperson"), options=people, value=person),
            Filter(name="department", label=texts.text("page.department"), options=offices, value=department),
            Filter(name="revoked", label=texts.text("account_status.revoked"), options=with_revoked, value=revoked),
        ),
        next_page=address_with(request, cursor=found.next_cursor) if found.next_cursor else "",
    )

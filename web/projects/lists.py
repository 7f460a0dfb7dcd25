"""Projects as a list, and as a board by status."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from api.paging import page_of, parse_cursor
from api.params import Cursor
from api.projects.models import ProjectSummary
from api.projects.views import project_summary, silences_of
from api.state import ConnectionDep, State, StateDep
from api.views import Composer
from db.projects.projects import ProjectRow
from db.readings import note_reading
from db.reads import lists
from domain.access import scope_at
from domain.base import Frozen
from domain.projects.project import ProjectStage, ProjectStatus
from domain.projects.silence import Silence
from web.frame import page
from web.session.guard import SignedInDep
from web.session.sessions import Session
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

BOARD_SIZE: Final = 90
COLUMNS: Final = (
    ProjectStatus.REGISTERING,
    ProjectStatus.HELD,
    ProjectStatus.DISPUTED,
    ProjectStatus.REFUSED,
    ProjectStatus.ACTIVE,
    ProjectStatus.SHELVED,
)
"""The columns of the board: what still needs somebody. What is over is in the list."""
_NEXT_ACTS: Final = {
    ProjectStage.ACTIVE: "update",
    ProjectStage.REFUSED: "object",
    ProjectStage.DISPUTED: "agree",
    ProjectStage.SHELVED: "resume",
}
"""The act whose form a card of one's own leads to."""


class Line(Frozen):
    """A project in the list or on the board."""

    summary: ProjectSummary
    ahead: str = ""
    """U2–U4: in how many days somebody is reminded, and the project shelved."""
    late: bool = False
    """U2: the salesperson has been reminded already."""
    next_act: str = ""
    """The last part of the address of the next act."""


@router.get("/projects")
async def projects_page(
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    status: Word = "",
    person: Word = "",
    department: Word = "",
    view: Annotated[str, Query(max_length=8)] = "",
    cursor: Cursor = None,
) -> Response:
    """The projects that the viewer may see, the newest registration first."""
    texts, now = session.texts, state.clock()
    scope = scope_at(session.person, session.viewer.organisation, now)
    people, offices = people_in(scope, session.viewer), departments_in(scope, session.viewer)
    board = chosen(view, ["board"]) is not None
    wanted = chosen(status, [known_status.value for known_status in ProjectStatus])
    statuses = frozenset({wanted} if wanted else COLUMNS if board else ProjectStatus)
    size = BOARD_SIZE if board else PAGE_SIZE
    rows = await lists.projects_seen(
        connection,
        scope,
        stages=[stage.value for stage in ProjectStage if stage.status in statuses],
        salesperson=chosen(person, [person_id for person_id, _ in people]),
        department=chosen(department, [office_id for office_id, _ in offices]),
        after=parse_cursor(cursor, "moment", "id"),
        limit=size + 1,
    )
    await note_reading(connection, session.person.id, "project", *(row.id for row in rows[:size]), through="list")
    composer = Composer(connection, state.facts, session.viewer, texts)
    found = page_of(rows, size, key=lambda row: (row.registered_at, row.id), view=lambda row: row)
    lines = [await line_of(composer, row, session, state, now) for row in found.items]
    options = tuple(
        (known_status.value, texts.text(f"project_status.{known_status}")) for known_status in ProjectStatus
    )
    return await page(
        request,
        session,
        connection,
        "subjects/projects.html.j2",
        title=texts.text("console.projects"),
        block="rows",
        board=board,
        lines=lines,
        columns=_columns(lines, session) if board else (),
        filters=(
            Filter(name="status", label=texts.text("dossier.label.status"), options=options, value=status),
            Filter(name="person", label=texts.text("page.salesperson"), options=people, value=person),
            Filter(name="department", label=texts.text("page.department"), options=offices, value=department),
        ),
        other_view=address_with(request, view=None if board else "board"),
        next_page=address_with(request, cursor=found.next_cursor) if found.next_cursor else "",
    )


async def line_of(composer: Composer, row: ProjectRow, session: Session, state: State, now: datetime) -> Line:
    """A row as a line, with what happens automatically without an update."""
    texts, zone = session.texts, state.facts.policy.zone
    ahead = await silences_of(composer, row)
    today = now.astimezone(zone).date()
    parts = []
    for due in ahead:
        days = (due.at.astimezone(zone).date() - today).days
        if due is ahead[0] and due.silence is not Silence.THREE_MONTHS:
            parts.append(texts.text("subject_list.reminded_in", count=max(days, 0)))
        if due.silence is Silence.THREE_MONTHS:
            parts.append(texts.text("subject_list.shelved_in", count=max(days, 0)))
    mine = session.person.id == row.salesperson
    return Line(
        summary=project_summary(composer, row),
        ahead=texts.join(parts),
        late=row.silences > 0 and bool(ahead),
        next_act=_NEXT_ACTS.get(row.stage, "") if mine else "",
    )


def _columns(lines: Sequence[Line], session: Session) -> list[tuple[str, list[Line]]]:
    return [
        (session.texts.text(f"project_status.{status}"), [line for line in lines if line.summary.status is status])
        for status in COLUMNS
        if any(line.summary.status is status for line in lines) or status is ProjectStatus.ACTIVE
    ]

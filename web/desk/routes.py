"""The desk: what somebody owes, what they wait for, and what happens next automatically; and one search."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from api.state import ConnectionDep, State, StateDep
from api.tasks.wording import task_key
from api.views import Composer
from db.connection.engine import AsyncConnection
from db.readings import note_reading
from db.reads import inbox as inbox_reads
from db.reads import lists
from db.tasks import tasks
from domain.access import may_register, scope_at, scope_of
from domain.base import Frozen, Moment
from domain.projects.project import ProjectStage
from domain.subject import path_of
from web.frame import page
from web.projects.lists import Line, line_of
from web.session.guard import SignedInDep
from web.session.sessions import Session
from web.tasks.inbox_rows import line_name, note_lines, subject_lines, task_rows

router = APIRouter(include_in_schema=False)

MOST_SHOWN: Final = 8
MOST_PEOPLE: Final = 20


class Awaited(Frozen):
    """Something of one's own that others have to decide."""

    address: str
    name: str
    title: str
    people: str
    due_at: Moment
    late: bool


@router.get("/")
async def desk(session: SignedInDep, state: StateDep, connection: ConnectionDep, request: Request) -> Response:
    """The desk of whoever is signed in."""
    now = state.clock()
    waiting = await inbox_reads.waiting_for(connection, session.person.id, limit=MOST_SHOWN)
    return await page(
        request,
        session,
        connection,
        "desk.html.j2",
        title=session.texts.text("console.desk"),
        owed=await task_rows(connection, session, waiting, now),
        awaited=await _awaited(connection, state, session),
        projects=await _projects(connection, state, session) if may_register(session.person) else [],
        salesperson=may_register(session.person),
    )


async def _awaited(connection: AsyncConnection, state: State, session: Session) -> list[Awaited]:
    found = await inbox_reads.open_tasks_on(connection, session.person.id, limit=MOST_SHOWN)
    asked = await tasks.asked_by(connection, [task.id for task in found])
    lines = await subject_lines(connection, session, found)
    organisation, texts = session.viewer.organisation, session.texts
    awaited = []
    for task in found:
        people = [assignee.person for assignee in asked[task.id] if assignee.removed_at is None]
        line = lines.get(task.subject_id)
        if line is None or session.person.id in people:
            continue
        awaited.append(
            Awaited(
                address=path_of(line.type, line.id),
                name=line_name(line),
                title=texts.text(task_key(task.kind, task.subject_type, "title")),
                people=texts.join([organisation.name_of(person) for person in people]),
                due_at=task.due_at,
                late=task.due_at < state.clock(),
            )
        )
    return awaited


async def _projects(connection: AsyncConnection, state: State, session: Session) -> list[Line]:
    """The person's running projects, with what happens to each without an update."""
    now = state.clock()
    rows = await lists.projects_seen(
        connection,
        scope_at(session.person, session.viewer.organisation, now),
        stages=[ProjectStage.ACTIVE.value],
        salesperson=session.person.id,
        limit=MOST_SHOWN,
    )
    await note_reading(connection, session.person.id, "project", *(row.id for row in rows), through="list")
    composer = Composer(connection, state.facts, session.viewer, session.texts)
    return [await line_of(composer, row, session, state, now) for row in rows]


@router.get("/search")
async def search(
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    q: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """Customers, projects, numbers and people that the viewer may see."""
    words, organisation = q.strip(), session.viewer.organisation
    found = (
        await inbox_reads.search(
            connection,
            scope_of(session.person, organisation),
            scope_at(session.person, organisation, state.clock()),
            words,
        )
        if words
        else ()
    )
    await note_lines(connection, session, found)
    people = [
        person
        for person in organisation.people
        if words and person.active and words.lower() in f"{person.name} {person.login}".lower()
    ]
    return await page(
        request,
        session,
        connection,
        "search.html.j2",
        title=session.texts.text("console.search_title"),
        words=words,
        found=[(path_of(line.type, line.id), line, line_name(line), organisation.name_of(line.by)) for line in found],
        people=people[:MOST_PEOPLE],
        offices={office.id: office.name for office in organisation.departments},
    )

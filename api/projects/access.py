"""Finds a project for a route, if the viewer may see it or act on it."""

from __future__ import annotations

from api.problems import Refusal
from api.state import State, Viewer
from db.connection.engine import AsyncConnection, autocommit
from db.projects.projects import ProjectRow
from db.readings import note_reading
from db.reads import detail_reads
from domain.access import scope_at
from domain.refusals import RefusalCode


async def seen_project(
    connection: AsyncConnection, state: State, viewer: Viewer, project_id: str, through: str
) -> ProjectRow:
    """The project if the viewer may see it; the reading is recorded (X2). Raises `Refusal` 404 otherwise."""
    scope = scope_at(viewer.person, viewer.organisation, state.clock())
    row = await detail_reads.project_seen(connection, scope, project_id)
    if row is None:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    await note_reading(connection, viewer.person.id, "project", row.id, through=through)
    return row


async def project_to_act_on(state: State, viewer: Viewer, project_id: str) -> ProjectRow:
    """`seen_project`, on a connection of its own, so that none is held while a process is signalled."""
    async with autocommit(state.engine) as connection:
        return await seen_project(connection, state, viewer, project_id, "api")


async def project_of_salesperson(state: State, viewer: Viewer, project_id: str, rule: str) -> ProjectRow:
    """`project_to_act_on`, for the responsible salesperson. Raises `Refusal` 403 citing `rule` for anybody else."""
    row = await project_to_act_on(state, viewer, project_id)
    if viewer.person.id != row.salesperson:
        raise Refusal(403, RefusalCode.NOT_SALESPERSON_OF_PROJECT, rule=rule)
    return row

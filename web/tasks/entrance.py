"""The way to a task for somebody who is signed in."""

from __future__ import annotations

from fastapi import Request

from api.gateway.gateway import Caller
from api.problems import Refusal
from api.state import State
from db.connection.engine import AsyncConnection, autocommit
from db.reads import gateway_reads
from db.tasks.tasks import AskedRow
from domain.refusals import RefusalCode
from web.links.opening import OpenedLink
from web.session.guard import console_caller
from web.session.sessions import Session


class InboxEntrance:
    """The way to a task for somebody who is signed in and is, or was, asked by it."""

    expires = False

    def __init__(self, state: State, request: Request, session: Session, task_id: str) -> None:
        self.state = state
        self.request = request
        self._session = session
        self._task_id = task_id

    async def asked(self, connection: AsyncConnection) -> AskedRow | None:
        holder = await gateway_reads.link_holder(connection, self._task_id, self._session.person.id)
        return holder.asked if holder else None

    def address(self, asked: AskedRow) -> str:
        return f"/inbox/{asked.task_id}"

    def caller(self, opened: OpenedLink, body: bytes) -> Caller:
        return console_caller(opened.person, self.request.url.path, body)


async def entrance_to(state: State, request: Request, session: Session, task_id: str) -> InboxEntrance:
    """The way to a task. Raises `Refusal` 404 for one that never asked this person."""
    entrance = InboxEntrance(state, request, session, task_id)
    async with autocommit(state.engine) as connection:
        if await entrance.asked(connection) is None:
            raise Refusal(404, RefusalCode.NOT_FOUND)
    return entrance

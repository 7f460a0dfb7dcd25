"""The pages of everything that people do with an application, a project or a dispute, at the address of its subject."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, Final, NamedTuple

from fastapi import APIRouter, Request, Response

from api.accounts.acts import ApplicationAct
from api.disputes.acts import DisputeAct
from api.params import SubjectId
from api.projects.acts import ProjectAct
from api.state import ConnectionDep, StateDep
from web.accounts import acts as application_acts
from web.disputes import acts as dispute_acts
from web.projects import acts as project_acts
from web.session.guard import PostedDep, SignedInDep
from web.subjects.receipts import MessageId, show_receipt

router = APIRouter(include_in_schema=False)


class ActPages(NamedTuple):
    """The acts of one kind of subject."""

    path: str
    acts: type[StrEnum]
    show: Callable[..., Awaitable[Response]]
    do: Callable[..., Awaitable[Response]]


ALL_ACTS: Final = (
    ActPages("/applications", ApplicationAct, application_acts.show_act, application_acts.do_act),
    ActPages("/projects", ProjectAct, project_acts.show_act, project_acts.do_act),
    ActPages("/projects", DisputeAct, dispute_acts.show_act, dispute_acts.do_act),
)


@router.get("/receipts/{message_id}")
async def receipt_page(
    message_id: MessageId, session: SignedInDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Response:
    """What became of a form that was stored."""
    return await show_receipt(message_id, session, state, connection, request)


def _add(pages: ActPages, act: Any) -> None:
    async def show(
        subject_id: SubjectId, session: SignedInDep, state: StateDep, connection: ConnectionDep, request: Request
    ) -> Response:
        return await pages.show(subject_id, act, session, state, connection, request)

    async def do(subject_id: SubjectId, posted: PostedDep, state: StateDep, request: Request) -> Response:
        return await pages.do(subject_id, act, posted, state, request)

    router.add_api_route(f"{pages.path}/{{subject_id}}/{act}", show)
    router.add_api_route(f"{pages.path}/{{subject_id}}/{act}", do, methods=["POST"])


for every_kind in ALL_ACTS:
    for every_act in every_kind.acts:
        _add(every_kind, every_act)

"""The page of a form that is stored and not recorded yet: it looks again until the record says what became of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request, Response

from api.gateway.receipts import refused
from api.problems import Refusal
from api.state import State
from db import messages
from db.connection.engine import AsyncConnection
from domain.refusals import RefusalCode
from domain.subject import SubjectType, path_of
from web.frame import page
from web.session.sessions import Visitor

MessageId = Annotated[str, Path(pattern=r"^[0-9a-f]{16,128}$")]


async def show_receipt(
    message_id: str, visitor: Visitor, state: State, connection: AsyncConnection, request: Request
) -> Response:
    """What became of a form that was stored. Only whoever sent it sees more than that it is stored."""
    receipt = await messages.find_receipt(connection, message_id)
    if receipt and receipt.person != visitor.person.id:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    why = ""
    if receipt and not receipt.accepted:
        kind = SubjectType.APPLICATION if receipt.workflow_id.startswith("application-") else SubjectType.PROJECT
        why = refused(receipt.result, kind).text(visitor.texts, state.facts.policy.zone)
    return await page(
        request,
        visitor,
        connection,
        "subjects/receipt.html.j2",
        title=visitor.texts.text("stored.title"),
        block="receipt",
        receipt=receipt,
        why=why,
        address=_address(receipt.workflow_id) if receipt else "",
    )


def _address(workflow_id: str) -> str:
    """The subject's page, by the id of its process."""
    kind, _, subject_id = workflow_id.partition("-")
    if kind == SubjectType.DISPUTE:  # shown on the page of its project
        kind, subject_id = SubjectType.PROJECT, subject_id.rpartition("-")[0]
    return path_of(kind, subject_id) if kind in (SubjectType.APPLICATION, SubjectType.PROJECT) else "/"

"""Receipts: the result of a message, for the caller that waits for it."""

from __future__ import annotations

from typing import Any

from activities.unit_of_work import UnitOfWork
from db import messages
from db.messages import Receipt
from domain.statements import Statement


async def give_receipt(
    uow: UnitOfWork, said: Statement, accepted: bool, result: dict[str, Any], *, settled: bool = True
) -> None:
    """Store the result of a message. Unsettled: the step that follows from it is still to be recorded."""
    await messages.give_receipt(
        uow.connection,
        Receipt(
            message_id=said.message_id,
            workflow_id=uow.workflow_id,
            person=said.person,
            body_hash=said.body_hash,
            accepted=accepted,
            result=result,
            recorded_at=uow.now,
            settled=settled,
        ),
    )


async def accept(uow: UnitOfWork, said: Statement, *, settled: bool = False, **facts: Any) -> None:
    """The receipt of an accepted statement; unsettled while a move of the process follows from it."""
    await give_receipt(uow, said, True, {"status": "accepted", **facts}, settled=settled)

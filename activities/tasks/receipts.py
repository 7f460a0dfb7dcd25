"""What became of a message, for whoever waits for it."""

from __future__ import annotations

from typing import Any

from activities.unit_of_work import Work
from db import messages
from db.messages import Receipt
from domain.statements import Statement


async def give_receipt(
    work: Work, said: Statement, accepted: bool, result: dict[str, Any], *, settled: bool = True
) -> None:
    """Say what became of a message. Unsettled: the step that follows from it is still to be recorded."""
    await messages.give_receipt(
        work.tx,
        Receipt(
            message_id=said.message_id,
            workflow_id=work.workflow_id,
            person=said.person,
            body_hash=said.body_hash,
            accepted=accepted,
            result=result,
            recorded_at=work.now,
            settled=settled,
        ),
    )


async def accept(work: Work, said: Statement, *, settled: bool = False, **facts: Any) -> None:
    """The receipt of an accepted statement; unsettled while a move of the process follows from it."""
    await give_receipt(work, said, True, {"status": "accepted", **facts}, settled=settled)

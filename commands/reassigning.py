"""Reassigns the projects and dispute sides of somebody who leaves to another salesperson, with a reason (A6)."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import RunningHomeOption, fail, on_record, operator, texts

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from db.reference_data import ReferenceData
    from domain.organisation import Organisation
    from runtime.settings import Settings

PATIENCE_SECONDS = 30.0
"""How long the command waits until the processes have recorded its statements."""
POLL_SECONDS = 0.2
RPC_TIMEOUT = timedelta(seconds=10)


def reassign(
    person: Annotated[str, typer.Argument(help="Id of the salesperson whose projects move.", metavar="FROM")],
    to: Annotated[str, typer.Argument(help="Id of the salesperson they move to.")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded and told to both.")] = "",
    home: RunningHomeOption = None,
) -> None:
    """Reassign the projects, tasks and dispute sides of somebody who leaves to another salesperson (A6)."""
    said = texts()
    if person == to:
        raise fail(said.text("command.reassign.same", person=person))
    if not reason.strip():
        raise fail(said.text("command.reassign.reason_required"))

    async def work(engine: AsyncEngine, facts: ReferenceData, settings: Settings) -> tuple[int, int]:
        from db.disputes import disputes
        from db.projects import projects

        async with engine.connect() as connection:
            organisation = await facts.organisation(connection)
            _check(organisation, person, to)
            processes = [row.workflow_id for row in await projects.open_of(connection, person)]
            processes += [row.workflow_id for row in await disputes.of_account_holder(connection, person)]
        if not processes:
            raise fail(said.text("command.reassign.nobody", **{"from": person}))
        return len(processes), await _tell(engine, settings, processes, was=person, to=to, reason=reason.strip())

    wanted, done = on_record(home, work)
    time.sleep(0.3)  # the engine client's threads may crash a process that exits at once (sdk-python #300)
    typer.echo(said.text("command.reassign.done", count=done, to=to, **{"from": person}))
    if done < wanted:
        raise fail(said.text("command.reassign.waiting", count=wanted - done))


def _check(organisation: Organisation, person: str, to: str) -> None:
    from domain.organisation import Role

    said = texts()
    if organisation.person(person) is None:
        raise fail(said.text("command.reassign.unknown", person=person))
    successor = organisation.person(to)
    if successor is None or not successor.active:
        raise fail(said.text("command.reassign.unknown", person=to))
    if Role.SALESPERSON not in successor.roles:
        raise fail(said.text("command.reassign.not_salesperson", person=to))


async def _tell(
    engine: AsyncEngine, settings: Settings, processes: Sequence[str], *, was: str, to: str, reason: str
) -> int:
    """Send the statement to the process of each project or dispute and wait until it is recorded. Returns how many
    did."""
    from temporalio.service import RPCError

    from crypto.seal import seal
    from db import messages
    from domain.statements import Reassign
    from runtime.temporal_client import connect

    try:
        client = await connect(settings)
        waiting = set()
        for workflow_id in processes:
            statement = Reassign(
                message_id=uuid.uuid4().hex,
                workflow_id=workflow_id,
                person=operator(),
                said_at=datetime.now(UTC),
                channel="command",
                was=was,
                to=to,
                reason=reason,
            )
            handle = client.get_workflow_handle(workflow_id)
            await handle.signal("reassign", seal(statement, settings.seal_keys), rpc_timeout=RPC_TIMEOUT)
            waiting.add(statement.message_id)
    except (RPCError, RuntimeError) as error:
        raise fail(texts().text("command.engine_away", why=str(error).partition("\n")[0])) from None
    done = 0
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while waiting and asyncio.get_running_loop().time() < deadline:
        for message_id in sorted(waiting):
            async with engine.connect() as connection:
                receipt = await messages.find_receipt(connection, message_id)
            if receipt:
                waiting.discard(message_id)
                done += receipt.accepted
        await asyncio.sleep(POLL_SECONDS)
    return done

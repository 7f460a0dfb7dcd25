"""Updates the schedules of reviews and reports to the policy by hand; a worker also does this when it starts."""

from __future__ import annotations

import asyncio

import typer

from commands.common import RunningHomeOption, fail, settings_for, texts


def schedules(home: RunningHomeOption = None) -> None:
    """Create or update the schedules of reviews and reports; schedules paused in the Temporal UI stay paused."""
    from temporalio.service import RPCError

    from domain.policy import load_policy
    from runtime.schedules import ensure_schedules
    from runtime.temporal_client import connect

    settings = settings_for(home)
    policy = load_policy(settings.policy_file)

    async def run() -> list[str]:
        return await ensure_schedules(await connect(settings), policy)

    try:
        lines = asyncio.run(run())
    except (RPCError, RuntimeError, OSError) as error:
        why = str(error).strip().partition("\n")[0]
        raise fail(texts().text("command.schedules_not_kept", why=why)) from None
    for line in lines:
        typer.echo(line)

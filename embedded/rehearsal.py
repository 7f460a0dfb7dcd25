"""Moves the clock of a single process forward, so that days without an answer can be rehearsed in seconds.

Uses an experimental feature of the real server, which only the one-machine mode enables (see `TemporalServer`).
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

PATIENCE = 60.0
"""Seconds to wait for the clock to reach its target."""


class NoClock(Exception):
    """The clock of this process cannot be moved: the process is unknown, or has ended."""


async def fast_forward(client: Client, workflow_id: str, duration: timedelta) -> None:
    """Let `duration` pass for one running process. What is due on the way happens, in order; it may end there.

    Only its own clock moves: the record then holds dates of the future for it, and no other process notices.
    Raises `NoClock`, and `TimeoutError` when it has not arrived after `PATIENCE`.
    """
    try:
        skipping = TimeSkipper(client).fast_forward(client.get_workflow_handle(workflow_id), duration)
        await asyncio.wait_for(skipping, PATIENCE)  # False if the process has ended on the way, which is fine
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION):
            raise NoClock(error.message) from error
        raise

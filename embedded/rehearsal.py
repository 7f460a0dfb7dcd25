"""Moving the clock of a single process forward, so that days of silence can be rehearsed in seconds.

Stands on an experimental part of the real server, which only the one-machine mode switches on (see `TemporalServer`).
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

PATIENCE = 60.0
"""Seconds until a clock that does not arrive is given up."""


class NoClock(Exception):
    """This process's clock cannot be moved: it is unknown, or over."""


async def fast_forward(client: Client, workflow_id: str, duration: timedelta) -> None:
    """Let `duration` pass for one running process. What is due on the way happens, in order; it may end there.

    Only its own clock moves: the record then holds dates of the future for it, and no other process notices.
    Raises `NoClock`, and `TimeoutError` when it has not arrived after `PATIENCE`.
    """
    try:
        skipping = TimeSkipper(client).fast_forward(client.get_workflow_handle(workflow_id), duration)
        await asyncio.wait_for(skipping, PATIENCE)  # False when the process has ended on the way: so it should
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION):
            raise NoClock(error.message) from error
        raise

"""Tells running processes that the organisation or the calendar changed, until each has been told."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from db import messages
from delivery.wake import Wake

BATCH = 50
LEASE = timedelta(seconds=30)
FACTS_CHANGED = "facts_changed"
"""The signal every process of ours understands, whatever its type."""

log = structlog.get_logger()


class NudgeDelivery:
    """Delivers nudges as signals. A nudge decides nothing, so delivering one twice does no harm."""

    def __init__(self, engine: AsyncEngine, client: Client, wake: Wake) -> None:
        self._engine = engine
        self._client = client
        self._wake = wake

    async def run(self) -> None:
        """Deliver for ever; ends by cancellation."""
        while True:
            try:
                taken = await self.deliver_due()
            except Exception as error:  # whatever it is: a dispatcher that has ended would end in silence
                log.warning("nudges unreadable", error=type(error).__name__)
                taken = 0
            if taken < BATCH:
                await self._wake.wait(messages.NUDGES)

    async def deliver_due(self) -> int:
        """One batch of nudges. Returns how many were taken."""
        async with self._engine.begin() as connection:
            due = await messages.lease_nudges(connection, BATCH, LEASE)
        for row in due:
            try:
                handle = self._client.get_workflow_handle(row.workflow_id)
                await handle.signal(FACTS_CHANGED, {"version": row.because}, rpc_timeout=timedelta(seconds=5))
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:  # over by now: nothing to tell
                    log.warning("nudge not delivered", workflow_id=row.workflow_id, error=error.status.name)
                    continue
            async with self._engine.begin() as connection:
                await messages.nudge_delivered(connection, row.id)
        return len(due)

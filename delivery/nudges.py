"""Signals running processes that the organisation or the calendar has changed, until each has received it."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from db import messages
from db.connection import channels
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
        """Deliver until cancelled."""
        while True:
            try:
                leased = await self.deliver_due()
            except Exception as error:  # any error: a dispatcher that ends here would end silently
                log.warning("nudges unreadable", error=type(error).__name__)
                leased = 0
            if leased < BATCH:
                await self._wake.wait(channels.NUDGES)

    async def deliver_due(self) -> int:
        """Deliver one batch of nudges. Returns how many were leased."""
        async with self._engine.begin() as connection:
            due = await messages.lease_nudges(connection, BATCH, LEASE)
        for nudge in due:
            try:
                handle = self._client.get_workflow_handle(nudge.workflow_id)
                await handle.signal(FACTS_CHANGED, {"version": nudge.because}, rpc_timeout=timedelta(seconds=5))
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:  # ended meanwhile: nothing to signal
                    log.warning("nudge not delivered", workflow_id=nudge.workflow_id, error=error.status.name)
                    continue
            async with self._engine.begin() as connection:
                await messages.nudge_delivered(connection, nudge.id)
        return len(due)

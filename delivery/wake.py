"""Waits for queued work: woken by a PostgreSQL notification, or by the clock in case one was lost."""

from __future__ import annotations

import asyncio

from db.connection.listen import Listener

POLL_SECONDS = 2.0


class Wake:
    """Lets a loop sleep until its channel is notified."""

    def __init__(self, listener: Listener, *channels: str) -> None:
        self._events = {channel: asyncio.Event() for channel in channels}
        for channel, event in self._events.items():
            listener.on(channel, lambda _payload, event=event: event.set())  # type: ignore[misc]

    async def wait(self, channel: str) -> None:
        """Return once `channel` was notified since the last wait, or after `POLL_SECONDS`."""
        event = self._events[channel]
        try:
            await asyncio.wait_for(event.wait(), POLL_SECONDS)
        except TimeoutError:
            return
        event.clear()

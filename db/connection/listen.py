"""LISTEN on PostgreSQL: wakes whoever waits for a change of the record. A poll covers notifications that are lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable

import asyncpg
from sqlalchemy.engine import make_url

RECONNECT_SECONDS = 1.0

Heard = Callable[[str], None]


class Listener:
    """One connection that listens on several channels and calls back; it reconnects automatically until closed."""

    def __init__(self, database_url: str) -> None:
        url = make_url(database_url)
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._callbacks: dict[str, list[Heard]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None

    def on(self, channel: str, callback: Heard) -> None:
        """Call `callback` with the payload of every notification on `channel`. Before `start`."""
        self._callbacks[channel].append(callback)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="listener")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            # Polling carries on; a log line every second would help nobody.
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._listen()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=5, server_settings={"application_name": "baobei-listen"})
        gone = asyncio.Event()
        connection.add_termination_listener(lambda _: gone.set())
        try:
            for channel in self._callbacks:
                await connection.add_listener(channel, self._heard)
            for callbacks in self._callbacks.values():
                for callback in callbacks:
                    callback("")  # whatever was sent while nobody listened
            await gone.wait()
        finally:
            connection.terminate()

    def _heard(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        for callback in self._callbacks[channel]:
            callback(str(payload))

"""Single statements, straight to the driver: what is asked with every message costs a third of what it would cost
through an `AsyncEngine` (ran)."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Any, NamedTuple, Self

import asyncpg
from pydantic_core import from_json
from sqlalchemy.engine import make_url

from db.connection.engine import PLANNED_ONCE, DatabaseUnavailable, is_away

IDLE_SECONDS = 300.0
"""A connection unused for longer is opened anew: something between here and the server may have forgotten it."""


class _Idle(NamedTuple):
    """A connection that waits to be used again."""

    connection: asyncpg.Connection
    since: float


class Direct:
    """Connections on which each statement is a transaction of its own. They are opened when first needed.

    The driver's own pool begins a task whenever one is given back, and hands everything through a proxy: together as
    much as a small statement costs (ran). Single statements leave nothing behind on a connection that had to be tidied.
    """

    def __init__(self, database_url: str, *, process: str, size: int = 10, timeout: float = 5.0) -> None:
        """`timeout` (seconds) gives up on a connection and then on a statement, because a server that hangs refuses
        nothing (X3)."""
        url = make_url(database_url).set(drivername="postgresql")
        self._url = url.render_as_string(hide_password=False)
        # Moments written down by the server itself, in JSON, are in the zone of its session.
        self._settings = {"application_name": f"baobei-{process}", "timezone": "UTC", **PLANNED_ONCE}
        self._timeout = timeout
        self._places = asyncio.Semaphore(size)
        self._open: set[asyncpg.Connection] = set()
        self._idle: list[_Idle] = []
        """The one used last is used next: few connections with warm statements, rather than many with cold ones."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in tuple(self._open):
            self._drop(connection)
        self._idle.clear()

    async def row(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        """The first row that one statement gives, with `$1`, `$2` for values. Raises `RecordAway`."""
        connection = await self._taken()
        sound = False
        try:
            row = await connection.fetchrow(sql, *values)
            sound = True
        except TimeoutError as error:
            raise DatabaseUnavailable from error
        except Exception as error:
            if is_away(error) or connection.is_closed():  # in the middle of an answer: told in any words
                raise DatabaseUnavailable from error
            sound = True
            raise
        finally:
            self._give_back(connection, sound=sound)
        return None if row is None else tuple(row)

    async def _taken(self) -> asyncpg.Connection:
        """A connection that is nobody else's until it is given back. Raises `RecordAway`."""
        await self._place()
        try:
            now = _now()
            while self._idle:
                connection, since = self._idle.pop()
                if not connection.is_closed() and now - since < IDLE_SECONDS:
                    return connection
                self._drop(connection)
            return await self._opened()
        except BaseException:
            self._places.release()
            raise

    async def _place(self) -> None:
        """Wait until one more connection may be used. Raises `RecordAway`."""
        if not self._places.locked():
            await self._places.acquire()  # at once: a timer would cost more than this
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._places.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailable from error

    async def _opened(self) -> asyncpg.Connection:
        """A new connection. Raises `RecordAway`."""
        try:
            async with asyncio.timeout(self._timeout):
                connection = await asyncpg.connect(
                    self._url,
                    timeout=self._timeout,
                    command_timeout=self._timeout,
                    server_settings=self._settings,
                )
                self._open.add(connection)
                try:
                    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=from_json)
                except BaseException:
                    self._drop(connection)
                    raise
        except Exception as error:  # whatever a driver says that loses the server while it connects: nothing was asked
            raise DatabaseUnavailable from error
        return connection

    def _give_back(self, connection: asyncpg.Connection, *, sound: bool) -> None:
        """`sound`: what was asked of it has its answer. Any other is not used again: who broke off (a time-out, a
        caller that left) may have left half an answer on it."""
        if sound and connection in self._open and not connection.is_closed():
            self._idle.append(_Idle(connection, _now()))
        else:
            self._drop(connection)
        self._places.release()

    def _drop(self, connection: asyncpg.Connection) -> None:
        self._open.discard(connection)
        if not connection.is_closed():
            connection.terminate()


def _now() -> float:
    return asyncio.get_running_loop().time()

"""Single statements, straight to the driver: what is asked with every message costs a third of what it would cost
through an `AsyncEngine` (ran)."""

from __future__ import annotations

import json
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.engine import make_url

from db.engine import PLANNED_ONCE, RecordAway, is_away


class Direct:
    """Connections on which each statement is a transaction of its own. They are opened when first needed."""

    def __init__(self, database_url: str, *, process: str, size: int = 10, timeout: float = 5.0) -> None:
        """`timeout` (seconds) gives up on a connection and then on a statement, because a server that hangs refuses
        nothing (X3)."""
        url = make_url(database_url).set(drivername="postgresql")
        self._timeout = timeout
        self._pool = asyncpg.create_pool(
            url.render_as_string(hide_password=False),
            min_size=0,
            max_size=size,
            command_timeout=timeout,
            init=_read_json,
            reset=_as_it_is,
            server_settings={"application_name": f"baobei-{process}", **PLANNED_ONCE},
        )

    async def __aenter__(self) -> Self:
        await self._pool
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.terminate()

    async def row(self, sql: str, *values: str) -> tuple[Any, ...] | None:
        """The first row that one statement gives, with `$1`, `$2` for values. Raises `RecordAway`."""
        try:
            connection = await self._pool.acquire(timeout=self._timeout)
        except Exception as error:  # whatever a driver says that loses the server while it connects: nothing was asked
            raise RecordAway from error
        try:
            row = await connection.fetchrow(sql, *values)
        except TimeoutError as error:
            with suppress(asyncpg.InterfaceError):  # lost meanwhile
                connection.terminate()  # giving it back would wait for the server once more
            raise RecordAway from error
        except Exception as error:
            if is_away(error) or _lost(connection):  # in the middle of an answer: told in any words
                raise RecordAway from error
            raise
        finally:
            # One that cannot be given back is closed by the pool; what was asked of it has its answer already.
            with suppress(Exception):
                await self._pool.release(connection)
        return None if row is None else tuple(row)


def _lost(connection: PoolConnectionProxy[asyncpg.Record]) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # so thoroughly that the pool has it back already
        return True


async def _read_json(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _as_it_is(_connection: asyncpg.Connection) -> None:
    """Single statements leave nothing behind that had to be reset, which would be a round trip each time."""

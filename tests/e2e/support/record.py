"""Questions that only the record itself answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

Rows = Sequence[Mapping[str, Any]]


class Record:
    """The database of a product, asked over one connection that is kept: to log in costs more than to ask.

    Any thread may ask. Raises what the driver raises when the database is away.
    """

    def __init__(self, url: str) -> None:
        self._url = url.replace("+asyncpg", "")
        self._runner = asyncio.Runner()
        self._turn = threading.Lock()
        self._connection: asyncpg.Connection | None = None

    def query(self, statement: str, *values: Any) -> Rows:
        with self._turn:
            return self._runner.run(self._fetch(statement, values))

    async def _fetch(self, statement: str, values: Sequence[Any]) -> Rows:
        kept = self._connection
        if kept is not None:
            try:
                return [dict(row) for row in await kept.fetch(statement, *values)]
            except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
                self._connection = None
                kept.terminate()  # its server has gone since; another may have come
        self._connection = await asyncpg.connect(self._url, timeout=5)
        return [dict(row) for row in await self._connection.fetch(statement, *values)]

    def close(self) -> None:
        with self._turn:
            if self._connection is not None:
                self._connection.terminate()
            self._runner.close()

"""Which processes run and which keys they hold: one that lacks a key that another uses must not start."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import ProgrammingError

from db import documents
from db.connection.engine import DatabaseUnavailable, autocommit, make_engine, transaction
from db.rows import read_all, values_of
from db.tables.messages import payload_key, running_process
from domain.base import Wire

SEEN_SECONDS = 15.0
"""Between two signs of life."""
ALIVE = timedelta(seconds=45)
"""A process without a sign of life for longer does not run any more."""

# Built once: building a statement costs more than sending it (measured).
_OTHERS = select(running_process).where(
    running_process.c.id != bindparam("mine"), running_process.c.seen_at > func.now() - ALIVE
)
_USE_KEY = upsert(payload_key).on_conflict_do_update(index_elements=["id"], set_={"used_until": func.now()})
_SEEN = upsert(running_process).on_conflict_do_update(index_elements=["id"], set_={"seen_at": func.now()})
_FORGET_GONE = delete(running_process).where(running_process.c.seen_at < func.now() - timedelta(days=1))
_LEFT = delete(running_process).where(running_process.c.id == bindparam("mine"))
_USED = select(payload_key.c.id, payload_key.c.used_until)
_SCHEMA = text("SELECT max(version_num) FROM alembic_version")


@functools.cache
def schema_needed() -> str:
    """The newest migration that this program brings."""
    files = Path(__file__).with_name("migrations").glob("versions/[0-9]*.py")
    return max(file.name.partition("_")[0] for file in files)


class Process(Wire):
    """A process and the ids of its keys, oldest first; the last of each ring is the one it uses."""

    id: str
    kind: str
    """api or worker."""
    payload_keys: tuple[str, ...]
    seal_keys: tuple[str, ...]

    @classmethod
    def new(cls, kind: str, *, payload_keys: tuple[str, ...], seal_keys: tuple[str, ...]) -> Self:
        return cls(id=uuid.uuid4().hex, kind=kind, payload_keys=payload_keys, seal_keys=seal_keys)


class Presence:
    """Reports to the record, as long as it is open, that a process runs."""

    def __init__(self, database_url: str, process: Process) -> None:
        self.process = process
        self._engine = make_engine(
            database_url, process="presence", pool_size=1, command_timeout=5, pool_timeout=5, planned_once=True
        )
        self._task: asyncio.Task[None] | None = None

    async def schema(self) -> str:
        """The newest migration that the database has had; empty when it has had none. Raises `DatabaseUnavailable`."""
        try:
            async with autocommit(self._engine) as connection:
                return str(await connection.scalar(_SCHEMA) or "")
        except ProgrammingError:  # there is no such table
            return ""

    async def others(self) -> tuple[Process, ...]:
        """The other processes that run. Raises `DatabaseUnavailable`."""
        async with autocommit(self._engine) as connection:
            return read_all(Process, await connection.execute(_OTHERS, {"mine": self.process.id}))

    async def payload_keys_used(self) -> dict[str, datetime]:
        """Every payload key that was ever the one in use, and until when it was. Raises
        `DatabaseUnavailable`."""
        async with autocommit(self._engine) as connection:
            return {row.id: row.used_until for row in await connection.execute(_USED)}

    async def keys_of_documents(self) -> tuple[str, ...]:
        """Payload keys that this process lacks and attached files are encrypted with. Raises
        `DatabaseUnavailable`."""
        async with autocommit(self._engine) as connection:
            return await documents.keys_beside(connection, self.process.payload_keys)

    async def __aenter__(self) -> Self:
        await self._report()
        self._task = asyncio.create_task(self._run(), name="presence")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(DatabaseUnavailable):
            async with autocommit(self._engine) as connection:
                await connection.execute(_LEFT, {"mine": self.process.id})
        await self.close()

    async def close(self) -> None:
        await self._engine.dispose()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SEEN_SECONDS)
            await self._report()

    async def _report(self) -> None:
        with contextlib.suppress(DatabaseUnavailable):  # the next sign of life says the same
            async with transaction(self._engine) as connection:
                await connection.execute(_USE_KEY, {"id": self.process.payload_keys[-1]})
                await connection.execute(_FORGET_GONE)
                await connection.execute(_SEEN, values_of(self.process, running_process))


@contextlib.asynccontextmanager
async def looking(database_url: str, process: Process) -> AsyncIterator[Presence]:
    """A presence that says nothing: to see first whether `process` may run."""
    presence = Presence(database_url, process)
    try:
        yield presence
    finally:
        await presence.close()

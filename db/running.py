"""Which processes run and which keys they hold: one that lacks a key that another uses must not start."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from db.connection.direct import Direct
from db.connection.engine import DatabaseUnavailable
from domain.base import Wire

SEEN_SECONDS = 15.0
"""Between two signs of life."""
ALIVE = "45 seconds"
"""A process without a sign of life for longer does not run any more."""

_OTHERS = f"""
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'kind', kind, 'payload_keys', payload_keys,
                                                 'seal_keys', seal_keys)), '[]')
    FROM running_process WHERE id <> $1 AND seen_at > now() - interval '{ALIVE}'"""
_SEEN = """
    WITH key AS (
        INSERT INTO payload_key (id) VALUES ($5) ON CONFLICT (id) DO UPDATE SET used_until = now()
    ), gone AS (
        DELETE FROM running_process WHERE seen_at < now() - interval '1 day'
    )
    INSERT INTO running_process (id, kind, payload_keys, seal_keys) VALUES ($1, $2, $3::text[], $4::text[])
    ON CONFLICT (id) DO UPDATE SET seen_at = now()
    RETURNING id"""
_LEFT = "DELETE FROM running_process WHERE id = $1 RETURNING id"
_USED = "SELECT coalesce(jsonb_object_agg(id, used_until), '{}') FROM payload_key"


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
    """Tells the record, as long as it is open, that a process runs."""

    def __init__(self, database_url: str, process: Process) -> None:
        self.process = process
        self._record = Direct(database_url, process="presence", size=1)
        self._task: asyncio.Task[None] | None = None

    async def schema(self) -> str:
        """The newest migration that the database has had; empty when it has had none. Raises `RecordAway`."""
        try:
            (found,) = await self._record.row("SELECT max(version_num) FROM alembic_version") or ("",)
        except asyncpg.UndefinedTableError:
            return ""
        return found or ""

    async def others(self) -> tuple[Process, ...]:
        """The other processes that run. Raises `RecordAway`."""
        (found,) = await self._record.row(_OTHERS, self.process.id) or ([],)
        return tuple(Process.model_validate(one) for one in found)

    async def payload_keys_used(self) -> dict[str, datetime]:
        """Every payload key that was ever the one in use, and until when it was. Raises `RecordAway`."""
        (found,) = await self._record.row(_USED) or ({},)
        return {key_id: datetime.fromisoformat(until) for key_id, until in found.items()}

    async def __aenter__(self) -> Self:
        await self._say()
        self._task = asyncio.create_task(self._run(), name="presence")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(DatabaseUnavailable):
            await self._record.row(_LEFT, self.process.id)
        await self.close()

    async def close(self) -> None:
        async with self._record:
            pass

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SEEN_SECONDS)
            await self._say()

    async def _say(self) -> None:
        mine = self.process
        with contextlib.suppress(DatabaseUnavailable):  # the next sign of life says the same
            await self._record.row(
                _SEEN, mine.id, mine.kind, list(mine.payload_keys), list(mine.seal_keys), mine.payload_keys[-1]
            )


@contextlib.asynccontextmanager
async def looking(database_url: str, process: Process) -> AsyncIterator[Presence]:
    """A presence that says nothing: to see first whether `process` may run."""
    presence = Presence(database_url, process)
    try:
        yield presence
    finally:
        await presence.close()

"""Removes files that nothing on record names: of uploads that were refused late, or that a crash cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from db import documents as on_record
from db.connection.engine import autocommit
from documents.store import DocumentStore

ORPHANED_AFTER: Final = timedelta(days=2)
"""How long bytes without a row are left alone: far longer than an upload takes, and long enough to restore a database
beside them."""
EVERY_SECONDS: Final = 3600.0

log = structlog.get_logger()


class DocumentSweep:
    """Sweeps the store beside the worker. Several may run: what one has removed, the others do not find."""

    def __init__(
        self, engine: AsyncEngine, store: DocumentStore, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        """Sweep now and then until cancelled."""
        while True:
            try:
                removed = await self.sweep()
                if removed:
                    log.info("documents swept", removed=removed)
            except Exception as error:  # any error: a sweep that ends here would end silently
                log.warning("documents not swept", error=type(error).__name__)
            await asyncio.sleep(EVERY_SECONDS)

    async def sweep(self) -> int:
        """Remove what was kept long ago and is not on record. Returns how many files.

        Only files of this record are looked at: two installations that share a bucket leave each other's alone.
        Raises `StoreAway`, `DatabaseUnavailable`.
        """
        before = self._clock() - ORPHANED_AFTER
        removed = await self._store.remove_staged(before)
        async with autocommit(self._engine) as connection:
            record = await on_record.name_of_record(connection)
        async for paths in self._store.kept_before(f"{record}/", before):
            async with autocommit(self._engine) as connection:
                named = await on_record.on_record(connection, paths)
            orphans = [path for path in paths if path not in named]
            if orphans:
                await self._store.remove(orphans)
                removed += len(orphans)
        return removed

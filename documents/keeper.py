"""Keeps an attached file: scanned, then its bytes, then its row with the audit event, so that nothing is half-kept."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from crypto.keyring import Keyring
from crypto.seal import seal_head
from db import audit
from db import documents as on_record
from db.connection.engine import autocommit, transaction
from db.documents import DocumentRow
from documents.scanner import Scanner
from documents.store import DocumentStore
from domain.documents.judgements import judge_number
from domain.policy import Documents

EVENT = "document_attached"
IN_RECORD = ("id", "part", "about", "name", "media_type", "size", "sha256")
"""What the event says of a document (X1): enough to prove a file offline."""

MOST_AT_ONCE = 32
"""Files that one process receives at the same time: each takes disk and some megabytes of memory."""

Content = Callable[[], AsyncIterable[bytes]]
"""Gives the bytes of a file from its beginning, as often as it is called."""


class DocumentKeeper:
    """Keeps files in `store`, and in the record that they are there.

    It is the one writer of the table `document` (decision 36). `scanner`: asked before anything is kept, if there is
    one.
    """

    def __init__(self, engine: AsyncEngine, store: DocumentStore, scanner: Scanner | None, seal_keys: Keyring) -> None:
        self.slots = asyncio.Semaphore(MOST_AT_ONCE)
        """Whoever receives a file holds one."""
        self._engine = engine
        self._store = store
        self._scanner = scanner
        self._seal_keys = seal_keys

    async def keep(self, row: DocumentRow, content: Content, limits: Documents) -> DocumentRow:
        """Keep a file; `row` without key and path, which are chosen here. Returns the row on record: the earlier one
        when there is one with its id.

        Raises `Refused` when the subject has too many, `Infected`, `ScannerAway`, `StoreAway`, `DatabaseUnavailable`:
        nothing is on record then. Bytes that were kept by then are swept.
        """
        async with autocommit(self._engine) as connection:
            record = await on_record.name_of_record(connection)
        if self._scanner:
            await self._scanner.check(content())
        # A path of this attempt alone: what is swept because no row names it can never be named by one later.
        kept = row.model_copy(
            update={"key_id": self._store.key_id, "path": f"{record}/{row.id[:2]}/{row.id}-{secrets.token_hex(8)}"}
        )
        await self._store.keep(kept.path, kept.id, content())
        async with transaction(self._engine) as connection:
            attached = await on_record.count_locked(connection, kept.subject_id)
            if earlier := await on_record.find(connection, kept.id):
                return earlier
            judge_number(attached, limits)
            await on_record.add(connection, kept)
            event = audit.Event(
                event=EVENT,
                at=kept.uploaded_at,
                actor=kept.person,
                subject_id=kept.subject_id,
                body=kept.model_dump(mode="json", include=set(IN_RECORD), exclude_none=True),
            )
            await audit.append(connection, [event], lambda seq, digest: seal_head(seq, digest, self._seal_keys))
        return kept

    async def read(self, row: DocumentRow) -> AsyncIterator[bytes]:
        """The content of a document, from its first piece on. Raises `StoreAway`, `UnknownKey`."""
        pieces = self._store.read(row.path, row.id)
        first = await anext(pieces)  # there is one, if only an empty one

        async def all_pieces() -> AsyncIterator[bytes]:
            yield first
            async for piece in pieces:
                yield piece

        return all_pieces()

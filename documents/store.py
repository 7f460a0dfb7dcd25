"""Where attached files are kept: a folder, or a bucket of S3 and the like, always encrypted."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from crypto.documents import DamagedDocument, decrypted, encrypted
from crypto.keyring import Keyring
from documents.errors import StoreAway

CHUNK: Final = 5 * 1024 * 1024
"""Bytes in one request to a bucket; S3 accepts no smaller part but the last."""
SECONDS: Final = 60.0
"""How long keeping a file may take, and each chunk of reading one."""
_STAGED: Final = "*#[0-9]*"
"""How files are called in a folder until they are complete. A list of the store leaves them out."""


class DocumentStore:
    """A store at `url`, opened when it is first used. Content is encrypted with `keyring`."""

    def __init__(self, url: str, keyring: Keyring) -> None:
        self._url = url
        self._keyring = keyring
        self._opened: ObjectStore | None = None

    @property
    def key_id(self) -> str:
        """The key that new files are encrypted with."""
        return self._keyring.newest[0]

    async def keep(self, path: str, document_id: str, content: AsyncIterable[bytes]) -> None:
        """Keep `content` under `path`: whole or not at all. Raises `StoreAway`, and what `content` raises."""
        with _away_reported():
            async with asyncio.timeout(SECONDS):
                sealed = encrypted(self._keyring, document_id, content)
                store = self._store()
                await obstore.put_async(store, path, sealed, chunk_size=CHUNK, max_concurrency=1)
                if isinstance(store, LocalStore) and store.prefix is not None:
                    await asyncio.to_thread(_to_disk, Path(store.prefix) / path)

    async def read(self, path: str, document_id: str) -> AsyncIterator[bytes]:
        """The content kept under `path`, piece by piece.

        Raises `StoreAway` when it cannot be read or is not what was kept, `UnknownKey` when its key is missing.
        """
        with _away_reported():
            async with asyncio.timeout(SECONDS):
                found = await obstore.get_async(self._store(), path)
        try:
            async for piece in decrypted(
                self._keyring, document_id, _chunks(found.stream(min_chunk_size=1024 * 1024).__aiter__())
            ):
                yield piece
        except DamagedDocument as error:
            raise StoreAway(str(error)) from error

    async def kept_before(self, prefix: str, moment: datetime) -> AsyncIterator[list[str]]:
        """The paths below `prefix` of files kept before `moment`, batch by batch. Raises `StoreAway`."""
        with _away_reported():
            async for batch in obstore.list(self._store(), prefix=prefix, chunk_size=500):
                yield [found["path"] for found in batch if found["last_modified"] < moment]

    async def remove(self, paths: list[str]) -> None:
        """Remove files. Raises `StoreAway`."""
        with _away_reported():
            await obstore.delete_async(self._store(), paths)

    async def remove_staged(self, moment: datetime) -> int:
        """Remove what processes that were killed left half-written in a folder before `moment`; returns how many.

        A bucket does that itself, by a rule for unfinished uploads.
        """
        store = self._store()
        if not isinstance(store, LocalStore) or store.prefix is None:
            return 0
        with _away_reported():
            return await asyncio.to_thread(_remove_staged, Path(store.prefix), moment.timestamp())

    def _store(self) -> ObjectStore:
        if self._opened is None:
            with _away_reported():
                if self._url.startswith("file:"):
                    self._opened = LocalStore.from_url(self._url, mkdir=True)
                else:
                    self._opened = from_url(
                        self._url,
                        client_options={"connect_timeout": "5s", "timeout": "30s"},
                        retry_config={"max_retries": 2},
                    )
        return self._opened


async def _chunks(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        with _away_reported():
            async with asyncio.timeout(SECONDS):
                try:
                    chunk = await anext(stream)
                except StopAsyncIteration:
                    return
        yield bytes(chunk)


def _to_disk(file: Path) -> None:
    """Outlive a power failure: the row that names the file will."""
    for path in (file, file.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_staged(folder: Path, before: float) -> int:
    left = [path for path in folder.rglob(_STAGED) if path.is_file() and path.stat().st_mtime < before]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


@contextlib.contextmanager
def _away_reported() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError, TimeoutError) as error:
        raise StoreAway(type(error).__name__) from error

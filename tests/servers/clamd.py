"""A virus scanner that speaks ClamAV's protocol: it finds one signature, and does what a test wants of it otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import StrEnum

from tests.documents import EICAR_LIKE


class Mood(StrEnum):
    SCANS = "scans"
    HANGS_UP = "hangs up"
    """In the middle of a file."""
    LIMITS = "limits"
    """Says that the file is too large for it."""


class Clamd:
    """Listens on a free port."""

    def __init__(self) -> None:
        self.address = ""
        self.mood = Mood.SCANS
        self.scanned: list[bytes] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
            content = b""
            while length := int.from_bytes(await reader.readexactly(4), "big"):
                content += await reader.readexactly(length)
                if self.mood is Mood.HANGS_UP:
                    break
            else:
                self.scanned.append(content)
                writer.write(self._answer(content))
                await writer.drain()
        writer.close()

    def _answer(self, content: bytes) -> bytes:
        if self.mood is Mood.LIMITS:
            return b"INSTREAM size limit exceeded. ERROR\0"
        return b"stream: Baobei.Test FOUND\0" if EICAR_LIKE in content else b"stream: OK\0"

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Clamd]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield self

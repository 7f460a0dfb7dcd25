"""Asks a virus scanner: ClamAV's daemon, by its own protocol (INSTREAM) over a socket."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterable
from typing import Final

from documents.errors import Infected, ScannerAway

SECONDS: Final = 60.0
"""How long a scan may take, connection included."""
LONGEST_ANSWER: Final = 4096


class Scanner:
    """A scanner at `address`: the path of a Unix socket, or `host:port`."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def check(self, content: AsyncIterable[bytes]) -> None:
        """Returns when nothing was found. Raises `Infected`; `ScannerAway` when it cannot be asked or cannot tell."""
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._ask(content)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise ScannerAway(type(error).__name__) from error
        if answer.endswith(" FOUND"):
            raise Infected(answer.removeprefix("stream: ").removesuffix(" FOUND"))
        if answer != "stream: OK":
            raise ScannerAway(answer)

    async def _ask(self, content: AsyncIterable[bytes]) -> str:
        if self._address.startswith("/"):
            reader, writer = await asyncio.open_unix_connection(self._address, limit=LONGEST_ANSWER)
        else:
            host, _, port = self._address.rpartition(":")
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), limit=LONGEST_ANSWER)
        try:
            writer.write(b"zINSTREAM\0")
            async for piece in content:
                if piece:  # an empty piece ends the stream
                    writer.write(struct.pack(">I", len(piece)) + piece)
                    await writer.drain()
            writer.write(struct.pack(">I", 0))
            await writer.drain()
            return (await reader.readuntil(b"\0"))[:-1].decode("utf-8", "replace").strip()
        finally:
            writer.close()

"""A caller's keep-alive HTTP connection; plain asyncio, so that the client costs little compared to what it
measures."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self


class Reply(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]
    """By their names in lower case."""
    size: int
    """Bytes on the wire: status line, headers and body, as the server has encoded it."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Lane:
    """Sends one request at a time; reconnects if the server has closed the connection."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    async def get(self, path: str, token: str = "", accept: str = "application/json") -> Reply:
        return await self._send("GET", path, token, b"", [f"Accept: {accept}"])

    async def post(self, path: str, token: str, body: Any) -> Reply:
        content = json.dumps(body, ensure_ascii=False).encode()
        more = ["Content-Type: application/json", f"Idempotency-Key: {uuid.uuid4().hex}"]
        return await self._send("POST", path, token, content, more)

    async def _send(self, method: str, path: str, token: str, body: bytes, more: list[str]) -> Reply:
        head = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}", f"Content-Length: {len(body)}", *more]
        if token:
            head.append(f"Authorization: Bearer {token}")
        request = "\r\n".join([*head, "", ""]).encode() + body
        fresh = self._writer is None
        try:
            return await self._exchange(request)
        except (ConnectionError, asyncio.IncompleteReadError):
            self._writer = None
            if fresh:
                raise
            return await self._exchange(request)  # a keep-alive connection may have been closed meanwhile

    async def _exchange(self, request: bytes) -> Reply:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        assert self._reader is not None
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if "content-length" in headers:
            body = await self._reader.readexactly(int(headers["content-length"]))
            framing = 0
        else:
            body, framing, size = b"", 0, 1
            while size:
                line = await self._reader.readline()
                size = int(line, 16)
                body += await self._reader.readexactly(size)
                framing += len(line) + len(await self._reader.readexactly(2))
        if headers.get("connection", "").lower() == "close":
            self._writer.close()
            self._writer = None
        return Reply(int(lines[0].split()[1]), body, headers, len(head) + len(body) + framing)

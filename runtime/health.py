"""The worker's small HTTP face: is it alive, is it ready, its figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from prometheus_client import generate_latest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from runtime.settings import Settings

REQUEST_SECONDS = 5.0


class HealthServer:
    """Answers GET /healthz, /readyz and /metrics on the worker's health port, on loopback and in containers."""

    def __init__(self, settings: Settings, client: Client, worker: Worker, standing: Callable[[], int]) -> None:
        """`standing`: how many steps have not got done for more than a minute."""
        self._port = settings.worker_health_port
        self._client = client
        self._worker = worker
        self._standing = standing
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> HealthServer:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await asyncio.wait_for(reader.readline(), REQUEST_SECONDS)
            path = ([*request.decode("latin-1").split(" "), "", ""])[1]
            status, body = await self._reply(path)
            head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        except (OSError, ValueError):  # ValueError: a line without end
            pass
        finally:
            writer.close()

    async def _reply(self, path: str) -> tuple[str, bytes]:
        if path == "/healthz":
            return "200 OK", b"ok\n"
        if path == "/metrics":
            return "200 OK", generate_latest()
        if path == "/readyz":
            try:
                ready = self._worker.is_running and await self._client.service_client.check_health()
            except RPCError:
                ready = False
            if not ready:
                return "503 Service Unavailable", b"engine away\n"
            if standing := self._standing():
                return "503 Service Unavailable", f"{standing} steps have not got done for a minute\n".encode()
            return "200 OK", b"ready\n"
        return "404 Not Found", b"not found\n"

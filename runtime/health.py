"""The worker's HTTP endpoints for operators: liveness, readiness and metrics."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from types import TracebackType

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from runtime.settings import Settings


class _Server(uvicorn.Server):
    """An uvicorn server that leaves SIGTERM and SIGINT to the worker."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()


class HealthServer:
    """Serves GET /healthz, /readyz and /metrics where `worker_health_host` and `worker_health_port` say."""

    def __init__(self, settings: Settings, client: Client, worker: Worker, standing: Callable[[], int]) -> None:
        """`standing`: how many steps have not been done for more than a minute."""
        self._address = (settings.worker_health_host, settings.worker_health_port)
        self._client = client
        self._worker = worker
        self._standing = standing
        self.app = Starlette(
            routes=[
                Route("/healthz", self._alive),
                Route("/readyz", self._ready),
                Route("/metrics", self._metrics),
            ]
        )
        config = uvicorn.Config(
            self.app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> HealthServer:
        """Raises OSError when the address cannot be listened on; uvicorn alone would end the process."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        listening = socket.create_server(self._address, family=family)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving

    async def _alive(self, _: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    async def _ready(self, _: Request) -> PlainTextResponse:
        try:
            ready = self._worker.is_running and await self._client.service_client.check_health()
        except RPCError:
            ready = False
        if not ready:
            return PlainTextResponse("engine away\n", 503)
        if standing := self._standing():
            return PlainTextResponse(f"{standing} steps have not got done for a minute\n", 503)
        return PlainTextResponse("ready\n")

    async def _metrics(self, _: Request) -> PlainTextResponse:
        return PlainTextResponse(generate_latest(), media_type=CONTENT_TYPE_LATEST)

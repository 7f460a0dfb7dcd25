"""The worker's health and metrics over HTTP: where it listens, and what it answers there."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from runtime.health import HealthServer
from runtime.settings import Settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def health_server(port: int, host: str | None = None) -> HealthServer:
    async def healthy() -> bool:
        return True

    client: Any = SimpleNamespace(service_client=SimpleNamespace(check_health=healthy))
    worker: Any = SimpleNamespace(is_running=True)
    where: dict[str, Any] = {"worker_health_port": port} | ({"worker_health_host": host} if host else {})
    return HealthServer(Settings(embedded=True, **where), client, worker, lambda: 0)


async def test_the_worker_listens_where_its_settings_say() -> None:
    """In a container it must be reachable from outside; 127.0.0.2 stands for an address other than 127.0.0.1."""
    port = free_port()
    async with health_server(port, "0.0.0.0"), httpx.AsyncClient(base_url=f"http://127.0.0.2:{port}") as scraper:
        for path, start in {"/healthz": "ok\n", "/readyz": "ready\n", "/metrics": "# HELP"}.items():
            answer = await scraper.get(path)
            assert answer.status_code == 200
            assert answer.text.startswith(start)
            assert answer.headers["content-type"].startswith("text/plain")
            assert "server" not in answer.headers  # as at the API: what serves it is nobody's business
        assert (await scraper.get("/other")).status_code == 404


async def test_on_one_machine_the_worker_listens_on_loopback_only() -> None:
    port = free_port()
    async with health_server(port), httpx.AsyncClient() as scraper:
        assert (await scraper.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
        with pytest.raises(httpx.ConnectError):
            await scraper.get(f"http://127.0.0.2:{port}/healthz")


async def test_a_port_that_is_taken_is_an_error_and_a_stopped_server_frees_it() -> None:
    port = free_port()
    async with health_server(port):
        with pytest.raises(OSError, match="in use"):
            async with health_server(port):
                pass
    async with health_server(port):
        pass

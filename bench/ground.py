"""The servers of the bench: one PostgreSQL, one Temporal, one mail sink, one API; workers are started as needed."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from bench.instruments.meter import Meter
from db.connection.engine import make_engine
from db.connection.migrate import upgrade
from db.reference_data import import_organisation
from domain.organisation import Organisation, Person, Role
from embedded import welcome
from embedded.demo.driver import Portal, Web
from embedded.home import Home, environment
from embedded.processes.ports import HOST, Ports, free_row
from embedded.processes.processes import Command
from embedded.servers import parts
from embedded.servers.mailsink import MailSinkService
from embedded.servers.postgres import PostgresServer
from embedded.servers.service import Service, project_root
from embedded.servers.temporal import TemporalServer

CLERK = "gao.yuan"
COMMERCE_MANAGER = "lin.xia"
VPS = ("li.ming", "wang.fang")
GENERAL_MANAGER = "zhang.wei"
SALESPEOPLE = 400
ACCOUNTS_EACH = 4
"""Number of applications of one salesperson that become accounts; the fifth is the last below the limit (N8)."""


def words(length: int) -> str:
    """A random Chinese name that resembles no other. Numbered names would resemble each other, and each would be
    compared with all before it (N3, P4)."""
    return "".join(chr(random.randrange(0x4E00, 0x9FA6)) for _ in range(length))


def company(salespeople: int = SALESPEOPLE) -> Organisation:
    """The sample company with a few hundred salespeople, so that nobody reaches the account limit."""
    sample = welcome.sample_organisation()
    model = sample.person("yang.fan")
    assert model is not None
    offices = sample.departments
    hired = tuple(
        Person.model_validate(
            model.model_dump()
            | {
                "id": f"sales{number:04}",
                "login": f"sales{number:04}",
                "email": f"sales{number:04}@example.com",
                "name": f"销售{number:04}",
                "roles": frozenset({Role.SALESPERSON}),
                "department": offices[number % len(offices)].id,
                "reports_to": offices[number % len(offices)].gm,
            }
        )
        for number in range(salespeople)
    )
    # Not a copy of the sample: that keeps what the sample was asked before, which knows none of the hired.
    return Organisation.model_validate(sample.model_dump() | {"people": (*sample.people, *hired)})


class BareWorker(Service):
    """The worker of the reference as a separate process."""

    name = "bare"
    title = "bare worker"

    def __init__(self, home: Path, engine: str, *, sandbox: bool, port: int) -> None:
        super().__init__(home)
        self.queue = f"bare-{'sandbox' if sandbox else 'plain'}"
        self._argv = ("-m", "bench.bare", engine, self.queue, "on" if sandbox else "off", str(port))
        self._ready = self.home / "bare.ready"

    @property
    def address(self) -> str:
        return self.queue

    @property
    def listens(self) -> tuple[tuple[str, int], ...]:
        return ()

    async def prepare(self) -> None:
        await super().prepare()
        self._ready.unlink(missing_ok=True)

    def command(self) -> Command:
        env = {"PYTHONDONTWRITEBYTECODE": ""}  # like the product's
        return Command(argv=(sys.executable, *self._argv, str(self._ready)), cwd=project_root(), env=env)

    async def ready(self) -> bool:
        return self._ready.exists()


class Ground:
    """The servers shared by both arms.

    Args:
        durable: the engine keeps its data in a file, as the product's one-machine mode does; else in memory.
        source: the folder whose product is measured; ours when left out.
    """

    def __init__(self, *, durable: bool, source: Path | None = None) -> None:
        self.durable = durable
        self._source = source
        # Not below the caller's own folders: as root, PostgreSQL runs as another user.
        self.home = Home(Path(tempfile.mkdtemp(prefix="baobei-bench-")))
        self.folder = self.home.path
        self.ports = Ports.from_first(free_row(10))
        kept = self.home.secrets()
        self.home.ensure_dev_key()
        self.postgres = PostgresServer(
            self.folder,
            self.ports.postgres,
            password=kept.postgres_password,
            admin_password=kept.postgres_admin_password,
        )
        self.temporal = TemporalServer(
            self.folder, self.ports.temporal, metrics_port=self.ports.temporal_metrics, durable=durable
        )
        self.mailsink = MailSinkService(self.folder, self.ports.smtp)
        self.environment = environment(self.folder, self.ports, kept, self.postgres.url())
        self.api = parts.api(self.folder, self.ports.api, self.environment, source)
        self.portal = Portal(Web(self.environment["BAOBEI_PUBLIC_URL"]))
        self.sample: dict[str, Any] = json.loads(welcome.FORM_FILE.read_text(encoding="utf-8"))
        self._one_at_a_time = asyncio.Lock()
        self._record: asyncpg.Connection | None = None
        self._client: Client | None = None

    async def open(self) -> None:
        try:
            for service in (self.postgres, self.mailsink, self.temporal):
                await service.start()
            await upgrade(self.postgres.url())
            engine = make_engine(self.postgres.url(), process="bench", pool_size=1)
            async with engine.begin() as connection:
                await import_organisation(connection, company(), now=datetime.now(UTC), by="bench")
            await engine.dispose()
            await self.api.start()
            self._record = await asyncpg.connect(self.postgres.url().replace("+asyncpg", ""))
            self._client = await Client.connect(self.temporal.address, data_converter=pydantic_data_converter)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._record is not None:
            await self._record.close()
        for service in (self.api, self.mailsink, self.temporal, self.postgres):
            await service.stop(grace=5)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def client(self) -> Client:
        """A client of the engine for the reference: unencrypted."""
        assert self._client is not None
        return self._client

    async def query(self, statement: str, *values: Any) -> Sequence[Any]:
        assert self._record is not None
        async with self._one_at_a_time:
            rows: Sequence[Any] = await self._record.fetch(statement, *values)
        return rows

    async def count(self, statement: str, *values: Any) -> int:
        return int((await self.query(statement, *values))[0][0])

    def worker(self, *, sandbox: bool, number: int = 1) -> Service:
        """A worker of the product; `number` distinguishes concurrent ones."""
        port = self.ports.worker_health if number == 1 else self.ports.api + 7 + number
        switched = self.environment | {
            "BAOBEI_WORKFLOW_SANDBOX": "true" if sandbox else "false",
            "BAOBEI_WORKER_HEALTH_PORT": str(port),
        }
        service = parts.worker(self.folder, port, switched, self._source)
        service.name = f"worker-{number}"
        return service

    def bare_worker(self, *, sandbox: bool, port: int) -> BareWorker:
        return BareWorker(self.folder, self.temporal.address, sandbox=sandbox, port=port)

    def meter(self, parts_in: dict[str, Service], *, client: int) -> Meter:
        """A meter for `parts_in` and the `client`; our other processes are known but not reported."""
        ours = {"postgres": self.postgres, "temporal": self.temporal, "mailsink": self.mailsink, "api": self.api}
        pids = {name: service.child.pid for name, service in parts_in.items() if service.child}
        rest = {name: service.child.pid for name, service in ours.items() if service.child and name not in pids}
        # The client's children are the parts, so it is measured without them.
        return Meter(pids, rest).beside("client", client)


__all__ = ["CLERK", "COMMERCE_MANAGER", "GENERAL_MANAGER", "HOST", "VPS", "BareWorker", "Ground", "words"]

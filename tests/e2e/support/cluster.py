"""Nothing embedded: two APIs and two workers as processes of their own, told by addresses where everything else is."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from embedded.demo.driver import Answer, PageLink, Web, until
from embedded.mails import read_mails
from embedded.processes.ports import HOST, free_row
from embedded.servers.mailsink import MailSinkService
from embedded.servers.postgres import PostgresServer
from embedded.servers.temporal import TemporalServer
from tests.e2e.support.record import Record, Rows
from tests.e2e.support.stack import ROOT, PatientPortal
from tests.servers.issuer import AUDIENCE, NAME, Issuer, SigningKey


def keys() -> str:
    return f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"


class TwoDoors(Web):
    """Every call goes to the other API."""

    def __init__(self, doors: list[Web]) -> None:
        super().__init__(doors[0].url)
        self.doors = doors
        self._turns = itertools.cycle(doors)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return next(self._turns).request(method, path, body, headers)


class SignedIn(PatientPortal):
    """The portal of a company with a sign-in service of its own."""

    def __init__(self, web: Web, issuer: Issuer) -> None:
        super().__init__(web)
        self.issuer = issuer

    def token(self, person: str) -> str:
        return self.issuer.keys[-1].token(person)


class Cluster:
    """Servers started one by one, and our own processes beside them."""

    def __init__(self, issuer: Issuer) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="baobei-cluster-"))
        self.issuer = issuer
        first = free_row(9)
        self.postgres = PostgresServer(
            self.folder / "database", first, password=secrets.token_urlsafe(24), durable=False
        )
        self._record = Record(self.postgres.url())
        self.temporal = TemporalServer(self.folder / "engine", first + 1, durable=False)
        self.mailsink = MailSinkService(self.folder / "mail", first + 2)
        self.api_ports, self.worker_ports = (first + 3, first + 4), (first + 5, first + 6)
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("BAOBEI_", "TEMPORAL_"))
        } | {
            "BAOBEI_DATABASE_URL": self.postgres.url(),
            "BAOBEI_PUBLIC_URL": f"http://{HOST}:{first + 3}",
            "BAOBEI_SMTP_HOST": HOST,
            "BAOBEI_SMTP_PORT": str(first + 2),
            "BAOBEI_SMTP_SECURITY": "none",
            "BAOBEI_MAIL_FROM": "baobei@corp.example",
            "BAOBEI_SEAL_KEYS": keys(),
            "BAOBEI_LINK_KEYS": keys(),
            "BAOBEI_PAYLOAD_KEYS": keys(),
            "BAOBEI_OIDC_ISSUER": NAME,
            "BAOBEI_OIDC_AUDIENCE": AUDIENCE,
            "BAOBEI_OIDC_JWKS_URL": issuer.jwks_url,
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": "default",
        }
        self.doors = [Web(f"http://{HOST}:{port}") for port in self.api_ports]
        self.portal = SignedIn(TwoDoors(self.doors), issuer)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.apis: list[subprocess.Popen[bytes]] = []

    def spawn(self, *words: str, **changed: str) -> subprocess.Popen[bytes]:
        with (self.folder / "processes.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *words], cwd=ROOT, env=self.environment | changed, stdout=log, stderr=log
            )

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "cli.py", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def worker(self, number: int) -> subprocess.Popen[bytes]:
        """A new process in the place of the worker `number`."""
        return self.spawn("worker.py", BAOBEI_WORKER_HEALTH_PORT=str(self.worker_ports[number]))

    def api(self, number: int) -> subprocess.Popen[bytes]:
        """A new process in the place of the API `number`."""
        return self.spawn("cli.py", "api", BAOBEI_API_PORT=str(self.api_ports[number]))

    def query(self, statement: str, *values: Any) -> Rows:
        """What only the record itself shows."""
        return self._record.query(statement, *values)

    def open(self) -> None:
        for words in (("migrate",), ("org", "import", "embedded/sample/org.toml")):
            done = self.cli(*words)
            assert done.returncode == 0, done.stdout + done.stderr
        self.workers += [self.worker(number) for number in (0, 1)]
        self.apis += [self.api(number) for number in (0, 1)]
        self.ready()

    def ready(self) -> None:
        """Wait until both APIs and both workers serve."""
        ports = (*self.api_ports, *self.worker_ports)
        until("two APIs and two workers are ready", lambda: all(self.serves(port) for port in ports), 180)

    def serves(self, port: int) -> bool:
        """Whether the API or worker on this port says that it is ready."""
        with suppress(OSError):
            return Web(f"http://{HOST}:{port}").request("GET", "/readyz").status == 200
        return False

    def close(self) -> None:
        self._record.close()
        for process in (*self.apis, *self.workers):
            process.terminate()
        for process in (*self.apis, *self.workers):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def link(self, person: str, application_id: str) -> PageLink:
        """The page behind the mail that `person` got about an application."""

        def there() -> str | None:
            mails = read_mails(self.mailsink.mails, f"{person}@example.com")
            links = (link for mail in mails if application_id in mail.text for link in mail.links if "/d/" in link)
            return next(links, None)

        return PageLink(self.portal.web, until(f"a mail to {person}", there))


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Everything started, and stopped afterwards; the folder goes when all went well."""
    with Issuer(SigningKey("RS256")) as issuer, asyncio.Runner() as runner:
        made = Cluster(issuer)
        services = (made.postgres, made.temporal, made.mailsink)

        async def start() -> None:
            await asyncio.gather(*(service.start() for service in services))

        async def stop() -> None:
            await asyncio.gather(*(service.stop(grace=5) for service in services))

        try:
            runner.run(start())
            made.open()
            yield made
        finally:
            made.close()
            runner.run(stop())
    shutil.rmtree(made.folder, ignore_errors=True)

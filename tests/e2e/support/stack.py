"""The whole product on this machine for tests: its real processes, each of which can be stopped and started alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, ScheduleBackfill, ScheduleOverlapPolicy
from typer.testing import CliRunner, Result

from cli import app
from crypto.keyring import Keyring
from db.connection.migrate import upgrade
from domain.policy import DEFAULT_POLICY_FILE, load_policy
from domain.reviews.periods import Period, Rhythm
from embedded import welcome
from embedded.demo.driver import Answer, Mailbox, Portal, Web, application_form, until
from embedded.home import Home, environment
from embedded.processes.ports import Ports, free_row
from embedded.servers import parts
from embedded.servers.mailsink import MailSinkService
from embedded.servers.postgres import PostgresServer
from embedded.servers.service import Service
from embedded.servers.temporal import TemporalServer
from runtime.schedules import schedule_id
from tests.e2e.support.names import company_name
from tests.e2e.support.record import Record, Rows
from tests.periods import half_a_day_away, last_opened
from tests.samples import application_body

ROOT = Path(__file__).parents[3]
COUNTED = (
    *("application", "application_round", "evidence", "party", "account", "claim", "task", "task_person", "decision"),
    *("receipt", "step", "audit", "mail", "nudge", "idempotency_key"),
)
"""Every table that a message of a caller may change. Reading alone fills `reading`."""


def write_policy(file: Path, **reviews: str) -> None:
    """The shipped policy with other values of `[reviews]`, each as TOML writes it."""
    lines = DEFAULT_POLICY_FILE.read_text(encoding="utf-8").splitlines()
    for name, value in reviews.items():
        (number,) = [place for place, line in enumerate(lines) if line.startswith(f"{name} = ")]
        lines[number] = f"{name} = {value}"
    file.write_text("\n".join(lines), encoding="utf-8")


def new_form(customer: str | None = None, **changes: Any) -> dict[str, Any]:
    """A complete application for a customer that no other test has; `changes` replace whole parts of the form."""
    return application_form(application_body(), customer or company_name()) | changes


async def set_up(folder: Path) -> None:
    """Make `folder` a home as it is after its first start: secrets, the record with the sample company, the engine's
    database. Every `Stack` begins with a copy, which takes a tenth of the time. Nothing is left running.
    """
    home, ports = Home(folder), Ports.from_first(free_row())
    kept = home.secrets()
    home.ensure_dev_key()
    postgres = PostgresServer(folder, ports.postgres, password=kept.postgres_password, durable=False)

    async def record() -> None:
        async with postgres:
            await upgrade(postgres.url())
            await welcome.import_sample_once(postgres.url(), Keyring.parse(kept.seal_keys))

    async def engine() -> None:
        async with TemporalServer(folder, ports.temporal):
            pass

    await asyncio.gather(record(), engine())
    for left in ("run", "logs"):
        shutil.rmtree(folder / left)


class PatientPortal(Portal):
    """Whoever is told that it is stored asks again under the same key until they are told what became of it (X3).

    The front door waits two seconds for that; on a machine busy with others it may take longer.
    """

    def call(
        self,
        person: str | None,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        once = super().call
        same = key or uuid.uuid4().hex

        def told() -> Answer | None:
            got = once(person, method, path, body, key=same, headers=headers)
            return got if got.status != 202 else None

        return until(f"an answer to {method} {path}", told)


class Stack:
    """PostgreSQL, Temporal, mail sink, worker and API as processes of their own, on a copy of the home `first`.

    `temporal` names the address of another engine to use instead of a server of its own; with `rehearsal` the clock of
    a single process can be moved. The company's periods end half a day away from now (`tests/periods.py`).
    """

    def __init__(self, first: Path, *, temporal: str | None = None, rehearsal: bool = False) -> None:
        # Not pytest's own folder: PostgreSQL is another user when we are root, and that one is closed to others.
        self.folder = Path(tempfile.mkdtemp(prefix="baobei-e2e-"))
        # By `cp`, because Python's own copies belong to us.
        subprocess.run(["cp", "-a", f"{first}/.", str(self.folder)], check=True)
        self.home = Home(self.folder)
        self.ports = Ports.from_first(free_row())
        kept = self.home.secrets()
        self.postgres = PostgresServer(self.folder, self.ports.postgres, password=kept.postgres_password, durable=False)
        self.environment = environment(self.folder, self.ports, kept, self.postgres.url(), rehearsal=rehearsal)
        if temporal:
            self.environment["TEMPORAL_ADDRESS"] = temporal
        self.policy_file = self.folder / "policy.toml"
        reviews = half_a_day_away(datetime.now(UTC), load_policy())
        write_policy(self.policy_file, send_at=reviews["send_at"].isoformat(), working_days_only="false")
        self.environment["BAOBEI_POLICY_FILE"] = str(self.policy_file)
        self.home.write_environment(self.environment)
        self.worker = parts.worker(self.folder, self.ports.worker_health, self.environment)
        self.api = parts.api(self.folder, self.ports.api, self.environment)
        self.mailsink = MailSinkService(self.folder, self.ports.smtp)
        own = TemporalServer(self.folder, self.ports.temporal, rehearsal=rehearsal)
        self.temporal = own if temporal is None else None
        self._record = Record(self.postgres.url())
        self._runner = asyncio.Runner()
        self.web = Web(self.environment["BAOBEI_PUBLIC_URL"])
        self.portal = PatientPortal(self.web)
        self.mailbox = Mailbox(self.web)

    def open(self) -> None:
        """Start everything. Leaves nothing running when that fails."""
        try:
            self._runner.run(self._open())
        except BaseException:
            self.close()
            raise

    async def _open(self) -> None:
        below: list[Service] = [self.postgres, self.mailsink, *([self.temporal] if self.temporal else [])]
        await asyncio.gather(*(service.start() for service in below))
        await asyncio.gather(self.worker.start(), self.api.start())

    def close(self) -> None:
        """Stop everything at once: nothing of it is used again."""
        self._record.close()
        self._runner.run(self._close())
        self._runner.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _close(self) -> None:
        services = (self.api, self.worker, self.mailsink, self.temporal, self.postgres)
        await asyncio.gather(*(service.stop(grace=5) for service in services if service is not None))

    def stop(self, service: Service | None, grace: float | None = None) -> None:
        assert service is not None
        self._runner.run(service.stop(grace))

    def start(self, service: Service | None) -> None:
        assert service is not None
        self._runner.run(service.start())

    def ready(self) -> None:
        """Wait until the front door says that everything is there."""
        until("/readyz", lambda: self.web.request("GET", "/readyz").status == 200)

    def opens(self, rhythm: Rhythm) -> Period:
        """Have the schedule fire as it did after the last period of `rhythm`, by a backfill, as an operator does.

        Returns the period: its reports are made, its reviews begin.
        """
        period, opened_at = last_opened(rhythm, datetime.now(UTC), load_policy(self.policy_file))
        a_second = timedelta(seconds=1)
        missed = ScheduleBackfill(opened_at - a_second, opened_at + a_second, overlap=ScheduleOverlapPolicy.ALLOW_ALL)

        async def backfill() -> None:
            client = await Client.connect(self.environment["TEMPORAL_ADDRESS"])
            await client.get_schedule_handle(schedule_id(rhythm)).backfill(missed)

        self._runner.run(backfill())
        return period

    def cli(self, *words: str) -> Result:
        """A command of `cli.py` on this home: here, since a process costs more to start than most commands to run."""
        told = {name: None for name in os.environ if name.startswith(("BAOBEI_", "TEMPORAL_"))} | self.environment
        return CliRunner().invoke(app, [*words, "--home", str(self.folder)], env=told, catch_exceptions=False)

    def query(self, statement: str, *values: Any) -> Rows:
        """What only the record itself shows."""
        return self._record.query(statement, *values)

    def counts(self) -> dict[str, int]:
        """Rows by table."""
        asked = " union all ".join(f"select '{name}' as name, count(*) as rows from {name}" for name in COUNTED)
        return {row["name"]: row["rows"] for row in self.query(asked)}

    def quiet(self) -> dict[str, int]:
        """`counts` once nothing of earlier tests is still being written."""
        seen = [self.counts()]

        def same() -> dict[str, int] | None:
            seen.append(self.counts())
            return seen[-1] if len(seen) > 4 and all(counts == seen[-1] for counts in seen[-4:]) else None

        return until("the record comes to rest", same)

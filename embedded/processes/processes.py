"""Child processes that never outlive their home: started through `launch.py`, recorded in a file, stopped in order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

HOME_VARIABLE = "BAOBEI_HOME"
"""Every child has its home in this variable, which identifies orphans as ours."""
PASSED_ON = frozenset({"BAOBEI_POLICY_FILE", "BAOBEI_WORKFLOW_SANDBOX", "BAOBEI_LOG_FORMAT"})
"""Settings that may be set from outside; all others come from the home."""
LAUNCHER = Path(__file__).with_name("launch.py")
LOG_LIMIT = 20 * 1024 * 1024
"""A log larger than this, in bytes, is rotated when its child starts."""


@dataclass(frozen=True)
class Command:
    """A command to run, and how to stop it."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the inherited variables, see `inherited`."""
    stop_signal: signal.Signals = signal.SIGTERM
    parent_death_signal: signal.Signals = signal.SIGKILL
    """The signal that Linux sends it when the supervisor dies unexpectedly."""
    grace: float = 10.0
    """Seconds between the stop signal and SIGKILL."""
    user: int | None = None
    """User id to run as, for PostgreSQL under root."""
    group: int | None = None


class Child:
    """One run of one command."""

    def __init__(self, name: str, command: Command, home: Path) -> None:
        self.name = name
        self.command = command
        self.home = home
        self.log = home / "logs" / f"{name}.log"
        self.pid_file = home / "run" / f"{name}.json"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Raises OSError when the log cannot be written or the system refuses another process."""
        for folder in (self.log.parent, self.pid_file.parent):
            # Private: logs and mails may name customers, and as root other users may traverse the home.
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        command = self.command
        user = -1 if command.user is None else command.user
        group = -1 if command.group is None else command.group
        launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(command.parent_death_signal))]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *launch,
                str(user),
                str(group),
                *command.argv,
                cwd=command.cwd,
                env={**inherited(os.environ), **command.env, HOME_VARIABLE: str(self.home)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C must reach the supervisor alone, or parts would not stop in order.
                start_new_session=True,
            )
        with suppress(psutil.Error):
            note = {"pid": self.pid, "create_time": psutil.Process(self.pid).create_time()}
            fresh = self.pid_file.with_suffix(".fresh")
            fresh.write_text(json.dumps(note))
            fresh.replace(self.pid_file)  # atomic: a partial pid file would identify no process

    async def wait(self) -> int:
        """The exit code; negative for the signal that ended it."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self, grace: float | None = None) -> None:
        """Send the stop signal, wait for the grace period (or `grace` seconds), then kill it. Idempotent."""
        if self._process is None:
            return
        if self.running:
            self._signal(self.command.stop_signal)
            try:
                await asyncio.wait_for(self._process.wait(), self.command.grace if grace is None else grace)
            except TimeoutError:
                self.kill()
                await self._process.wait()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # also its own children
        self.pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            assert self._process is not None
            self._process.send_signal(number)

    def tail(self, lines: int = 8) -> str:
        """The end of its log, indented, for an error message."""
        return tail(self.log, lines)


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """What a child gets of our own environment.

    Settings of another installation (ours, Temporal's, libpq's) stay outside, and nothing on the loopback address goes
    through a proxy.
    """
    kept = {k: v for k, v in environ.items() if k in PASSED_ON or not k.startswith(("BAOBEI_", "TEMPORAL_", "PG"))}
    no_proxy = ",".join(filter(None, [environ.get("no_proxy") or environ.get("NO_PROXY"), "127.0.0.1", "localhost"]))
    return kept | {"no_proxy": no_proxy, "NO_PROXY": no_proxy}


def tail(log: Path, lines: int) -> str:
    """The last `lines` lines of a file that may be large or missing, each indented."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return "    (no log)"
    return "\n".join(f"    {line[:400]}" for line in text.splitlines()[-lines:]) or "    (the log is empty)"


def describe_exit(code: int) -> str:
    """The reason a process ended, in words."""
    if code < 0:
        with suppress(ValueError):
            return f"ended by {signal.Signals(-code).name}"
        return f"ended by signal {-code}"
    return f"exit code {code}"


def end_orphans(home: Path, patience: float = 5.0) -> list[str]:
    """End what a supervisor of this home left behind when it died without a word, and name it.

    A process is touched only if it is the very one that was noted (same id and start) and carries this home in its
    environment or command line. `patience`: seconds between asking and killing.
    """
    orphans: dict[str, psutil.Process] = {}
    for pid_file in sorted((home / "run").glob("*.json")):
        process = _noted(pid_file, home)
        if process is not None:
            orphans[pid_file.stem] = process
        else:
            pid_file.unlink(missing_ok=True)
    for name, process in orphans.items():
        with suppress(psutil.Error):
            # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for its clients.
            process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
    _, alive = psutil.wait_procs(orphans.values(), timeout=patience)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=patience)
    for name in orphans:
        (home / "run" / f"{name}.json").unlink(missing_ok=True)
    return list(orphans)


def _noted(pid_file: Path, home: Path) -> psutil.Process | None:
    try:
        note = json.loads(pid_file.read_text())
        process = psutil.Process(int(note["pid"]))
        if abs(process.create_time() - float(note["create_time"])) > 2 or process.status() == psutil.STATUS_ZOMBIE:
            return None
        ours = process.environ().get(HOME_VARIABLE) == str(home) or any(str(home) in word for word in process.cmdline())
    except (psutil.Error, OSError, ValueError, KeyError, TypeError):
        return None
    return process if ours else None

"""The supervisor with parts that do nothing: what dies comes back, what is stopped stays away, nothing is left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from io import StringIO
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from embedded.errors import StartError
from embedded.processes.processes import HOME_VARIABLE, Command, end_orphans, inherited
from embedded.processes.supervisor import Supervisor
from embedded.screen import Screen
from embedded.servers.service import Service, until

SLEEP = "import time; print('hello', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('hello', flush=True); time.sleep(60)"
)
FAILS = "import sys; print('hello', flush=True); sys.exit('the disk is full')"


class Part(Service):
    """Runs a line of Python; ready once it has said hello."""

    start_timeout = 5

    def __init__(self, home: Path, name: str, code: str = SLEEP, grace: float = 5) -> None:
        super().__init__(home)
        self.name = self.title = name
        self.code = code
        self.grace = grace
        self.stopped_at = 0.0

    @property
    def address(self) -> str:
        return "nowhere"

    @property
    def listens(self) -> tuple[tuple[str, int], ...]:
        return ()

    def command(self) -> Command:
        return Command(argv=(sys.executable, "-S", "-c", self.code), cwd=self.home, grace=self.grace)

    async def ready(self) -> bool:
        log = self.home / "logs" / f"{self.name}.log"
        return log.exists() and "hello" in log.read_text()

    async def stop(self, grace: float | None = None) -> None:
        await super().stop(grace)
        self.stopped_at = asyncio.get_running_loop().time()

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid


class Quiet(Screen):
    def __init__(self) -> None:
        self.text = StringIO()
        super().__init__(Console(file=self.text, width=200))

    def says(self, words: str) -> bool:
        return words in self.text.getvalue()


async def wait_for(screen: Quiet, words: str) -> None:
    async def said() -> bool:
        return screen.says(words)

    assert await until(said, 10), screen.text.getvalue()


async def test_a_part_that_dies_is_restarted_and_the_others_keep_running(tmp_path: Path) -> None:
    screen = Quiet()
    supervisor = Supervisor(screen, pause=0.01)
    fragile, stable = Part(tmp_path, "fragile"), Part(tmp_path, "stable")
    await supervisor.start([fragile, stable])
    try:
        first, other = fragile.pid, stable.pid
        os.kill(first, signal.SIGKILL)
        await wait_for(screen, "fragile runs again.")
        assert screen.says("fragile stopped unexpectedly (ended by SIGKILL).")
        assert fragile.pid != first
        assert psutil.pid_exists(fragile.pid)
        assert stable.pid == other
    finally:
        await supervisor.stop()
    assert not any(psutil.pid_exists(pid) for pid in (first, fragile.pid, other))


async def test_a_part_that_keeps_failing_shows_the_end_of_its_log(tmp_path: Path) -> None:
    screen = Quiet()
    supervisor = Supervisor(screen, pause=0.01)
    part = Part(tmp_path, "weak")
    await supervisor.start([part])
    try:
        part.code = FAILS
        os.kill(part.pid, signal.SIGKILL)
        await wait_for(screen, "times in a row")
        await wait_for(screen, "the disk is full")
        part.code = SLEEP
        await wait_for(screen, "weak runs again.")
    finally:
        await supervisor.stop()


async def test_a_part_that_does_not_start_stops_the_others_and_says_why(tmp_path: Path) -> None:
    supervisor = Supervisor(Quiet())
    good, bad = Part(tmp_path, "good"), Part(tmp_path, "bad", "import sys; sys.exit('the disk is full')")
    with pytest.raises(StartError, match=r"(?s)^bad stopped at once \(exit code 1\).*the disk is full"):
        await supervisor.start([good, bad])
    await supervisor.stop()
    assert good.child is None or not good.child.running


async def test_parts_are_stopped_in_the_opposite_order_and_a_stubborn_one_is_killed(tmp_path: Path) -> None:
    supervisor = Supervisor(Quiet())
    base, stubborn, top = Part(tmp_path, "base"), Part(tmp_path, "stubborn", STUBBORN, grace=0.2), Part(tmp_path, "top")
    await supervisor.start([base, stubborn])
    await supervisor.start([top])
    pids = [part.pid for part in (base, stubborn, top)]
    await supervisor.stop()
    assert top.stopped_at < stubborn.stopped_at < base.stopped_at
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not list((tmp_path / "run").iterdir())


async def test_a_second_signal_stops_without_grace(tmp_path: Path) -> None:
    supervisor = Supervisor(Quiet())
    await supervisor.start([Part(tmp_path, "stubborn", STUBBORN, grace=60)])
    hurry = asyncio.Event()
    stopping = asyncio.create_task(supervisor.stop(hurry=hurry))
    hurry.set()
    await asyncio.wait_for(stopping, 5)


async def test_children_of_a_supervisor_that_is_killed_die_with_it_or_before_the_next_starts(tmp_path: Path) -> None:
    """With it on Linux, which can be asked to see to that."""
    code = f"""
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from embedded.processes.processes import Child, Command
async def main():
    child = Child("part", Command(argv=(sys.executable, "-S", "-c", {SLEEP!r}), cwd=Path(".")), Path({str(tmp_path)!r}))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert supervisor.stdout is not None
    pid = int(await supervisor.stdout.readline())
    supervisor.kill()
    await supervisor.wait()
    if sys.platform != "linux":
        assert await asyncio.to_thread(end_orphans, tmp_path) == ["part"]
    assert await until(lambda: gone(pid), 5)


async def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_the_next_start_ends_orphans_and_touches_nobody_else(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    pids = {
        "orphan": await stray({HOME_VARIABLE: str(home)}),
        "stranger": await stray({}),
        "neighbour": await stray({HOME_VARIABLE: str(tmp_path)}),
    }
    for name, pid in pids.items():
        note = {"pid": pid, "create_time": psutil.Process(pid).create_time()}
        (home / "run" / f"{name}.json").write_text(json.dumps(note))
    # The same number, another process: whoever has it now is not ours.
    (home / "run" / "reused.json").write_text(json.dumps({"pid": pids["orphan"], "create_time": 1.0}))
    (home / "run" / "broken.json").write_text("{")
    try:
        assert await asyncio.to_thread(end_orphans, home) == ["orphan"]
        assert [await gone(pid) for pid in pids.values()] == [True, False, False]
        assert not list((home / "run").iterdir())
    finally:
        for pid in pids.values():
            with suppress(psutil.Error):
                psutil.Process(pid).kill()


async def test_x3_the_pid_file_is_written_atomically(tmp_path: Path) -> None:
    """Also who reads while a new one is written: half a note would name nobody, and an orphan would live on."""
    part = Part(tmp_path, "part")
    await part.start()
    assert part.child is not None
    try:
        first = part.child.pid_file.read_text()
        with part.child.pid_file.open() as opened:
            part.child.kill()
            await part.child.wait()
            await part.start()
            assert opened.read() == first
        assert json.loads(part.child.pid_file.read_text())["pid"] == part.pid
        assert [note.name for note in part.child.pid_file.parent.iterdir()] == ["part.json"]
    finally:
        await part.stop()


async def stray(env: dict[str, str]) -> int:
    """A process whose parent has gone."""
    environ = {key: value for key, value in os.environ.items() if key != HOME_VARIABLE} | env
    parent = await asyncio.create_subprocess_exec(
        *("sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"), env=environ, stdout=asyncio.subprocess.PIPE
    )
    written, _ = await parent.communicate()
    pid = int(written)

    async def is_sleep() -> bool:
        return psutil.Process(pid).name() == "sleep"

    assert await until(is_sleep, 5)
    return pid


def test_settings_of_another_installation_do_not_leak_in() -> None:
    environ = {
        "PATH": "/bin",
        "BAOBEI_SMTP_USERNAME": "x",
        "TEMPORAL_API_KEY": "x",
        "PGSSLMODE": "require",
        "BAOBEI_POLICY_FILE": "mine.toml",
        "no_proxy": "intranet",
    }
    assert inherited(environ) == {
        "PATH": "/bin",
        "BAOBEI_POLICY_FILE": "mine.toml",
        "no_proxy": "intranet,127.0.0.1,localhost",
        "NO_PROXY": "intranet,127.0.0.1,localhost",
    }

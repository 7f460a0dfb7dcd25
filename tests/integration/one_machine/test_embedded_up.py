"""`cli.py up` as a person runs it, without worker and API: two homes, Ctrl-C, kill -9, and again."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from embedded.home import read_environment
from embedded.processes.ports import Ports, free_row
from embedded.servers.service import tcp_answers, until
from tests.servers.scratch import scratch

ROOT = Path(__file__).parents[3]
PATIENCE = 120
"""Seconds: many, for a machine busy with others."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch("up") as path:
        yield path


class Up:
    """One run of the command on one home."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.port = port
        self.output = ""

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "cli.py", "up", "--home", str(self.home), "--port", str(self.port)),
            "--infrastructure-only",
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def reads(self, words: str) -> None:
        """Wait until the output says so."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while words not in self.output:
                line = await self.process.stdout.readline()
                assert line, f"it ended without saying {words!r}:\n{self.output}"
                self.output += line.decode()

    async def ends(self) -> int:
        async with asyncio.timeout(PATIENCE):
            rest, _ = await self.process.communicate()
        self.output += rest.decode()
        return self.process.returncode or 0

    def processes(self) -> list[psutil.Process]:
        """Everything that carries this home in its command line, this command left out."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid != self.process.pid and any(str(self.home) in word for word in process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    async def nothing_is_left(self) -> bool:
        return not self.processes()

    async def query(self, statement: str) -> object:
        url = read_environment(self.home)["BAOBEI_DATABASE_URL"].replace("+asyncpg", "")
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


@pytest.mark.timeout(600)
async def test_two_homes_side_by_side_stop_crash_and_start_again(folder: Path) -> None:
    first, second = Up(folder / "first", free_row()), Up(folder / "second", free_row())
    await asyncio.gather(first.start(), second.start())
    runs = [first, second]
    try:
        await asyncio.gather(first.reads("Up."), second.reads("Up."))
        assert re.search(r"PostgreSQL \(127\.0\.0\.1:\d+\): ready \(\d+\.\d s\)", first.output)
        await first.query("create table kept as select 7 as a")

        # Somebody starts the same home again.
        again = Up(first.home, free_row())
        await again.start()
        assert await again.ends() == 1
        assert again.output == (
            f"The home {first.home} is already in use by process {first.process.pid}: "
            "stop that one first, or choose another home with --home and another port with --port.\n"
        )

        # A part dies alone.
        server = next(process for process in first.processes() if "-D" in process.cmdline())
        server.kill()
        await first.reads("PostgreSQL runs again.")
        assert await first.query("select a from kept") == 7

        # The supervisor is killed: nothing of it lives on, the other home does not notice.
        first.process.kill()
        await first.ends()
        assert await until(first.nothing_is_left, PATIENCE)
        first = Up(first.home, first.port)
        runs.append(first)
        await first.start()
        await first.reads("Up.")
        assert await first.query("select a from kept") == 7
        assert second.process.returncode is None
        assert await second.query("select to_regclass('kept')") is None

        # Ctrl-C for one, SIGTERM for the other.
        first.process.send_signal(signal.SIGINT)
        second.process.send_signal(signal.SIGTERM)
        assert list(await asyncio.gather(first.ends(), second.ends())) == [0, 0]
        assert first.output.endswith(f"stopped; the data stays in {first.home}\n")
        assert not first.processes()
        assert not second.processes()
    finally:
        for run in runs:
            if run.process.returncode is None:
                run.process.kill()
                await run.process.wait()
            await until(run.nothing_is_left, PATIENCE)


async def test_ctrl_c_while_it_is_still_starting_leaves_nothing(folder: Path) -> None:
    run = Up(folder / "home", free_row())
    await run.start()
    await run.reads("home ")
    run.process.send_signal(signal.SIGINT)
    assert await run.ends() == 0
    assert "Traceback" not in run.output
    assert not run.processes()


async def test_it_survives_a_closed_output_and_still_stops_cleanly(folder: Path) -> None:
    run = Up(folder / "home", free_row())
    reader, writer = os.pipe()
    run.process = await asyncio.create_subprocess_exec(
        *(sys.executable, "cli.py", "up", "--home", str(run.home), "--port", str(run.port), "--infrastructure-only"),
        cwd=ROOT,
        stdout=writer,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(reader)
    os.close(writer)
    try:

        async def serves() -> bool:
            return (run.home / "run" / "postgres.json").exists() and await tcp_answers(
                "127.0.0.1", Ports.from_first(run.port).postgres
            )

        assert await until(serves, PATIENCE)
    finally:
        run.process.send_signal(signal.SIGHUP)
        _, complaints = await run.process.communicate()
    assert run.process.returncode == 0
    assert complaints == b""
    assert not run.processes()

"""Base class of the parts of the one-machine mode: prepare, run, check readiness."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from embedded.errors import StartError
from embedded.processes.processes import Child, Command, describe_exit


class Service(ABC):
    """Usable on its own (`async with`) in tests, or kept alive by the supervisor."""

    name: str
    """Name of its log and pid file."""
    title: str
    """Display name."""
    start_timeout: float = 60.0
    """Maximum seconds until it is ready."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.child: Child | None = None

    @property
    @abstractmethod
    def address(self) -> str:
        """Its address, for people."""

    @property
    @abstractmethod
    def listens(self) -> tuple[tuple[str, int], ...]:
        """Purpose and number of every port it takes."""

    @abstractmethod
    def command(self) -> Command: ...

    @abstractmethod
    async def ready(self) -> bool:
        """Check once, without waiting, whether it is ready."""

    async def prepare(self) -> None:
        """Prepare for the first run. Raises StartError."""
        self.home.mkdir(parents=True, exist_ok=True)

    async def settle(self) -> None:  # noqa: B027 - most parts have nothing to settle
        """Set up after it is ready; runs at every start, so it must be idempotent."""

    async def launch(self) -> Child:
        """Start the process without waiting for readiness."""
        self.child = Child(self.name, self.command(), self.home)
        await self.child.start()
        return self.child

    async def wait_ready(self) -> None:
        """Wait for readiness. Raises StartError if the process ends or `start_timeout` passes first."""
        assert self.child is not None
        child = self.child
        if not await until(self.ready, self.start_timeout, give_up=lambda: not child.running):
            reason = (
                f"did not answer within {self.start_timeout:.0f} s"
                if child.running
                else f"stopped at once ({describe_exit(await child.wait())})"
            )
            raise StartError(f"{self.title} {reason}. The end of {child.log}:\n{child.tail()}")

    async def start(self) -> None:
        """Prepare, run, wait for readiness, settle. Leaves nothing running on failure. Raises StartError."""
        await self.prepare()
        try:
            await self.launch()
            await self.wait_ready()
            await self.settle()
        except BaseException:
            await self.stop(grace=1)
            raise

    async def stop(self, grace: float | None = None) -> None:
        if self.child is not None:
            await self.child.stop(grace)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def until(
    probe: Callable[[], Awaitable[bool]], patience: float, give_up: Callable[[], bool] = lambda: False
) -> bool:
    """Poll `probe` until it returns true. False if `patience` seconds pass or `give_up` returns true."""
    deadline = time.monotonic() + patience
    pause = 0.02
    while True:
        if await probe():
            return True
        if give_up() or time.monotonic() > deadline:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 1.3, 0.25)


async def tcp_answers(host: str, port: int) -> bool:
    """Whether a process listens there."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def http_status(host: str, port: int, path: str) -> int:
    """The status of a GET, 0 without an answer. Hand-written, because it runs before heavy imports."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1)
    except (OSError, TimeoutError):
        return 0
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        line = await asyncio.wait_for(reader.readline(), 3)
        return int(line.split()[1])
    except (OSError, TimeoutError, ValueError, IndexError):
        return 0
    finally:
        writer.close()


def project_root() -> Path:
    """The root folder of the product."""
    return Path(__file__).resolve().parents[2]

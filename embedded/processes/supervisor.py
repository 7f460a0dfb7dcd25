"""Supervises the parts of a home: starts them, restarts them after failures, stops them in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from embedded.errors import StartError
from embedded.processes.processes import describe_exit
from embedded.screen import Screen
from embedded.servers.service import Service

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 15.0
"""Seconds between restart attempts; doubled each time, from the first value up to the longest."""
STEADY = 30.0
"""A part that ran for this many seconds has its failure count reset."""
LOUD_AFTER = 3
"""From this many consecutive failures on, the end of the log is printed."""


class Supervisor:
    """Parts are stopped in the opposite order of their start.

    Args:
        screen: where people read what happens.
        pause: seconds before the first new attempt; for tests.
    """

    def __init__(self, screen: Screen, *, pause: float = FIRST_PAUSE) -> None:
        self.screen = screen
        self.pause = pause
        self._order: list[Service] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self, services: Sequence[Service]) -> None:
        """Start several parts concurrently and supervise them. Raises the first StartError; then call `stop`."""
        self._order.extend(services)
        try:
            async with asyncio.TaskGroup() as group:
                for service in services:
                    group.create_task(self._start(service))
        except* StartError as errors:
            raise _first(errors) from None
        except* OSError as errors:
            raise StartError(f"A part could not be started: {errors.exceptions[0]}") from None
        self._keepers.extend(asyncio.create_task(self._keep(service)) for service in services)

    async def stop(self, *, hurry: asyncio.Event | None = None) -> None:
        """Stop all processes. Each part gets its grace period; once `hurry` is set, none."""
        self._stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for service in reversed(self._order):
            stopping = asyncio.ensure_future(service.stop())
            if hurry is not None:
                hurried = asyncio.ensure_future(hurry.wait())
                await asyncio.wait({stopping, hurried}, return_when=asyncio.FIRST_COMPLETED)
                hurried.cancel()
                if not stopping.done() and service.child is not None:
                    service.child.kill()
            await stopping
        self._order.clear()

    async def _start(self, service: Service) -> None:
        with self.screen.step(f"{service.title} ({service.address})"):
            await service.start()

    async def _keep(self, service: Service) -> None:
        failures = 0
        while True:
            assert service.child is not None
            started = time.monotonic()
            code = await service.child.wait()
            if self._stopping:
                return
            failures = 1 if time.monotonic() - started > STEADY else failures + 1
            self._tell(service, f"stopped unexpectedly ({describe_exit(code)})", failures)
            while not await self._revive(service, failures):
                failures += 1

    async def _revive(self, service: Service, failures: int) -> bool:
        """One restart attempt, after a pause that grows with the number of failures."""
        await asyncio.sleep(min(self.pause * 2 ** (failures - 1), LONGEST_PAUSE))
        try:
            await service.start()
        except (StartError, OSError) as error:
            self._tell(service, f"could not be started again: {str(error).splitlines()[0]}", failures + 1)
            return False
        self.screen.say(f"{service.title} runs again.")
        return True

    def _tell(self, service: Service, what: str, failures: int) -> None:
        text = f"{service.title} {what}."
        if failures >= LOUD_AFTER and service.child is not None:
            text += f" That is {failures} times in a row. The end of {service.child.log}:\n{service.child.tail()}"
        self.screen.say(text)


def _first(errors: BaseExceptionGroup[StartError]) -> StartError:
    with suppress(IndexError):
        error = errors.exceptions[0]
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    return StartError("It could not be started.")

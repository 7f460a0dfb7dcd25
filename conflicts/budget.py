"""How much comparing one look for conflicts may cost, and what is left out when that is not enough (X3).

Names and codes that are the same are always found, for every company named. What costs is looking for near ones: a
large group names a hundred companies, and each of them is like a few hundred that are registered.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

MOST_PAIRS = 40_000
"""Pairs of names that are compared: a customer with twenty other names and a hundred related parties, each like a
hundred others, needs a third of it."""

STEP_SECONDS = 14.0
"""A step of a process looks for near names so long: it has to be done before the engine gives it up and begins it anew
(`STEP_TIMEOUT` in workflows/desk.py)."""

PATIENCE_SECONDS = 8.0
"""How long it waits for its turn. It holds a connection to the record meanwhile; past that it gives it back."""

MANY = 20
"""Names from which on a look is a large one, and has to wait for its turn."""

AT_ONCE, WAITING = 1, 6
"""Large looks that are being carried out in one process, and that wait for it. One after the other each is done sooner
than all side by side, and all but the last sooner."""


class Busy(Exception):
    """Too many large looks are on; come again in a moment. Nothing has been done."""


@dataclass
class Budget:
    """What one look may cost. The customer comes first, then end user and channel, then related parties."""

    pairs: int = MOST_PAIRS
    seconds: float = STEP_SECONDS
    patience: float = PATIENCE_SECONDS
    left_out: list[str] = field(default_factory=list)
    """Names that were looked for only by themselves and by their codes."""
    _began: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> bool:
        return self.pairs <= 0 or time.monotonic() - self._began > self.seconds

    def begin(self) -> None:
        """Count the seconds from here."""
        self._began = time.monotonic()


@dataclass
class _Turns:
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    waiting: int = 0


_turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = weakref.WeakKeyDictionary()


@contextlib.asynccontextmanager
async def turn(names: int, budget: Budget) -> AsyncIterator[None]:
    """Wait until it is the turn of a look for so many names. Raises `Busy`."""
    if names < MANY:
        yield
        return
    turns = _turns.setdefault(asyncio.get_running_loop(), _Turns())
    if turns.waiting >= WAITING:
        raise Busy
    turns.waiting += 1
    try:
        await asyncio.wait_for(turns.free.acquire(), budget.patience)
    except TimeoutError:
        raise Busy from None
    finally:
        turns.waiting -= 1
    try:
        budget.begin()
        yield
    finally:
        turns.free.release()

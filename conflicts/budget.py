"""Limits the cost of one conflict search, and records what is left out when the limit is reached (X3).

Identical names and codes are always found, for every company named. The expensive part is the search for similar names:
a large group names a hundred companies, and each of them resembles a few hundred registered ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

MOST_PAIRS = 40_000
"""Pairs of names to compare. A customer with twenty aliases and a hundred related parties, each similar to a hundred
registered names, needs a third of it."""

STEP_SECONDS = 14.0
"""How long a step of a process searches for similar names. It must finish before the engine times the step out and
retries it (`STEP_TIMEOUT` in workflows/desk.py)."""

PATIENCE_SECONDS = 8.0
"""How long a search waits for its turn. It holds a database connection meanwhile and returns it after this time."""

MANY = 20
"""A search with at least this many names is large and has to wait for its turn."""

AT_ONCE, WAITING = 1, 6
"""Large searches that may run, and wait, in one process. Run one after another, all but the last finish sooner than
they would side by side."""


class Busy(Exception):
    """Too many large searches are in progress; retry in a moment. Nothing has been done."""


@dataclass
class Budget:
    """What one search may cost. The customer comes first, then end user and channel, then related parties."""

    pairs: int = MOST_PAIRS
    seconds: float = STEP_SECONDS
    patience: float = PATIENCE_SECONDS
    left_out: list[str] = field(default_factory=list)
    """Names for which only exact matches of name and code were searched."""
    _began: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> bool:
        return self.pairs <= 0 or time.monotonic() - self._began > self.seconds

    def begin(self) -> None:
        """Start the clock."""
        self._began = time.monotonic()


@dataclass
class _Turns:
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    waiting: int = 0


_turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = weakref.WeakKeyDictionary()


@contextlib.asynccontextmanager
async def turn(names: int, budget: Budget) -> AsyncIterator[None]:
    """Wait for the turn of a search with that many names. Raises `Busy`."""
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

"""Tracks running steps and reports those that keep failing: no step is retried for ever unnoticed (X3)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Gauge

STANDING_SECONDS = 60.0
"""From here on the process that a step belongs to is standing."""

FORGOTTEN_SECONDS = 300.0
"""A step that nobody has tried again for so long here is done, or somebody else's: pauses between tries are shorter."""

FAILED = Counter("baobei_step_failures", "Attempts at a step of a process that failed and are made again", ["step"])
STANDING = Gauge("baobei_steps_standing", "Steps of processes that have not got done for more than a minute")

log = structlog.get_logger()


@dataclass
class _Try:
    first: float
    last: float
    running: int = 0


class UnderWay:
    """The steps of one worker, from their first attempt until they are done."""

    def __init__(self) -> None:
        self._tries: dict[tuple[str, str], _Try] = {}

    @contextlib.contextmanager
    def attempt(self, workflow_id: str, key: str, step: str) -> Iterator[None]:
        """One attempt at the step of a process with this key; `step` says what kind it is."""
        now = time.monotonic()
        made = self._tries.setdefault((workflow_id, key), _Try(now, now))
        made.running += 1
        try:
            yield
        except BaseException as error:  # a step that is given up is cancelled
            FAILED.labels(step).inc()
            made.last = time.monotonic()
            if made.last - made.first > STANDING_SECONDS:
                seconds = round(made.last - made.first)
                log.warning("step does not get done", step=key, seconds=seconds, error=type(error).__name__)
            raise
        else:
            self._tries.pop((workflow_id, key), None)
        finally:
            made.running -= 1

    def standing(self) -> int:
        """How many steps have not got done for more than a minute."""
        now = time.monotonic()
        for which, made in list(self._tries.items()):
            if not made.running and now - made.last > FORGOTTEN_SECONDS:
                del self._tries[which]
        return sum(now - made.first > STANDING_SECONDS for made in self._tries.values())


UNDER_WAY = UnderWay()
STANDING.set_function(UNDER_WAY.standing)

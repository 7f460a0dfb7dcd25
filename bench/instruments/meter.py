"""CPU and memory of process trees, and the CPU the rest of the machine used meanwhile."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil


def cpu_seconds(pid: int) -> float:
    """CPU seconds used by a process and all its descendants; 0 if it is gone."""
    used = 0.0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        own = root.cpu_times()
        used += own.user + own.system + own.children_user + own.children_system
        for child in root.children(recursive=True):
            with suppress(psutil.Error):
                times = child.cpu_times()
                used += times.user + times.system
    return used


def _own_seconds(pid: int) -> float:
    own = psutil.Process(pid).cpu_times()
    return float(own.user + own.system)


def memory_bytes(pid: int) -> int:
    """Resident bytes of a process tree, shared pages counted once (PSS if available, else RSS)."""
    held = 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                full = process.memory_full_info()
                held += int(getattr(full, "pss", 0) or full.rss)
    return held


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # `guest` is included in `user`; stolen time is not used by any process here.
    return float(sum(times) - idle - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0))


@dataclass(frozen=True)
class Usage:
    """The usage in one measured interval."""

    seconds: float
    cpu: dict[str, float]
    """CPU seconds by part."""
    other_cores: float
    """Cores used by processes outside the bench."""


class Meter:
    """Measures named process trees from `start` to `stop`."""

    def __init__(self, parts: Mapping[str, int], ignored: Mapping[str, int]) -> None:
        """`parts` are reported; `ignored` belong to the bench: not reported, and not counted as other processes."""
        self._parts = dict(parts)
        self._ignored = dict(ignored)
        self._alone: dict[str, int] = {}
        self._at = 0.0
        self._before: dict[str, float] = {}
        self._busy = 0.0

    def beside(self, name: str, pid: int) -> Meter:
        """Also report process `pid`, without its children: for the bench itself, whose children are the parts."""
        self._alone[name] = pid
        return self

    def _read(self) -> dict[str, float]:
        trees = {name: cpu_seconds(pid) for name, pid in {**self._parts, **self._ignored}.items()}
        return trees | {name: _own_seconds(pid) for name, pid in self._alone.items()}

    def start(self) -> None:
        self._before, self._busy, self._at = self._read(), _busy_seconds(), time.monotonic()

    def stop(self) -> Usage:
        seconds = time.monotonic() - self._at
        used = {name: now - self._before[name] for name, now in self._read().items()}
        others = (_busy_seconds() - self._busy - sum(used.values())) / seconds
        return Usage(seconds, {name: used[name] for name in (*self._parts, *self._alone)}, max(0.0, others))

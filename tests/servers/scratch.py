"""Folders for servers that a test starts and throws away: in memory where the machine has room, since making the
files of a database can cost more on a disk than everything a test then does with it."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")
ROOM = 3 << 30
"""Bytes that must be free there, and in all: the servers of three at a time, with plenty to spare."""
PREFIX = "baobei-scratch-"


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """An empty folder, gone afterwards.

    Not pytest's own folder: PostgreSQL is another user when we are root, and that one is closed to others.
    """
    parent = _parent()
    _remove_abandoned(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{name}-", dir=parent))
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _parent() -> Path:
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK):
        free = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
        if free > ROOM:
            return MEMORY
    return Path(tempfile.gettempdir())


def _remove_abandoned(parent: Path) -> None:
    """Remove what runs that were killed have left: whoever is alive holds the lock on their folder."""
    for left in parent.glob(f"{PREFIX}*"):
        try:
            if time.time() - left.stat().st_mtime < 60:  # it may have been made just now, before its lock
                continue
            found = os.open(left, os.O_RDONLY)
        except OSError:  # gone meanwhile, or somebody else's
            continue
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except OSError:
            pass
        finally:
            os.close(found)

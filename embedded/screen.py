"""Progress output: one line per step, animated on a terminal, plain elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class _Patient(Console):
    """A console that ignores a closed output; rich would end the program."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class Screen:
    """Lines are flushed to standard output at once, so that a pipe or log shows them during start-up."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _Patient(highlight=False, soft_wrap=True)
        self._busy: dict[str, float] = {}
        self._status: Status | None = None

    def say(self, text: str) -> None:
        # A closed terminal must not leave processes behind.
        with suppress(OSError):
            self.console.print(escape(text))
            sys.stdout.flush()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show that `title` is in progress, then how long it took. Steps may overlap."""
        started = time.monotonic()
        self._busy[title] = started
        self._show()
        try:
            yield
        except BaseException:
            self._busy.pop(title, None)
            self._show()
            raise
        self._busy.pop(title, None)
        self.say(f"  {title}: ready ({time.monotonic() - started:.1f} s)")
        self._show()

    def _show(self) -> None:
        if not self.console.is_terminal:
            return
        if not self._busy:
            if self._status is not None:
                self._status.stop()
                self._status = None
            return
        text = escape("starting " + ", ".join(self._busy) + " …")
        if self._status is None:
            self._status = self.console.status(text)
            self._status.start()
        else:
            self._status.update(text)

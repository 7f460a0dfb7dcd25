"""Compares names in a separate process (X3: one large group must not block everybody else).

Comparing is CPU-bound Python: a thread would hold the interpreter's lock against every other step of this worker and
every other request of this API. Small comparisons still run in a thread, where the delay is negligible. Larger ones go
to a helper process, `python -m conflicts.judge`, started on first use. It reads one request per line from standard
input and writes one response per line. It exits when its input ends or its parent is gone, even in the middle of a
request.

A request covers one company, and requests are served in order: an inquiry about a single company waits for one company
of a large group, not for the whole group.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import structlog
from pydantic_core import from_json, to_json

from conflicts.judging import Judged, judge
from domain.conflicts.verdict import Verdict
from domain.policy import Matching
from matching.parties import Party

FEW = 250
"""Up to this many pairs are compared in a thread (about 30 ms); handing them over would cost more than it saves."""


ANSWER_SECONDS = 15.0
"""A process that has not answered by then is considered hung and is replaced; a request takes about 30 ms."""


class Judge:
    """Handle of the helper process; one per parent process, started on first use."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        # One thread owns the pipe, so requests are served first come, first served.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge")

    async def judge(self, names: Sequence[Party], others: Sequence[Party], bounds: Matching) -> list[Judged]:
        """As `conflicts.judging.judge`. Raises `OSError` when the process cannot be started or dies twice."""
        request = to_json([[_fields(party) for party in names], [_fields(party) for party in others], bounds])
        answer = await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, request)
        return [
            Judged(place, Verdict.model_validate(verdict), declared) for place, verdict, declared in from_json(answer)
        ]

    def _ask(self, request: bytes) -> bytes:
        for last in (False, True):
            try:
                return self._answer(request)
            except OSError:  # the helper process was killed
                self.close()
                if last:
                    raise
        raise AssertionError("answered or raised")

    def _answer(self, request: bytes) -> bytes:
        if self._process is None:
            self._process = _start()
        requests, responses = self._process.stdin, self._process.stdout
        assert requests is not None
        assert responses is not None
        watch = threading.Timer(ANSWER_SECONDS, self._process.kill)
        watch.start()
        try:
            requests.write(request + b"\n")
            requests.flush()
            answer = responses.readline()
        finally:
            watch.cancel()
        if not answer.endswith(b"\n"):
            raise OSError("the name comparison process has exited")
        return answer

    def close(self) -> None:
        """End the process; the next request starts a new one."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        process.kill()
        process.wait()


_judge = Judge()
atexit.register(_judge.close)


async def judged(names: Sequence[Party], others: Sequence[Party], bounds: Matching) -> list[Judged]:
    """As `conflicts.judging.judge`, in a thread or in the helper process, depending on the amount of work."""
    if len(names) * len(others) > FEW:
        try:
            return await _judge.judge(names, others, bounds)
        except OSError as error:
            structlog.get_logger().warning("names_compared_without_a_process", error=str(error))
    return await asyncio.to_thread(judge, names, others, bounds)


def _start() -> subprocess.Popen[bytes]:
    folder = Path(__file__).parents[1]
    argv = [sys.executable, "-m", "conflicts.judge"]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)


def _fields(party: Party) -> list[str | None]:
    return [party.name, party.uscc, party.role]


def answer(request: bytes) -> bytes:
    """The response to one request line."""
    names, others, bounds = from_json(request)
    ours, theirs = ([_party(party) for party in some] for some in (names, others))
    return to_json(judge(ours, theirs, Matching.model_validate(bounds)))


def _party(fields: Sequence[Any]) -> Party:
    name, uscc, role = fields
    return Party(name=name, uscc=uscc, role=role)


def serve(requests: IO[bytes], responses: IO[bytes]) -> None:
    """Answer requests until the input ends."""
    for request in requests:
        responses.write(answer(request) + b"\n")
        responses.flush()


def end_with(parent: int) -> None:
    """Exit within a second after `parent` has exited, for whatever reason."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    import signal

    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent; our input ends when it exits
    serve(sys.stdin.buffer, sys.stdout.buffer)

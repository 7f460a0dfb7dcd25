"""A mail server that keeps every mail as a file and forwards none.

`python -m embedded.servers.mailsink DIRECTORY PORT` runs it alone; `MailSink` runs it inside a test or a program.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import signal
import sys
import threading
from datetime import UTC, datetime
from email.header import Header
from pathlib import Path
from types import TracebackType
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from embedded.mails import ENVELOPE_FROM, ENVELOPE_TO, ReceivedMail, parse_mail, parsed_copy, read_mails
from embedded.processes.ports import HOST
from embedded.processes.processes import Command
from embedded.servers.service import Service, project_root, tcp_answers

SIZE_LIMIT = 32 * 1024 * 1024
"""The largest mail accepted, in bytes."""


class MailSink(Controller):
    """Accepts mail on the loopback address, in a thread, and stores each as `directory`/<arrival>.eml.

    Args:
        directory: where the mails go; created when missing.
        port: must be free. Entering the context raises OSError when it is not.
    """

    def __init__(self, directory: Path, port: int) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(_Store(directory), hostname=HOST, port=port, data_size_limit=SIZE_LIMIT)
        self.directory = directory

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def mails(self, to: str | None = None) -> list[ReceivedMail]:
        """The mails received, oldest first; only those to the address `to` if given."""
        return read_mails(self.directory, to)


class _Store:
    """Stores a mail before acknowledging it: the sender may forget it after the 250."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            self._store(envelope.mail_from or "", list(envelope.rcpt_tos), content)
        except OSError as error:
            return f"451 4.3.0 cannot store it now: {error.strerror}"
        return "250 2.0.0 stored"

    def _store(self, sender: str, recipients: list[str], content: bytes) -> None:
        """Write atomically and flush to disk."""
        # The number keeps mails of the same microsecond in order.
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f%z}-{next(self._numbers):06d}-{secrets.token_hex(3)}"
        partial, final = self._directory / f".{name}.partial", self._directory / f"{name}.eml"
        whole = _header(ENVELOPE_FROM, sender) + _header(ENVELOPE_TO, ", ".join(recipients)) + content
        with partial.open("xb") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(OSError, ValueError):  # it can be derived again from the mail
            parsed_copy(final).write_text(parse_mail(name, whole).model_dump_json(), encoding="utf-8")
        partial.rename(final)
        folder = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _header(name: str, value: str) -> bytes:
    return f"{name}: {Header(value, header_name=name).encode()}\r\n".encode()


class MailSinkService(Service):
    """The mail sink as a separate process, for the supervisor."""

    name = "mailsink"
    title = "Mail sink"

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory)
        self.port = port
        self.mails = self.home / "mails"

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def listens(self) -> tuple[tuple[str, int], ...]:
        return (("mail", self.port),)

    def command(self) -> Command:
        argv = (sys.executable, "-m", "embedded.servers.mailsink", str(self.mails), str(self.port))
        return Command(argv=argv, cwd=project_root(), grace=5)

    async def ready(self) -> bool:
        return await tcp_answers(HOST, self.port)


def serve(directory: Path, port: int) -> None:
    """Run until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with MailSink(directory, port):
        stopping.wait()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))

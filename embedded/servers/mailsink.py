"""A mail server that keeps every mail as a file and sends none on.

`python -m embedded.servers.mailsink DIRECTORY PORT` runs it alone; `MailSink` runs it inside a test or a program.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
import signal
import sys
from datetime import UTC, datetime
from email.header import Header
from pathlib import Path
from types import TracebackType
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from embedded.mails import ENVELOPE_FROM, ENVELOPE_TO, ReceivedMail, parse_mail, read_mails, said_beside
from embedded.processes.ports import HOST
from embedded.processes.processes import Command
from embedded.servers.service import Service, project_root, tcp_answers

SIZE_LIMIT = 32 * 1024 * 1024
"""The largest mail taken, in bytes."""


class MailSink:
    """Takes mail on the loopback address and stores each as `directory`/<arrival>.eml before it says so.

    Args:
        directory: where the mails go; made when missing.
        port: 0 picks a free one, see `port` after the start.
    """

    def __init__(self, directory: Path, port: int = 0) -> None:
        self.directory = directory
        self.port = port
        self._server: asyncio.Server | None = None
        self._numbers = itertools.count()

    async def start(self) -> None:
        """Raises OSError when the port is taken or the directory cannot be made."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, HOST, self.port, start_serving=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def mails(self, to: str | None = None) -> list[ReceivedMail]:
        """What has arrived, oldest first; only for the address `to` when given."""
        return read_mails(self.directory, to)

    def _session(self) -> SMTP:
        loop = asyncio.get_running_loop()
        return SMTP(self, hostname="localhost", enable_SMTPUTF8=True, data_size_limit=SIZE_LIMIT, loop=loop)

    async def handle_EHLO(
        self,
        server: SMTP,  # noqa: ARG002
        session: Session,
        envelope: Envelope,  # noqa: ARG002
        hostname: str,
        replies: list[str],
    ) -> list[str]:
        """RFC 2920: commands may come together; they are read one by one all the same."""
        session.host_name = hostname
        return [*replies[:-1], "250-PIPELINING", replies[-1]]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            await asyncio.to_thread(self._store, envelope.mail_from or "", list(envelope.rcpt_tos), content)
        except OSError as error:
            return f"451 4.3.0 cannot store it now: {error.strerror}"
        return "250 2.0.0 stored"

    def _store(self, sender: str, recipients: list[str], content: bytes) -> None:
        """Whole and on disk, or not at all: the sender may forget the mail once we have said 250."""
        # The number keeps two mails of one microsecond in order.
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f%z}-{next(self._numbers):06d}-{secrets.token_hex(3)}"
        partial, final = self.directory / f".{name}.partial", self.directory / f"{name}.eml"
        whole = _header(ENVELOPE_FROM, sender) + _header(ENVELOPE_TO, ", ".join(recipients)) + content
        with partial.open("xb") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(OSError, ValueError):  # it can be made from the mail again
            said_beside(final).write_text(parse_mail(name, whole).model_dump_json(), encoding="utf-8")
        partial.rename(final)
        folder = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _header(name: str, value: str) -> bytes:
    return f"{name}: {Header(value, header_name=name).encode()}\r\n".encode()


class MailSinkService(Service):
    """The mail sink as a process of its own, for the supervisor."""

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


async def serve(directory: Path, port: int) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with MailSink(directory, port):
        await stopping.wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))

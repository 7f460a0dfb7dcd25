"""What a mail server says to one mail is about that mail alone, and what it takes it takes byte by byte (X3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from aiosmtplib import SMTPConnectError, SMTPRecipientRefused, SMTPResponseException, SMTPSenderRefused

from activities.mail_server import MailServer
from crypto.keyring import Keyring
from settings import Settings
from texts.mail_message import FinishedMail

KEYS = Keyring.parse("k1:cdPUBaVTjNr1ksC6Ov5SpqQ4v+TKL1ZUBOIgk3CuBeU=")


class Strict:
    """A mail server that knows whom it refuses, and when it has had enough."""

    def __init__(self) -> None:
        self.taken: list[tuple[str | None, list[str], object]] = []
        self.sessions = 0
        self.old = False
        """Knows HELO and no extensions."""
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    def _session(self) -> SMTP:
        self.sessions += 1
        return SMTP(self, hostname="localhost", data_size_limit=5000)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, replies: list[str]
    ) -> list[str]:
        del server, envelope
        session.host_name = hostname
        return ["502 5.5.1 not here"] if self.old else replies

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session
        if address == "banned@example.cn":
            return "550 5.7.1 not you"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        if address == "full@example.cn":
            return "452 4.2.2 mailbox full"
        if address == "last@example.cn":
            return "421 4.3.2 going down"
        envelope.rcpt_tos.append(address)
        return "251 moved" if address == "moved@example.cn" else "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        del server, session
        if b"virus" in (envelope.content or b""):
            return "554 5.6.0 not this"
        self.taken.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        return "250 OK"


@pytest.fixture
async def strict() -> AsyncIterator[Strict]:
    made = Strict()
    await made.start()
    yield made
    made.stop()


@pytest.fixture
async def sender(strict: Strict) -> AsyncIterator[MailServer]:
    settings = Settings(
        embedded=True, smtp_host="127.0.0.1", smtp_port=strict.port, smtp_security="none", mail_from="a@b.cn",
        link_keys=KEYS,
    )  # fmt: skip
    made = MailServer(settings, timeout=20)
    yield made
    made.hang_up()


def mail(recipient: str = "li@example.cn", *, sender: str = "oa@example.cn", body: str = "x") -> FinishedMail:
    return FinishedMail(sender=sender, recipient=recipient, wire=f"Subject: x\r\n\r\n{body}\r\n".encode())


async def test_x3_one_connection_carries_many_mails_and_lines_of_dots_arrive_as_they_were(
    strict: Strict, sender: MailServer
) -> None:
    bodies = ["first", ".", "..\r\n.\r\n...\r\n. x", "last"]
    for body in bodies:
        await sender.take(mail(body=body))
    assert [content for *_, content in strict.taken] == [f"Subject: x\r\n\r\n{body}\r\n".encode() for body in bodies]
    assert {(writer, *readers) for writer, readers, _ in strict.taken} == {("oa@example.cn", "li@example.cn")}
    assert strict.sessions == 1


@pytest.mark.parametrize(
    ("refused", "kind", "code"),
    [
        (mail(sender="banned@example.cn"), SMTPSenderRefused, 550),
        (mail("full@example.cn"), SMTPRecipientRefused, 452),
        (mail("last@example.cn"), SMTPRecipientRefused, 421),
        (mail(body="virus"), SMTPResponseException, 554),
        (mail(body="x" * 6000), SMTPSenderRefused, 552),
    ],
)
async def test_x3_a_mail_that_is_refused_says_why_and_the_next_one_goes_out(
    strict: Strict, sender: MailServer, refused: FinishedMail, kind: type[SMTPResponseException], code: int
) -> None:
    await sender.take(mail())
    with pytest.raises(kind) as told:
        await sender.take(refused)
    assert told.value.code == code
    sender.hang_up()
    await sender.take(mail("moved@example.cn"))
    assert [readers for _, readers, _ in strict.taken] == [["li@example.cn"], ["moved@example.cn"]]


async def test_x3_a_server_of_the_old_kind_gets_its_mails_too(strict: Strict, sender: MailServer) -> None:
    strict.old = True
    await sender.take(mail())
    assert len(strict.taken) == 1


async def test_x3_a_connection_that_the_server_ended_is_replaced(strict: Strict, sender: MailServer) -> None:
    await sender.take(mail())
    with pytest.raises(SMTPResponseException):
        await sender.take(mail("last@example.cn"))
    await sender.take(mail())
    assert (len(strict.taken), strict.sessions) == (2, 2)


async def test_x3_a_server_that_is_gone_is_told_apart_from_one_that_refuses(strict: Strict, sender: MailServer) -> None:
    strict.stop()
    with pytest.raises(SMTPConnectError) as told:
        await sender.take(mail())
    assert isinstance(told.value, OSError)
    assert not isinstance(told.value, SMTPResponseException)

"""A mail server's replies to one mail concern that mail alone, and what it accepts arrives byte by byte (X3).

With and without extensions, encrypted, refusing, late, lost in the middle of a mail, or talking nonsense.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crypto.keyring import Keyring
from delivery.mime import FinishedMail
from delivery.smtp import MailServer
from runtime.settings import Settings

KEYS = Keyring.parse("k1:cdPUBaVTjNr1ksC6Ov5SpqQ4v+TKL1ZUBOIgk3CuBeU=")


class Strict:
    """A mail server that refuses certain senders, recipients and contents."""

    def __init__(self) -> None:
        self.accepted: list[tuple[str | None, list[str], object]] = []
        self.sessions = 0
        self.pipelining = False
        """Offers to receive commands together (RFC 2920)."""
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
        if self.old:
            return ["502 5.5.1 not here"]
        return [replies[0], "250-PIPELINING", *replies[1:]] if self.pipelining else replies

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
        self.accepted.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        return "250 OK"


@pytest.fixture(params=[True, False], ids=["pipelining", "no pipelining"])
async def strict(request: pytest.FixtureRequest) -> AsyncIterator[Strict]:
    made = Strict()
    made.pipelining = request.param
    await made.start()
    yield made
    made.stop()


def to_port(port: int, **more: Any) -> MailServer:
    known = {"smtp_host": "127.0.0.1", "smtp_security": "none", "mail_from": "a@b.cn", "link_keys": KEYS, **more}
    return MailServer(Settings(embedded=True, smtp_port=port, **known))


@pytest.fixture
async def sender(strict: Strict) -> AsyncIterator[MailServer]:
    made = to_port(strict.port)
    yield made
    made.hang_up()


def mail(recipient: str = "li@example.cn", *, sender: str = "oa@example.cn", body: str = "x") -> FinishedMail:
    return FinishedMail(sender=sender, recipient=recipient, wire=f"Subject: x\r\n\r\n{body}\r\n".encode())


async def test_x3_one_connection_carries_many_mails_and_lines_of_dots_arrive_as_they_were(
    strict: Strict, sender: MailServer
) -> None:
    bodies = ["first", ".", "..\r\n.\r\n...\r\n. x", "last"]
    for body in bodies:
        await sender.send(mail(body=body))
    assert [content for *_, content in strict.accepted] == [f"Subject: x\r\n\r\n{body}\r\n".encode() for body in bodies]
    assert {(writer, *readers) for writer, readers, _ in strict.accepted} == {("oa@example.cn", "li@example.cn")}
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
async def test_x3_a_refusal_is_raised_with_its_code_and_the_next_mail_goes_out(
    strict: Strict, sender: MailServer, refused: FinishedMail, kind: type[SMTPResponseException], code: int
) -> None:
    await sender.send(mail())
    with pytest.raises(kind) as refusal:
        await sender.send(refused)
    assert refusal.value.code == code
    await sender.send(mail("moved@example.cn"))
    assert [readers for _, readers, _ in strict.accepted] == [["li@example.cn"], ["moved@example.cn"]]


async def test_x3_a_server_without_extensions_gets_its_mails_too(strict: Strict, sender: MailServer) -> None:
    strict.old = True
    await sender.send(mail())
    assert len(strict.accepted) == 1


async def test_x3_a_connection_that_the_server_closed_is_replaced(strict: Strict, sender: MailServer) -> None:
    await sender.send(mail())
    with pytest.raises(SMTPResponseException):
        await sender.send(mail("last@example.cn"))
    await sender.send(mail())
    assert (len(strict.accepted), strict.sessions) == (2, 2)


async def test_x3_an_unavailable_server_is_distinguished_from_one_that_refuses(
    strict: Strict, sender: MailServer
) -> None:
    strict.stop()
    with pytest.raises(SMTPConnectError) as refusal:
        await sender.send(mail())
    assert isinstance(refusal.value, OSError)
    assert not isinstance(refusal.value, SMTPResponseException)


class Odd:
    """A mail server that follows a script, whatever it receives: the lines of each connection in turn.

    After each full line it waits for a line (after 354, for a mail); `END` closes the connection.
    """

    def __init__(self, *connections: list[bytes]) -> None:
        self._left = list(connections)
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Odd:
        self._server = await asyncio.start_server(self._speak, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for words in self._left.pop(0):
                if words == END:
                    break
                writer.write(words)
                if not words.endswith(b"\n"):
                    continue
                await reader.readuntil(b"\r\n.\r\n" if words.startswith(b"354") else b"\r\n")
            else:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()


END = b""
GREETING = [b"220 here\r\n", b"250-odd\r\n250 PIPELINING\r\n"]
"""Answered by EHLO and by what begins a mail."""
ACCEPTS = [b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n", b"250 taken\r\n"]


@pytest.mark.parametrize(
    "broken",
    [
        [END],
        [b"250 OK\r\n", END],
        [*ACCEPTS[:3], END],
        [*ACCEPTS[:3], b"250 tak", END],
        pytest.param([*ACCEPTS[:2], b"354 go on\r\n250 one too many\r\n", END], id="accepted before it was sent"),
    ],
)
async def test_x3_a_server_that_is_lost_in_the_middle_of_a_mail_is_unavailable(
    broken: list[bytes],
) -> None:
    async with Odd([*GREETING, *broken], [*GREETING, *ACCEPTS]) as odd:
        sender = to_port(odd.port)
        async with asyncio.timeout(20):
            with pytest.raises(SMTPServerDisconnected):
                await sender.send(mail())
            await sender.send(mail())
        sender.hang_up()


@pytest.mark.parametrize(
    "nonsense",
    [
        3 * [b"what?\r\n"],
        [*ACCEPTS[:3], b"250-" + b"x" * 70_000 + b"\r\n", END],
        [b"250-" + b"x" * 70_000, END],
    ],
    ids=["no code", "endless line", "line without end"],
)
async def test_x3_a_nonsensical_or_endless_reply_is_a_refusal(nonsense: list[bytes]) -> None:
    async with Odd([*GREETING, *nonsense], [*GREETING, *ACCEPTS]) as odd:
        sender = to_port(odd.port)
        async with asyncio.timeout(20):
            with pytest.raises(SMTPResponseException) as refusal:
                await sender.send(mail())
            assert refusal.value.code == -1
            await sender.send(mail())
        sender.hang_up()


async def test_x3_a_late_reply_is_not_read_as_the_reply_to_the_next_mail() -> None:
    """Neither the reply to a mail that was given up, nor a farewell sent together with the acceptance of a mail."""
    async with Odd(
        [*GREETING, *ACCEPTS[:3]], [*GREETING, *ACCEPTS[:3], b"250 taken\r\n421 idle\r\n", END], [*GREETING, *ACCEPTS]
    ) as odd:
        sender = to_port(odd.port)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await sender.send(mail())
        async with asyncio.timeout(20):
            await sender.send(mail())
            with pytest.raises(SMTPServerDisconnected):
                await sender.send(mail())
            await sender.send(mail())
        sender.hang_up()


def certificate(folder: Path) -> Path:
    """A key and a self-signed certificate for `localhost`, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    written = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "mail.pem"
    file.write_bytes(written + made.public_bytes(serialization.Encoding.PEM))
    return file


class Guarded(Strict):
    """Accepts mails only over TLS and with the password."""

    def __init__(self, context: ssl.SSLContext, *, from_the_start: bool) -> None:
        super().__init__()
        self.pipelining = True
        self._context, self._from_the_start = context, from_the_start

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        context = self._context if self._from_the_start else None
        self._server = await loop.create_server(self._session, "localhost", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    def _session(self) -> SMTP:
        self.sessions += 1
        later: dict[str, Any] = {"tls_context": self._context, "require_starttls": True}
        return SMTP(
            self,
            hostname="localhost",
            auth_required=True,
            auth_require_tls=not self._from_the_start,
            authenticator=self._known,
            **({} if self._from_the_start else later),
        )

    @staticmethod
    def _known(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        del server, session, envelope, mechanism
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"baobei", b"right")
        return AuthResult(success=right, handled=False)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # it does not see the TLS around it
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_x3_mails_go_out_encrypted_and_with_the_password(
    security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    guarded = Guarded(context, from_the_start=security == "tls")
    await guarded.start()
    known: dict[str, Any] = {"smtp_host": "localhost", "smtp_security": security, "smtp_username": "baobei"}
    sender = to_port(guarded.port, smtp_password="right", **known)
    with pytest.raises((SMTPConnectError, ssl.SSLError)):  # its certificate is not trusted
        await sender.send(mail())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(SMTPAuthenticationError):
        await to_port(guarded.port, smtp_password="wrong", **known).send(mail())
    assert guarded.accepted == []
    long = mail(body="y" * 70 + ("\r\n" + "y" * 70) * 40)
    await sender.send(mail())
    await sender.send(long)
    assert [content for *_, content in guarded.accepted] == [mail().wire, long.wire]
    sender.hang_up()
    guarded.stop()


async def test_x3_a_mail_that_was_given_up_does_not_arrive_after_all() -> None:
    """A server that hangs in the middle of a mail gets no more of it: the mail is sent again and would come twice."""
    heard, begun, go_on, over = bytearray(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for words in [*GREETING, *ACCEPTS[:3]]:
                writer.write(words)
                if not words.startswith(b"354"):
                    await reader.readline()
            heard.extend(await reader.read(1))
            begun.set()
            await go_on.wait()
            while more := await reader.read(1 << 20):
                heard.extend(more)
        except ConnectionError:
            pass
        writer.close()
        over.set()

    async with await asyncio.start_server(hangs, "127.0.0.1", 0) as server, asyncio.timeout(20):
        sender = to_port(server.sockets[0].getsockname()[1])
        sending = asyncio.create_task(sender.send(mail(body=("x" * 898 + "\r\n") * 40_000)))
        await begun.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        go_on.set()
        await over.wait()
        assert not heard.endswith(b"\r\n.\r\n")

"""Finished mails are handed to the mail server, over one connection that is kept from mail to mail."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple, cast

from aiosmtplib import SMTP, SMTPDataError, SMTPRecipientRefused, SMTPSenderRefused, SMTPServerDisconnected

from delivery.mime import FinishedMail
from runtime.settings import Settings

_DONE: Final = 250
_GO_ON: Final = 354
_TAKEN: Final = (_DONE, 251)
"""251: taken, and sent on to where the reader has moved."""
LONGEST_REPLY: Final = 64 * 1024
"""Bytes that are read of what a server says and does not end."""


class MailServer:
    """The company's mail server. Whoever asks it to take a mail sets the time limit."""

    def __init__(self, settings: Settings, *, timeout: float) -> None:
        """`timeout` (seconds) is for the connection alone."""
        self._settings = settings
        self._timeout = timeout
        self._open: _Conversation | None = None

    async def take(self, mail: FinishedMail) -> None:
        """Hand over one mail; it is out when this returns.

        Raises `SMTPResponseException` when the server refuses it, any other `SMTPException` or `OSError` when it
        cannot be reached. After either the next mail gets a new connection.
        """
        try:
            conversation = await self._connected()
            await conversation.hand_over(mail)
        except BaseException:  # given up on, too: what is still to come would be taken for the answer to the next mail
            self.hang_up()
            raise

    async def _connected(self) -> _Conversation:
        if self._open is None or not self._open.idle:
            self.hang_up()
            settings = self._settings
            smtp = SMTP(
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                use_tls=settings.smtp_security == "tls",
                start_tls=settings.smtp_security == "starttls",
                username=settings.smtp_username or None,
                password=settings.smtp_password.get_secret_value() or None,
                timeout=self._timeout,
            )
            try:
                await smtp.connect()
                await smtp.noop()  # says EHLO, or HELO, unless that was needed before
                self._open = _Conversation(smtp)
            except BaseException:
                smtp.close()
                raise
        return self._open

    def hang_up(self) -> None:
        """The next mail gets a new connection."""
        conversation, self._open = self._open, None
        if conversation is not None:
            conversation.end()


class _Reply(NamedTuple):
    code: int
    words: str


class _Conversation(asyncio.Protocol):
    """Mail after mail with a server to which the library has connected, encrypted and logged in.

    The library's own `sendmail` waits for every command by itself and goes over each mail several times, which costs
    three times as much (decision 24). Ours have usable addresses and CRLF everywhere; and a server that takes commands
    together (RFC 2920) gets them together.
    """

    def __init__(self, smtp: SMTP) -> None:
        if smtp.transport is None:
            raise SMTPServerDisconnected("lost while it was opened")
        self._transport = cast(asyncio.Transport, smtp.transport)
        self._together = smtp.supports_extension("pipelining")
        self._size = smtp.supports_extension("size")
        self._line = b""
        """What was heard of a line that has not ended."""
        self._words: list[str] = []
        """Lines of a reply that has not ended."""
        self._replies: list[_Reply] = []
        self._heard = 0
        """Bytes since we last wrote."""
        self._awaited = 0
        """So many replies wake whoever waits for them."""
        self._waiter: asyncio.Future[None] | None = None
        self._lost = False
        self._transport.set_protocol(self)

    @property
    def idle(self) -> bool:
        """Whether a mail may begin: the connection is there, and nothing was said that nobody asked for."""
        return not (self._lost or self._transport.is_closing() or self._replies or self._words or self._line)

    def end(self) -> None:
        """At once: `close` would go on until all is out, and a mail that was given up would arrive after all."""
        self._transport.abort()

    async def hand_over(self, mail: FinishedMail) -> None:
        """One mail; raises as `MailServer.take` does."""
        size = f" SIZE={len(mail.wire)}" if self._size else ""
        sender, recipient, data = f"MAIL FROM:<{mail.sender}>{size}\r\n", f"RCPT TO:<{mail.recipient}>\r\n", "DATA\r\n"
        if self._together:
            self._write((sender + recipient + data).encode("ascii"))
        code, words = await self._answer(sender, further=2)
        if code != _DONE:
            raise SMTPSenderRefused(code, words, mail.sender)
        code, words = await self._answer(recipient, further=1)
        if code not in _TAKEN:
            raise SMTPRecipientRefused(code, words, mail.recipient)
        code, words = await self._answer(data)
        if code == _GO_ON:
            self._write(_with_end(mail.wire))
            code, words = await self._reply(1)
        if code != _DONE:
            raise SMTPDataError(code, words)

    async def _answer(self, command: str, *, further: int = 0) -> _Reply:
        """The answer to a command; `further` ones are awaited with it when all were sent together."""
        if not self._together:
            self._write(command.encode("ascii"))
        return await self._reply(1 + further if self._together else 1)

    async def _reply(self, awaited: int) -> _Reply:
        if len(self._replies) < awaited and not self._lost:
            self._awaited = awaited
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if not self._replies:
            raise SMTPServerDisconnected("lost in the middle of a mail")
        return self._replies.pop(0)

    def _write(self, words: bytes) -> None:
        if not self.idle:  # what is there already would be taken for the answer
            raise SMTPServerDisconnected("lost, or said what nobody asked for")
        self._heard = 0
        self._transport.write(words)

    def data_received(self, data: bytes) -> None:
        self._heard += len(data)
        if self._heard > LONGEST_REPLY:
            self._transport.abort()
            return
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._words.append(line[4:].strip().decode("utf-8", "replace"))
            if line[3:4] != b"-":
                code = int(line[:3]) if line[:3].isdigit() else -1
                self._replies.append(_Reply(code, "\n".join(self._words)))
                self._words = []
        if len(self._replies) >= self._awaited:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._lost = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _with_end(wire: bytes) -> bytes:
    """RFC 5321: a line that begins with a dot gets another, and a dot alone ends the mail."""
    if b"\n." in wire:
        wire = wire.replace(b"\n.", b"\n..")
    return wire + b".\r\n"

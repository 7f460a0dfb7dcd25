"""Finished mails are handed to the mail server, over one connection that is kept from mail to mail."""

from __future__ import annotations

from typing import Final

from aiosmtplib import SMTP, SMTPDataError, SMTPRecipientRefused, SMTPSenderRefused

from settings import Settings
from texts.mail_message import FinishedMail

_DONE: Final = 250
_GO_ON: Final = 354
_TAKEN: Final = (_DONE, 251)
"""251: taken, and sent on to where the reader has moved."""


class MailServer:
    """The company's mail server. Whoever asks it for something sets the time limit, and hangs up when it went wrong."""

    def __init__(self, settings: Settings, *, timeout: float) -> None:
        """`timeout` (seconds) is for the connection alone."""
        self._settings = settings
        self._timeout = timeout
        self._smtp: SMTP | None = None

    async def take(self, mail: FinishedMail) -> None:
        """Hand over one mail; it is out when this returns.

        Raises `SMTPResponseException` when the server refuses it, any other `SMTPException` or `OSError` when it
        cannot be reached. The library's `sendmail` takes the addresses apart and goes over the whole mail three times,
        which took twice as long (ran): ours have usable addresses and CRLF everywhere.
        """
        smtp = await self._connected()
        size = [b"SIZE=%d" % len(mail.wire)] if smtp.supports_extension("size") else []
        reply = await smtp.execute_command(b"MAIL", b"FROM:<%s>" % mail.sender.encode("ascii"), *size, timeout=None)
        if reply.code != _DONE:
            raise SMTPSenderRefused(reply.code, reply.message, mail.sender)
        reply = await smtp.execute_command(b"RCPT", b"TO:<%s>" % mail.recipient.encode("ascii"), timeout=None)
        if reply.code not in _TAKEN:
            raise SMTPRecipientRefused(reply.code, reply.message, mail.recipient)
        reply = await smtp.execute_command(b"DATA", timeout=None)
        if reply.code == _GO_ON and smtp.protocol is not None:
            smtp.protocol.write(_with_end(mail.wire))
            reply = await smtp.protocol.read_response()
        if reply.code != _DONE:
            raise SMTPDataError(reply.code, reply.message)

    async def _connected(self) -> SMTP:
        if self._smtp is None or not self._smtp.is_connected:
            settings = self._settings
            self._smtp = SMTP(
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                use_tls=settings.smtp_security == "tls",
                start_tls=settings.smtp_security == "starttls",
                username=settings.smtp_username or None,
                password=settings.smtp_password.get_secret_value() or None,
                timeout=self._timeout,
            )
            await self._smtp.connect()
            await self._smtp.noop()  # says EHLO, or HELO, unless that was needed before
        return self._smtp

    def hang_up(self) -> None:
        """The next mail gets a new connection."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()


def _with_end(wire: bytes) -> bytes:
    """RFC 5321: a line that begins with a dot gets another, and a dot alone ends the mail."""
    if b"\n." in wire:
        wire = wire.replace(b"\n.", b"\n..")
    return wire + b".\r\n"

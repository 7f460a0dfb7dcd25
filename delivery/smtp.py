"""Sends finished mails to the mail server, over one connection that is kept from mail to mail."""

from __future__ import annotations

import asyncio
from typing import cast

from aiosmtplib import SMTP, SMTPRecipientsRefused

from delivery.mime import FinishedMail
from runtime.settings import Settings


class MailServer:
    """The company's mail server. It sets no time limit: the caller sets one for each mail."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: SMTP | None = None

    async def send(self, mail: FinishedMail) -> None:
        """Send one mail; the server has accepted it when this returns.

        Raises `SMTPResponseException` when the server refuses it, any other `SMTPException` or `OSError` when it is
        unavailable. After either the next mail gets a new connection.
        """
        try:
            connection = await self._connected()
            await connection.sendmail(mail.sender, mail.recipient, mail.wire)
        except SMTPRecipientsRefused as refused:
            self.hang_up()
            raise refused.recipients[0] from None
        except BaseException:  # cancelled, too: a late answer would be read as the answer to the next mail
            self.hang_up()
            raise

    async def _connected(self) -> SMTP:
        if self._connection is None or not self._connection.is_connected:
            self.hang_up()
            settings = self._settings
            self._connection = SMTP(
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                use_tls=settings.smtp_security == "tls",
                start_tls=settings.smtp_security == "starttls",
                username=settings.smtp_username or None,
                password=settings.smtp_password.get_secret_value() or None,
                timeout=None,
            )
            await self._connection.connect()
        return self._connection

    def hang_up(self) -> None:
        """Close the connection; the next mail opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if connection.transport is not None:
                # `close` alone sends what is still buffered, and a mail that was given up would arrive after all.
                cast(asyncio.WriteTransport, connection.transport).abort()
            connection.close()

"""Sends queued mails beside the processes: an unavailable mail server delays mails and nothing else (principle 5)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, timedelta
from time import monotonic
from zoneinfo import ZoneInfo

import structlog
from aiosmtplib import SMTPException, SMTPResponseException
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncEngine

from crypto.links import link_token
from db import messages
from db.connection import channels
from db.connection.engine import DatabaseUnavailable, autocommit
from db.reference_data import ReferenceData
from db.reports import reports as made
from delivery.mime import Attachment, build_message
from delivery.smtp import MailServer
from delivery.wake import Wake
from domain.reports.report import part_for
from reports.sheets import XLSX, sheet_name, workbook
from runtime.settings import Settings
from texts.catalogue import Texts
from texts.mails.facts import MailFacts
from texts.mails.mail import render_mail
from texts.reports.report_parts import ReportPart

BATCH = 10
GATHER_SECONDS = 0.2
"""Pause between batches unless more mails wait: the first mail leaves at once, those close behind it leave together."""
LEASE = timedelta(minutes=1)
"""How long mails leased to a sender that died wait for another.

Longer than a batch takes: no mail is started after half of it, and none takes longer than `SMTP_TIMEOUT`.
"""
LONGEST_PAUSE = timedelta(minutes=5)
HOPELESS_PAUSE = timedelta(days=1)
"""A mail that no retry helps stays in the queue, where metrics show it and an operator can repair it."""
SMTP_TIMEOUT = 20.0
"""Seconds for one mail, including the connection."""
NOBODY = "nobody to write to"
"""The last error of a mail whose recipient has left: it is never sent, and the record does not claim it was."""

SENT = Counter("baobei_mails_sent", "Mails accepted by the mail server")
FAILED = Counter("baobei_mails_failed", "Attempts to send a mail that failed")

log = structlog.get_logger()


class MailSender:
    """Sends queued mails until the mail server has accepted them, each with the Message-ID and link from the record.

    Several senders may run: a mail is leased to one of them at a time. After a crash between acceptance and our note
    of it the mail is sent again, with the same bytes.
    """

    def __init__(self, engine: AsyncEngine, facts: ReferenceData, settings: Settings, wake: Wake) -> None:
        self._engine = engine
        self._facts = facts
        self._settings = settings
        self._wake = wake
        self._server = MailServer(settings)

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                begun = monotonic()
                try:
                    sent = await self.send_due()
                except Exception as error:  # any error: a sender that ends here would end silently
                    log.warning("mail queue unreadable", error=type(error).__name__)
                    sent = 0
                if sent < BATCH:
                    await asyncio.sleep(begun + GATHER_SECONDS - monotonic())
                    await self._wake.wait(channels.MAILS)
        finally:
            self.hang_up()

    async def send_due(self) -> int:
        """Send one batch of mails that are due. Returns how many were leased from the queue."""
        begun = monotonic()
        async with autocommit(self._engine) as connection:
            due = await messages.lease_mails(connection, BATCH, LEASE)
            organisation = await self._facts.organisation(connection) if due else None
        sent: list[int] = []
        nobody: list[int] = []
        late: list[int] = []
        for position, mail in enumerate(due):
            if monotonic() - begun > LEASE.total_seconds() / 2:
                late = [waiting.id for waiting in due[position:]]
                break
            person = organisation.person(mail.person) if organisation else None
            if person is None or not person.active:
                nobody.append(mail.id)
                continue
            try:
                async with asyncio.timeout(SMTP_TIMEOUT):
                    await self._send(mail, person.name, person.email)
                SENT.inc()
                sent.append(mail.id)
            except (SMTPResponseException, DatabaseUnavailable) as error:
                await self._put_back([mail], error, _pause(mail.attempts))
            except (OSError, SMTPException) as error:
                # The server is unavailable: do not try the rest of the batch one by one.
                await self._put_back(due[position:], error, _pause(mail.attempts))
                break
            except Exception as error:  # the mail cannot be built; it must not hold up or repeat the others
                await self._put_back([mail], error, HOPELESS_PAUSE)
        if sent or nobody or late:
            async with autocommit(self._engine) as connection:
                await messages.mails_sent(connection, sent)
                await messages.mails_failed(connection, nobody, NOBODY, HOPELESS_PAUSE)
                await messages.mails_untried(connection, late)
        return len(due)

    async def _send(self, mail: messages.LeasedMail, name: str, address: str) -> None:
        facts = MailFacts.model_validate(mail.facts)
        base = self._settings.public_url
        pages = self._settings.portal_url or base
        link_id, door = mail.link_id or mail.act_link_id, "d" if mail.link_id else "a"
        link = f"{base}/{door}/{link_token(link_id, self._settings.link_keys)}" if link_id else ""
        facts = facts.model_copy(update={"link": link, "subject_url": f"{pages}{facts.page}" if facts.page else ""})
        domain = self._settings.mail_from.rpartition("@")[2].rstrip(">")
        message = build_message(
            render_mail(facts),
            sender=self._settings.mail_from,
            to_name=name,
            to_address=address,
            message_id=f"<{_digest(mail.key)}@{domain}>",
            thread_id=f"<{_digest('thread:' + (mail.subject_id or mail.key))}@{domain}>",
            date=mail.created_at.astimezone(UTC),
            invitation=facts.invitation,
            attachments=[await self._sheet(facts.report, facts)] if facts.report else (),
        )
        await self._server.send(message)

    async def _sheet(self, part: ReportPart, facts: MailFacts) -> Attachment:
        """The part of the report that the mail is about, as a sheet."""
        async with autocommit(self._engine) as connection:
            report = await made.find(connection, part.kind, part.period.id)
        if report is None:
            raise LookupError(f"no {part.kind} of {part.period.id} was made")
        texts, cut = Texts(facts.language), part_for(report, part.scope, part.department)
        # In a thread: the sheet of a large report takes tenths of a second.
        content = await asyncio.to_thread(workbook, cut, texts, ZoneInfo(facts.time_zone), part.part(texts))
        return Attachment(sheet_name(part.kind, part.period.id, part.department), XLSX, content)

    def hang_up(self) -> None:
        """Close the connection to the mail server; the next mail opens another."""
        self._server.hang_up()

    async def _put_back(self, mails: Sequence[messages.LeasedMail], error: Exception, pause: timedelta) -> None:
        FAILED.inc()
        log.warning("mail not sent", mail=mails[0].key, attempt=mails[0].attempts, error=type(error).__name__)
        async with autocommit(self._engine) as connection:
            await messages.mails_failed(
                connection, [mail.id for mail in mails], f"{type(error).__name__}: {error}", pause
            )


def _pause(attempts: int) -> timedelta:
    return min(timedelta(seconds=2 ** min(attempts - 1, 10)), LONGEST_PAUSE)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]

"""Reads back what the mail sink received from its folder.

The content of each mail is also stored as JSON on arrival: parsing a mail takes milliseconds, and a client that waits
for a mail reads all of them repeatedly.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import EmailPolicy
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple, cast

from domain.base import Frozen

ENVELOPE_FROM = "X-Envelope-From"
ENVELOPE_TO = "X-Envelope-To"
"""Added by the sink: the envelope recipients, which the headers of the mail may not name."""

_LINK = re.compile(r"https?://[^\s<>\"'，。；）】》]+")


class ReceivedMail(Frozen):
    """A mail as displayed. `date` is when the sink accepted it."""

    id: str
    to: tuple[str, ...]
    sender: str
    subject: str
    message_id: str
    date: datetime
    text: str
    html: str
    links: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    calendar: str = ""
    """Its invitation (D2), in the format of RFC 5545."""


class _Once(EmailPolicy):
    """Caches parsed headers: all mails have the same types of parts."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        return _header(name, value)


_DEFAULT = EmailPolicy()


@lru_cache(maxsize=1024)
def _header(name: str, value: str) -> Any:
    return _DEFAULT.header_fetch_parse(name, value)


def read_mails(directory: Path, to: str | None = None) -> list[ReceivedMail]:
    """All mails in order of arrival, or only those delivered to the address `to` (case-insensitive)."""
    paths = sorted(directory.glob("*.eml"))
    return [read_mail(path) for path in paths if to is None or to.lower() in _recipients(path)]


@lru_cache(maxsize=65536)
def _recipients(path: Path) -> frozenset[str]:
    return frozenset(address.lower() for address in read_mail(path).to)


def read_mail(path: Path) -> ReceivedMail:
    """One mail. Raises OSError if there is none."""
    try:
        return ReceivedMail.model_validate_json(parsed_copy(path).read_bytes())
    except (OSError, ValueError):  # written by an earlier version, or placed here by hand
        return _parsed(path)


def parsed_copy(path: Path) -> Path:
    """Path of the JSON cache of the mail at `path`."""
    return path.with_suffix(".json")


@lru_cache(maxsize=4096)
def _parsed(path: Path) -> ReceivedMail:
    return parse_mail(path.stem, path.read_bytes())


def parse_mail(mail_id: str, content: bytes) -> ReceivedMail:
    """The content of a mail. `mail_id`: its file name, which begins with the arrival time."""
    message = cast(EmailMessage, BytesParser(EmailMessage, policy=_Once()).parsebytes(content))
    text, html = _body(message, "plain"), _body(message, "html")
    finder = _Hrefs()
    finder.feed(html)
    plain = [link.rstrip(".,;:!?)]") for link in _LINK.findall(text)]
    return ReceivedMail(
        id=mail_id,
        to=tuple(address.strip() for address in str(message.get(ENVELOPE_TO, "")).split(",") if address.strip()),
        sender=str(message.get("From", message.get(ENVELOPE_FROM, ""))),
        subject=str(message.get("Subject", "")),
        message_id=str(message.get("Message-ID", "")).strip(),
        date=datetime.strptime(mail_id.partition("-")[0], "%Y%m%dT%H%M%S.%f%z"),
        text=text,
        html=html,
        links=tuple(dict.fromkeys([*plain, *finder.links])),
        headers=tuple((name, str(value)) for name, value in message.items()),
        calendar=next((_content(part) for part in message.walk() if part.get_content_type() == "text/calendar"), ""),
    )


class Attachment(NamedTuple):
    """A file that came with a mail."""

    name: str
    content: bytes


def attachments_of(path: Path) -> list[Attachment]:
    """The files attached to the mail at `path`, in order. Raises OSError if there is none."""
    message = cast(EmailMessage, BytesParser(EmailMessage, policy=_Once()).parsebytes(path.read_bytes()))
    return [
        Attachment(part.get_filename() or "attachment", payload)
        for part in message.iter_attachments()
        if isinstance(payload := part.get_payload(decode=True), bytes)
    ]


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return _content(part) if part is not None else ""


def _content(part: Any) -> str:
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):  # a mail with an unknown or wrong charset is still shown
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


class _Hrefs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if tag == "a" and name == "href" and value and value.startswith(("http://", "https://")):
                self.links.append(value)

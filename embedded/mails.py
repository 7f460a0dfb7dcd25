"""What the mail sink received, read back from its folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ENVELOPE_FROM = "X-Envelope-From"
ENVELOPE_TO = "X-Envelope-To"
"""Added by the sink: whom the mail was really handed over for, which its own headers need not say."""

_LINK = re.compile(r"https?://[^\s<>\"'，。；）】》]+")


@dataclass(frozen=True)
class ReceivedMail:
    """One mail as people read it. `date` is when the sink took it."""

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
    """The invitation it carries (D2), as RFC 5545 has it."""


def read_mails(directory: Path, to: str | None = None) -> list[ReceivedMail]:
    """Every mail in the order of arrival, or only those handed over for the address `to` (letter case ignored)."""
    mails = [read_mail(path) for path in sorted(directory.glob("*.eml"))]
    return [mail for mail in mails if to is None or to.lower() in (address.lower() for address in mail.to)]


@lru_cache(maxsize=4096)
def read_mail(path: Path) -> ReceivedMail:
    # A mail's file never changes, and whoever waits for a mail asks for all of them again and again.
    with path.open("rb") as file:
        message = BytesParser(policy=policy.default).parse(file)
    text, html = _body(message, "plain"), _body(message, "html")
    finder = _Hrefs()
    finder.feed(html)
    plain = [link.rstrip(".,;:!?)]") for link in _LINK.findall(text)]
    return ReceivedMail(
        id=path.stem,
        to=tuple(address.strip() for address in str(message.get(ENVELOPE_TO, "")).split(",") if address.strip()),
        sender=str(message.get("From", message.get(ENVELOPE_FROM, ""))),
        subject=str(message.get("Subject", "")),
        message_id=str(message.get("Message-ID", "")).strip(),
        date=datetime.strptime(path.stem.split("-")[0], "%Y%m%dT%H%M%S.%f%z"),
        text=text,
        html=html,
        links=tuple(dict.fromkeys([*plain, *finder.links])),
        headers=tuple((name, str(value)) for name, value in message.items()),
        calendar=next((_content(part) for part in message.walk() if part.get_content_type() == "text/calendar"), ""),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return _content(part) if part is not None else ""


def _content(part: Any) -> str:
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):  # an unknown or wrong charset is no reason to hide the mail
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

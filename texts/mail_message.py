"""The message that goes out: headers, text and HTML of a rendered mail as bytes that a mail server takes.

Display strings never reach a header as they were typed: Python 3.11.7 writes an encoded word that holds CRLF as a
header of its own. They are cleaned, and the finished message is read back and compared before anyone may send it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import SMTP, compat32
from email.utils import format_datetime
from hashlib import sha256
from typing import Any, Final

from domain.email_address import is_email_address
from texts.mail import RenderedMail, header_text

LONGEST_MESSAGE_ID: Final = 77
"""One longer does not fit a folded line: `References` would be written as an encoded word and thread nothing (ran)."""

_PARTS: Final = ("multipart/alternative", "text/plain", "text/html")
_PARTS_WITH_INVITATION: Final = ("multipart/mixed", *_PARTS, "text/calendar", "application/ics")

_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=^_`{|}~-]+@[A-Za-z0-9.-]+>")


class MailRefused(ValueError):
    """The message cannot be sent as it is: an unusable address or id, or headers that do not read back.

    No retry helps."""


def build_message(
    rendered: RenderedMail,
    *,
    sender: str,
    to_name: str,
    to_address: str,
    message_id: str,
    thread_id: str,
    date: datetime,
    invitation: str = "",
) -> EmailMessage:
    """The message as it goes on the wire: plain text and HTML, marked as automatic, threaded under `thread_id`.

    An `invitation` is a calendar (RFC 5545): once among the alternatives, where mail programs offer to accept it, and
    once as the file `invite.ics`, for those that do not (D2).

    `sender` and `to_address` are bare addresses or, for the sender, `Name <address>`; ids with or without angle
    brackets; `date` is aware. The same arguments give the same bytes: a repeated mail is recognisably the same (X3).

    Raises `MailRefused` for an unusable address or id and when the finished message does not read back as it was meant.
    """
    if date.tzinfo is None:
        raise ValueError("the date of a mail needs a time zone")
    message = EmailMessage(policy=SMTP)
    own_id, root_id = _message_id(message_id), _message_id(thread_id)
    headers: list[tuple[str, str | Address]] = [
        ("Subject", header_text(rendered.subject, 200)),
        ("From", _sender(sender)),
        ("To", _address(to_name, to_address)),
        ("Date", format_datetime(date)),
        ("Message-ID", own_id),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ]
    if root_id != own_id:
        headers += [("In-Reply-To", root_id), ("References", root_id)]
    for name, value in headers:
        message[name] = value
    message.set_content(rendered.text)
    message.add_alternative(rendered.html, subtype="html")
    if invitation:
        message.add_alternative(invitation, subtype="calendar", cte="base64", params={"method": "REQUEST"})
        message.add_attachment(invitation.encode(), maintype="application", subtype="ics", filename="invite.ics")
    # One boundary per message id: a repeat is the same mail byte for byte.
    name = re.sub(r"[^A-Za-z0-9]", "", own_id)[:40]
    for depth, part in enumerate(_multiparts(message)):
        part.set_boundary(f"=_{name}_{depth or ''}=")
    _check(message)
    return message


def _multiparts(message: Message) -> list[Message]:
    return [part for part in message.walk() if part.is_multipart()]


def _message_id(value: str) -> str:
    """The id in angle brackets; an overlong one, of a company with a long domain, always becomes the same short one."""
    bracketed = value if value.startswith("<") else f"<{value}>"
    if not _MESSAGE_ID.fullmatch(bracketed):
        raise MailRefused("not a usable message id")
    if len(bracketed) <= LONGEST_MESSAGE_ID:
        return bracketed
    digest = sha256(bracketed.encode()).hexdigest()[:40]
    labels = bracketed[1:-1].rpartition("@")[2].split(".")
    while len(short := f"<{digest}@{'.'.join(labels)}>") > LONGEST_MESSAGE_ID:
        labels = labels[1:] if len(labels) > 1 else [labels[0][:10]]
    return short


def _address(name: str, address: str) -> Address:
    if not is_email_address(address):
        raise MailRefused("not a usable mail address")
    return Address(display_name=header_text(name, 60), addr_spec=address)


def _sender(sender: str) -> Address:
    named = re.fullmatch(r"\s*(.*?)\s*<([^<>]+)>\s*", sender)
    return _address(named[1].strip('"'), named[2]) if named else _address("", sender.strip())


def _check(message: EmailMessage) -> None:
    """Read the finished message back: the same headers, once each, with the same values, and the same parts."""
    wire = message.as_bytes(policy=SMTP)
    # Reading a whole mail by the strict policy costs more than writing it; it is asked only in a doubt.
    if not _plainly_sound(message, wire):
        _read_back(message, wire)


def _plainly_sound(message: EmailMessage, wire: bytes) -> bool:
    head, gap, body = wire.partition(b"\r\n\r\n")
    try:
        read = BytesHeaderParser(policy=compat32).parsebytes(head + gap)
        headers = [(name, str(make_header(decode_header(value)))) for name, value in read.items()]
    except (HeaderParseError, ValueError, LookupError):
        return False
    parted = all(
        body.count(b"--" + str(part.get_boundary()).encode()) == len(part.get_payload()) + 1
        for part in _multiparts(message)
    )
    return parted and _comparable(headers) == _comparable(message.items())


def _comparable(headers: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    return [(name.lower(), "".join(str(value).split())) for name, value in headers]


def _read_back(message: EmailMessage, wire: bytes) -> None:
    read = BytesParser(policy=SMTP).parsebytes(wire)
    if _comparable(read.items()) != _comparable(message.items()):
        raise MailRefused("the headers of the finished mail do not read back as they were written")
    if tuple(part.get_content_type() for part in read.walk()) not in (_PARTS, _PARTS_WITH_INVITATION):
        raise MailRefused("the parts of the finished mail do not read back as they were written")

"""The message that goes out: headers, text and HTML of a rendered mail as the bytes that a mail server takes.

Written by hand, because the headers are few and known: the classes of the standard library took six times as long.

Display strings never reach a header as they were typed: Python 3.11.7 writes an encoded word that holds CRLF as a
header of its own. They are cleaned, and the finished message is read back and compared before anyone may send it.
"""

from __future__ import annotations

import re
from base64 import b64encode, encodebytes
from collections.abc import Sequence
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from textwrap import wrap
from typing import Final, NamedTuple

from domain.base import Frozen
from domain.email_address import is_email_address
from texts.mail import RenderedMail, header_text

LONGEST_MESSAGE_ID: Final = 77
"""A longer one does not fit a line, and ids that are broken up thread nothing."""
_LONGEST_LINE: Final = 76
_FOLDED: Final = "\r\n "
_WORD: Final = "=?utf-8?b?%s?="

_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=^_`{|}~-]+@[A-Za-z0-9.-]+>")
_HEADERS_ONLY = BytesHeaderParser(policy=compat32)


class MailRefused(ValueError):
    """The message cannot be sent as it is: an unusable address or id, or headers that do not read back.

    No retry helps."""


class FinishedMail(Frozen):
    """A message on its way to the mail server: the two addresses of its envelope, and its bytes."""

    sender: str
    recipient: str
    wire: bytes


class _Mailbox(NamedTuple):
    """A display name, which may be empty, and a usable address."""

    name: str
    address: str


def build_message(
    rendered: RenderedMail,
    *,
    sender: str,
    to_name: str,
    to_address: str,
    message_id: str,
    thread_id: str,
    date: datetime,
) -> FinishedMail:
    """The message as it goes on the wire: plain text and HTML, marked as automatic, threaded under `thread_id`.

    `sender` and `to_address` are bare addresses or, for the sender, `Name <address>`; ids with or without angle
    brackets; `date` is aware. The same arguments give the same bytes: a repeated mail is recognisably the same (X3).

    Raises `MailRefused` for an unusable address or id and when the finished message does not read back as it was meant.
    """
    if date.tzinfo is None:
        raise ValueError("the date of a mail needs a time zone")
    own_id, root_id = _message_id(message_id), _message_id(thread_id)
    writer, reader = _sender(sender), _mailbox(to_name, to_address)
    # One boundary per message id: a repeat is the same mail byte for byte.
    boundary = "=_" + re.sub(r"[^A-Za-z0-9]", "", own_id)[:40] + "_="
    headers: list[tuple[str, str | _Mailbox]] = [
        ("Subject", header_text(rendered.subject, 200)),
        ("From", writer),
        ("To", reader),
        ("Date", format_datetime(date)),
        ("Message-ID", own_id),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ]
    if root_id != own_id:
        headers += [("In-Reply-To", root_id), ("References", root_id)]
    headers += [("MIME-Version", "1.0"), ("Content-Type", f'multipart/alternative; boundary="{boundary}"')]
    head = "".join(f"{name}:{_written(name, value)}\r\n" for name, value in headers).encode("ascii")
    body = b"--%(line)b\r\n%(text)b\r\n--%(line)b\r\n%(html)b\r\n--%(line)b--\r\n" % {
        b"line": boundary.encode("ascii"),
        b"text": _part("plain", rendered.text),
        b"html": _part("html", rendered.html),
    }
    _read_back(head, headers)
    return FinishedMail(sender=writer.address, recipient=reader.address, wire=head + b"\r\n" + body)


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


def _mailbox(name: str, address: str) -> _Mailbox:
    if not is_email_address(address):
        raise MailRefused("not a usable mail address")
    return _Mailbox(header_text(name, 60), address)


def _sender(sender: str) -> _Mailbox:
    named = re.fullmatch(r"\s*(.*?)\s*<([^<>]+)>\s*", sender)
    return _mailbox(named[1].strip('"'), named[2]) if named else _mailbox("", sender.strip())


def _written(name: str, value: str | _Mailbox) -> str:
    """A header's value, with the space or fold before it."""
    room = _LONGEST_LINE - len(name) - len(": ")
    if isinstance(value, str):
        if not value.isascii():
            value = _encoded_words(value, room)
        elif len(value) > room:
            value = _FOLDED.join(wrap(value, room, break_long_words=False, break_on_hyphens=False))
        return " " + value
    if not value.name:
        return f" {value.address}"
    if value.name.isascii():
        shown = '"' + value.name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        shown = _encoded_words(value.name, room)
    fits = len(shown) + len(f" <{value.address}>") <= room
    return f" {shown}{' ' if fits else _FOLDED}<{value.address}>"


def _encoded_words(value: str, room: int) -> str:
    """RFC 2047. Whatever `value` is, nothing but letters, digits and `=?+/-` stands between two folds.

    `room` is what the first line has for a word; a character is never divided between two.
    """
    content = value.encode()
    words = []
    start = 0
    while start < len(content):
        end = start + (room - len(_WORD % "")) // 4 * 3
        while end < len(content) and content[end] & 0b1100_0000 == 0b1000_0000:
            end -= 1
        words.append(_WORD % b64encode(content[start:end]).decode())
        start, room = end, _LONGEST_LINE - 1
    return _FOLDED.join(words)


def _part(subtype: str, content: str) -> bytes:
    # Base64 throughout: no line of it can be too long, a boundary, or a full stop on its own.
    lines = b"".join(line + b"\r\n" for line in content.encode().splitlines())
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return head.encode("ascii") + encodebytes(lines).replace(b"\n", b"\r\n")


def _read_back(head: bytes, meant: Sequence[tuple[str, str | _Mailbox]]) -> None:
    """Read the finished headers as a mail program would: the same ones, once each, with the same values."""
    try:
        read = [(name, _understood(name, str(value))) for name, value in _HEADERS_ONLY.parsebytes(head).items()]
    except (HeaderParseError, ValueError, LookupError) as error:
        raise MailRefused("the headers of the finished mail cannot be read back") from error
    if read != [(name, _comparable(value)) for name, value in meant]:
        raise MailRefused("the headers of the finished mail do not read back as they were written")


def _understood(name: str, raw: str) -> str | _Mailbox:
    if name in ("From", "To"):
        shown, address = parseaddr(raw)
        return _comparable(_Mailbox(_decoded(shown), address))
    return _comparable(_decoded(raw))


def _decoded(value: str) -> str:
    return "".join(
        part if isinstance(part, str) else part.decode(charset or "ascii") for part, charset in decode_header(value)
    )


def _comparable(value: str | _Mailbox) -> str | _Mailbox:
    # Where a header is folded, its spaces may change.
    if isinstance(value, str):
        return "".join(value.split())
    return _Mailbox("".join(value.name.split()), value.address)

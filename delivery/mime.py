"""The message that goes out: headers, text and HTML of a rendered mail as the bytes that a mail server takes.

Its structure is always the same and written down here; the standard library encodes the headers and reads them back.
Building a tree of its message objects and writing that out took twice as long (ran), with `EmailMessage` ten times.

Display strings never reach a header as they were typed: Python 3.11.7 writes an encoded word that holds CRLF as a
header of its own. They are cleaned, and every header but the plainest is read back and compared before it may go out.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from email.errors import HeaderParseError
from email.header import Header, decode_header
from email.parser import HeaderParser
from email.policy import compat32
from email.utils import format_datetime, formataddr, parseaddr
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from domain.base import Frozen
from domain.email_address import is_email_address
from texts.lines import header_text
from texts.mails.mail import RenderedMail

LONGEST_MESSAGE_ID: Final = 77
"""A longer one does not fit a line, and ids that are broken up thread nothing."""
LINE: Final = 76
"""Characters of a line, encoded words and base64 included."""
HEADERS_KEPT: Final = 1024
"""Headers that are remembered, encoded and read back: all mails of a process have one subject, many one reader."""
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=^_`{|}~-]+@[A-Za-z0-9.-]+>")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_AS_IT_IS = re.compile(r"[A-Za-z0-9<][A-Za-z0-9<>@.,:;+_ -]*")
"""Ids, dates and plain words: nothing to encode, and nothing that anyone could read otherwise."""
_HEADERS_ONLY = HeaderParser(policy=compat32)


class MailRefused(ValueError):
    """The message cannot be sent as it is: an unusable address or id, or headers that do not read back.

    No retry helps."""


class FinishedMail(Frozen):
    """A message on its way to the mail server: the two addresses of its envelope, and its bytes."""

    sender: str
    recipient: str
    wire: bytes


class Attachment(NamedTuple):
    """A file that goes along."""

    name: str
    """Letters, digits, dots and hyphens."""
    type: str
    """Its media type."""
    content: bytes


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
    invitation: str = "",
    attachments: Sequence[Attachment] = (),
) -> FinishedMail:
    """The message as it goes on the wire: plain text and HTML, marked as automatic, threaded under `thread_id`.

    An `invitation` is a calendar (RFC 5545): once among the alternatives, where mail programs offer to accept it, and
    once as the file `invite.ics`, for those that do not (D2). `attachments` follow it.

    `sender` and `to_address` are bare addresses or, for the sender, `Name <address>`; ids with or without angle
    brackets; `date` is aware. The same arguments give the same bytes: a repeated mail is recognisably the same (X3).

    Raises `MailRefused` for an unusable address or id and when a header does not read back as it was meant.
    """
    if date.tzinfo is None:
        raise ValueError("the date of a mail needs a time zone")
    own_id, root_id = _message_id(message_id), _message_id(thread_id)
    writer, reader = _sender(sender), _mailbox(to_name, to_address)
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
    # One boundary per message id and part: a repeat is the same mail byte for byte.
    boundary = "=_" + re.sub(r"[^A-Za-z0-9]", "", own_id)[:40]
    parts = [
        _encoded('text/plain; charset="utf-8"', rendered.text),
        _encoded('text/html; charset="utf-8"', rendered.html),
    ]
    if invitation:
        method = "CANCEL" if "\r\nMETHOD:CANCEL\r\n" in invitation else "REQUEST"
        parts.append(_encoded(f'text/calendar; charset="utf-8"; method="{method}"', invitation))
    kind, body = _together("alternative", f"{boundary}_=", parts)
    if invitation:
        attachments = (Attachment("invite.ics", "application/ics", invitation.encode()), *attachments)
    if attachments:
        kind, body = _together("mixed", f"{boundary}_1=", [f"{kind}\r\n{body}", *map(_file, attachments)])
    wire = "".join((kind, *(_line(name, value) for name, value in headers), "\r\n", body)).encode("ascii")
    return FinishedMail(sender=writer.address, recipient=reader.address, wire=wire)


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


def _written(name: str, value: str | _Mailbox) -> str | Header:
    if isinstance(value, str):
        return value if value.isascii() else Header(value, "utf-8", header_name=name)
    if value.name.isascii():
        return formataddr(value)
    shown = Header(value.name, "utf-8", header_name=name)
    shown.append(f"<{value.address}>", "us-ascii")
    return shown


def _line(name: str, value: str | _Mailbox) -> str:
    """One header as it goes out. Its lines end with CRLF, and only the first of them can begin a header."""
    if isinstance(value, str) and _AS_IT_IS.fullmatch(value) and len(name) + len(value) + 2 <= LINE:
        return f"{name}: {value}\r\n"
    return _encoded_line(name, value)


@lru_cache(HEADERS_KEPT)
def _encoded_line(name: str, value: str | _Mailbox) -> str:
    written = _written(name, value)
    if isinstance(written, Header) or len(f"{name}: {written}") > LINE:
        header = written if isinstance(written, Header) else Header(written, header_name=name)
        written = header.encode(linesep="\r\n", maxlinelen=LINE)
    line = f"{name}: {written}\r\n"
    _read_back(line, name, value)
    return line


def _file(file: Attachment) -> str:
    if not _FILE_NAME.fullmatch(file.name):
        raise MailRefused("not a usable name of a file")
    return _encoded(file.type, file.content, f'Content-Disposition: attachment; filename="{file.name}"\r\n')


def _encoded(kind: str, content: str | bytes, further: str = "") -> str:
    """One part with its headers. `further`: headers beside the usual ones, as lines."""
    code = b64encode(content.encode() if isinstance(content, str) else content).decode("ascii")
    lines = "\r\n".join([code[at : at + LINE] for at in range(0, len(code), LINE)])
    return f"Content-Type: {kind}\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n{further}\r\n{lines}\r\n"


def _together(kind: str, boundary: str, parts: Sequence[str]) -> tuple[str, str]:
    """Several parts in one: the headers that say so, as lines, and the body."""
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    headers = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\nMIME-Version: 1.0\r\n'
    return headers, f"{body}--{boundary}--\r\n"


def _read_back(line: str, name: str, meant: str | _Mailbox) -> None:
    """Read a finished header as a mail program would: that one and no other, with the value that was meant."""
    try:
        found = _HEADERS_ONLY.parsestr(f"{line}\r\n")
        read = [(other, _understood(other, str(value))) for other, value in found.items()]
    except (HeaderParseError, ValueError, LookupError) as error:
        raise MailRefused("a header of the mail cannot be read back") from error
    if read != [(name, _comparable(meant))] or found.get_payload():
        raise MailRefused("a header of the mail does not read back as it was written")


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

"""Builds the message of a rendered mail: headers, text and HTML, as the bytes that a mail server receives.

`email.message.EmailMessage` builds it. Display strings never reach a header as they were typed: Python 3.11.7 writes an
encoded word that holds CRLF as a header of its own. They are cleaned, and every header but the plainest is parsed
and compared before it may be sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import HeaderParser
from email.policy import EmailPolicy
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

from domain.base import Frozen, is_email_address
from texts.lines import header_text
from texts.mails.mail import RenderedMail

LONGEST_MESSAGE_ID: Final = 77
"""Characters; a longer one always becomes the same shorter one."""
LINE: Final = 76
"""Characters of a line, encoded words and base64 included."""
HEADERS_KEPT: Final = 1024
"""Headers that are cached: all mails of a process share one subject, many share one recipient."""
ALTERNATIVES: Final = "=_alternatives"
"""Separates the parts. Fixed, so that a repeat has the same bytes; base64 lines never contain `_`."""
FILES: Final = "=_files"
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=^_`{|}~-]+@[A-Za-z0-9.-]+>")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_PLAIN_LINE = re.compile(r"[A-Za-z-]+: [A-Za-z0-9<][A-Za-z0-9<>@.,:;+_ -]*\r\n")
"""Ids, dates and plain words: nothing encoded, and nothing that could be read in another way."""


class MailRefused(ValueError):
    """The message cannot be sent as it is: an unusable address or id, or headers that do not read back.

    No retry helps."""


class FinishedMail(Frozen):
    """A message ready for the mail server: the two addresses of its envelope, and its bytes."""

    sender: str
    recipient: str
    wire: bytes


class Attachment(NamedTuple):
    """An attached file."""

    name: str
    """Letters, digits, dots and hyphens."""
    type: str
    """Its media type."""
    content: bytes


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
    message = EmailMessage(policy=_CHECKED)
    message["Subject"] = header_text(rendered.subject, 200)
    message["From"] = str(writer)
    message["To"] = str(reader)
    message["Date"] = format_datetime(date)
    message["Message-ID"] = own_id
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if root_id != own_id:
        message["In-Reply-To"] = message["References"] = root_id
    message.set_content(rendered.text, cte="base64")
    message.make_alternative(boundary=ALTERNATIVES)
    message.add_alternative(rendered.html, subtype="html", cte="base64")
    if invitation:
        method = "CANCEL" if "\r\nMETHOD:CANCEL\r\n" in invitation else "REQUEST"
        message.add_alternative(invitation, subtype="calendar", cte="base64", params={"method": method})
        attachments = (Attachment("invite.ics", "application/ics", invitation.encode()), *attachments)
    if attachments:
        message.make_mixed(boundary=FILES)
    for file in attachments:
        if not _FILE_NAME.fullmatch(file.name):
            raise MailRefused("not a usable file name")
        maintype, _, subtype = file.type.partition("/")
        message.add_attachment(file.content, maintype=maintype, subtype=subtype, filename=file.name)
    return FinishedMail(sender=writer.addr_spec, recipient=reader.addr_spec, wire=message.as_bytes())


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


def _mailbox(name: str, address: str) -> Address:
    if not is_email_address(address):
        raise MailRefused("not a usable mail address")
    local, _, domain = address.rpartition("@")
    return Address(header_text(name, 60), local, domain)


def _sender(sender: str) -> Address:
    named = re.fullmatch(r"\s*(.*?)\s*<([^<>]+)>\s*", sender)
    return _mailbox(named[1].strip('"'), named[2]) if named else _mailbox("", sender.strip())


_POLICY: Final = EmailPolicy(linesep="\r\n", max_line_length=LINE)
_UNFOLDED: Final = EmailPolicy(linesep="\r\n", max_line_length=None)
"""For ids: the library folds a long one into encoded words, which no mail program follows."""
_HEADERS: Final = HeaderParser(policy=_POLICY)


class _Checked(EmailPolicy):
    """Reads back each header that is written. Caches headers: parsing and folding them is most of a mail's cost."""

    def header_max_count(self, name: str) -> int | None:
        return _max_count(name)

    def header_store_parse(self, name: str, value: str) -> tuple[str, Any]:
        return name, _header(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        return _line(name, value)


_CHECKED: Final = _Checked(linesep="\r\n", max_line_length=LINE)


@lru_cache(HEADERS_KEPT)
def _max_count(name: str) -> int | None:
    return _POLICY.header_max_count(name)


@lru_cache(HEADERS_KEPT)
def _header(name: str, value: str) -> Any:
    return _POLICY.header_store_parse(name, value)[1]


@lru_cache(HEADERS_KEPT)
def _line(name: str, value: str) -> bytes:
    policy = _UNFOLDED if name in ("Message-ID", "In-Reply-To", "References") else _POLICY
    line: str = policy.fold(name, value)
    if not _PLAIN_LINE.fullmatch(line):
        _read_back(line, name, value)
    return line.encode("ascii")


def _read_back(line: str, name: str, meant: str) -> None:
    """Read a finished header as a mail program would: that one and no other, with the value that was meant."""
    try:
        found = _HEADERS.parsestr(f"{line}\r\n")
        read = [(other, _without_spaces(value)) for other, value in found.items()]
    except (HeaderParseError, ValueError, LookupError) as error:
        raise MailRefused("a header of the mail cannot be read back") from error
    if read != [(name, _without_spaces(meant))] or found.get_payload():
        raise MailRefused("a header of the mail does not read back as it was written")


def _without_spaces(value: str) -> str:
    """Where a header is folded, its spaces may change."""
    return "".join(value.split())

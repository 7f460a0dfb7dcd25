"""Mails on the wire: headers nobody else can write, threads, invitations and files."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.mime import ALTERNATIVES, FILES, Attachment, MailRefused, _read_back, build_message
from domain.notices import Notice
from tests.unit.texts.mail_samples import NOON, facts
from texts.lines import header_text
from texts.mails.mail import RenderedMail, render_mail

ATTACK = "=?utf-8?b?eA0KQmNjOiBldmlsQGV4YW1wbGUuY29tDQpY?="
"""Decodes to a carriage return, a line feed and a Bcc line: written as a header of its own by Python 3.11.7."""


HEADERS = [
    "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress",
    "In-Reply-To", "References", "MIME-Version", "Content-Type",
]  # fmt: skip
"""Of every mail that answers another, in this order."""


def built(rendered: RenderedMail, to_name: str = "李强", **changes: Any) -> bytes:
    ids: dict[str, Any] = {"message_id": "<m1@example.cn>", "thread_id": "<t1@example.cn>", **changes}
    return build_message(
        rendered, sender="商务部 <oa@example.cn>", to_name=to_name, to_address="li@example.cn", date=NOON, **ids
    ).wire


def received(wire: bytes) -> EmailMessage:
    """The mail as a mail program reads it; nothing about it may be in doubt."""
    read = message_from_bytes(wire, policy=SMTP)
    assert isinstance(read, EmailMessage)
    assert not any(part.defects for part in read.walk())
    assert not any(read[name].defects for name in read)
    return read


def test_a_mail_that_differs_in_anything_else_is_written_anew() -> None:
    first = render_mail(facts(subject_id="NA-19", reason="理由一", due_at=NOON))
    assert "理由二" in render_mail(facts(subject_id="NA-19", reason="理由二", due_at=NOON)).text
    assert render_mail(facts(subject_id="NA-19", reason="理由一", due_at=NOON)) == first
    assert render_mail(facts(subject_id="NA-19", reason="理由一", link="")).text != first.text


@pytest.mark.parametrize("link", ["javascript:alert(1)", 'https://a.cn/"><b>', "https://a.cn/ b"])
def test_a_link_that_is_no_web_address_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match="link"):
        render_mail(facts(link=link))


@pytest.mark.parametrize(
    "attack", [ATTACK, "a\r\nBcc: e@example.com", "a\x00b", "a\u2028Bcc: x", "a\x85Bcc: x", "\ud800"]
)
def test_a_display_string_cannot_write_a_header(attack: str) -> None:
    """The encoded word with CRLF adds a Bcc line on Python 3.11.7 unless it is broken up."""
    wire = built(render_mail(facts(customer_name=attack)), to_name=attack)
    assert b"\nbcc:" not in wire.lower()
    assert sorted(received(wire)) == sorted(HEADERS)
    assert "=?" not in header_text(attack)


@pytest.mark.parametrize(
    "line",
    [
        "Subject: x\r\nBcc: e@example.com\r\n",
        "Subject: x\rBcc: e@example.com\r\n",
        "Subject: x\r\n\r\nbody\r\n",
        "Subject: x\n\n\r\n",
        "Subject: x\r\n y\r\n",
        "Subjekt: x\r\n",
        f"Subject: {ATTACK}\r\n",
    ],
)
def test_a_header_that_reads_otherwise_than_it_was_meant_is_refused(line: str) -> None:
    _read_back("Subject: x\r\n", "Subject", "x")
    with pytest.raises(MailRefused):
        _read_back(line, "Subject", "x")


@settings(max_examples=200)
@given(
    st.text(
        alphabet=st.one_of(
            st.characters(), st.characters(max_codepoint=127), st.sampled_from('=?\r\n\x00 <>",;:@张\\')
        ),
        max_size=150,
    ),
    st.sampled_from(["zh", "en"]),
)
def test_whatever_people_are_called_the_mail_goes_out_with_the_same_headers(name: str, language: str) -> None:
    rendered = render_mail(facts(customer_name=name, to_name=name, reason=name, language=language))
    wire = built(rendered, to_name=name)
    read = received(wire)
    assert sorted(read) == sorted(HEADERS)
    assert [address.addr_spec for address in read["To"].addresses] == ["li@example.cn"]
    assert without_spaces(read["To"].addresses[0].display_name) == without_spaces(header_text(name, 60))
    assert without_spaces(read["Subject"]) == without_spaces(rendered.subject)
    plain, html = read.iter_parts()
    assert plain.get_content().splitlines() == rendered.text.splitlines()
    assert html.get_content().splitlines() == rendered.html.splitlines()
    # RFC 5322 and RFC 5321: CRLF and nothing else ends a line, and no line is too long for a mail server.
    assert b"\r" not in wire.replace(b"\r\n", b"")
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert max(map(len, wire.split(b"\r\n"))) < 998
    assert wire.isascii()


@pytest.mark.parametrize(
    "name", ["Huadong Precision Machinery of Shanghai " * 3, "华东精密机械有限公司𠮷" * 8, "x" * 150]
)
def test_long_headers_are_folded_and_read_as_one(name: str) -> None:
    rendered = render_mail(facts(customer_name=name, language="en"))
    wire = built(rendered, to_name=name)
    assert max(map(len, wire.split(b"\r\n"))) <= (76 if " " in name or not name.isascii() else 200)
    assert received(wire)["Subject"] == rendered.subject
    assert without_spaces(received(wire)["To"].addresses[0].display_name) == without_spaces(header_text(name, 60))


def without_spaces(value: str) -> str:
    """Where a header is folded, its spaces may change."""
    return "".join(value.split())


def test_a_mail_is_threaded_marked_as_automatic_and_repeats_byte_for_byte() -> None:
    """X3: a repeated mail is recognisably the same."""
    first, again = (built(render_mail(facts())) for _ in range(2))
    assert first == again
    read = received(first)
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["In-Reply-To"] == read["References"] == "<t1@example.cn>"
    assert received(built(render_mail(facts()), message_id="t1@example.cn"))["In-Reply-To"] is None
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]


INVITATION = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nSUMMARY:协调会议：核心网升级\r\nEND:VCALENDAR\r\n"


def test_d2_an_invitation_goes_out_to_be_accepted_and_as_a_file() -> None:
    """D2, X3: a mail program offers it, another opens the file; a repeat is the same mail byte for byte."""
    rendered = render_mail(facts(Notice.MEETING_CALLED))
    first, again = (built(rendered, invitation=INVITATION) for _ in range(2))
    assert first == again
    assert first != built(rendered)
    read = received(first)
    assert sorted(read) == sorted(HEADERS)
    assert [part.get_content_type() for part in read.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/calendar", "application/ics",
    ]  # fmt: skip
    boundaries = [part.get_boundary() for part in read.walk() if part.is_multipart()]
    assert len(set(boundaries)) == 2
    *_, calendar, file = read.walk()
    assert calendar.get_param("method") == "REQUEST"
    assert calendar.get_content_charset() == "utf-8"
    assert calendar.get_payload(decode=True) == INVITATION.encode()
    assert file.get_content_disposition() == "attachment"
    assert file.get_filename() == "invite.ics"
    assert file.get_payload(decode=True) == INVITATION.encode()
    plain, html, _ = next(read.iter_parts()).iter_parts()
    assert plain.get_content().splitlines() == rendered.text.splitlines()
    assert html.get_content().splitlines() == rendered.html.splitlines()


@settings(max_examples=100)
@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("=?\r\n-_: ;,张")), max_size=150))
def test_d2_an_invitation_adds_no_header_and_no_part_of_its_own(name: str) -> None:
    """D2: whatever a meeting or a reader is called, and whatever the calendar holds."""
    boundaries = f"--{ALTERNATIVES}\r\n--{FILES}\r\n"
    calendar = INVITATION + boundaries + header_text(name) + "\r\n" + boundaries
    wire = built(render_mail(facts(customer_name=name, reason=name)), to_name=name, invitation=calendar)
    read = received(wire)
    assert sorted(read) == sorted(HEADERS)
    assert sum(1 for part in read.walk() if not part.is_multipart()) == 4
    assert wire.isascii()
    assert b"\n" not in wire.replace(b"\r\n", b"")


@pytest.mark.parametrize("domain", ["x.cn", "a" * 31 + ".cn", "a" * 32 + ".cn", "mail." * 20 + "cn", "b" * 63])
def test_mails_stay_threaded_whatever_the_length_of_the_domain(domain: str) -> None:
    """Ids that do not fit a folded line would go out as encoded words, which no mail program follows."""
    root, reply = f"<{'0' * 40}@{domain}>", f"<{'1' * 40}@{domain}>"
    first = built(render_mail(facts()), message_id=root, thread_id=root)
    second = built(render_mail(facts()), message_id=reply, thread_id=root)
    headers = second.partition(b"\r\n\r\n")[0].split(b"Subject:", 1)[1].split(b"Message-ID:", 1)[1]
    assert b"=?" not in headers
    root_sent = str(message_from_bytes(first, policy=SMTP)["Message-ID"]).strip()
    read = message_from_bytes(second, policy=SMTP)
    assert str(read["References"]).strip() == str(read["In-Reply-To"]).strip() == root_sent
    assert str(read["Message-ID"]).strip() != root_sent


@pytest.mark.parametrize("address", ["", "a b@example.cn", "a@example.cn,b@example.cn", "李@example.cn", "a@b@c.cn"])
def test_an_unusable_address_is_refused(address: str) -> None:
    with pytest.raises(MailRefused):
        build_message(
            render_mail(facts()),
            sender="oa@example.cn",
            to_name="x",
            to_address=address,
            message_id="a@b.cn",
            thread_id="a@b.cn",
            date=NOON,
        )


def test_u1_u9_a_file_goes_along_whole_beside_text_and_html() -> None:
    content = bytes(range(256)) * 40
    rendered = render_mail(facts())
    sheet = Attachment("forecast-2026-11.xlsx", "application/vnd.ms-excel", content)
    read = received(built(rendered, attachments=[sheet]))
    assert read.get_content_type() == "multipart/mixed"
    body, file = read.iter_parts()
    assert [part.get_content_type() for part in body.iter_parts()] == ["text/plain", "text/html"]
    assert (file.get_filename(), file.get_content_type(), file.get_content()) == (*sheet[:2], content)
    assert built(rendered, attachments=[sheet]) == built(rendered, attachments=[sheet]), "X3"


@pytest.mark.parametrize(
    "name", ["", "a b.xlsx", '"; evil="x.xlsx', "预测.xlsx", "x\r\nBcc: a@b.cn", "../x", ".hidden"]
)
def test_a_file_with_an_unusable_name_is_refused(name: str) -> None:
    with pytest.raises(MailRefused):
        built(render_mail(facts()), attachments=[Attachment(name, "application/x", b"x")])

"""What mails say, in both languages (X4), and that nobody can write headers or markup through a name."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.mime import ALTERNATIVES, FILES, Attachment, MailRefused, _read_back, build_message
from domain.accounts.application import Stage
from domain.accounts.evidence import EvidenceKind
from domain.notices import Notice
from domain.organisation import Organisation
from domain.projects.project import Company
from domain.subject import SubjectType
from domain.tasks.task import AssigneeCapacity, TaskKind
from tests.samples import PROJECT_FORM
from tests.verdicts import verdict
from texts.catalogue import Texts
from texts.disputes.dispute_lines import meeting_rows, outcome_rows, participants_row
from texts.lines import header_text
from texts.mails.mail import MailFacts, RenderedMail, render_mail
from texts.projects.project_lines import MatchLine, project_essentials
from texts.tasks.decisions import without_others
from texts.view_lines import DecisionLine, EligibilityLine, Essential, EvidenceLine, FigureLine

NOON = datetime(2026, 12, 14, 4, 0, tzinfo=UTC)
LINK = "https://oa.example.cn/d/abcDEF-123"
ATTACK = "=?utf-8?b?eA0KQmNjOiBldmlsQGV4YW1wbGUuY29tDQpY?="
"""Decodes to a carriage return, a line feed and a Bcc line: written as a header of its own by Python 3.11.7."""


def facts(kind: Notice = Notice.TASK, **changes: object) -> MailFacts:
    given = {
        "kind": kind,
        "to_name": "李强",
        "subject_id": "NA-17",
        "customer_name": "华东精密",
        "applicant_name": "张伟",
        "task_kind": TaskKind.VP_REVIEW,
        "due_at": NOON,
        "link": LINK,
    }
    return MailFacts.model_validate({**given, **changes})


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


class Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in ("href", "src", "background")]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", list(Notice))
def test_every_mail_is_written_in_both_languages_with_one_link_on_its_own_line(kind: Notice, language: str) -> None:
    """X4."""
    mail = render_mail(facts(kind, language=language, reason="资料不全", stage=Stage.VP_REVIEW, appeal_until=NOON))
    assert LINK in mail.text.splitlines()
    assert mail.text.count(LINK) == 1
    assert Links(mail.html).found == [LINK]
    assert "资料不全" in mail.text
    assert "资料不全" in mail.html
    assert ("大客户申请" in mail.subject) == (language == "zh")
    assert "{" not in mail.text


def test_the_least_that_is_known_still_makes_a_mail() -> None:
    for kind in Notice:
        assert render_mail(MailFacts(kind=kind, subject_id="NA-17")).text


def test_all_mails_of_an_application_share_one_subject_so_that_they_form_one_conversation() -> None:
    assert len({render_mail(facts(kind)).subject for kind in Notice}) == 1


def test_a_decision_mail_shows_what_to_decide_on() -> None:
    """E5, N8, N11: clauses with figures, evidence, earlier decisions with the special reason and on whose behalf."""
    mail = render_mail(
        facts(
            capacity=AssigneeCapacity.STAND_IN,
            on_behalf_of_name="王总",
            provisional=True,
            essentials=(Essential(label_key="field.forecast.annual_contracts", value="8000000", money=True),),
            evidence_lines=(
                EvidenceLine(kind=EvidenceKind.ACCOUNTS, count=2, grave=1),
                EvidenceLine(kind=EvidenceKind.CREDIT, available=False),
            ),
            eligibility=(
                EligibilityLine(
                    clause="E1b",
                    passed=False,
                    figures=(FigureLine(actual=Decimal("2000000"), bound=Decimal("2000000"), above=True),),
                ),
            ),
            decisions=(
                DecisionLine(
                    kind=TaskKind.VP_REVIEW,
                    choice="approve",
                    person_name="李强",
                    on_behalf_of_name="王总",
                    capacity=AssigneeCapacity.DELEGATE,
                    decided_at=NOON,
                    reason="战略客户",
                    special_reason=True,
                ),
            ),
        )
    )
    for shown in (
        "¥8,000,000.00",
        "其中不利 1 条",
        "未能取得",
        "恰好等于",
        "李强（代理人，代表 王总）",
        "战略客户",
        "可能调整",
    ):
        assert shown in mail.text
        assert shown in mail.html
    assert "特别说明的理由" in mail.html


def test_names_cannot_write_markup_or_a_line_of_their_own() -> None:
    mail = render_mail(
        facts(
            customer_name='<img src=x onerror="a">',
            applicant_name="张\r\nhttps://evil.example/",
            reason="好\nhttps://evil.example/",
        )
    )
    assert "img" not in Links(mail.html).tags
    assert "https://evil.example/" not in mail.text.splitlines()


def test_readers_of_one_mail_each_have_their_own_name_and_link_and_nothing_of_the_others() -> None:
    """X2: what is the same for all of them is written once."""
    everybody = {
        "张<b>伟": f"{LINK}1",
        "Anna & Co": f"{LINK}2",
        "\x00link\x00": f"{LINK}3",
        "\x00greeting\x00": "",
        "": f"{LINK}4",
    }
    mails = {name: render_mail(facts(subject_id="NA-18", to_name=name, link=link)) for name, link in everybody.items()}
    for name, mail in mails.items():
        link = everybody[name]
        assert [line for line in mail.text.splitlines() if line.startswith(LINK)] == ([link] if link else [])
        assert Links(mail.html).found == ([link] if link else [])
        assert "\x00" not in mail.text + mail.html
        assert "b" not in Links(mail.html).tags
    greetings = [mail.text.splitlines()[0] for mail in mails.values()]
    assert greetings == ["张<b>伟，您好：", "Anna & Co，您好：", "link，您好：", "greeting，您好：", "您好："]
    assert "张&lt;b&gt;伟" in mails["张<b>伟"].html
    assert "Anna &amp; Co" in mails["Anna & Co"].html


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


def test_x4_what_a_mail_shows_of_a_project_is_in_the_readers_words() -> None:
    """X4, A5: every label in the reader's language, dates written out, an account in force and not under way."""
    companies = {"end_user": Company(name="最终公司"), "channel": Company(name="渠道公司")}
    form = PROJECT_FORM.model_copy(update=companies)
    account = MatchLine(
        subject_type="account",
        name="大客户公司",
        salesperson_name="杨帆",
        status="active",
        since=datetime(2026, 3, 2, 1, 30, tzinfo=UTC),
        earlier=True,
        live=True,
        verdict=verdict("same_name"),
        relationship="多年",
    )
    mail = MailFacts(
        kind=Notice.TASK,
        subject_type=SubjectType.PROJECT,
        subject_id="pr0ject",
        project_name=form.name,
        task_kind=TaskKind.PROJECT_APPROVAL,
        link="https://baobei.example.com/d/x",
        essentials=project_essentials(form),
        matches=(account,),
    )
    text = render_mail(mail).text
    for said in (
        "项目要点",
        "最终用户：最终公司",
        "渠道：渠道公司",
        "预计签约日期：2027年3月31日 周三",
        "原厂商报备：已在原厂商报备",
        "大客户公司 · 杨帆 · 有效 · 2026年3月2日 周一 09:30 起",
        "    对客户的熟悉程度：多年",
    ):
        assert said in text
    for unsaid in ("申请要点", "end user", "channel", "2027-03-31"):
        assert unsaid not in text
    assert "At a glance" in render_mail(mail.model_copy(update={"language": "en"})).text


def test_a5_a_mail_that_asks_to_decide_sets_both_sides_beside_each_other() -> None:
    """A5: order of registration, what the vendor says, familiarity; the registration that is asked about among them."""
    theirs = MatchLine(
        subject_type="project",
        name="他们的项目",
        salesperson_name="徐静",
        status="active",
        since=NOON,
        earlier=True,
        live=True,
        vendor_registered=False,
        vendor_position="支持徐静投标。",
        relationship="驻场三年",
    )
    mine = {"name": "我们的项目", "salesperson_name": "杨帆", "vendor_position": "", "own": True}
    own = theirs.model_copy(update={**mine, "vendor_registered": True, "since": NOON + timedelta(days=1)})
    mail = MailFacts(
        kind=Notice.TASK,
        subject_type=SubjectType.PROJECT,
        subject_id="pr0ject",
        task_kind=TaskKind.CONFLICT_CONFIRMATION,
        link="https://baobei.example.com/d/x",
        own=own,
        matches=(theirs,),
    )
    text = render_mail(mail).text
    first, second = "    原厂商意见：未在原厂商报备 · 支持徐静投标", "    原厂商意见：已在原厂商报备"
    assert "- 项目：本次登记 · 我们的项目 · 杨帆" in text
    assert 0 < text.index("他们的项目") < text.index(first) < text.index("我们的项目") < text.rindex(second)
    assert "支持徐静投标；对客户的熟悉程度" in text
    alone = render_mail(mail.model_copy(update={"matches": ()})).text
    assert "本次登记" not in alone


def test_x2_reasons_for_a_suspicion_are_left_out_and_all_others_stay() -> None:
    """X2, P5, P7."""
    lines = tuple(
        DecisionLine(kind=kind, choice="x", person_name="林霞", decided_at=NOON, reason="徐静已跟进半年")
        for kind in (TaskKind.CONFLICT_CHECK, TaskKind.CONFLICT_CONFIRMATION, TaskKind.PROJECT_APPROVAL)
    )
    assert [line.reason for line in without_others(lines)] == ["", "", "徐静已跟进半年"]


def test_x4_what_mails_say_of_disputes_has_words_in_both_languages() -> None:
    """X4, D1, D2."""
    nobody = Organisation(company="我司", departments=(), people=(), sales_vps=("li", "wang"))
    split = [{"person": "li", "percent": "100"}]
    outcome = {"responsible": "li", "split": split}
    meeting = {
        "starts_at": NOON.isoformat(),
        "duration_minutes": 60,
        "place": "三楼",
        "participants": [],
        "note": "带方案",
    }
    rows = (
        *outcome_rows({**outcome, "summary": "由李负责"}, nobody),
        *outcome_rows({**outcome, "cooperation": "合作"}, nobody),
        *meeting_rows(meeting, nobody, Texts("zh"), ZoneInfo("Asia/Shanghai")),
        participants_row(["li"], nobody),
    )
    assert {row.label_key for row in rows if not Texts("zh").has(row.label_key)} == set()
    assert {"会议结论", "备注", "建议参加人"} <= {Texts("zh").label(row.label_key) for row in rows}


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

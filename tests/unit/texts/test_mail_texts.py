"""What mails say, in both languages (X4), and that nobody can write headers or markup through a name."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from domain.accounts.application import Stage
from domain.accounts.evidence import EvidenceKind
from domain.notices import LinkedAct, Notice
from domain.organisation import Language, Organisation, Role
from domain.projects.project import Company
from domain.subject import SubjectType
from domain.tasks.task import AssigneeCapacity, TaskKind
from tests.samples import PROJECT_FORM
from tests.unit.texts.mail_samples import LINK, NOON, facts
from tests.verdicts import verdict
from texts.catalogue import Texts
from texts.disputes.dispute_lines import meeting_rows, outcome_rows, participants_row
from texts.mails.facts import MailFacts, StepAhead
from texts.mails.mail import render_mail
from texts.projects.project_lines import MatchLine, project_essentials
from texts.tasks.deciding import Claim, DecidingFacts, TaskDeadline
from texts.tasks.decisions import without_others
from texts.view_lines import DecisionLine, EligibilityLine, Essential, EvidenceLine, FigureLine


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


@pytest.mark.parametrize(
    ("kind", "language", "subject"),
    [
        (Notice.TASK, "zh", "【待审批】华东精密 · 大客户申请 · 64254cd5"),
        (Notice.TASK, "en", "Action required: 华东精密 · Named Account application · 64254cd5"),
        (Notice.REMINDER, "zh", "【提醒】华东精密 · 大客户申请 · 64254cd5"),
        (Notice.ACTIVATED, "zh", "【已生效】华东精密 · 大客户申请 · 64254cd5"),
        (Notice.REJECTED, "en", "Rejected: 华东精密 · Named Account application · 64254cd5"),
    ],
)
def test_a_subject_begins_with_what_is_wanted_and_ends_with_a_short_number(
    kind: Notice, language: Language, subject: str
) -> None:
    """X4: then the customer, so that a list of mails can be read at a glance."""
    assert render_mail(facts(kind, language=language, subject_id="64254cd511910c66")).subject == subject


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
        "其中冲突 1 条",
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


def test_u2_a_reminder_tells_the_salesperson_how_long_what_was_said_and_what_follows() -> None:
    """They are addressed; their superior is told about whom."""
    given = {
        "subject_type": SubjectType.PROJECT,
        "project_name": "核心网扩容",
        "days": 15,
        "since": NOON,
        "until": NOON + timedelta(days=75),
        "facts": (Essential(label_key="silence_label.last_progress", value="完成现场勘察"),),
    }
    mine = render_mail(facts(Notice.SILENT_TWO_WEEKS, yours=True, act=LinkedAct.UPDATE, **given))
    assert "您的项目“核心网扩容”已 15 天未更新（上次：2026年12月14日" in mine.text
    assert "完成现场勘察" in mine.text
    assert f"更新项目：\n{LINK}" in mine.text
    assert "链接仅供您本人使用" in mine.text
    told = render_mail(facts(Notice.SILENT_TWO_WEEKS, **given))
    assert "张伟的项目“核心网扩容”已 15 天未更新" in told.text
    assert "您的项目" not in told.text
    english = render_mail(facts(Notice.SILENT_TWO_WEEKS, language="en", yours=True, **{**given, "days": 1}))
    assert "no update for 1 day (" in english.text


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", [Notice.REJECTED, Notice.CONFLICT_REFUSED, Notice.SHELVED, Notice.ACTIVATED])
def test_a_notice_speaks_to_its_reader(kind: Notice, language: Language) -> None:
    """Whose matter it is reads “you”; everybody else reads a name."""
    mine = render_mail(facts(kind, language=language, yours=True, appeal_until=NOON, project_name="核心网扩容"))
    told = render_mail(facts(kind, language=language, appeal_until=NOON, project_name="核心网扩容"))
    assert mine.text != told.text
    assert "张伟" in told.text.split("\n")[2]
    assert ("您" if language == "zh" else "your") in mine.text.split("\n")[2].lower()


def test_n14_n12_what_decides_stands_before_the_question_and_in_the_preview() -> None:
    claim = Claim(subject_type="account", name="华东精密", salesperson_name="杨帆", since=NOON)
    deadline = TaskDeadline(due_at=NOON, stand_in=Role.GENERAL_MANAGER)
    deciding = DecidingFacts(kind=TaskKind.VP_REVIEW, claims=(claim,), deadline=deadline)
    mail = render_mail(facts(deciding=deciding))
    conflict, consequence = (mail.text.index(words) for words in ("! 冲突：已是杨帆名下", "由总经理代为决定"))
    assert conflict < consequence < mail.text.index("是否同意") < mail.text.index(LINK)
    assert "请您处理 · 冲突：已是杨帆名下" in mail.html
    assert (
        "&lt;b&gt;" in render_mail(facts(deciding=DecidingFacts(kind=TaskKind.GM_APPEAL, appeal="<b>请复核</b>"))).html
    )


def test_the_page_of_the_subject_stands_behind_the_personal_link() -> None:
    page = "https://oa.example.cn/applications/NA-17"
    both = render_mail(facts(subject_url=page))
    assert both.text.index(LINK) < both.text.index(page)
    assert Links(both.html).found == [LINK, page]
    alone = render_mail(facts(Notice.ACTIVATED, link="", subject_url=page))
    assert Links(alone.html).found == [page]
    assert alone.text.count(page) == 1


def test_n2_a_submission_is_confirmed_with_who_decides_by_when() -> None:
    step = StepAhead(kind=TaskKind.COMMERCE_CHECK, people=("高媛", "Anna Miller"), due_at=NOON, provisional=True)
    mail = render_mail(facts(Notice.SUBMITTED, yours=True, ahead=(step,)))
    assert "- 商务核查：高媛、Anna Miller · 最迟 2026年12月14日 周一 12:00（该年度放假安排尚未公布" in mail.text


def test_a_stand_in_reads_who_is_overdue_and_a_reminder_which_one_it_is() -> None:
    """N12."""
    assert "李明逾期，请您代为处理" in render_mail(facts(Notice.STAND_IN, on_behalf_of_name="李明")).html
    assert "第 2 次提醒" in render_mail(facts(Notice.REMINDER, times=2)).html

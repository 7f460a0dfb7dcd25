"""What mails say of reviews, in both languages (R1–R6, X4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from domain.notices import Notice
from domain.organisation import Language
from domain.reviews.review import REVIEW_TASK_RULES, UNASSIGNED, PlanProgress, Proposal
from domain.subject import SubjectType
from domain.tasks.task import TaskKind
from tests.review_samples import CLOSES, CUSTOMERS, MONTH, PERIODS, WEEK, YEAR, figures, note
from texts.catalogue import LANGUAGES, Texts
from texts.mails.facts import ASKING, MailFacts
from texts.mails.mail import RenderedMail, render_mail
from texts.reviews.review_lines import AccountLine, account_lines, note_in_mail, proposal_because, review_title, share

LINK = "https://oa.example.cn/d/abcDEF-123"


def mail(kind: Notice, task: TaskKind, language: Language = "zh", **changes: Any) -> RenderedMail:
    given: dict[str, Any] = {
        "kind": kind,
        "language": language,
        "to_name": "林霞",
        "subject_type": SubjectType.REVIEW,
        "subject_id": "2026-W48-north",
        "number": "2026-W48-north",
        "period": PERIODS[task],
        "unit_name": "北方区",
        "until": CLOSES,
        "task_kind": task,
        "stage_key": "review_stage.updates",
        "link": LINK,
    }
    if kind in ASKING:
        given |= note_in_mail(note(task).model_dump(mode="json"))
    return render_mail(MailFacts.model_validate({**given, **changes}))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", REVIEW_TASK_RULES)
def test_r1_r4_whoever_is_asked_reads_what_of_which_period_and_until_when(kind: TaskKind, language: Language) -> None:
    asked = mail(Notice.TASK, kind, language)
    texts = Texts(language)
    assert asked.subject.endswith(review_title(PERIODS[kind], "北方区", texts))
    assert texts.text(f"mail.wanted.{kind}") in asked.subject
    assert PERIODS[kind].id in asked.subject
    assert texts.text(f"task.{kind}.question") in asked.text
    assert "12" in asked.text
    assert "09:00" in asked.text
    assert REVIEW_TASK_RULES[kind] in asked.text
    assert "{" not in asked.text
    assert ("华东精密" in asked.text) is (kind is not TaskKind.START_REVIEW)
    assert ("北方电信&lt;b&gt;" in asked.html) is (kind is not TaskKind.START_REVIEW)
    assert "北方电信<b>" not in asked.html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [Notice.TASK_WITHDRAWN, Notice.MISSED, Notice.DECIDED_FOR_YOU])
def test_x2_a_mail_that_asks_nothing_names_no_customer(kind: Notice, language: Language) -> None:
    said = mail(kind, TaskKind.WEEKLY_REVIEW, language)
    assert not any(customer in said.text + said.html for customer in CUSTOMERS)
    assert Texts(language).text("task.weekly_review.title") in said.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_r6_who_missed_a_step_is_told_without_reproach(language: Language) -> None:
    said = mail(Notice.MISSED, TaskKind.WEEKLY_UPDATE, language)
    assert "R6" in said.text
    assert ("下一期照常" if language == "zh" else "the next period starts as usual") in said.text


def test_r1_the_department_gm_reads_who_has_not_reported() -> None:
    asked = mail(Notice.TASK, TaskKind.WEEKLY_REVIEW, silent=("徐静", "郭涛"))
    assert "尚未填报：徐静、郭涛" in asked.text


@pytest.mark.parametrize("kind", [TaskKind.MONTHLY_REVIEW, TaskKind.ANNUAL_REVIEW])
def test_r2_r4_the_figures_stand_in_the_mail(kind: TaskKind) -> None:
    text = mail(Notice.TASK, kind).text
    assert "合同签约 ¥3,200,000.00，目标 ¥8,000,000.00（40%）" in text
    assert "销售收入 ¥1,900,000.50，目标 ¥2,000,000.00（95%）" in text
    assert text.count("系统建议：撤销资格") == 1


def test_a_mail_of_many_accounts_tells_of_thirty_and_how_many_more() -> None:
    many = note_in_mail(note(TaskKind.WEEKLY_REVIEW, 120).model_dump(mode="json"))
    text = mail(Notice.TASK, TaskKind.WEEKLY_REVIEW, **many).text
    assert text.count("杨帆") == 30
    assert "另有 90 个" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_r5_a_revocation_says_what_happened_why_and_what_it_means(language: Language) -> None:
    said = mail(
        Notice.REVOKED,
        TaskKind.ANNUAL_REVIEW,
        language,
        task_kind=None,
        customer_name="华东精密",
        applicant_name="杨帆",
        decided_by_name="总经理",
        reason="全年计划未执行\n合同不足四成",
        accounts=account_lines(note(TaskKind.ANNUAL_REVIEW).model_dump(mode="json"), "a2"),
    )
    assert "华东精密" in said.subject
    assert "FY2026" in said.subject
    for words in ("R5", "A4", "A3", "Non Named Account", "> 全年计划未执行", "¥3,200,000.00", "40%", "总经理", "杨帆"):
        assert words in said.text
    assert "渤海能源集团" not in said.text


def test_a_review_is_called_by_its_period_its_rhythm_and_whose_it_is() -> None:
    zh, en = Texts("zh"), Texts("en")
    assert review_title(WEEK, "北方区", zh) == "2026-W48 周回顾 · 北方区"
    assert review_title(MONTH, "刘洋", en) == "2026-11 monthly review · 刘洋"
    assert review_title(YEAR, "", zh) == "FY2026 年度回顾"
    assert review_title(WEEK, UNASSIGNED, zh) == "2026-W48 周回顾 · 未归部门"


BOUND = Decimal("0.5")


def test_r4_why_revocation_is_proposed_is_said_from_the_figures() -> None:
    assert proposal_because(figures(), BOUND, Texts("zh")) == (
        "计划未完成：评价过的 3 个月中有 2 个月落后或未完成；"
        "合同签约 ¥3,200,000.00，为目标 ¥8,000,000.00 的 40%，低于 50%（R4）。请您决定。"
    )
    held = figures(plan_progress=(PlanProgress.ON_TRACK, PlanProgress.FAILED), signed=Decimal("3400000"))
    assert proposal_because(held, BOUND, Texts("en")) == (
        "The plan was kept: behind schedule or failed in 1 of 2 months reported; contracts of ¥4,000,000.00 are 50% of "
        "the target of ¥8,000,000.00, which is not below 50% (R4). The decision is yours."
    )
    unsaid = figures(plan_progress=(), target_contracts=Decimal(0))
    assert "没有评价过" in proposal_because(unsaid, BOUND, Texts("zh"))
    assert "没有合同签约目标" in proposal_because(unsaid, BOUND, Texts("zh"))


def test_r4_who_is_below_a_bound_is_never_shown_at_it() -> None:
    assert share(Decimal("3999999.99"), Decimal("8000000")) == "49.9%"
    assert [share(Decimal(n), Decimal("1000")) for n in ("0", "0.5", "1", "5", "500", "12000")] == [
        "0%", "0%", "0.1%", "0.5%", "50%", "1200%",
    ]  # fmt: skip


def test_what_a_mail_keeps_of_an_account_is_little() -> None:
    line = AccountLine.of(note(TaskKind.WEEKLY_UPDATE).accounts[0])
    assert line.model_dump(mode="json", exclude_defaults=True) == {
        "customer": "北方电信<b>",
        "salesperson_name": "杨帆",
    }
    with_figures = AccountLine.of(note(TaskKind.ANNUAL_REVIEW).accounts[1])
    assert with_figures.proposal is Proposal.REVOKE
    assert with_figures.contracts == Decimal("3200000.00")

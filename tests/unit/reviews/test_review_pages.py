"""The pages of reviews: a card for each account, what is typed kept, what is wrong beside its input (R1–R6, X4)."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.problems import Refusal
from api.tasks.answering import check_answer
from db.tasks.tasks import TaskRow
from domain.disputes.credit import Credit
from domain.organisation import Language
from domain.policy import load_policy
from domain.reviews.review import REVIEW_TASK_RULES, review_choices
from domain.subject import SubjectType
from domain.tasks.answer_fields import given_rows
from domain.tasks.task import TaskKind, TaskStatus
from tests.inputs import Inputs
from tests.review_samples import CLOSES, CUSTOMERS, PERIODS, SAID_AT, figures, note
from texts.catalogue import LANGUAGES, Texts
from web.links.answers import entered_fields, field_errors
from web.links.status_page import LinkStatus, LinkStatusPage, ResultKind, ResultPage, render_status
from web.models import FormTarget
from web.reviews.models import ReviewPage
from web.reviews.page import render_review, render_review_part

ZONE = load_policy().zone
WITH_ROWS = [kind for kind in REVIEW_TASK_RULES if kind is not TaskKind.START_REVIEW]
FILLED = {
    TaskKind.WEEKLY_UPDATE: {"work": "拜访", "progress": "已交流"},
    TaskKind.WEEKLY_REVIEW: {"plan": "约见分管领导"},
    TaskKind.MONTHLY_REVIEW: {
        "plan_progress": "behind",
        "action_plan": "补齐资质",
        "target_contracts": "¥900,000.00",
        "target_revenue": "１２００００",
    },
    TaskKind.ANNUAL_REVIEW: {"decision": "revoke", "reason": "全年没有合同"},
}


def page(kind: TaskKind, count: int = 3, **changes: Any) -> str:
    return render_review(view_of(kind, count, **changes))


def view_of(kind: TaskKind, count: int = 3, **changes: Any) -> ReviewPage:
    view: dict[str, Any] = {
        "path": "/d/token",
        "subject_type": SubjectType.REVIEW,
        "subject_id": "2026-W48-north",
        "period": PERIODS[kind],
        "unit_name": "北方区",
        "kind": kind,
        "asked_name": "林霞",
        "opened_at": SAID_AT,
        "due_at": CLOSES,
        "choices": review_choices(kind, [account.account for account in note(kind, count).accounts]),
        "note": note(kind, count),
        "sets_for": "FY2027",
        "revoke_below": Decimal("0.5"),
    }
    return ReviewPage.model_validate({**view, **changes})


@pytest.mark.parametrize("kind", REVIEW_TASK_RULES)
def test_the_inbox_shows_the_body_of_a_review_with_its_own_address_and_hidden_fields(kind: TaskKind) -> None:
    part = render_review_part(view_of(kind), FormTarget(action="/tasks/t-1", hidden=(("csrf", "c"),), signed_in=True))
    assert 'action="/tasks/t-1"' in part
    assert Inputs(part).values == {**Inputs(page(kind)).values, "csrf": "c"}
    assert "<main" not in part


def task(kind: TaskKind, count: int = 3) -> TaskRow:
    return TaskRow(
        id="t",
        workflow_id="review-2026-W48-north",
        subject_type="review",
        subject_id="2026-W48-north",
        kind=kind,
        slot="north",
        round=1,
        status=TaskStatus.OPEN,
        choices=review_choices(kind, [f"a{number}" for number in range(count)]),
        note=note(kind, count).model_dump(mode="json"),
        opened_at=SAID_AT,
        due_at=CLOSES,
        due_provisional=False,
    )


def filled(kind: TaskKind, html: str) -> dict[str, str]:
    """What a browser sends once everything is filled in."""
    typed = dict(Inputs(html).values)
    count = sum(name.endswith(".id") for name in typed)
    typed |= {f"accounts.{n}.{column}": words for n in range(count) for column, words in FILLED[kind].items()}
    return typed


def cards(html: str) -> list[str]:
    return re.findall(r'<details class="card account" id="account-\d+"( open)?>', html)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", REVIEW_TASK_RULES)
def test_r1_r4_the_page_asks_what_the_task_asks_and_chooses_nothing(kind: TaskKind, language: Language) -> None:
    html = page(kind, language=language)
    inputs = Inputs(html)
    texts = Texts(language)
    assert texts.text(f"task.{kind}.question") in unescape(html)
    assert PERIODS[kind].id in html
    assert not inputs.checked
    assert "script" not in inputs.tags
    assert not {name for name in inputs.attributes if name.startswith("on") or name == "style"}
    columns = [column.name for choice in task(kind).choices for field in choice.fields for column in field.columns]
    for number in range(3 if columns else 0):
        named = {*inputs.values, *inputs.radios}
        assert {f"accounts.{number}.{column}" for column in columns} <= named
        assert inputs.values[f"accounts.{number}.id"] == f"a{number}"
    assert len(inputs.ids) == len(set(inputs.ids))
    assert inputs.anchors <= {*inputs.ids, "content"}
    assert "{" not in re.sub(r"<[^>]+>", "", html)


@pytest.mark.parametrize("language", LANGUAGES)
def test_r4_r7_the_page_of_a_year_asks_for_requirements_and_shows_those_of_before(language: Language) -> None:
    texts = Texts(language)
    kind = TaskKind.ANNUAL_REVIEW
    shown = note(kind, 1)
    (account,) = shown.accounts

    def rendered(**of_figures: Any) -> str:
        changed = account.model_copy(update={"figures": figures(0, **of_figures)})
        return unescape(page(kind, 1, note=shown.model_copy(update={"accounts": (changed,)}), language=language))

    html = rendered(requirements="上半年完成灾备验收", counted=tuple(f"2026-{month:02}" for month in range(5, 13)))
    assert "accounts.0.requirements" in Inputs(html).values
    assert texts.text("review_column.requirements") in html
    assert "上半年完成灾备验收" in html
    assert texts.text("review_figures.counted_from", month=texts.month("2026-05")) in html
    assert texts.text("review_figures.not_measured") in rendered(counted=())
    assert "R7" not in rendered(), "a review of before says nothing of it"


def test_d3_the_page_says_who_is_credited_with_an_accounts_contracts() -> None:
    kind = TaskKind.MONTHLY_REVIEW
    shown = note(kind, 1)
    credits = (
        Credit(person="yang.fan", name="杨帆", amount=Decimal("2000000.00")),
        Credit(person="xu.jing", name="徐静", amount=Decimal("1200000.00")),
    )
    divided = shown.accounts[0].model_copy(update={"figures": figures(0, credits=credits)})
    html = page(kind, 1, note=shown.model_copy(update={"accounts": (divided,)}))
    assert "杨帆 ¥2,000,000.00 · 徐静 ¥1,200,000.00" in html


def test_x2_what_people_wrote_is_text_and_never_markup() -> None:
    html = page(TaskKind.WEEKLY_REVIEW)
    assert "北方电信&lt;b&gt;" in html
    assert "预算未批&lt;i&gt;" in html
    assert "<b>北方" not in html
    assert "<i>" not in html


@pytest.mark.parametrize("kind", WITH_ROWS)
def test_r1_r4_what_was_filled_in_is_an_answer(kind: TaskKind) -> None:
    row = task(kind)
    choice, reason, fields = entered_fields(row, filled(kind, page(kind)), ZONE)
    check_answer(row, choice, reason, fields)
    said = given_rows(row.choices[0].fields[0], fields["accounts"])
    assert list(said) == ["a0", "a1", "a2"]
    if kind is TaskKind.MONTHLY_REVIEW:
        assert said["a1"]["target_contracts"] == "900000.00"
        assert said["a1"]["target_revenue"] == "120000.00"


def test_r4_starting_a_review_needs_nothing_but_the_confirmation() -> None:
    row = task(TaskKind.START_REVIEW, 0)
    typed = Inputs(page(TaskKind.START_REVIEW)).values
    choice, reason, fields = entered_fields(row, typed, ZONE)
    check_answer(row, choice, reason, fields)
    assert (choice, fields) == ("start", {})


@pytest.mark.parametrize("language", LANGUAGES)
def test_r4_what_is_wrong_stands_beside_its_input_and_what_was_typed_is_kept(language: Language) -> None:
    row, kind, count = task(TaskKind.ANNUAL_REVIEW, 12), TaskKind.ANNUAL_REVIEW, 12
    typed = filled(kind, page(kind, count)) | {
        "accounts.1.decision": "keep",
        "accounts.1.target_contracts": "一百万",
        "accounts.9.decision": "",
    }
    choice, reason, fields = entered_fields(row, typed, ZONE)
    with pytest.raises(Refusal) as refusal:
        check_answer(row, choice, reason, fields)
    texts = Texts(language)
    html = page(kind, count, language=language, entered=typed, errors=field_errors(refusal.value, texts))
    inputs = Inputs(html)
    assert {
        "f-accounts-1-target_contracts",
        "f-accounts-1-target_revenue",
        "f-accounts-1-reason",
        "f-accounts-9-decision",
    } == {anchor for anchor in inputs.anchors if anchor.startswith("f-")}
    assert inputs.anchors <= {*inputs.ids, "content"}
    assert inputs.values["accounts.1.target_contracts"] == "一百万"
    assert inputs.values["accounts.1.decision"] == "keep"
    assert inputs.values["accounts.11.reason"] == "全年没有合同"
    assert f"{CUSTOMERS[1]} · {texts.text('review_column.target_contracts')}" in html
    assert [number for number, opened in enumerate(cards(html)) if opened] == [1, 9]


def test_r1_of_forty_accounts_the_first_stand_open_and_each_is_found_from_the_top() -> None:
    html = page(TaskKind.WEEKLY_REVIEW, 40)
    assert [number for number, opened in enumerate(cards(html)) if opened] == [0, 1, 2]
    assert {f"account-{number}" for number in range(40)} <= Inputs(html).anchors
    assert all(cards(page(TaskKind.WEEKLY_UPDATE, 5)))


def test_r1_who_has_not_reported_is_named() -> None:
    html = page(TaskKind.WEEKLY_REVIEW, note=note(TaskKind.WEEKLY_REVIEW, silent=("徐静", "郭涛")))
    assert "徐静、郭涛" in html
    assert "本期没有人填报" in html


def test_r4_the_proposal_says_why_and_is_not_chosen() -> None:
    html = page(TaskKind.ANNUAL_REVIEW)
    for words in ("系统建议：撤销资格", "系统建议：保留", "系统不作建议", "为目标 ¥8,000,000.00 的 40%，低于 50%"):
        assert words in html
    assert html.count('<progress max="100" value="40"') == 3
    assert "FY2027" in html
    assert not Inputs(html).checked


def test_r2_a_month_shows_the_figures_and_proposes_nothing() -> None:
    html = page(TaskKind.MONTHLY_REVIEW)
    assert "¥3,200,000.00，目标 ¥8,000,000.00（40%）" in html
    assert "其中登记项目 ¥2,600,000.00，其他合同 ¥600,000.00" in html
    assert "系统建议" not in html


POSTED = st.dictionaries(
    st.tuples(
        st.sampled_from(["accounts", "accounts.0", "accounts.1", "accounts.7", "accounts.²", "accounts.99999"]),
        st.sampled_from(["", ".id", ".decision", ".target_contracts", ".reason", ".x", ".id.x"]),
    ).map("".join),
    st.one_of(st.text(max_size=6), st.sampled_from(["a0", "a1", "a2", "keep", "revoke", "٣", "1e9"])),
    max_size=12,
)


@settings(max_examples=200)
@given(POSTED)
def test_x3_whatever_is_posted_is_judged_and_shown_again(posted: dict[str, str]) -> None:
    row = task(TaskKind.ANNUAL_REVIEW)
    typed = {**posted, "choice": "decide"}
    choice, reason, fields = entered_fields(row, typed, ZONE)
    try:
        check_answer(row, choice, reason, fields)
    except Refusal as refusal:
        html = page(TaskKind.ANNUAL_REVIEW, entered=typed, errors=field_errors(refusal, Texts("en")))
        inputs = Inputs(html)
        assert inputs.anchors <= {*inputs.ids, "content"}
        assert "errors-title" in inputs.ids
    else:
        assert set(given_rows(row.choices[0].fields[0], fields["accounts"])) == {"a0", "a1", "a2"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_r6_a_review_that_is_over_says_so_calmly(language: Language) -> None:
    shared = {
        "path": "/d/t",
        "language": language,
        "subject_type": SubjectType.REVIEW,
        "subject_id": "2026-W48-north",
        "period": PERIODS[TaskKind.WEEKLY_UPDATE],
        "unit_name": "北方区",
    }
    for kind in (LinkStatus.MISSED, LinkStatus.WITHDRAWN):
        html = render_status(
            LinkStatusPage.model_validate({**shared, "kind": kind, "task_kind": TaskKind.WEEKLY_UPDATE})
        )
        assert "2026-W48" in html
        assert "北方区" in html
        assert "N9" not in html
    assert "R6" in render_status(LinkStatusPage.model_validate({**shared, "kind": LinkStatus.MISSED}))
    done = ResultPage.model_validate(
        {**shared, "result": ResultKind.ACCEPTED, "task_kind": TaskKind.WEEKLY_UPDATE, "choice": "report",
         "person_name": "杨帆", "at": SAID_AT}
    )  # fmt: skip
    assert Texts(language).text("choice.weekly_update.report") in render_status(done)

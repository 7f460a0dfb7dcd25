"""The pages behind mail links: what they show, what they never do (decide, run, leak), in both languages (X4)."""

import base64
import hashlib
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.accounts.application import ApplicationForm
from domain.accounts.evidence import Evidence, EvidenceKind, Finding
from domain.accounts.named_account import RULES, choices_for
from domain.tasks.form_changes import form_changes
from domain.tasks.task import AssigneeCapacity, TaskKind
from tests.inputs import Inputs
from tests.samples import application_form
from tests.verdicts import verdict
from tests.visible import keys_in
from texts.tasks.deciding import Claim, Comparison, DecidingFacts
from texts.view_lines import DecisionLine, EligibilityLine, FigureLine
from web.dossier.page import dossier_headers, render_dossier
from web.forms.form import flatten, form_values, parse_form
from web.links.status_page import LinkStatus, LinkStatusPage, ResultKind, ResultPage, render_status
from web.models import FormError, FormTarget, Remark
from web.rendering import PAGE_HEADERS, STATIC_DIR
from web.tasks.models import DecisionPage
from web.tasks.page import render_decision, render_decision_part

NOON = datetime(2026, 12, 14, 4, 0, tzinfo=UTC)
FORM = application_form("华东精密<b>", aliases=["华精"], related=[("华精贸易", None)]).model_dump(mode="json") | {
    "cooperation": "三个项目。\n回款正常。",
    "products": ["私有云", "运维"],
}
FORM["customer"]["kind"] = "core_channel"
FORM["customer"]["contacts"] = [{"name": "陈建国", "title": "主任", "phone": "", "email": ""}]
EVIDENCE = tuple(
    Evidence(
        kind=kind,
        source="account_register",
        gathered_at=NOON,
        available=kind is not EvidenceKind.LITIGATION,
        findings=(
            Finding(subject_type="account", subject_id="A-1", name="甲<i>", verdict=verdict("same_name"), grave=True),
        )
        if kind is EvidenceKind.ACCOUNTS
        else (),
    )
    for kind in EvidenceKind
)
DECISION = DecisionLine(
    kind=TaskKind.VP_REVIEW,
    choice="approve",
    person_name="李强",
    on_behalf_of_name="王总",
    capacity=AssigneeCapacity.DELEGATE,
    decided_at=NOON,
    reason="战略<u>客户",
    special_reason=True,
)


def page(kind: TaskKind = TaskKind.VP_REVIEW, *, above_limit: bool = False, **changes: Any) -> str:
    return render_decision(DecisionPage.model_validate({**view_of(kind, above_limit=above_limit), **changes}))


def view_of(kind: TaskKind, *, above_limit: bool = False) -> dict[str, Any]:
    return {
        "path": "/d/token",
        "subject_id": "NA-17",
        "round": 2,
        "kind": kind,
        "asked_name": "赵敏",
        "applicant_name": "张伟",
        "opened_at": NOON,
        "due_at": NOON,
        "choices": choices_for(kind, above_limit=above_limit),
        "form": ApplicationForm.model_validate(FORM),
        "evidence": EVIDENCE,
        "decisions": (DECISION,),
        "accounts_held": 5,
        "account_limit": 5,
        "eligibility": (
            EligibilityLine(
                clause="E1a",
                passed=True,
                figures=(
                    FigureLine(
                        label_key="field.forecast.first_year_gross_margin",
                        actual=Decimal(450000),
                        bound=Decimal(400000),
                    ),
                ),
            ),
        ),
    }


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", RULES)
def test_nothing_is_chosen_beforehand_and_nothing_runs(kind: TaskKind, language: str) -> None:
    """X4, and a scanner that submits the page as it stands has chosen nothing and confirmed nothing."""
    html = page(kind, language=language)
    assert keys_in(html) == set()
    inputs = Inputs(html)
    offered = [choice.choice for choice in choices_for(kind)]
    if len(offered) == 1:  # nothing to choose: the confirmation alone decides
        assert inputs.values["choice"] == offered[0]
    else:
        assert inputs.radios["choice"] == offered
        assert "choice" not in inputs.values
    assert "confirm" not in inputs.values
    assert not {"script", "iframe", "img", "style"} & set(inputs.tags)
    assert not {name for name in inputs.attributes if name.startswith("on") or name == "style"}
    assert html.count(' lang="zh-CN"' if language == "zh" else ' lang="en"') >= 1
    assert 'href="/d/token?lang=en"' in html or 'href="/d/token?lang=zh"' in html


@pytest.mark.parametrize("kind", RULES)
def test_every_input_has_a_label_and_every_inner_link_a_target(kind: TaskKind) -> None:
    inputs = Inputs(page(kind))
    assert len(inputs.ids) == len(set(inputs.ids))
    assert inputs.anchors <= set(inputs.ids)
    assert inputs.labelled <= set(inputs.ids)
    assert "textarea" in inputs.tags


@pytest.mark.parametrize("kind", RULES)
def test_the_inbox_shows_the_body_of_the_page_with_its_own_address_and_hidden_fields(kind: TaskKind) -> None:
    view = DecisionPage.model_validate(view_of(kind))
    target = FormTarget(action="/tasks/t-1", hidden=(("csrf", "a<b"),), signed_in=True)
    part, whole = render_decision_part(view, target), render_decision(view)
    assert 'action="/tasks/t-1"' in part
    assert Inputs(part).values == {**Inputs(whole).values, "csrf": "a<b"}
    assert "a&lt;b" in part
    assert "<html" not in part
    assert "<main" not in part
    assert "如果您不是" in whole
    assert "如果您不是" not in part
    # Apart from the address, the hidden field and the line for somebody who was sent another's mail: the same.
    same = [line for line in part.splitlines() if "csrf" not in line and "<form" not in line]
    assert [line for line in same if line not in whole] == []


def test_the_page_shows_who_is_asked_for_whom_and_everything_to_decide_on() -> None:
    """N6, N11, N12, E5: evidence with source and time, clauses with figures, earlier decisions on whose behalf."""
    html = page(capacity=AssigneeCapacity.STAND_IN, on_behalf_of_name="王总", return_remark=Remark(text="理由充分"))
    for shown in (
        "王总逾期未决定，请赵敏代为审批",
        "第 2 轮",
        "大客户登记册",
        "2026年12月14日 周一 12:00",
        "名称相同",
        "此来源未能取得",
        "要求不低于 40 万元；高出 5 万元",
        "李强（代理人，代表 王总）",
        "特别说明的理由（N8）",
        "理由充分",
        "核心渠道",
    ):
        assert shown in html


def test_what_people_wrote_is_never_markup() -> None:
    deciding = DecidingFacts(kind=TaskKind.GM_APPEAL, appeal="<img src=x>")
    html = page(evidence=EVIDENCE, entered={"reason": "</textarea><script>"}, deciding=deciding)
    assert not {"b-x", "i", "u", "script", "img"} & set(Inputs(html).tags)
    assert "&lt;/textarea&gt;&lt;script&gt;" in html


def test_above_the_limit_the_special_reason_is_asked_for_and_explained() -> None:
    """N8."""
    deciding = DecidingFacts(kind=TaskKind.VP_REVIEW, accounts_after=6, account_limit=5)
    above = page(above_limit=True, deciding=deciding)
    assert "批准后为第 6 个大客户（上限 5 个）：须特别说明理由（N8）" in above
    assert "批准后超过大客户数量上限，须特别说明理由（N8）" in above
    below = page(accounts_held=4)
    assert "上限，须特别说明" not in below
    assert "选择“不同意”时必填" in below


def test_what_decides_stands_under_the_question_before_everything_else() -> None:
    claim = Claim(subject_type="account", name="华东精密", salesperson_name="王芳", since=NOON)
    html = page(deciding=DecidingFacts(kind=TaskKind.VP_REVIEW, claims=(claim,)))
    question = html.index("是否同意将该客户作为大客户")
    assert question < html.index("冲突：已是王芳名下的大客户“华东精密”") < html.index("核查资料")


def test_n5_a_second_round_shows_what_was_changed_field_by_field() -> None:
    form = ApplicationForm.model_validate(FORM)
    before = form.model_copy(update={"resources": "两名驻场工程师", "products": ("私有云",)})
    compared = Comparison(last_round=1, changes=form_changes(before, form))
    html = page(deciding=DecidingFacts(kind=TaskKind.VP_REVIEW, compared=compared))
    card = html[html.index('id="changed"') : html.index('id="changed"') + 1500]
    assert "与第 1 轮相比" in card
    assert "两名驻场工程师" in card
    assert '<td data-label="现为" class="prose">运维</td>' in card
    assert 'id="changed"' not in page(deciding=DecidingFacts(kind=TaskKind.VP_REVIEW))


def test_n5_an_unchanged_form_is_asked_about_once() -> None:
    asked = page(TaskKind.SUPPLY_INFORMATION, unchanged=True)
    assert "您没有修改任何内容，仍要提交吗？" in asked
    assert Inputs(asked).values["unchanged"] == "yes"
    assert "仍要提交</button>" in asked
    assert "unchanged" not in Inputs(page(TaskKind.SUPPLY_INFORMATION)).values


def test_a_rejection_needs_a_reason_and_says_why() -> None:
    """N9."""
    assert "须说明未通过的理由" in page()


def test_a_clerk_notes_each_kind_of_evidence() -> None:
    """N5."""
    values = Inputs(page(TaskKind.COMMERCE_CHECK, entered={"note_credit": "已核实"})).values
    assert {f"note_{kind}" for kind in EvidenceKind} <= set(values)
    assert values["note_credit"] == "已核实"
    assert not [name for name in Inputs(page()).values if name.startswith("note_")]


def test_errors_stand_beside_their_fields_and_what_was_typed_is_kept() -> None:
    html = page(
        entered={"choice": "reject", "reason": " 半句话"},
        errors=(FormError(field="reason", message="请写理由"), FormError(field="confirm", message="请确认")),
    )
    inputs = Inputs(html)
    assert inputs.values["choice"] == "reject"
    assert inputs.values["reason"] == " 半句话"
    assert 'id="f-reason-error">请写理由' in html
    assert {"f-reason", "f-confirm"} <= inputs.anchors
    assert "尚未提交，请更正以下 2 处" in html


def test_the_form_goes_to_the_page_and_back_unchanged() -> None:
    """N1: what the browser sends for an untouched form is the form; blank rows at the end of lists are dropped."""
    inputs = Inputs(page(TaskKind.SUPPLY_INFORMATION))
    assert "customer.contacts.2.name" in inputs.values
    assert "customer.contacts.3.name" not in inputs.values
    form = ApplicationForm.model_validate(FORM)
    assert ApplicationForm.model_validate(parse_form(inputs.values)) == form
    crlf = {name: value.replace("\n", "\r\n") for name, value in inputs.values.items()}
    assert ApplicationForm.model_validate(parse_form(crlf)) == form


def test_a_cleared_row_disappears_and_errors_name_the_rows_of_the_next_page() -> None:
    """N1."""
    fields = form_values(ApplicationForm.model_validate(FORM)) | {
        "products.0": " ",
        "customer.contacts.0.name": "",
        "customer.contacts.0.title": "",
        "customer.contacts.5.title": "主任",
        "choice": "supply",
    }
    parsed = parse_form(fields)
    assert parsed["products"] == ["运维"]
    assert "choice" not in parsed
    with pytest.raises(ValidationError) as wrong:
        ApplicationForm.model_validate(parsed)
    assert "customer.contacts.0.name" in [".".join(map(str, error["loc"])) for error in wrong.value.errors()]
    html = page(
        TaskKind.SUPPLY_INFORMATION,
        entered=fields,
        errors=(FormError(field="fields.application.customer.contacts.0.name", message="请填写姓名"),),
    )
    assert 'id="f-customer-contacts-0-name-error">请填写姓名' in html
    assert Inputs(html).values["customer.contacts.0.title"] == "主任"
    assert "f-customer-contacts-0-name" in Inputs(html).anchors


NAMES = st.one_of(
    st.sampled_from(
        [*flatten(FORM), "customer", "customer.aliases", "products", "customer.name.x", "customer.²", "a.b"]
    ),
    st.lists(st.sampled_from(["customer", "contacts", "aliases", "0", "²", "", "99999", "name"]), max_size=8).map(
        ".".join
    ),
)


@settings(max_examples=300)
@given(st.dictionaries(NAMES, st.text(max_size=5), max_size=12))
def test_whatever_is_posted_is_parsed_and_shown_again(fields: dict[str, str]) -> None:
    parsed = parse_form(fields)
    assert set(parsed) <= set(ApplicationForm.model_fields)
    assert page(TaskKind.SUPPLY_INFORMATION, entered=fields)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", list(LinkStatus))
def test_every_calm_page_says_something_and_asks_for_nothing(kind: LinkStatus, language: str) -> None:
    """X4."""
    html = render_status(LinkStatusPage.model_validate({"kind": kind, "language": language, "path": "/d/t"}))
    assert "<form" not in html
    assert "<h1>" in html


def test_calm_pages_carry_their_status_and_an_unknown_link_tells_nothing() -> None:
    assert [kind.status for kind in (LinkStatus.UNKNOWN, LinkStatus.EXPIRED, LinkStatus.STORED, LinkStatus.AWAY)] == [
        404,
        410,
        202,
        503,
    ]
    assert LinkStatus.ANSWERED.status == 200
    stored = render_status(LinkStatusPage(kind=LinkStatus.STORED, path="/d/t", receipt="r-1"))
    assert "r-1" in stored


def test_a_late_answer_learns_who_decided_what_and_when() -> None:
    html = render_status(
        ResultPage(
            path="/d/t",
            result=ResultKind.ALREADY,
            task_kind=TaskKind.VP_REVIEW,
            choice="reject",
            person_name="李强",
            at=NOON,
        )
    )
    assert "李强已于2026年12月14日 周一 12:00决定：“不同意”" in html
    refused = render_status(
        ResultPage(path="/d/t", result=ResultKind.REFUSED, task_kind=TaskKind.VP_REVIEW, message="不能<b>")
    )
    assert "不能&lt;b&gt;" in refused


def test_the_headers_forbid_scripts_framing_caching_and_keep_the_origin_of_the_form() -> None:
    policy = PAGE_HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert PAGE_HEADERS["Cache-Control"] == "no-store"
    assert PAGE_HEADERS["Referrer-Policy"] == "same-origin"


def test_n11_a_dossier_carries_its_style_sheet_and_the_headers_allow_that_one_alone() -> None:
    html = render_dossier({"application": {"id": "NA-17"}})
    (styles,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert styles == (STATIC_DIR / "baobei.css").read_text(encoding="utf-8")
    assert "stylesheet" not in html
    digest = base64.b64encode(hashlib.sha256(styles.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in dossier_headers()["Content-Security-Policy"]
    assert dossier_headers().keys() == PAGE_HEADERS.keys()


def test_the_style_sheet_asks_for_nothing_from_outside() -> None:
    css = (STATIC_DIR / "baobei.css").read_text(encoding="utf-8")
    assert "url(" not in css
    assert "@import" not in css
    assert "<" not in css  # it stands inside a page as it is


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_dossier_shows_everything_it_is_given(language: Any) -> None:
    """N11, X4: form, evidence, decisions and the record, and what the page has never heard of."""
    dossier = {
        "application": {
            "id": "NA-17",
            "stage": "active",
            "customer_name": "华东精密",
            "applicant": {"id": "zhang", "name": "张伟"},
            "submitted_at": "2026-12-14T04:00:00Z",
            "decisions": [
                {"kind": "vp_review", "choice": "approve", "reason": "战略", "person": {"id": "li", "name": "李强"}}
            ],
        },
        "rounds": [
            {"round": 1, "form": FORM, "evidence": [item.model_dump(mode="json") for item in EVIDENCE]},
            {"round": 2, "form": {"broken": "残缺"}, "evidence": []},
        ],
        "record": [
            {
                "at": "2026-12-14T04:00:00Z",
                "event": "answer_accepted",
                "text": "",
                "body": {"x": [{"y": "深处"}]},
                "seq": 7,
            }
        ],
        "never_heard_of": [{"p": {"q": ["留存", {"r": None}]}}],
    }
    html = render_dossier(dossier, language=language)
    for shown in (
        "华东精密",
        "张伟",
        "李强",
        "战略",
        "华精贸易",
        "三个项目",
        "甲&lt;i&gt;",
        "残缺",
        "深处",
        "留存",
        "7",
    ):
        assert shown in html
    assert ("答复已记录" if language == "zh" else "Answer recorded") in html
    assert ("2026年12月14日 周一 12:00" if language == "zh" else "Mon 14 Dec 2026, 12:00") in html
    assert "b-x" not in html


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from(
            ["form", "evidence", "eligibility", "timeline", "record", "application", "rounds", "customer", "x"]
        ),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_a_dossier_of_any_shape_is_shown(dossier: dict[str, Any]) -> None:
    """N11."""
    assert "<h1>" in render_dossier(dossier)


@pytest.mark.parametrize("typed", ["¥8,600,000.00", "8 600 000", "８６０００００", " 8600000 "])
def test_an_amount_typed_as_the_page_shows_it_is_read(typed: str) -> None:
    form = parse_form({"forecast.annual_contracts": typed})
    assert Decimal(form["forecast"]["annual_contracts"]) == 8_600_000


def nothing(kind: EvidenceKind, **changes: Any) -> Evidence:
    known = {"kind": kind, "source": "account_register", "gathered_at": NOON}
    return Evidence.model_validate({**known, **changes})


@pytest.mark.parametrize("kind", [TaskKind.VP_REVIEW, TaskKind.COMMERCE_CHECK])
def test_what_was_not_found_is_one_line(kind: TaskKind) -> None:
    quiet = (EvidenceKind.ACCOUNTS, EvidenceKind.APPLICATIONS, EvidenceKind.PROJECTS)
    html = page(kind, evidence=(*map(nothing, quiet), nothing(EvidenceKind.CREDIT)))
    assert "未发现：与现有大客户的冲突、与其他申请的冲突、现已登记的项目" in html
    assert "没有资料（各来源均无记录，不等于没有问题）" in html  # N15: that is something else
    assert html.count('<article class="evidence"') == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"available": False},
        {"note": "已核对"},
        {"changed_since": NOON},
        {"more": 2},
        {"not_compared": ("甲",)},
    ],
)
def test_whatever_has_more_to_say_is_not_counted_among_what_was_not_found(changes: dict[str, Any]) -> None:
    assert nothing(EvidenceKind.ACCOUNTS).nothing_found
    assert not nothing(EvidenceKind.ACCOUNTS, **changes).nothing_found


def test_a_clerks_notes_are_folded_until_there_is_one() -> None:
    html = page(TaskKind.COMMERCE_CHECK, entered={"note_credit": "已核实"})
    assert html.count('<details class="aside note">') == len(EvidenceKind) - 1
    assert html.count('<details class="aside note" open>') == 1


def test_e1_once_one_way_is_met_the_others_are_folded_and_grey() -> None:
    def line(clause: str, passed: bool | None) -> EligibilityLine:
        return EligibilityLine(clause=clause, passed=passed)

    parts = (line("E1a", True), line("E1b", False), line("E1c", None))
    met = page(eligibility=(line("E1", True), *parts, line("E2", True)))
    folded = met[met.index('<details class="aside">') :]
    assert "其他未满足的条件（已满足一项，不影响）：E1b、E1c" in folded
    assert '<li class="failed">' not in met
    failed = page(eligibility=(line("E1", False), line("E1a", False), line("E1b", False), line("E1c", None)))
    assert failed.count('<li class="failed">') == 3
    assert "其他未满足" not in failed


def test_the_applicants_own_registrations_are_no_alarm() -> None:
    own = Finding(subject_type="project", subject_id="p-1", name="甲", verdict=verdict("same_name"))
    found = nothing(EvidenceKind.PROJECTS, findings=(own,))
    assert '<span class="tag good">申请人本人的</span>' in page(evidence=(found,), own_findings=("p-1",))
    assert '<span class="tag bad">同一</span>' in page(evidence=(found,))


@pytest.mark.parametrize("kind", [LinkStatus.ANSWERED, LinkStatus.WITHDRAWN])
def test_somebody_who_just_answered_too_late_reads_that_it_was_not_recorded(kind: LinkStatus) -> None:
    view = LinkStatusPage(path="/d/x", kind=kind, task_kind=TaskKind.VP_REVIEW, not_recorded="同意")
    assert "您的“同意”未被记录，无需再处理。" in render_status(view)
    assert "未被记录" not in render_status(view.model_copy(update={"not_recorded": ""}))

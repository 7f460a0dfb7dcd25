"""The pages behind mail links: what they show, what they never do (decide, run, leak), in both languages (X4)."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.accounts.application import ApplicationForm
from domain.accounts.evidence import EvidenceKind
from domain.accounts.named_account import RULES, choices_for
from domain.tasks.task import AssigneeCapacity, TaskKind
from tests.inputs import Inputs
from tests.unit.pages.page_samples import EVIDENCE, FORM, NOON, page, view_of
from tests.visible import keys_in
from texts.tasks.deciding import DecidingFacts
from web.forms.form import flatten, form_values, parse_form
from web.links.status_page import LinkStatus, LinkStatusPage, ResultKind, ResultPage, render_status
from web.models import FormError, FormTarget, Remark
from web.rendering import PAGE_HEADERS, STATIC_DIR
from web.tasks.models import DecisionPage
from web.tasks.page import render_decision, render_decision_part


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


def test_the_style_sheet_asks_for_nothing_from_outside() -> None:
    css = (STATIC_DIR / "baobei.css").read_text(encoding="utf-8")
    assert "url(" not in css
    assert "@import" not in css
    assert "<" not in css  # it stands inside a page as it is


@pytest.mark.parametrize("typed", ["¥8,600,000.00", "8 600 000", "８６０００００", " 8600000 "])
def test_an_amount_typed_as_the_page_shows_it_is_read(typed: str) -> None:
    form = parse_form({"forecast.annual_contracts": typed})
    assert Decimal(form["forecast"]["annual_contracts"]) == 8_600_000

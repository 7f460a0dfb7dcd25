"""The deciding lines: what decides comes first, in words, on pages and in mails (N8–N10, N12, N14, P1–P5, U10)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from domain.accounts.evidence import Evidence, EvidenceKind, Finding
from domain.conflicts.project_match import Match
from domain.conflicts.rulings import Ruled, Ruling
from domain.conflicts.verdict import Level
from domain.policy import load_policy
from domain.projects.project import Company
from domain.tasks.form_changes import FormChange, form_changes
from domain.tasks.task import TaskKind
from tests.samples import PROJECT_FORM, application_form
from tests.unit.tasks.test_asking import organisation
from tests.verdicts import verdict
from texts.catalogue import Texts
from texts.tasks.changes import changed_lines
from texts.tasks.deciding import (
    Claim,
    DecidingFacts,
    Said,
    TaskDeadline,
    application_facts,
    deciding_lines,
    project_facts,
)
from texts.view_lines import DecisionLine

ORGANISATION = organisation()
ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
DUE = datetime(2026, 12, 7, 4, 0, tzinfo=UTC)
FORM = application_form("华东精密", aliases=["华精"])
ZH, EN = Texts("zh"), Texts("en")


def finding(kind: str = "account", person: str = "dora", **changes: object) -> Finding:
    known = {
        "subject_type": kind,
        "subject_id": "A-1",
        "name": "华东精密",
        "since": NOON,
        "earlier": True,
        "detail": {"salesperson": person},
        "verdict": verdict("same_name"),
        "grave": True,
    }
    return Finding.model_validate({**known, **changes})


def evidence(*findings: Finding, kind: EvidenceKind = EvidenceKind.ACCOUNTS) -> Evidence:
    return Evidence(kind=kind, source="account_register", gathered_at=NOON, findings=findings)


def of_application(kind: TaskKind = TaskKind.VP_REVIEW, *found: Evidence, **more: object) -> DecidingFacts:
    known = {
        "round": 1,
        "applicant": "sam",
        "evidence": found,
        "organisation": ORGANISATION,
        "held": 0,
        "limit": 5,
    }
    given = {**known, **more}
    before = given.pop("before", None)
    return application_facts(kind, FORM, before, **given)  # type: ignore[arg-type]


def said(facts: DecidingFacts, texts: Texts = ZH) -> list[str]:
    return [line.text for line in deciding_lines(facts, texts, ZONE)]


def test_n14_a_collision_says_with_whom_and_since_when() -> None:
    facts = of_application(TaskKind.COMMERCE_CHECK, evidence(finding()))
    assert said(facts) == ["冲突：已是Dora名下的大客户“华东精密”（自2026年11月30日 周一，N14）"]
    assert said(facts, EN) == ["Conflict: already a Named Account of Dora: “华东精密”, since Mon 30 Nov 2026 (N14)"]
    assert [line.tone for line in deciding_lines(facts, ZH, ZONE)] == ["bad"]


def test_n14_what_a_clerk_has_cleared_or_only_resembles_is_no_collision() -> None:
    cleared = finding(ruled=Ruled(ruling=Ruling.CLEARED, person="clara", at=NOON, reason="两家公司"))
    resembles = finding(verdict=verdict("similar_name", level=Level.LOOK))
    of_projects = evidence(finding("project"), kind=EvidenceKind.PROJECTS)
    assert said(of_application(TaskKind.VP_REVIEW, evidence(cleared, resembles), of_projects)) == []


def test_n14_many_collisions_are_counted() -> None:
    found = evidence(*(finding(subject_id=f"A-{number}") for number in range(5)))
    assert said(of_application(TaskKind.VP_REVIEW, found))[3:] == ["另有 2 项冲突，见下"]


def test_the_applicants_own_account_is_named_as_theirs() -> None:
    facts = of_application(TaskKind.COMMERCE_CHECK, evidence(finding(person="sam")))
    assert said(facts) == ["该客户已是Sam本人名下的大客户“华东精密”（自2026年11月30日 周一）"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (TaskKind.VP_REVIEW, "批准后为第 6 个大客户（上限 5 个）：须特别说明理由（N8）"),
        (TaskKind.GM_APPROVAL, "批准后为第 6 个大客户（上限 5 个，N8）"),
    ],
)
def test_n8_the_sixth_account_is_said_and_the_fifth_is_not(kind: TaskKind, words: str) -> None:
    assert said(of_application(kind, held=5)) == [words]
    assert said(of_application(kind, held=4)) == []


def test_n10_the_reason_of_the_rejection_stands_against_the_appeal() -> None:
    rejected = DecisionLine(
        kind=TaskKind.VP_REVIEW, choice="reject", person_name="vera", decided_at=NOON, reason="毛利偏低"
    )
    facts = of_application(TaskKind.GM_APPEAL, decisions=(rejected,), appeal="已补充合同")
    assert said(facts) == ["vera驳回：毛利偏低", "二次审核理由：已补充合同"]
    assert "vera rejected it: 毛利偏低" in said(facts, EN)


def test_n8_the_general_manager_reads_the_special_reasons() -> None:
    special = DecisionLine(
        kind=TaskKind.VP_REVIEW,
        choice="approve",
        person_name="vera",
        decided_at=NOON,
        reason="战略客户",
        special_reason=True,
    )
    assert "vera同意，特别理由：战略客户" in said(of_application(TaskKind.GM_APPROVAL, held=5, decisions=(special,)))
    assert said(of_application(TaskKind.VP_REVIEW, decisions=(special,))) == []


def test_n5_a_later_round_says_what_was_changed_and_that_nothing_was() -> None:
    before = FORM.model_copy(update={"resources": "一名驻场工程师", "products": (*FORM.products, "运维")})
    facts = of_application(round=2, before=before)
    assert said(facts)[0].startswith("与第 1 轮相比改了 2 处：主要产品/解决方案；需要公司提供的资源")
    unchanged = of_application(round=2, before=FORM)
    assert said(unchanged) == ["与第 1 轮相比没有任何修改"]
    assert said(unchanged, EN) == ["Nothing was changed since round 1"]


def test_n12_the_consequence_of_the_deadline_is_said() -> None:
    policy = load_policy()
    first = TaskDeadline.of(TaskKind.VP_REVIEW, policy, chased=0, due_at=DUE)
    assert said(of_application(deadline=first)) == ["2026年12月7日 周一 12:00 前未答复：由总经理代为决定（N12）"]
    assert said(of_application(deadline=first), EN) == [
        "No answer by Mon 7 Dec 2026, 12:00: the general manager decides instead (N12)"
    ]
    late = TaskDeadline.of(TaskKind.VP_REVIEW, policy, chased=3, due_at=DUE)
    assert "以先到者为准" in said(of_application(deadline=late))[0]
    gm = TaskDeadline.of(TaskKind.GM_APPROVAL, policy, chased=0, due_at=DUE)
    assert said(of_application(TaskKind.GM_APPROVAL, deadline=gm)) == []


def test_u10_the_end_of_a_returned_application_is_said() -> None:
    deadline = TaskDeadline.of(TaskKind.SUPPLY_INFORMATION, load_policy(), chased=0, due_at=DUE, closes_at=DUE)
    assert said(of_application(TaskKind.SUPPLY_INFORMATION, deadline=deadline)) == [
        "2026年12月7日 周一 12:00 前未补充：申请自动关闭（U10）"
    ]


def match(**changes: object) -> Match:
    known = {
        "subject_type": "project",
        "subject_id": "p-9",
        "name": "旧项目",
        "salesperson": "dora",
        "status": "active",
        "since": NOON,
        "earlier": True,
        "verdict": verdict("same_project_name"),
    }
    return Match.model_validate({**known, **changes})


def of_project(*matches: Match, suspects: tuple[str, ...] = ()) -> DecidingFacts:
    return project_facts(
        TaskKind.PROJECT_APPROVAL,
        PROJECT_FORM,
        None,
        round=1,
        salesperson="sam",
        matches=matches,
        organisation=ORGANISATION,
        suspects=suspects,
    )


def test_p1_the_salespersons_own_account_is_no_alarm() -> None:
    applied = match(subject_id="a-2", subject_type="application", name="南京长江港务")
    facts = of_project(match(subject_type="account", name="南京长江港务", salesperson="sam"), applied)
    assert [(line.tone, line.text) for line in deciding_lines(facts, ZH, ZONE)] == [
        ("good", "登记在Sam自己的大客户“南京长江港务”名下（P1）")
    ]


def test_p3_p4_what_others_registered_earlier_is_named() -> None:
    facts = of_project(
        match(),
        match(subject_id="A-1", subject_type="account", name="南京长江港务"),
        match(subject_id="later", earlier=False),
        match(subject_id="own", salesperson="sam"),
        match(subject_id="ended", live=False),
    )
    assert said(facts) == [
        "冲突：Dora已登记项目“旧项目”（2026年11月30日 周一，P4）",
        "客户是Dora名下的大客户“南京长江港务”（自2026年11月30日 周一，P3）",
    ]


def test_p5_what_a_clerk_suspects_is_named_however_near_it_is() -> None:
    resembles = match(verdict=verdict("similar_name", level=Level.LOOK), earlier=False)
    assert said(of_project(resembles)) == []
    assert len(said(of_project(resembles, suspects=("p-9",)))) == 1


def test_p8_the_refusal_and_the_objection_stand_side_by_side() -> None:
    refused = DecisionLine(
        kind=TaskKind.CONFLICT_CONFIRMATION, choice="conflict", person_name="vera", decided_at=NOON, reason="同一机房"
    )
    facts = project_facts(
        TaskKind.OBJECTION_REVIEW,
        PROJECT_FORM,
        None,
        round=1,
        salesperson="sam",
        matches=(),
        organisation=ORGANISATION,
        decisions=(refused,),
        objection="两个不同的机房",
    )
    assert said(facts) == ["vera确认冲突、拒绝登记：同一机房", "异议：两个不同的机房"]
    assert "The objection: 两个不同的机房" in said(facts, EN)


def test_changes_are_found_field_by_field() -> None:
    after = PROJECT_FORM.model_copy(
        update={
            "amount": Decimal("9000000.00"),
            "end_user": Company(name="北方电信"),
            "products": (*PROJECT_FORM.products[1:], "运维"),
            "vendor_registered": not PROJECT_FORM.vendor_registered,
        }
    )
    changes = form_changes(PROJECT_FORM, after)
    assert {change.field for change in changes} == {"amount", "end_user.name", "products", "vendor_registered"}
    assert form_changes(after, after) == ()
    lines = {line.label: line for line in changed_lines(changes, ZH, of_project=True)}
    assert lines["金额（人民币）"].after == "900 万元"
    assert lines["最终用户 · 名称"].before == ""
    assert lines["最终用户 · 名称"].in_short(ZH) == "最终用户 · 名称：未填写 → 北方电信"
    assert lines["主要产品/解决方案"].before == PROJECT_FORM.products[0]
    assert lines["主要产品/解决方案"].after == "运维"
    assert {lines["已在原厂商报备"].before, lines["已在原厂商报备"].after} == {"是", "否"}


def test_another_order_of_a_list_is_shown_whole() -> None:
    change = FormChange(field="products", before=["云", "网"], after=["网", "云"])
    (line,) = changed_lines((change,), ZH, of_project=False)
    assert (line.before, line.after) == ("云\n网", "网\n云")


@pytest.mark.parametrize("texts", [ZH, EN])
def test_every_field_of_both_forms_has_a_label_when_it_changes(texts: Texts) -> None:
    empty = {"before": None, "after": "1"}
    for form, of_a_project in ((FORM, False), (PROJECT_FORM.model_copy(update={"channel": Company(name="甲")}), True)):
        fields = _leaves(form.model_dump(mode="json"))
        for line in changed_lines(
            tuple(FormChange(field=field, **empty) for field in fields), texts, of_project=of_a_project
        ):
            assert line.label
            assert "_" not in line.label


def _leaves(tree: dict[str, object], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, value in tree.items():
        if name == "end_user":
            found += ["end_user.name", "end_user.uscc"]
        elif isinstance(value, dict):
            found += _leaves(value, f"{prefix}{name}.")
        else:
            found.append(f"{prefix}{name}")
    return found


def test_the_facts_can_be_stored_with_a_mail() -> None:
    facts = of_application(TaskKind.GM_APPEAL, evidence(finding()), held=5, before=FORM, round=2, appeal="理由")
    facts = facts.model_copy(update={"rejections": (Said(person_name="王芳", reason="否"),)})
    assert DecidingFacts.model_validate_json(facts.model_dump_json(exclude_defaults=True)) == facts
    assert facts.claims == (Claim(subject_type="account", name="华东精密", salesperson_name="Dora", since=NOON),)


@pytest.mark.parametrize(
    ("amount", "zh", "en"),
    [
        ("280000", "28 万元", "¥280,000"),
        ("7600000.00", "760 万元", "¥7,600,000"),
        ("12345678900", "1,234,567.89 万元", "¥12,345,678,900"),
        ("123450", "¥123,450", "¥123,450"),
        ("9999", "¥9,999", "¥9,999"),
        ("10000.50", "¥10,000.50", "¥10,000.50"),
        ("-280000", "-28 万元", "-¥280,000"),
    ],
)
def test_an_amount_in_short_is_exact(amount: str, zh: str, en: str) -> None:
    assert (ZH.money_in_short(Decimal(amount)), EN.money_in_short(Decimal(amount))) == (zh, en)

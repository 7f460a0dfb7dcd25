"""The pages of projects and disputes: every kind of field as a control and back, what A5 weighs, in both languages."""

from __future__ import annotations

import re
from typing import Any

import pytest

from api.problems import Refusal
from api.tasks.answering import check_answer
from domain.projects.rules import PROJECT_TASK_RULES
from domain.subject import SubjectType
from domain.tasks.task import TaskKind
from tests.inputs import Inputs
from tests.unit.pages.page_samples import NOON
from tests.unit.projects.page_samples import FORM, NAMES, OWN, ZONE, answered, choices, page, task
from tests.visible import keys_in
from texts.catalogue import Texts
from texts.tasks.deciding import DecidingFacts, Negotiation
from web.dossier.page import render_dossier
from web.forms.fields import Offered
from web.links.answers import as_offered, contradiction, entered_fields
from web.links.status_page import LinkStatus, LinkStatusPage, ResultKind, ResultPage, render_status
from web.models import Remark
from web.tasks.models import Weighed


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", list(PROJECT_TASK_RULES))
def test_x4_every_task_of_a_project_has_a_page_without_script_and_without_a_default(
    kind: TaskKind, language: str
) -> None:
    """X4, P2, P4, P5, P8, D1, D2, U6."""
    html = page(kind, language=language)
    assert keys_in(html) == set()
    inputs = Inputs(html)
    offered = [choice.choice for choice in choices(kind)]
    if kind is TaskKind.AGREE_SPLIT:  # there is nothing to agree to yet
        offered = ["propose", "disagree"]
    if len(offered) == 1:  # nothing to choose: the confirmation alone decides
        assert inputs.values["choice"] == offered[0]
    else:
        assert inputs.radios["choice"] == offered
        assert "choice" not in inputs.values
    assert "confirm" not in inputs.values
    as_it_was = {"customer.legal_person", "vendor_registered"} if kind is TaskKind.SUPPLY_INFORMATION else set()
    assert set(inputs.checked) == as_it_was
    assert not {"script", "iframe", "img", "style", "b-x", "i", "u"} & set(inputs.tags)
    assert len(inputs.ids) == len(set(inputs.ids))
    assert inputs.anchors <= set(inputs.ids)
    assert inputs.labelled <= set(inputs.ids)


@pytest.mark.parametrize("kind", [kind for kind in PROJECT_TASK_RULES if kind is not TaskKind.SUPPLY_INFORMATION])
def test_a5_what_is_to_be_weighed_stands_on_the_page_with_times(kind: TaskKind) -> None:
    """A5: order of registration, the vendor's position, familiarity; of this registration and of each other one."""
    html = page(kind)
    for shown in (
        "2026年3月2日 周一 09:30",
        "2026年12月14日 周一 12:00",
        "登记先后",
        "已在原厂商报备 · 支持徐静团队&lt;v&gt;",
        "已在原厂商报备 · 支持我方投标",
        "未在原厂商报备",
        "2026年4月1日 周三 10:00 起用现名称",
        "驻场三年",
        "与信息中心\n合作六年",
        "招标编号相同",
        "可能的冲突",
        "本次登记",
        "¥8,600,000.00",
    ):
        assert shown in html
    assert html.index("旧项目&lt;u&gt;") < html.index("本次登记")  # the first registered stands first


def test_u7_commerce_sees_what_was_handed_in_and_enters_what_it_has_received() -> None:
    """U7: nothing of the application is filled in beforehand: what counts is what commerce has read."""
    handed_in = {"amount": "9750000.00", "contract_number": "HT-9", "signed_on": "2026-12-11", "received_on": None}
    note = {"contract_application": {**handed_in, "by": {"id": "yang.fan", "name": "杨帆"}, "at": NOON.isoformat()}}
    for language, label in (("zh", "签署日期"), ("en", "Signed on")):
        shown = page(TaskKind.CONTRACT_REVIEW, note=note, language=language)
        for words in ("HT-9", "¥9,750,000.00", "杨帆", label):
            assert words in shown
        assert not any(key in shown for key in ("contract_application", "contract number", "signed on", "2026-12-11"))
        inputs = Inputs(shown)
        assert {name: inputs.values[name] for name in ("number", "amount", "signed_on", "received_on")} == {
            **{"number": "", "amount": "", "signed_on": "", "received_on": ""},
        }
        assert '<input id="f-number"' in shown  # a line, and no box for an essay
        needed = {"zh": "选择“已收到，登记合同”时必填。", "en": "Required for “Received: record the contract”."}[
            language
        ]
        assert shown.count(needed) == 2  # number and amount; the dates may be left out
    typed = {"choice": "received", "number": "HT-9", "amount": "￥9,750,000", "received_on": "2026-12-14"}
    fields = answered(TaskKind.CONTRACT_REVIEW, typed)
    assert fields == {"number": "HT-9", "amount": "9750000", "received_on": "2026-12-14"}


def test_p4_nothing_found_is_said() -> None:
    assert "未发现相关的大客户、申请或项目。" in page(TaskKind.CONFLICT_CHECK, weighed=(Weighed(line=OWN, own=True),))
    left_out = "另有 12 条关联较弱的未列出"
    assert left_out in page(TaskKind.CONFLICT_CHECK, weaker=12)
    assert "关联较弱" not in page(TaskKind.CONFLICT_CHECK)


def test_d1_the_text_on_the_table_stands_on_the_page_and_how_to_confirm_it() -> None:
    proposal = {
        "cooperation": "联合投标",
        "split": [
            {"person": {"id": "yang.fan", "name": "杨帆"}, "percent": "62.50"},
            {"person": {"id": "xu.jing", "name": "徐静"}, "percent": "37.50"},
        ],
        "by": {"id": "yang.fan", "name": "杨帆"},
    }
    html = page(TaskKind.AGREE_SPLIT, note={"proposal": proposal, "reason": "x"}, reason_remark=Remark(text="理由<s>"))
    for shown in ("联合投标", "62.50", "37.50", "杨帆", "同意对方的方案时，以下各项留空", "理由&lt;s&gt;"):
        assert shown in html
    assert "同意对方的方案时" not in page(TaskKind.AGREE_SPLIT)


def test_d2_suggested_participants_precedents_and_the_meeting_are_shown() -> None:
    ruling = {
        "at": "2026-03-02T01:30:00+00:00",
        "how": "decided",
        "responsible": {"id": "xu.jing", "name": "徐静"},
        "split": [{"person": {"id": "xu.jing", "name": "徐静"}, "percent": "100"}],
    }
    suggested = [{"id": "lin.xia", "name": "林霞"}]
    offered = Offered(labels=NAMES, suggested=("lin.xia",))
    html = page(TaskKind.CALL_MEETING, note={"participants": suggested, "precedents": [ruling]}, offered=offered)
    assert "建议参加人（D2）：林霞" in html
    assert "同一客户以往的裁定" in html
    assert "2026年3月2日 周一 09:30" in html
    assert Inputs(html).values["participants.0"] == "lin.xia"  # the rule names who sits there (D2)
    meeting = {"starts_at": "2026-12-16T01:30:00+00:00", "place": "三楼会议室", "participants": suggested}
    html = page(TaskKind.RECORD_MEETING, note={"meeting": meeting, "precedents": []})
    for shown in ("三楼会议室", "2026年12月16日 周三 09:30", "林霞", "没有以往的裁定。"):
        assert shown in html


@pytest.mark.parametrize("language", ["zh", "en"])
def test_x4_calm_pages_and_results_speak_of_the_project(language: str) -> None:
    shared = {
        "path": "/d/t",
        "language": language,
        "subject_type": SubjectType.PROJECT,
        "subject_id": "pr0ject",
        "project_name": "核心网扩容",
        "customer_name": "北方电信",
    }
    for kind in (LinkStatus.WITHDRAWN, LinkStatus.SUPERSEDED):
        html = render_status(LinkStatusPage.model_validate({**shared, "kind": kind, "task_kind": TaskKind.AGREE_SPLIT}))
        assert "核心网扩容" in html
        assert "N9" not in html  # the rules of applications are not those of projects
    assert "申请已有新的轮次" not in render_status(
        LinkStatusPage.model_validate({**shared, "kind": LinkStatus.SUPERSEDED})
    )
    done = ResultPage.model_validate(
        {**shared, "result": ResultKind.ACCEPTED, "task_kind": TaskKind.SUPPLY_INFORMATION, "choice": "supply",
         "person_name": "杨帆", "at": NOON}
    )  # fmt: skip
    assert ("提交补充后的项目信息" if language == "zh" else "Submit the completed project") in render_status(done)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_n11_the_dossier_of_a_project_shows_everything_in_words(language: Any) -> None:
    person = {"id": "yang.fan", "name": "杨帆"}
    dossier = {
        "project": {
            "id": "pr0ject",
            "number": "P2026-00017",
            "name": "核心网扩容",
            "status": "disputed",
            "status_label": "有争议",
            "stage": "disputed",
            "salesperson": person,
            "next_events": [{"at": "2026-12-16T01:30:00+00:00", "what": "two_weeks", "label": "提醒"}],
        },
        "rounds": [{"round": 1, "form": FORM.model_dump(mode="json"), "matches": [{"name": "旧项目", "live": True}]}],
        "disputes": [{"stage": "negotiation", "stage_label": "协商中", "proposal": {"cooperation": "联合投标"}}],
        "updates": [
            {"number": 2, "person": person, "progress": "方案通过", "stage": "tender", "stage_label": "招投标"}
        ],
        "record": [{"at": "2026-12-14T04:00:00Z", "event": "project_updated", "text": "", "body": {}, "seq": 7}],
        "never_heard_of": {"x": "留存"},
    }
    html = render_dossier(dossier, language=language)
    for shown in ("P2026-00017", "核心网扩容", "杨帆", "联合投标", "方案通过", "招投标", "协商中", "旧项目", "留存"):
        assert shown in html
    assert "北方电信&lt;i&gt;" in html
    assert ("项目档案" if language == "zh" else "Project dossier") in html
    assert ("2026年12月16日 周三 09:30" if language == "zh" else "Wed 16 Dec 2026, 09:30") in html


def test_p2_who_completes_a_held_project_is_not_spoken_to_as_a_judge() -> None:
    """P2, X4: nor shown the project twice, in brief and as the form to be completed."""
    html = page(TaskKind.SUPPLY_INFORMATION)
    assert "请林霞补充" in html
    assert "您的决定" not in html
    assert 'id="brief"' not in html
    judged = page(TaskKind.PROJECT_APPROVAL)
    assert "请林霞决定" in judged
    assert "您的决定" in judged


def test_d1_the_page_says_with_whom_it_is_to_be_agreed_and_what_is_proposed() -> None:
    share = {"person": "yang.fan", "name": "杨帆", "percent": "70"}
    person = {"person": "yang.fan", "name": "杨帆"}
    proposal: dict[str, Any] = {"cooperation": "合作", "split": [share], "by": person, "responsible": person}
    first = Negotiation.of({}, ["徐静 · 华东区"])
    second = Negotiation.of({"proposal": proposal}, ["徐静 · 华东区"])

    def asked(negotiation: Negotiation, **note: Any) -> str:
        deciding = DecidingFacts(kind=TaskKind.AGREE_SPLIT, of_project=True, negotiation=negotiation)
        return page(TaskKind.AGREE_SPLIT, deciding=deciding, note=note)

    assert "对方：徐静 · 华东区" in asked(first)
    assert "还没有方案：请提出由谁负责" in asked(first)
    assert Inputs(asked(first)).radios["choice"] == ["propose", "disagree"]
    answer = asked(second, proposal=proposal)
    assert "杨帆提出：由杨帆负责，业绩 杨帆 70%" in answer
    assert Inputs(answer).radios["choice"] == ["agree", "propose", "disagree"]
    assert "同意此方案" in answer
    assert "提出另一方案" in answer


def test_d1_another_proposal_is_made_whole_and_agreeing_says_nothing_more() -> None:
    row = task(TaskKind.AGREE_SPLIT, text_on_the_table=True).model_copy(
        update={"note": {"proposal": {"cooperation": "合作"}}}
    )
    posted = {"choice": "propose", "cooperation": "联合"}
    choice, reason, fields = entered_fields(row, posted, ZONE)
    assert choice == "agree"
    with pytest.raises(Refusal) as refusal:
        check_answer(as_offered(row, posted), choice, reason, fields)
    assert {problem.field for problem in refusal.value.problems} == {"fields.responsible", "fields.split"}
    nothing: dict[str, str] = {"choice": "propose"}
    with pytest.raises(Refusal):  # an empty proposal is no agreement
        check_answer(as_offered(row, nothing), *entered_fields(row, nothing, ZONE))
    agreeing = {"choice": "agree", "cooperation": "联合"}
    assert contradiction(row, agreeing, entered_fields(row, agreeing, ZONE)[2]) == "page.agree.both"
    assert contradiction(row, {"choice": "agree"}, {}) == ""


def test_x4_the_project_is_shown_in_the_readers_words() -> None:
    """X4, P4: dates written out, no customer called a Named Account by its form alone, no empty groups."""
    html = page(TaskKind.PROJECT_APPROVAL)
    assert Texts("zh").written_date(FORM.expected_signing.isoformat()) in html
    assert f">{FORM.expected_signing.isoformat()}<" not in html
    assert "<dd>大客户</dd>" not in html
    bare = page(TaskKind.PROJECT_APPROVAL, form=FORM.model_copy(update={"end_user": None, "channel": None}))
    assert '<h3>最终用户</h3>\n<p class="muted">无</p>' in bare
    assert '<h3>渠道</h3>\n<p class="muted">无</p>' in bare


def test_n11_a_dossier_names_people_and_registrations_that_its_record_knows_by_id() -> None:
    """N11, X4, D2: names for ids, the office by its name, a meeting in the order in which people read it."""
    person = {"id": "lin.xia", "name": "林霞"}
    meeting = {"place": "三楼", "wanted": {"by": person}, "participants": [person], "starts_at": NOON.isoformat()}
    html = render_dossier(
        {
            "project": {
                "id": "pr0ject",
                "name": "核心网扩容",
                "department": "north",
                "department_name": "北方区",
                "refusal": {"suspects": ["p-9"]},
                "next_events": [{"at": NOON.isoformat(), "what": "meeting", "label": "协调会议", "rule": "D2"}],
            },
            "matches": [{"subject_id": "p-9", "name": "旧项目"}],
            "disputes": [{"meeting": meeting}],
            "record": [{"at": NOON.isoformat(), "event": "task_opened", "body": {"asked": [{"person": "lin.xia"}]}}],
        }
    )
    words = " ".join(re.sub(r"<[^>]*>", " ", html.partition("<body")[2]).split())
    for said in ("部门 北方区", "冲突的登记 旧项目", "人员：林霞", "要求召开协调会议"):
        assert said in words
    for unsaid in ("north", "p-9：", "lin.xia", " what ", " label ", " wanted "):
        assert unsaid not in words
    assert words.index("会议时间") < words.index("三楼") < words.index("参加人")


def test_d1_the_text_on_the_table_says_whose_it_is_and_a_share_is_a_percentage() -> None:
    """D1, D3, X4."""
    split = [{"id": "xu.jing", "name": "徐静", "percent": "40"}]
    proposal = {"cooperation": "合作", "split": split, "by": {"id": "xu.jing", "name": "徐静"}}
    html = page(TaskKind.AGREE_SPLIT, note={"proposal": proposal})
    assert "待确认的方案（徐静提出）" in html
    assert ">操作人<" not in html
    assert ">比例（%）<" in html
    assert ">percent<" not in html


@pytest.mark.parametrize("kind", [kind for kind in PROJECT_TASK_RULES if kind is not TaskKind.SUPPLY_INFORMATION])
def test_p4_the_whole_form_is_folded_but_for_the_clerk_who_compares_it(kind: TaskKind) -> None:
    html = page(kind)
    assert ("<details open>" in html) is (kind is TaskKind.CONFLICT_CHECK)
    assert html.count("<details") == 1


def test_d2_what_a_meeting_needs_is_marked_since_there_is_no_other_choice() -> None:
    """D2, X4: many people to tick stand in columns."""
    html = page(TaskKind.CALL_MEETING)
    for label in ("会议时间", "地点", "参加人"):
        assert re.search(rf'{re.escape(label)} <span class="required">必填</span>', html), label
    assert not re.search(r'备注 <span class="required">', html)
    assert "15 至 480 的整数；不填即为 60 分钟" in html
    assert 'class="picks"' in html


def test_d1_how_it_was_settled_is_said_in_words_and_without_ids() -> None:
    """D1, D2, X4."""
    said = {"cooperation": "合作", "summary": "由徐静负责", "at": NOON.isoformat()}
    agreement = {"how": "agreed", "dispute": "pr0ject-1", **said}
    html = page(TaskKind.PROJECT_APPROVAL, note={"agreement": agreement})
    assert "双方已达成一致" in html
    assert "<dt>会议结论</dt>" in html
    assert "pr0ject-1" not in html
    assert ">agreed<" not in html

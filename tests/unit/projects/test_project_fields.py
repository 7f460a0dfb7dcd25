"""Every kind of field of a project's task as a control of the page and back (P2, P4, P5, D1–D3)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from api.problems import Refusal
from api.tasks.answering import check_answer
from domain.projects.project import ProjectForm
from domain.projects.rules import project_choices
from domain.tasks.task import FieldKind, FieldSpec, TaskKind
from tests.inputs import Inputs
from tests.unit.projects.page_samples import FORM, LINE, NAMES, OWN, SIDES, ZONE, answered, page, task
from texts.catalogue import Texts
from web.forms.fields import Offered, entered_values
from web.forms.form import PROJECT, parse_form
from web.links.answers import contradiction, entered_fields, field_errors
from web.models import FormError
from web.tasks.models import Weighed


def test_p4_one_person_is_chosen_from_a_list_of_names() -> None:
    html = page(TaskKind.ASSIGN_CLERK)
    assert '<option value="gao.yuan">高远</option>' in html
    assert answered(TaskKind.ASSIGN_CLERK, {"choice": "assign", "clerk": "gao.yuan"}) == {"clerk": "gao.yuan"}


WITH_MATCHES = project_choices(TaskKind.CONFLICT_CHECK, suspects=("p-9", "A-1"), matches=("p-9", "A-1", "p-3"))


def check_page(**changes: Any) -> str:
    weighed = (Weighed(line=LINE, subject_id="p-9"), Weighed(line=LINE, subject_id="A-1"), Weighed(line=OWN, own=True))
    return page(TaskKind.CONFLICT_CHECK, choices=WITH_MATCHES, weighed=weighed, **changes)


def checked(posted: dict[str, str]) -> tuple[str, dict[str, Any]]:
    row = task(TaskKind.CONFLICT_CHECK).model_copy(update={"choices": WITH_MATCHES})
    choice, reason, fields = entered_fields(row, Inputs(check_page()).values | posted, ZONE)
    check_answer(row, choice, reason, fields)
    return reason, fields


def test_p4_p5_one_control_inside_each_match_says_what_it_is() -> None:
    html = check_page()
    assert html.count('name="matches.0.ruling"') == 1
    assert html.index('id="weigh"') < html.index('name="matches.0.ruling"') < html.index('name="matches.1.ruling"')
    assert html.index('id="marks"') < html.index('name="matches.2.ruling"')  # it is in no list of the page
    for words in ("不冲突", "可能冲突", "是同一公司"):
        assert f">{words}</option>" in html
    assert Inputs(html).values["matches.1.id"] == "A-1"
    assert "suspects.0" not in Inputs(html).radios


def test_p4_p5_findings_become_rulings_and_suspects() -> None:
    assert checked({"choice": "clear"}) == ("", {})
    said = {"choice": "suspect", "reason": "同一招标", "matches.0.ruling": "suspected", "matches.1.ruling": "cleared"}
    reason, fields = checked(said | {"matches.1.reason": "另一家公司", "suspects_others": " P2026-00007 "})
    assert reason == "同一招标"
    assert fields == {
        "suspects": ["p-9", "P2026-00007"],
        "matches": [{"id": "A-1", "ruling": "cleared", "reason": "另一家公司"}],
    }
    reason, fields = checked(
        {"choice": "suspect", "matches.0.ruling": "suspected", "matches.0.reason": "同一机房", "suspects.0": "A-1"}
    )
    assert reason == "同一机房"  # a suspicion has the reason of the whole answer
    assert fields == {"suspects": ["A-1", "p-9"]}


def test_p4_p5_nothing_is_suspected_by_somebody_who_finds_no_conflict() -> None:
    row = task(TaskKind.CONFLICT_CHECK).model_copy(update={"choices": WITH_MATCHES})
    posted = {"choice": "clear", "matches.0.id": "p-9", "matches.0.ruling": "suspected"}
    assert contradiction(row, posted, entered_fields(row, posted, ZONE)[2]) == "page.clear_and_suspected"
    assert contradiction(row, posted | {"choice": "suspect"}, {}) == ""


def test_p4_what_is_wrong_with_a_finding_stands_beside_it() -> None:
    typed = {"choice": "clear", "matches.1.id": "A-1", "matches.1.ruling": "cleared"}
    row = task(TaskKind.CONFLICT_CHECK).model_copy(update={"choices": WITH_MATCHES})
    with pytest.raises(Refusal) as refusal:
        check_answer(row, *entered_fields(row, typed, ZONE))
    html = check_page(entered=typed, errors=field_errors(refusal.value, Texts("zh")))
    assert 'id="f-matches-1-reason-error"' in html
    assert 'href="#f-matches-1-reason"' in html
    assert Inputs(html).values["matches.1.ruling"] == "cleared"


def test_p5_where_nothing_was_found_a_registration_can_be_named_on_the_page() -> None:
    html = page(TaskKind.CONFLICT_CHECK, choices=project_choices(TaskKind.CONFLICT_CHECK))
    assert "自动检测没有找到的" in html
    assert Inputs(html).values["suspects_others"] == ""
    wrong = (FormError(field="suspects.0", message="没有找到"),)
    again = page(TaskKind.CONFLICT_CHECK, entered={"suspects_others": "P2026-00009"}, errors=wrong)
    assert Inputs(again).values["suspects_others"] == "P2026-00009"
    assert "没有找到" in again


def test_d2_a_meeting_is_called_in_the_business_time_zone() -> None:
    typed = {
        "choice": "called",
        "starts_at": "2026-12-16T09:30",
        "duration_minutes": "９０",
        "place": "三楼",
        "participants.0": "lin.xia",
        "participants.3": "xu.jing",
    }
    assert answered(TaskKind.CALL_MEETING, typed) == {
        "starts_at": "2026-12-16T09:30:00+08:00",
        "duration_minutes": 90,
        "place": "三楼",
        "participants": ["lin.xia", "xu.jing"],
    }
    html = page(TaskKind.CALL_MEETING)
    assert '<input id="f-starts_at" name="starts_at" type="datetime-local"' in html
    assert html.count(Texts("zh").zone_name(ZONE)) == 2  # beside the input as well


def test_d3_a_split_has_a_row_for_each_side_and_three_more() -> None:
    """D3: and no row that nobody is left for; where the sides alone divide it (D1), theirs are all."""
    sides = Offered(people=tuple((side, NAMES[side]) for side in SIDES), labels=NAMES, sides=SIDES)
    alone = Inputs(page(TaskKind.AGREE_SPLIT, offered=sides)).values
    assert "split.1.percent" in alone
    assert "split.2.percent" not in alone
    inputs = Inputs(page(TaskKind.RECORD_MEETING, offered=sides.model_copy(update={"people": tuple(NAMES.items())})))
    assert [inputs.values.get(f"split.{row}.person") for row in range(5)] == [*SIDES, None, None, None]
    assert "split.4.percent" in inputs.values
    assert "split.5.percent" not in inputs.values
    typed = {
        "choice": "record",
        "responsible": "xu.jing",
        "summary": "由徐静负责",
        "split.0.percent": " 62.50% ",
        "split.1.percent": "３７.５",
    }
    assert answered(TaskKind.RECORD_MEETING, typed) == {
        "responsible": "xu.jing",
        "summary": "由徐静负责",
        "split": [{"person": "yang.fan", "percent": "62.50"}, {"person": "xu.jing", "percent": "37.5"}],
    }


def test_d1_agreeing_without_a_text_confirms_and_disagreeing_carries_none() -> None:
    """The rows of the sides, left as they stand, are no text."""
    assert answered(TaskKind.AGREE_SPLIT, {"choice": "agree"}, text_on_the_table=True) == {}
    assert answered(TaskKind.AGREE_SPLIT, {"choice": "disagree", "reason": "不同意"}) == {}
    with pytest.raises(Refusal) as refusal:  # nothing on the table yet
        answered(TaskKind.AGREE_SPLIT, {"choice": "agree"})
    fields = {problem.field for problem in refusal.value.problems}
    assert fields == {"fields.responsible", "fields.cooperation", "fields.split"}


@pytest.mark.parametrize(
    ("typed", "where", "rule"),
    [
        ({"split.0.percent": "62.5", "split.1.percent": "37.49"}, "split", "D3"),
        ({"split.0.percent": "50", "split.3.person": "yang.fan", "split.3.percent": "50"}, "split", "D3"),
        ({"split.1.percent": "60", "split.3.percent": "40"}, "split.1.person", "D3"),
        ({"split.0.percent": "100", "starts_at": "x"}, None, None),
    ],
)
def test_d3_a_wrong_split_is_said_beside_its_row_and_kept(
    typed: dict[str, str], where: str | None, rule: str | None
) -> None:
    row = task(TaskKind.RECORD_MEETING)
    whole = {"choice": "record", "responsible": "xu.jing", "summary": "x", "split.0.person": "yang.fan",
             "split.1.person": "xu.jing", **typed}  # fmt: skip
    choice, reason, fields = entered_fields(row, whole, ZONE)
    if where is None:
        check_answer(row, choice, reason, fields)
        return
    with pytest.raises(Refusal) as refusal:
        check_answer(row, choice, reason, fields)
    assert [problem.rule for problem in refusal.value.problems] == [rule]
    errors = field_errors(refusal.value, Texts("zh"))
    assert [error.field for error in errors] == [where]
    html = page(TaskKind.RECORD_MEETING, entered=whole, errors=errors)
    assert f'id="f-{where.replace(".", "-")}-error">{errors[0].message}' in html
    percents = {name: value for name, value in Inputs(html).values.items() if name.endswith(".percent") and value}
    assert sorted(percents.values()) == sorted(value for name, value in typed.items() if name.endswith(".percent"))


def test_d2_what_is_wrong_with_a_meeting_is_said_in_words_and_everything_typed_is_kept() -> None:
    row = task(TaskKind.CALL_MEETING)
    typed = {"choice": "called", "starts_at": "明天", "duration_minutes": "5", "participants.1": "gao.yuan"}
    _, _, fields = entered_fields(row, typed, ZONE)
    with pytest.raises(Refusal) as refusal:
        check_answer(row, "called", "", fields)
    errors = field_errors(refusal.value, Texts("zh"))
    assert {error.field for error in errors} == {"starts_at", "duration_minutes", "place", "participants"}
    html = page(TaskKind.CALL_MEETING, entered=typed, errors=errors)
    inputs = Inputs(html)
    assert inputs.values["starts_at"] == "明天"
    assert inputs.values["participants.1"] == "gao.yuan"
    assert inputs.checked == ["participants.1"]
    assert inputs.values["choice"] == "called"
    assert {"f-starts_at", "f-duration_minutes", "f-place", "f-participants"} <= inputs.anchors <= set(inputs.ids)
    assert "会议时间：" in html


def test_p2_the_project_form_goes_to_the_page_and_back_unchanged() -> None:
    inputs = Inputs(page(TaskKind.SUPPLY_INFORMATION))
    assert inputs.values["expected_signing"] == "2027-03-31"
    assert inputs.values["stage"] == "tender"
    choice, _, fields = entered_fields(task(TaskKind.SUPPLY_INFORMATION), inputs.values, ZONE)
    assert choice == "supply"
    assert ProjectForm.model_validate(fields["project"]) == FORM
    assert "补充项目信息" in page(TaskKind.SUPPLY_INFORMATION)
    assert "提交补充后的项目信息" in page(TaskKind.SUPPLY_INFORMATION)


def test_p2_a_cleared_end_user_is_none_and_a_nameless_one_is_wrong() -> None:
    values = Inputs(page(TaskKind.SUPPLY_INFORMATION)).values
    parsed = parse_form(values | {"end_user.name": " "}, PROJECT)
    assert ProjectForm.model_validate(parsed).end_user is None
    named = parse_form(values | {"channel.uscc": "91310000132200821H"}, PROJECT)
    with pytest.raises(ValidationError):
        ProjectForm.model_validate(named)


def test_p2_what_is_wrong_in_the_form_is_said_beside_its_field_with_the_rule() -> None:
    row = task(TaskKind.SUPPLY_INFORMATION)
    typed = Inputs(page(TaskKind.SUPPLY_INFORMATION)).values | {
        "amount": "-1",
        "expected_signing": "31.3.",
        "name": "",
        "choice": "supply",
    }
    choice, reason, fields = entered_fields(row, typed, ZONE)
    with pytest.raises(Refusal) as refusal:
        check_answer(row, choice, reason, fields)
    assert {(problem.field, problem.rule) for problem in refusal.value.problems} == {
        ("fields.project.amount", "P2"),
        ("fields.project.expected_signing", "P2"),
        ("fields.project.name", "P2"),
    }
    errors = field_errors(refusal.value, Texts("zh"))
    html = page(TaskKind.SUPPLY_INFORMATION, entered=typed, errors=errors)
    assert {"f-amount", "f-expected_signing", "f-name"} <= Inputs(html).anchors
    assert "项目名称：" in html


SPECS = tuple(FieldSpec(name=f"n{kind}", kind=kind) for kind in FieldKind)
POSTED = st.dictionaries(
    st.one_of(
        st.sampled_from([spec.name for spec in SPECS]),
        st.tuples(
            st.sampled_from([spec.name for spec in SPECS]),
            st.sampled_from(["0", "7", "²", "99999", "", "x"]),
            st.sampled_from(["", ".person", ".percent", ".percent.x"]),
        ).map(lambda parts: f"{parts[0]}.{parts[1]}{parts[2]}"),
    ),
    st.one_of(st.text(max_size=6), st.sampled_from(["2026-12-16", "2026-12-16T09:30", "0001-01-01T00:00", "50", "٣"])),
    max_size=10,
)


@settings(max_examples=300)
@given(POSTED)
def test_whatever_is_posted_is_read_and_shown_again(posted: dict[str, str]) -> None:
    """X3: nothing that a browser or a script sends breaks a page."""
    found = entered_values(SPECS, posted, ZONE)
    assert set(found) <= {spec.name for spec in SPECS}
    assert all(isinstance(share, dict) for share in found.get("nsplit", []))
    renamed = {
        re.sub(r"^n(\w+)", lambda m: {"split": "split", "people": "participants"}.get(m[1], m[1]), name): value
        for name, value in posted.items()
    }
    for kind in (TaskKind.CALL_MEETING, TaskKind.RECORD_MEETING, TaskKind.SUPPLY_INFORMATION):
        assert "<h1>" in page(kind, entered=renamed)


MANY = tuple(f"person.{number}" for number in range(40))


def meeting_page(**changes: Any) -> str:
    labels = {person: f"姓名{number} · 北方区" for number, person in enumerate(MANY)}
    offered = Offered(people=tuple(labels.items()), labels=labels, suggested=(MANY[0], MANY[1]))
    choices = project_choices(TaskKind.CALL_MEETING, people=MANY)
    return page(TaskKind.CALL_MEETING, choices=choices, offered=offered, **changes)


def test_d2_in_a_large_company_the_suggested_are_ticked_and_others_are_searched() -> None:
    html = meeting_page()
    inputs = Inputs(html)
    assert inputs.checked == ["participants.0", "participants.1"]
    assert "participants.2" not in inputs.radios
    assert '<option value="姓名7 · 北方区 · person.7">' in html
    assert "姓名0 · 北方区 · person.0" not in html
    assert "reason" not in inputs.values  # a note of its own is enough


def test_d2_people_who_are_added_by_name_are_people() -> None:
    (choice,) = project_choices(TaskKind.CALL_MEETING, people=MANY)
    typed = {
        "choice": "called",
        "participants.0": MANY[0],
        "participants_add.0": "姓名7 · 北方区 · person.7",
        "participants_add.1": "person.8",
        "participants_add.2": "没有这个人",
    }
    found = entered_values(choice.fields, typed, ZONE)
    assert found["participants"] == ["person.0", "person.7", "person.8", "没有这个人"]
    again = meeting_page(entered=typed)
    inputs = Inputs(again)
    assert inputs.values["participants_add.0"] == "没有这个人"
    assert {inputs.values[name] for name in inputs.checked if name.startswith("participants")} == set(
        found["participants"][:3]
    )

"""What may stand in each field of an answer; everything that is wrong is told at once (N1, D3)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.base import Moment
from domain.dispute import Agreement, MeetingCall, MeetingOutcome
from domain.project_rules import project_choices
from domain.tasks import (
    AGREE,
    ASSIGN,
    CALLED,
    CLEAR,
    DISAGREE,
    HOLD,
    RECORD,
    REJECT,
    SUPPLY,
    SUSPECT,
    Choice,
    FieldKind,
    FieldSpec,
    TaskKind,
    answer_problems,
)
from texts.catalogue import Texts

MEETING: dict[str, Any] = {
    "starts_at": "2026-12-01T09:30:00+08:00",
    "duration_minutes": 90,
    "place": "总部三楼会议室",
    "participants": ["liu.yang", "zhang.wei"],
    "note": "",
}
SPLIT: list[Any] = [{"person": "yang.fan", "percent": "60"}, {"person": "xu.jing", "percent": "40"}]
IN_BOTH = (Texts("zh"), Texts("en"))

Found = list[tuple[str, str]]


def problems(choices: tuple[Choice, ...], choice: str, fields: dict[str, Any], reason: str = "") -> Found:
    found = answer_problems(choices, choice=choice, reason=reason, fields=fields)
    for problem in found:  # X4: whatever is wrong is said in both languages, with its figures
        for texts in IN_BOTH:
            said = texts.error(problem.key, problem.params)
            assert said
            assert said != texts.error("invalid")
            assert "{" not in said
    return [(problem.field, problem.key) for problem in found]


def of_kind(kind: FieldKind, value: Any, **spec: Any) -> Found:
    field = FieldSpec(name="x", kind=kind, **spec)
    return problems((Choice(choice="c", fields=(field,)),), "c", {"x": value})


@pytest.mark.parametrize("kind", FieldKind)
def test_n1_what_is_required_is_missing_when_it_is_not_there(kind: FieldKind) -> None:
    assert of_kind(kind, None, required=True) == [("fields.x", "missing")]
    assert of_kind(kind, None) == []


@pytest.mark.parametrize("kind", [FieldKind.PEOPLE, FieldKind.SUBJECTS])
def test_n1_a_list_that_names_nobody_is_missing(kind: FieldKind) -> None:
    assert of_kind(kind, [], required=True, at_least=2) == [("fields.x", "missing")]
    assert of_kind(kind, []) == []


def test_n1_a_text_of_spaces_is_missing() -> None:
    assert of_kind(FieldKind.TEXT, " \n ", required=True) == [("fields.x", "missing")]
    assert of_kind(FieldKind.TEXT, " \n ") == []


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (FieldKind.TEXT, 5, [("fields.x", "string_type")]),
        (FieldKind.TEXT, "a\0b", [("fields.x", "control_character")]),
        (FieldKind.TEXT, "x" * 10_001, [("fields.x", "string_too_long")]),
        (FieldKind.PERSON, 5, [("fields.x", "string_type")]),
        (FieldKind.PERSON, ["gao.yuan"], [("fields.x", "string_type")]),
        (FieldKind.PERSON, "", [("fields.x", "string_pattern_mismatch")]),
        (FieldKind.PERSON, " gao.yuan", [("fields.x", "string_pattern_mismatch")]),
        (FieldKind.PERSON, "高媛", [("fields.x", "string_pattern_mismatch")]),
        (FieldKind.PERSON, "\ud800", [("fields.x", "string_unicode")]),
        (FieldKind.PEOPLE, "gao.yuan", [("fields.x", "tuple_type")]),
        (FieldKind.PEOPLE, {"gao.yuan": 1}, [("fields.x", "tuple_type")]),
        (
            FieldKind.PEOPLE,
            ["gao.yuan", 5, ""],
            [("fields.x.1", "string_type"), ("fields.x.2", "string_pattern_mismatch")],
        ),
        (FieldKind.PEOPLE, ["gao.yuan"] * 51, [("fields.x", "too_long")]),
        (FieldKind.SUBJECTS, 5, [("fields.x", "tuple_type")]),
        (FieldKind.SUBJECTS, ["p1", None], [("fields.x.1", "string_type")]),
        (FieldKind.SUBJECTS, ["p1\n"], [("fields.x.0", "string_pattern_mismatch")]),
        (FieldKind.MOMENT, "2026-12-01T09:30:00", [("fields.x", "timezone_aware")]),
        (FieldKind.MOMENT, "2026-12-01", [("fields.x", "datetime_parsing")]),
        (FieldKind.MOMENT, "2026-13-01T09:30:00Z", [("fields.x", "datetime_from_date_parsing")]),
        (FieldKind.MOMENT, "tomorrow", [("fields.x", "datetime_parsing")]),
        (FieldKind.MOMENT, "", [("fields.x", "datetime_parsing")]),
        (FieldKind.MOMENT, 1764000000, [("fields.x", "datetime_type")]),
        (FieldKind.MOMENT, "1764000000", [("fields.x", "datetime_parsing")]),
        (FieldKind.MOMENT, "0001-01-01T00:00:00+14:00", [("fields.x", "datetime_parsing")]),
        (FieldKind.MOMENT, "9999-12-31T23:59:59-14:00", [("fields.x", "datetime_parsing")]),
        (FieldKind.NUMBER, "an hour", [("fields.x", "int_parsing")]),
        (FieldKind.NUMBER, 60.5, [("fields.x", "int_from_float")]),
        (FieldKind.NUMBER, True, [("fields.x", "int_type")]),
        (FieldKind.NUMBER, [60], [("fields.x", "int_type")]),
        (FieldKind.NUMBER, -1, [("fields.x", "greater_than_equal")]),
        (FieldKind.NUMBER, 100_001, [("fields.x", "less_than_equal")]),
        (FieldKind.SPLIT, "60/40", [("fields.x", "tuple_type")]),
        (FieldKind.SPLIT, [], [("fields.x", "too_short")]),
    ],
)
def test_each_kind_of_field_refuses_what_it_is_not(kind: FieldKind, value: Any, expected: Found) -> None:
    assert of_kind(kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FieldKind.TEXT, "两行\n文字"),
        (FieldKind.PERSON, "gao.yuan"),
        (FieldKind.PEOPLE, ["gao.yuan", "lin.xia"]),
        (FieldKind.SUBJECTS, ["6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "P-2019 17", "旧-3"]),
        (FieldKind.MOMENT, "2026-12-01T09:30:00+08:00"),
        (FieldKind.MOMENT, "2026-12-01T01:30Z"),
        (FieldKind.NUMBER, 60),
        (FieldKind.NUMBER, "60"),  # a page's form sends text
        (FieldKind.SPLIT, SPLIT),
        (FieldKind.FORM, {"customer": "judged by the model of its subject"}),
    ],
)
def test_each_kind_of_field_takes_what_it_is(kind: FieldKind, value: Any) -> None:
    assert of_kind(kind, value, required=True) == []


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (FieldKind.PERSON, "song.jie", [("fields.x", "not_among_options")]),
        (FieldKind.PEOPLE, ["a1", "song.jie", "b2", "x"], [("fields.x", "not_among_options")] * 2),
        (FieldKind.SUBJECTS, ["a1", "c3"], [("fields.x", "not_among_options")]),
        (FieldKind.PERSON, "a1", []),
        (FieldKind.PEOPLE, ["b2", "a1"], []),
        (FieldKind.SUBJECTS, ["b2"], []),
    ],
)
def test_only_what_is_offered_may_be_named(kind: FieldKind, value: Any, expected: Found) -> None:
    assert of_kind(kind, value, options=("a1", "b2")) == expected


def test_bounds_of_a_number_and_of_how_many_different_ones_are_named() -> None:
    bounds = {"at_least": 2, "at_most": 3}
    assert [of_kind(FieldKind.NUMBER, n, **bounds) for n in (2, 3)] == [[], []]
    assert of_kind(FieldKind.NUMBER, 1, **bounds) == [("fields.x", "greater_than_equal")]
    assert of_kind(FieldKind.NUMBER, 4, **bounds) == [("fields.x", "less_than_equal")]
    for kind in (FieldKind.PEOPLE, FieldKind.SUBJECTS):
        assert of_kind(kind, ["a", "b"], **bounds) == []
        assert of_kind(kind, ["a", "a"], **bounds) == [("fields.x", "too_short")]
        assert of_kind(kind, ["a", "b", "c", "d"], **bounds) == [("fields.x", "too_long")]


# The steps of a project


def test_p4_p8_u6_a_choice_without_fields_takes_none_and_a_reason_is_asked_by_the_rule_of_the_step() -> None:
    for kind, choice, rule in (
        (TaskKind.PROJECT_APPROVAL, HOLD, "P2"),
        (TaskKind.PROJECT_APPROVAL, REJECT, "P2"),
        (TaskKind.CONFLICT_CONFIRMATION, "conflict", "P5"),
        (TaskKind.OBJECTION_REVIEW, "uphold_refusal", "P8"),
        (TaskKind.RESUME_REVIEW, REJECT, "U6"),
        (TaskKind.AGREE_SPLIT, DISAGREE, "D1"),
    ):
        found = answer_problems(project_choices(kind), choice=choice, reason=" \n", fields={"more": 1})
        assert [(one.field, one.key, one.rule) for one in found] == [
            ("reason", "reason_required", rule),
            ("fields.more", "extra_forbidden", None),
        ]


def test_p2_a_held_project_needs_its_form() -> None:
    choices = project_choices(TaskKind.SUPPLY_INFORMATION)
    (problem,) = answer_problems(choices, choice=SUPPLY, reason="", fields={})
    assert (problem.field, problem.key, problem.rule) == ("fields.project", "missing", "P2")


def test_p4_assigning_names_one_who_may_be_assigned() -> None:
    choices = project_choices(TaskKind.ASSIGN_CLERK, people=["gao.yuan", "lin.xia"])
    assert problems(choices, ASSIGN, {"clerk": "gao.yuan"}) == []
    assert problems(choices, ASSIGN, {"clerk": "yang.fan"}) == [("fields.clerk", "not_among_options")]
    assert problems(choices, ASSIGN, {}) == [("fields.clerk", "missing")]


def test_p4_a_suspicion_names_what_was_found_and_why() -> None:
    choices = project_choices(TaskKind.CONFLICT_CHECK, suspects=["p1", "p2"])
    assert problems(choices, SUSPECT, {"suspects": ["p1"]}, reason="同一客户") == []
    assert problems(choices, SUSPECT, {"suspects": ["p3"]}) == [
        ("reason", "reason_required"),
        ("fields.suspects", "not_among_options"),
    ]
    assert problems(choices, CLEAR, {"suspects": ["p1"]}) == [("fields.suspects", "extra_forbidden")]
    assert problems(project_choices(TaskKind.CONFLICT_CHECK), SUSPECT, {}) == [("choice", "unknown_choice")]


def test_d2_everything_wrong_with_a_meeting_is_told_at_once() -> None:
    choices = project_choices(TaskKind.CALL_MEETING, people=["liu.yang", "zhang.wei", "chen.jing"])
    assert problems(choices, CALLED, MEETING) == []
    wrong = {
        "starts_at": "2026-12-01 09:30",
        "duration_minutes": 5,
        "place": " ",
        "participants": ["liu.yang", "liu.yang"],
        "note": 7,
        "room": "301",
    }
    assert problems(choices, CALLED, wrong) == [
        ("fields.room", "extra_forbidden"),
        ("fields.starts_at", "timezone_aware"),
        ("fields.duration_minutes", "greater_than_equal"),
        ("fields.place", "missing"),
        ("fields.participants", "too_short"),
        ("fields.note", "string_type"),
    ]
    assert problems(choices, CALLED, MEETING | {"participants": ["liu.yang", "song.jie"]}) == [
        ("fields.participants", "not_among_options")
    ]


def test_d2_everything_wrong_with_an_outcome_is_told_at_once() -> None:
    choices = project_choices(TaskKind.RECORD_MEETING, salespeople=["yang.fan", "xu.jing"])
    outcome = {"responsible": "xu.jing", "split": SPLIT, "summary": "由徐静负责。"}
    assert problems(choices, RECORD, outcome) == []
    assert MeetingOutcome.model_validate(outcome).responsible == "xu.jing"
    wrong = {"responsible": "guo.tao", "split": [{"person": "yang.fan", "percent": 60.0}, {"percent": "0"}]}
    assert problems(choices, RECORD, wrong) == [
        ("fields.responsible", "not_among_options"),
        ("fields.split.0.percent", "money_as_text"),
        ("fields.split.1.person", "missing"),
        ("fields.split.1.percent", "greater_than"),
        ("fields.summary", "missing"),
    ]


@pytest.mark.parametrize(
    ("percents", "key"), [(("60", "39.99"), "split_not_100"), (("60", "40.01"), "split_not_100"), (("60", "40"), "")]
)
def test_d3_a_split_of_99_99_is_refused_by_its_rule(percents: tuple[str, str], key: str) -> None:
    choices = project_choices(TaskKind.AGREE_SPLIT)
    people = ("yang.fan", "xu.jing") if key else ("yang.fan", "yang.fan")
    shares: list[Any] = [
        {"person": person, "percent": percent} for person, percent in zip(people, percents, strict=True)
    ]
    found = answer_problems(choices, choice=AGREE, reason="", fields={"cooperation": "各做一半", "split": shares})
    assert [(one.field, one.key, one.rule) for one in found] == [("fields.split", key or "split_person_twice", "D3")]


def test_d1_the_first_text_is_whole() -> None:
    choices = project_choices(TaskKind.AGREE_SPLIT)
    assert problems(choices, AGREE, {"cooperation": "各做一半", "split": SPLIT}) == []
    assert problems(choices, AGREE, {}) == [("fields.cooperation", "missing"), ("fields.split", "missing")]
    assert problems(choices, AGREE, {"split": SPLIT}) == [("fields.cooperation", "missing")]
    assert problems(choices, AGREE, {"cooperation": " ", "split": SPLIT}) == [("fields.cooperation", "missing")]


def test_d1_a_text_on_the_table_is_confirmed_as_it_is_or_countered_whole() -> None:
    choices = project_choices(TaskKind.AGREE_SPLIT, text_on_the_table=True)
    for confirmed in ({}, {"cooperation": None, "split": None}, {"cooperation": " "}):
        assert problems(choices, AGREE, dict(confirmed)) == []
    assert problems(choices, AGREE, {"cooperation": "各做一半", "split": SPLIT}) == []
    assert problems(choices, AGREE, {"cooperation": "各做一半"}) == [("fields.split", "missing")]
    for blank in (None, " "):
        assert problems(choices, AGREE, {"cooperation": blank, "split": SPLIT}) == [("fields.cooperation", "missing")]


def test_an_answer_that_was_not_offered_is_told_alone() -> None:
    choices = project_choices(TaskKind.PROJECT_APPROVAL)
    assert problems(choices, "", {"x": 1}) == [("choice", "choice_required")]
    assert problems(choices, "pass", {"x": 1}) == [("choice", "unknown_choice")]


# What is taken here is never refused later

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    changed=st.dictionaries(
        st.sampled_from(sorted(MEETING)),
        json_values
        | st.integers(0, 600)
        | st.lists(st.sampled_from(["liu.yang", "zhang.wei", "xu.jing"]), max_size=4)
        | st.datetimes().map(lambda at: f"{at.isoformat()}+08:00"),
        max_size=3,
    )
)
def test_d2_a_meeting_that_passes_can_be_called(changed: dict[str, Any]) -> None:
    choices = project_choices(TaskKind.CALL_MEETING, people=["liu.yang", "zhang.wei", "xu.jing"])
    fields = MEETING | changed
    if not answer_problems(choices, choice=CALLED, reason="", fields=fields):
        call = MeetingCall.model_validate({name: value for name, value in fields.items() if value is not None})
        assert len(set(call.participants)) >= 2
        assert TypeAdapter(Moment).dump_json(call.starts_at)


@given(cooperation=json_values, split=json_values | st.just(SPLIT), on_the_table=st.booleans())
def test_d1_an_agreement_that_passes_can_be_put_on_the_table(cooperation: Any, split: Any, on_the_table: bool) -> None:
    choices = project_choices(TaskKind.AGREE_SPLIT, text_on_the_table=on_the_table)
    fields = {"cooperation": cooperation, "split": split}
    if answer_problems(choices, choice=AGREE, reason="", fields=fields):
        return
    try:
        Agreement.model_validate(fields)
    except ValidationError:
        assert on_the_table
        assert split is None
        assert cooperation is None or not cooperation.strip()


@given(
    kind=st.sampled_from(FieldKind),
    value=json_values,
    required=st.booleans(),
    options=st.lists(st.text(max_size=3), max_size=2).map(tuple),
)
def test_whatever_is_sent_is_judged_and_never_raises(
    kind: FieldKind, value: Any, required: bool, options: tuple[str, ...]
) -> None:
    spec = FieldSpec(name="x", kind=kind, required=required, options=options, at_least=1, at_most=2)
    found = answer_problems((Choice(choice="c", fields=(spec,)),), choice="c", reason="", fields={"x": value})
    assert all(one.field.startswith("fields.x") for one in found)
    assert all(one.key for one in found)

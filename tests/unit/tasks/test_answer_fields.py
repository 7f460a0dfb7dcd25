"""What may stand in each field of an answer; everything that is wrong is told at once (N1, D3)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.disputes.dispute import MeetingOutcome
from domain.projects.rules import project_choices
from domain.tasks.answer_fields import answer_problems
from domain.tasks.task import AnswerChoice, Choice, FieldKind, FieldSpec, TaskKind
from tests.unit.tasks.answers_judged import MEETING, SPLIT, Found, json_values, problems


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


@pytest.mark.parametrize("kind", [FieldKind.TEXT, FieldKind.MONEY, FieldKind.CHOICE])
def test_n1_a_text_of_spaces_is_missing(kind: FieldKind) -> None:
    assert of_kind(kind, " \n ", required=True, options=("a",)) == [("fields.x", "missing")]
    assert of_kind(kind, " \n ", options=("a",)) == []


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
        (FieldKind.MONEY, 1250000.5, [("fields.x", "money_as_text")]),
        (FieldKind.MONEY, True, [("fields.x", "money_as_text")]),
        (FieldKind.MONEY, "125万", [("fields.x", "decimal_parsing")]),
        (FieldKind.MONEY, "-1", [("fields.x", "greater_than_equal")]),
        (FieldKind.MONEY, "0.001", [("fields.x", "decimal_max_places")]),
        (FieldKind.MONEY, "1000000000000", [("fields.x", "less_than")]),
        (FieldKind.MONEY, "NaN", [("fields.x", "finite_number")]),
        (FieldKind.MONEY, ["1"], [("fields.x", "decimal_type")]),
        (FieldKind.CHOICE, 1, [("fields.x", "string_type")]),
        (FieldKind.CHOICE, "\ud800", [("fields.x", "string_unicode")]),
        (FieldKind.ROWS, "a1", [("fields.x", "list_type")]),
        (FieldKind.ROWS, {"a1": {}}, [("fields.x", "list_type")]),
        (FieldKind.ROWS, ["a1", None, [[]]], [(f"fields.x.{n}", "dict_type") for n in range(3)]),
        (FieldKind.ROWS, [{}] * 501, [("fields.x", "too_long")]),
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
        (FieldKind.MONEY, "1250000.00"),
        (FieldKind.MONEY, 0),
        (FieldKind.CHOICE, "anything"),  # none is named
        (FieldKind.ROWS, []),  # nothing is asked about
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
        (FieldKind.CHOICE, "a", [("fields.x", "not_among_options")]),
        (FieldKind.CHOICE, "a1", []),
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
        (TaskKind.PROJECT_APPROVAL, AnswerChoice.HOLD, "P2"),
        (TaskKind.PROJECT_APPROVAL, AnswerChoice.REJECT, "P2"),
        (TaskKind.CONFLICT_CONFIRMATION, "conflict", "P5"),
        (TaskKind.OBJECTION_REVIEW, "uphold_refusal", "P8"),
        (TaskKind.RESUME_REVIEW, AnswerChoice.REJECT, "U6"),
        (TaskKind.AGREE_SPLIT, AnswerChoice.DISAGREE, "D1"),
    ):
        found = answer_problems(project_choices(kind), choice=choice, reason=" \n", fields={"more": 1})
        assert [(problem.field, problem.key, problem.rule) for problem in found] == [
            ("reason", "reason_required", rule),
            ("fields.more", "extra_forbidden", None),
        ]


def test_p2_a_held_project_needs_its_form() -> None:
    choices = project_choices(TaskKind.SUPPLY_INFORMATION)
    (problem,) = answer_problems(choices, choice=AnswerChoice.SUPPLY, reason="", fields={})
    assert (problem.field, problem.key, problem.rule) == ("fields.project", "missing", "P2")


def test_p4_assigning_names_one_who_may_be_assigned() -> None:
    choices = project_choices(TaskKind.ASSIGN_CLERK, people=["gao.yuan", "lin.xia"])
    assert problems(choices, AnswerChoice.ASSIGN, {"clerk": "gao.yuan"}) == []
    assert problems(choices, AnswerChoice.ASSIGN, {"clerk": "yang.fan"}) == [("fields.clerk", "not_among_options")]
    assert problems(choices, AnswerChoice.ASSIGN, {}) == [("fields.clerk", "missing")]


def test_p4_a_suspicion_names_what_was_found_and_why() -> None:
    choices = project_choices(TaskKind.CONFLICT_CHECK, suspects=["p1", "p2"])
    assert problems(choices, AnswerChoice.SUSPECT, {"suspects": ["p1"]}, reason="同一客户") == []
    assert problems(choices, AnswerChoice.SUSPECT, {"suspects": []}) == [
        ("reason", "reason_required"),
        ("fields.suspects", "missing"),
    ]
    assert problems(choices, AnswerChoice.CLEAR, {"suspects": ["p1"]}) == [("fields.suspects", "extra_forbidden")]
    # P5: what detection has not found is looked up in the record, by its id or project number.
    nothing_found = project_choices(TaskKind.CONFLICT_CHECK)
    assert problems(nothing_found, AnswerChoice.SUSPECT, {"suspects": ["P2026-00001"]}, reason="同一客户") == []
    assert problems(nothing_found, AnswerChoice.SUSPECT, {"suspects": "p1"}, reason="同一客户") == [
        ("fields.suspects", "tuple_type")
    ]


def test_d2_everything_wrong_with_a_meeting_is_told_at_once() -> None:
    choices = project_choices(TaskKind.CALL_MEETING, people=["liu.yang", "zhang.wei", "chen.jing"])
    assert problems(choices, AnswerChoice.CALLED, MEETING) == []
    wrong = {
        "starts_at": "2026-12-01 09:30",
        "duration_minutes": 5,
        "place": " ",
        "participants": ["liu.yang", "liu.yang"],
        "note": 7,
        "room": "301",
    }
    assert problems(choices, AnswerChoice.CALLED, wrong) == [
        ("fields.room", "extra_forbidden"),
        ("fields.starts_at", "timezone_aware"),
        ("fields.duration_minutes", "greater_than_equal"),
        ("fields.place", "missing"),
        ("fields.participants", "too_short"),
        ("fields.note", "string_type"),
    ]
    assert problems(choices, AnswerChoice.CALLED, MEETING | {"participants": ["liu.yang", "song.jie"]}) == [
        ("fields.participants", "not_among_options")
    ]


def test_d2_everything_wrong_with_an_outcome_is_told_at_once() -> None:
    choices = project_choices(TaskKind.RECORD_MEETING, salespeople=["yang.fan", "xu.jing"])
    outcome = {"responsible": "xu.jing", "split": SPLIT, "summary": "由徐静负责。"}
    assert problems(choices, AnswerChoice.RECORD, outcome) == []
    assert MeetingOutcome.model_validate(outcome).responsible == "xu.jing"
    wrong = {"responsible": "guo.tao", "split": [{"person": "yang.fan", "percent": 60.0}, {"percent": "0"}]}
    assert problems(choices, AnswerChoice.RECORD, wrong) == [
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
    fields: dict[str, Any] = {"responsible": "xu.jing", "cooperation": "各做一半", "split": shares}
    found = answer_problems(choices, choice=AnswerChoice.AGREE, reason="", fields=fields)
    assert [(problem.field, problem.key, problem.rule) for problem in found] == [
        ("fields.split", key or "split_person_twice", "D3")
    ]


def test_d1_the_first_text_is_whole() -> None:
    """It names who is responsible, how the two work together, and who gets how much."""
    choices = project_choices(TaskKind.AGREE_SPLIT, salespeople=["yang.fan", "xu.jing"])
    whole = {"responsible": "xu.jing", "cooperation": "各做一半", "split": SPLIT}
    assert problems(choices, AnswerChoice.AGREE, whole) == []
    assert problems(choices, AnswerChoice.AGREE, {}) == [(f"fields.{name}", "missing") for name in whole]
    for name in whole:
        assert problems(choices, AnswerChoice.AGREE, whole | {name: None}) == [(f"fields.{name}", "missing")]
    assert problems(choices, AnswerChoice.AGREE, whole | {"cooperation": " "}) == [("fields.cooperation", "missing")]
    assert problems(choices, AnswerChoice.AGREE, whole | {"responsible": "guo.tao"}) == [
        ("fields.responsible", "not_among_options")
    ]


def test_d1_a_text_on_the_table_is_confirmed_as_it_is_or_countered_whole() -> None:
    choices = project_choices(TaskKind.AGREE_SPLIT, text_on_the_table=True)
    for confirmed in ({}, {"cooperation": None, "split": None}, {"cooperation": " "}):
        assert problems(choices, AnswerChoice.AGREE, dict(confirmed)) == []
    whole = {"responsible": "xu.jing", "cooperation": "各做一半", "split": SPLIT}
    assert problems(choices, AnswerChoice.AGREE, whole) == []
    for name, value in whole.items():
        alone = problems(choices, AnswerChoice.AGREE, {name: value})
        assert set(alone) == {(f"fields.{other}", "missing") for other in whole if other != name}
    for blank in (None, " "):
        assert (
            problems(choices, AnswerChoice.AGREE, whole | {"cooperation": blank})
            == [("fields.cooperation", "missing")] * 2
        )


def test_an_answer_that_was_not_offered_is_told_alone() -> None:
    choices = project_choices(TaskKind.PROJECT_APPROVAL)
    assert problems(choices, "", {"x": 1}) == [("choice", "choice_required")]
    assert problems(choices, "pass", {"x": 1}) == [("choice", "unknown_choice")]


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
    assert all(problem.field.startswith("fields.x") for problem in found)
    assert all(problem.key for problem in found)

"""Answers with a row for each account; agreements and meetings that pass (R1-R5, D1, D2)."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.base import MONEY_CEILING, Moment
from domain.disputes.dispute import Agreement, MeetingCall
from domain.projects.rules import project_choices
from domain.reviews.review import KEEP, REVOKE, review_choices
from domain.tasks.answer_fields import answer_problems, given_rows
from domain.tasks.task import AnswerChoice, TaskKind
from tests.unit.tasks.answers_judged import MEETING, SPLIT, json_values, problems

# The rows of a review


def row(account: str, **columns: Any) -> dict[str, Any]:
    return {"id": account, **columns}


def kept(account: str, **changes: Any) -> dict[str, Any]:
    return row(account, decision=KEEP, target_contracts="8000000", target_revenue="2000000.50", **changes)


def revoked(account: str, **changes: Any) -> dict[str, Any]:
    return row(account, decision=REVOKE, reason="全年没有新签合同，计划未执行", **changes)


def test_r1_a_week_has_one_row_for_each_account() -> None:
    choices = review_choices(TaskKind.WEEKLY_UPDATE, ("a1", "a2"))
    both = [row("a2", work="拜访", progress="已交流", problems=""), row("a1", work="投标", progress="待开标")]
    assert problems(choices, AnswerChoice.REPORT, {"accounts": both}) == []
    assert problems(choices, AnswerChoice.REPORT, {}) == [("fields.accounts", "missing")]
    assert problems(choices, AnswerChoice.REPORT, {"accounts": []}) == [("fields.accounts", "rows_missing")]
    one: list[Any] = both[:1]
    (absent,) = answer_problems(choices, choice=AnswerChoice.REPORT, reason="", fields={"accounts": one})
    assert (absent.field, absent.key, absent.rule, absent.params["rows"]) == (
        "fields.accounts",
        "rows_missing",
        "R1",
        "a1",
    )


def test_r1_everything_wrong_with_the_rows_is_told_at_once() -> None:
    choices = review_choices(TaskKind.WEEKLY_UPDATE, ("a1", "a2", "a3"))
    said = {"work": "拜访", "progress": "已交流"}
    wrong: list[Any] = [
        row("a1", work=" ", progress=7, plan="?"),
        row("a1", **said),
        row("a9", **said, problems="x" * 10_001),
        said,
        {**said, "id": ["a2"]},
        row("a2"),
        "a3",
    ]
    assert problems(choices, AnswerChoice.REPORT, {"accounts": wrong}) == [
        ("fields.accounts.0.plan", "extra_forbidden"),
        ("fields.accounts.0.work", "missing"),
        ("fields.accounts.0.progress", "string_type"),
        ("fields.accounts.1.id", "row_twice"),
        ("fields.accounts.2.id", "not_among_options"),
        ("fields.accounts.2.problems", "string_too_long"),
        ("fields.accounts.3.id", "missing"),
        ("fields.accounts.4.id", "string_type"),
        ("fields.accounts.5.work", "missing"),
        ("fields.accounts.5.progress", "missing"),
        ("fields.accounts.6", "dict_type"),
        ("fields.accounts", "rows_missing"),
    ]


def test_r2_a_month_says_how_the_plan_went_and_sets_the_next_targets() -> None:
    choices = review_choices(TaskKind.MONTHLY_REVIEW, ("a1",))
    good = row("a1", plan_progress="behind", action_plan="补齐方案", target_contracts="0", target_revenue="120000.00")
    assert problems(choices, AnswerChoice.SET_TARGETS, {"accounts": [good]}) == []
    wrong = good | {"plan_progress": "fine", "target_contracts": "一百万", "target_revenue": ""}
    assert problems(choices, AnswerChoice.SET_TARGETS, {"accounts": [wrong]}) == [
        ("fields.accounts.0.plan_progress", "not_among_options"),
        ("fields.accounts.0.target_contracts", "decimal_parsing"),
        ("fields.accounts.0.target_revenue", "missing"),
    ]


def test_r4_r5_who_is_kept_has_targets_and_who_is_revoked_a_reason() -> None:
    choices = review_choices(TaskKind.ANNUAL_REVIEW, ("a1", "a2"))
    blank = {"target_contracts": "", "target_revenue": None}
    assert problems(choices, AnswerChoice.DECIDE, {"accounts": [kept("a1", reason=" "), revoked("a2", **blank)]}) == []
    assert problems(
        choices, AnswerChoice.DECIDE, {"accounts": [row("a1", decision=KEEP), row("a2", decision=REVOKE)]}
    ) == [
        ("fields.accounts.0.target_contracts", "missing"),
        ("fields.accounts.0.target_revenue", "missing"),
        ("fields.accounts.1.reason", "missing"),
    ]
    both = [kept("a1", reason="继续"), revoked("a2", target_contracts="1", target_revenue="x")]
    assert problems(choices, AnswerChoice.DECIDE, {"accounts": both}) == [
        ("fields.accounts.0.reason", "leave_empty"),
        ("fields.accounts.1.target_contracts", "leave_empty"),
        ("fields.accounts.1.target_revenue", "leave_empty"),
    ]


@pytest.mark.parametrize(("said", "key"), [({}, "missing"), ({"decision": "wait"}, "not_among_options")])
def test_r4_while_it_is_open_what_is_decided_only_the_decision_is_asked_for(said: dict[str, Any], key: str) -> None:
    choices = review_choices(TaskKind.ANNUAL_REVIEW, ("a1",))
    assert problems(choices, AnswerChoice.DECIDE, {"accounts": [row("a1", **said)]}) == [
        ("fields.accounts.0.decision", key)
    ]
    half = row("a1", **said, target_contracts="-1")
    assert problems(choices, AnswerChoice.DECIDE, {"accounts": [half]}) == [
        ("fields.accounts.0.decision", key),
        ("fields.accounts.0.target_contracts", "greater_than_equal"),
    ]


def test_r4_more_rows_than_anybody_answers_for_are_refused_as_a_whole() -> None:
    accounts = tuple(f"a{n}" for n in range(600))
    choices = review_choices(TaskKind.ANNUAL_REVIEW, accounts)
    assert problems(choices, AnswerChoice.DECIDE, {"accounts": [kept(account) for account in accounts]}) == []
    (absent,) = answer_problems(choices, choice=AnswerChoice.DECIDE, reason="", fields={"accounts": [kept("a0")]})
    assert absent.params["count"] == "599"
    assert absent.params["rows"].endswith("a20, …")
    assert problems(choices, AnswerChoice.DECIDE, {"accounts": [kept("a0")] * 10_000}) == [
        ("fields.accounts", "too_long")
    ]


def test_r2_what_was_said_is_read_back_by_account() -> None:
    (choice,) = review_choices(TaskKind.ANNUAL_REVIEW, ("a1", "a2"))
    rows: list[Any] = [kept("a1", reason=None), revoked("a2", target_revenue="")]
    assert given_rows(choice.fields[0], rows) == {
        "a1": {"decision": "keep", "target_contracts": "8000000.00", "target_revenue": "2000000.50"},
        "a2": {"decision": "revoke", "reason": "全年没有新签合同，计划未执行"},
    }


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
    if not answer_problems(choices, choice=AnswerChoice.CALLED, reason="", fields=fields):
        call = MeetingCall.model_validate({name: value for name, value in fields.items() if value is not None})
        assert len(set(call.participants)) >= 2
        assert TypeAdapter(Moment).dump_json(call.starts_at)


@given(cooperation=json_values, split=json_values | st.just(SPLIT), on_the_table=st.booleans())
def test_d1_an_agreement_that_passes_can_be_put_on_the_table(cooperation: Any, split: Any, on_the_table: bool) -> None:
    choices = project_choices(TaskKind.AGREE_SPLIT, text_on_the_table=on_the_table)
    fields = {"responsible": "xu.jing", "cooperation": cooperation, "split": split}
    if answer_problems(choices, choice=AnswerChoice.AGREE, reason="", fields=fields):
        return
    try:
        Agreement.model_validate(fields)
    except ValidationError:
        assert on_the_table
        assert split is None
        assert cooperation is None or not cooperation.strip()


@given(
    kind=st.sampled_from([TaskKind.WEEKLY_UPDATE, TaskKind.MONTHLY_REVIEW, TaskKind.ANNUAL_REVIEW]),
    rows=st.lists(
        st.one_of(
            json_values,
            st.fixed_dictionaries(
                {"id": st.sampled_from(["a1", "a2", "a3"])},
                optional={
                    "work": st.just("拜访") | json_values,
                    "progress": st.just("已交流") | json_values,
                    "plan_progress": st.sampled_from(["behind", "fine"]) | json_values,
                    "action_plan": st.just("补齐方案") | json_values,
                    "decision": st.sampled_from([KEEP, REVOKE]) | json_values,
                    "target_contracts": st.sampled_from(["1", "1e3", " 2.50 ", "", 3]) | json_values,
                    "target_revenue": st.sampled_from(["1", "-1", "", "1e-9", "1e99"]) | json_values,
                    "reason": st.sampled_from(["没有合同", "", None]) | json_values,
                },
            ),
        ),
        max_size=3,
    ),
)
def test_r1_r4_rows_that_pass_can_be_kept_one_for_each_account(kind: TaskKind, rows: list[Any]) -> None:
    (choice,) = review_choices(kind, ("a1", "a2"))
    if answer_problems((choice,), choice=choice.choice, reason="", fields={"accounts": rows}):
        return
    said = given_rows(choice.fields[0], rows)
    assert set(said) == {"a1", "a2"}
    for columns in said.values():
        for name in ("target_contracts", "target_revenue"):
            if name in columns:
                assert 0 <= Decimal(columns[name]) < MONEY_CEILING
        if kind is TaskKind.ANNUAL_REVIEW:
            assert ("target_contracts" in columns) is (columns["decision"] == KEEP)
            assert ("reason" in columns) is (columns["decision"] == REVOKE)

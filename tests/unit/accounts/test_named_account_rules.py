"""The life of an application as pure rules: what may be answered, who is told (A1, A3, N1, N5-N10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.accounts.application import ENDED, Customer, CustomerKind, Stage
from domain.accounts.named_account import (
    RULES,
    above_limit,
    appeal_in_time,
    approvals_without_special_reason,
    choices_for,
    may_be_appealed,
    recipients_of,
    stage_rule,
)
from domain.notices import APPLICATION_NOTICES, Notice
from domain.policy import load_policy
from domain.projects.rules import PROJECT_TASK_RULES, project_choices
from domain.tasks.answer_fields import answer_problems
from domain.tasks.task import Decision, Review, TaskKind, review_outcome
from embedded.welcome import sample_organisation

ORGANISATION = sample_organisation()
VPS = ORGANISATION.sales_vps
GENERAL_MANAGER = next(p.id for p in ORGANISATION.people if "general_manager" in p.roles)
WHEN = datetime(2026, 11, 23, 9, tzinfo=UTC)


def decided(
    choice: str, *, person: str = VPS[0], kind: TaskKind = TaskKind.VP_REVIEW, special: bool = False
) -> Decision:
    return Decision(
        task_id=f"{person}-{choice}",
        kind=kind,
        slot=person,
        choice=choice,
        person=person,
        decided_at=WHEN,
        special=special,
    )


@pytest.mark.parametrize("kind", ["customer", "core_channel"])
def test_a1_a_named_account_is_a_customer_or_a_core_channel(kind: str) -> None:
    assert CustomerKind(kind) in set(CustomerKind)


def test_a1_nothing_else_can_be_applied_for() -> None:
    with pytest.raises(ValidationError) as wrong:
        Customer.model_validate(
            {
                "name": "甲",
                "kind": "non_named_account",
                "industry": "other",
                "legal_person": True,
                "related_parties": [],
                "contacts": [{"name": "乙"}],
            }
        )
    assert [error["loc"] for error in wrong.value.errors()] == [("kind",)]


@given(held=st.integers(0, 50), limit=st.integers(1, 50))
def test_a3_n8_one_more_than_the_limit_needs_the_general_manager(held: int, limit: int) -> None:
    assert above_limit(held, limit) is (held >= limit)


def test_a3_the_limit_of_the_regulation_is_five_and_the_sixth_is_above_it() -> None:
    limit = load_policy().accounts.limit
    assert limit == 5
    assert [above_limit(held, limit) for held in range(7)] == [False] * 5 + [True] * 2


def test_n8_above_the_limit_an_approving_vp_states_a_special_reason() -> None:
    choices = choices_for(TaskKind.VP_REVIEW, above_limit=True)
    (problem,) = answer_problems(choices, choice="approve", reason="  ", fields={})
    assert (problem.field, problem.rule, problem.key) == ("reason", "N8", "special_reason_required")
    assert not answer_problems(choices, choice="approve", reason="战略客户", fields={})


def test_n8_vps_who_approved_before_the_limit_was_reached_are_asked_again() -> None:
    early, late = decided("approve"), decided("approve", person=VPS[1], special=True)
    assert approvals_without_special_reason([early, late]) == (early,)


@pytest.mark.parametrize(
    ("choices", "asked", "outcome"),
    [
        ([], 2, Review.PENDING),
        (["approve"], 2, Review.PENDING),
        (["approve", "approve"], 2, Review.APPROVED),
        (["reject"], 2, Review.REJECTED),
        (["approve", "reject"], 2, Review.REJECTED),
        (["approve"], 1, Review.APPROVED),
    ],
)
def test_n7_both_must_approve_and_n9_one_rejection_is_enough(choices: list[str], asked: int, outcome: Review) -> None:
    assert review_outcome([decided(choice) for choice in choices], asked) is outcome


@pytest.mark.parametrize("kind", [TaskKind.VP_REVIEW, TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL])
def test_n9_whoever_rejects_gives_a_reason(kind: TaskKind) -> None:
    (problem,) = answer_problems(choices_for(kind), choice="reject", reason="", fields={})
    assert problem.key == "reason_required"


def test_n5_a_clerk_who_sends_back_says_what_is_missing() -> None:
    (problem,) = answer_problems(choices_for(TaskKind.COMMERCE_CHECK), choice="return", reason="", fields={})
    assert problem.field == "reason"


def test_n1_supplying_needs_the_form() -> None:
    (problem,) = answer_problems(choices_for(TaskKind.SUPPLY_INFORMATION), choice="supply", reason="", fields={})
    assert (problem.field, problem.rule) == ("fields.application", "N1")


@given(st.text(max_size=30), st.dictionaries(st.text(max_size=10), st.none() | st.integers() | st.text(max_size=10)))
def test_every_wrong_answer_is_named_and_none_raises(choice: str, fields: dict[str, int | str | None]) -> None:
    for choices in (*map(choices_for, RULES), *map(project_choices, PROJECT_TASK_RULES)):
        problems = answer_problems(choices, choice=choice, reason="", fields=fields)
        if choice not in {option.choice for option in choices}:
            assert [problem.field for problem in problems] == ["choice"]


def test_n10_a_vps_rejection_may_be_appealed_and_the_general_managers_may_not() -> None:
    assert may_be_appealed(decided("reject"), ORGANISATION)
    assert not may_be_appealed(decided("reject", person=GENERAL_MANAGER), ORGANISATION)
    assert not may_be_appealed(decided("reject", kind=TaskKind.GM_APPROVAL), ORGANISATION)


@pytest.mark.parametrize("notice", APPLICATION_NOTICES)
def test_everyone_told_is_active_and_told_once(notice: Notice) -> None:
    applicant = next(p for p in ORGANISATION.people if "salesperson" in p.roles)
    people = recipients_of(
        notice, ORGANISATION, applicant=applicant.id, department=applicant.department, involved=(*VPS, applicant.id)
    )
    assert len(people) == len(set(people)) > 0
    assert all(ORGANISATION.by_id[person].active for person in people)


def test_n7_the_applicant_their_manager_both_vps_and_commerce_hear_of_a_new_account() -> None:
    applicant = next(p for p in ORGANISATION.people if "salesperson" in p.roles)
    office = ORGANISATION.departments_by_id[applicant.department or ""]
    people = recipients_of(
        Notice.ACTIVATED, ORGANISATION, applicant=applicant.id, department=applicant.department, involved=()
    )
    assert {applicant.id, office.gm, *VPS} <= set(people)


@pytest.mark.parametrize("stage", list(Stage))
def test_every_stage_names_its_rule_and_the_rejected_ones_hold_no_claim(stage: Stage) -> None:
    assert stage_rule(stage)
    assert stage.ended is (stage in ENDED)
    if stage.ended or stage is Stage.REJECTED:
        assert not stage.live, "N14: only what may still become an account stands in another's way"


@pytest.mark.parametrize(
    ("said", "heard", "in_time"),
    [(-1, -1, True), (-1, 48, True), (0, 0, False), (1, 1, False)],
    ids=["in time", "in time, but no worker was up until later", "at the very moment", "after it"],
)
def test_n10_x3_an_appeal_counts_from_when_it_was_said(said: int, heard: int, in_time: bool) -> None:
    until = WHEN
    assert appeal_in_time(until + timedelta(hours=said), until + timedelta(hours=heard), until) is in_time

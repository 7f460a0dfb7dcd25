"""Which stage of a review may follow which, and what a review hears (R1, R2, R4, R6)."""

from __future__ import annotations

import pytest

from domain.refusals import RefusalCode, Refused
from domain.reviews.judgements import judge_statement, said_of_accounts
from domain.reviews.review import ACCOUNTS_FIELD, ReviewStage, review_choices
from domain.reviews.transitions import ReviewFacts, transition_problem
from domain.statements import Withdraw
from domain.tasks.task import TaskKind, TaskStatus

OPEN, ANSWERED, MISSED = TaskStatus.OPEN, TaskStatus.ANSWERED, TaskStatus.MISSED


def facts(stage: ReviewStage, *tasks: TaskStatus, started: bool = False, late: bool = False) -> ReviewFacts:
    return ReviewFacts(stage=stage, tasks=tasks, started=started, late=late)


@pytest.mark.parametrize(
    ("held", "target"),
    [
        pytest.param(facts(ReviewStage.UPDATES), ReviewStage.UPDATES, id="R1 the salespeople are asked"),
        pytest.param(facts(ReviewStage.UPDATES, OPEN), ReviewStage.DEPARTMENT_REVIEW, id="R1 then their GM"),
        pytest.param(facts(ReviewStage.MONTHLY_REVIEW), ReviewStage.MONTHLY_REVIEW, id="R2 the VP is asked"),
        pytest.param(
            facts(ReviewStage.STARTING, ANSWERED, started=True), ReviewStage.MANAGEMENT_REVIEW, id="R4 started"
        ),
        pytest.param(facts(ReviewStage.MANAGEMENT_REVIEW, ANSWERED, ANSWERED), ReviewStage.DONE, id="all answered"),
        pytest.param(facts(ReviewStage.MONTHLY_REVIEW, OPEN, late=True), ReviewStage.MISSED, id="R6 its time is over"),
        pytest.param(
            facts(ReviewStage.DEPARTMENT_REVIEW, MISSED, ANSWERED), ReviewStage.MISSED, id="R6 a salesperson was silent"
        ),
    ],
)
def test_a_review_goes_on_by_what_is_on_record(held: ReviewFacts, target: ReviewStage) -> None:
    assert transition_problem(held, target) is None


@pytest.mark.parametrize(
    ("held", "target"),
    [
        pytest.param(facts(ReviewStage.UPDATES, OPEN), ReviewStage.UPDATES, id="R1 asked once"),
        pytest.param(facts(ReviewStage.DEPARTMENT_REVIEW), ReviewStage.DEPARTMENT_REVIEW, id="R1 the GM is asked once"),
        pytest.param(facts(ReviewStage.MONTHLY_REVIEW), ReviewStage.DEPARTMENT_REVIEW, id="R1 of another rhythm"),
        pytest.param(facts(ReviewStage.STARTING, OPEN), ReviewStage.MANAGEMENT_REVIEW, id="R4 not started"),
        pytest.param(facts(ReviewStage.MANAGEMENT_REVIEW, OPEN), ReviewStage.DONE, id="somebody is still asked"),
        pytest.param(facts(ReviewStage.MONTHLY_REVIEW, MISSED), ReviewStage.DONE, id="R6 a miss is no end like others"),
        pytest.param(facts(ReviewStage.MONTHLY_REVIEW, OPEN), ReviewStage.MISSED, id="R6 there is time left"),
        pytest.param(
            facts(ReviewStage.DEPARTMENT_REVIEW, MISSED, OPEN), ReviewStage.MISSED, id="R6 the GM still has time"
        ),
        pytest.param(facts(ReviewStage.UPDATES), ReviewStage.STARTING, id="nothing leads back"),
    ],
)
def test_a_review_does_not_go_on_by_what_is_not(held: ReviewFacts, target: ReviewStage) -> None:
    assert transition_problem(held, target)


def test_r1_a_review_hears_answers_only() -> None:
    with pytest.raises(Refused) as refused:
        judge_statement(Withdraw(person="li.na"))
    assert refused.value.code == RefusalCode.UNREADABLE


def test_r1_what_was_said_of_each_account_is_read_by_its_id() -> None:
    (choice,) = review_choices(TaskKind.WEEKLY_REVIEW, ["NA-1", "NA-2"])
    rows = [{"id": "NA-2", "plan": "visit"}, {"id": "NA-1", "plan": "call"}]
    said = said_of_accounts(choice, {ACCOUNTS_FIELD: rows})  # type: ignore[dict-item]
    assert said == {"NA-1": {"plan": "call"}, "NA-2": {"plan": "visit"}}


def test_r4_to_start_a_review_says_nothing_of_any_account() -> None:
    (choice,) = review_choices(TaskKind.START_REVIEW, [])
    assert said_of_accounts(choice, {}) == {}

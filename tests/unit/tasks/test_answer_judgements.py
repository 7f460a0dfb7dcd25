"""Whether an answer to a task is accepted: the task, the person, the form (N6, N8, N12, D1, R6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.accounts.named_account import choices_for
from domain.organisation import Delegation, Organisation
from domain.refusals import RefusalCode, Refused
from domain.statements import AnswerTask
from domain.tasks.judgements import AnswerFacts, judge_form, judge_respondent, waits_for_others
from domain.tasks.task import (
    AnswerChoice,
    AnswerOutcome,
    Asked,
    AssigneeCapacity,
    Assignment,
    TaskKind,
    TaskStatus,
)
from embedded.welcome import sample_organisation

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)
ORGANISATION = sample_organisation()
VP, OTHER_VP = ORGANISATION.sales_vps
OPEN = AnswerFacts(status=TaskStatus.OPEN, asked=(Asked(person=VP),))


def refusal(
    facts: AnswerFacts | None, person: str = VP, organisation: Organisation = ORGANISATION, now: datetime = NOW
) -> tuple[str, dict[str, Any]]:
    """Why `person` may not answer, and what they are told."""
    with pytest.raises(Refused) as refused:
        judge_respondent(facts, person, organisation, now)
    return refused.value.code, refused.value.facts


def test_n6_whoever_is_asked_may_answer() -> None:
    assert judge_respondent(OPEN, VP, ORGANISATION, NOW) == Asked(person=VP)


def test_n6_nobody_else_may_answer() -> None:
    assert refusal(OPEN, OTHER_VP) == (RefusalCode.NOT_ASKED, {})


def test_n6_nobody_decides_on_what_is_their_own_even_when_asked() -> None:
    assert refusal(OPEN.model_copy(update={"own": True}))[0] == RefusalCode.OWN_APPLICATION


def test_n6_a_task_that_does_not_exist_is_unknown() -> None:
    assert refusal(None)[0] == RefusalCode.UNKNOWN_TASK


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (TaskStatus.ANSWERED, RefusalCode.ALREADY_ANSWERED),
        (TaskStatus.WITHDRAWN, RefusalCode.TASK_WITHDRAWN),
        (TaskStatus.MISSED, RefusalCode.TASK_MISSED),
    ],
)
def test_n9_r6_a_closed_task_takes_no_answer_and_says_how_it_ended(status: TaskStatus, code: RefusalCode) -> None:
    closing = {"decided": {"choice": "reject", "by": "Vera"}}
    assert refusal(AnswerFacts(status=status, closing=closing)) == (code, closing)


def test_n9_a_closed_task_says_so_before_whose_application_it_is() -> None:
    facts = AnswerFacts(status=TaskStatus.ANSWERED, own=True)
    assert refusal(facts)[0] == RefusalCode.ALREADY_ANSWERED


def test_d1_a_text_that_was_replaced_points_to_the_newer_one() -> None:
    facts = AnswerFacts(status=TaskStatus.WITHDRAWN, superseded=True, newer_task="t2")
    assert refusal(facts) == (RefusalCode.AGREEMENT_SUPERSEDED, {"newer_task": "t2"})


def test_n12_a_stand_in_answers_in_that_capacity() -> None:
    stand_in = Asked(person=OTHER_VP, capacity=AssigneeCapacity.STAND_IN, on_behalf_of=VP)
    facts = OPEN.model_copy(update={"asked": (Asked(person=VP), stand_in)})
    assert judge_respondent(facts, OTHER_VP, ORGANISATION, NOW) == stand_in


def test_n12_whoever_was_replaced_learns_since_when_others_are_asked() -> None:
    before = Assignment(person=OTHER_VP, removed_at=NOW - DAY)
    code, told = refusal(OPEN.model_copy(update={"before": before}), OTHER_VP)
    assert code == RefusalCode.NOT_ASKED
    assert told == {"closed": {"because": "handed_on", "at": (NOW - DAY).isoformat()}}


def delegated(end: datetime) -> Organisation:
    """The company in which the VP has named the other one as delegate until `end`."""
    delegation = Delegation(person=VP, delegate=OTHER_VP, start=NOW - 10 * DAY, end=end)
    return Organisation.model_validate({**ORGANISATION.model_dump(), "delegations": (delegation,)})


def test_n12_a_delegate_learns_when_their_time_was_over() -> None:
    before = Assignment(person=OTHER_VP, capacity=AssigneeCapacity.DELEGATE, on_behalf_of=VP)
    ended = NOW - DAY
    code, told = refusal(OPEN.model_copy(update={"before": before}), OTHER_VP, delegated(ended))
    assert code == RefusalCode.DELEGATION_OVER
    name = ORGANISATION.name_of(VP)
    assert told == {"closed": {"because": "delegation_over", "on_behalf_of": name, "at": ended.isoformat()}}


def test_n12_a_delegate_whose_time_is_not_over_is_told_that_others_are_asked() -> None:
    before = Assignment(person=OTHER_VP, capacity=AssigneeCapacity.DELEGATE, on_behalf_of=VP, removed_at=NOW - DAY)
    code, told = refusal(OPEN.model_copy(update={"before": before}), OTHER_VP, delegated(NOW + DAY))
    assert (code, told["closed"]["because"]) == (RefusalCode.NOT_ASKED, "handed_on")


def test_n8_an_approval_above_the_limit_is_refused_without_a_special_reason() -> None:
    answer = AnswerTask(task_id="t", choice=AnswerChoice.APPROVE)
    assert not judge_form(choices_for(TaskKind.VP_REVIEW), answer).special_reason
    with pytest.raises(Refused) as refused:
        judge_form(choices_for(TaskKind.VP_REVIEW, above_limit=True), answer)
    assert [(problem.field, problem.rule) for problem in refused.value.problems] == [("reason", "N8")]
    with_reason = answer.model_copy(update={"reason": "a key account of the region"})
    assert judge_form(choices_for(TaskKind.VP_REVIEW, above_limit=True), with_reason).special_reason


def test_n9_a_rejection_without_a_reason_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        judge_form(choices_for(TaskKind.VP_REVIEW), AnswerTask(task_id="t", choice=AnswerChoice.REJECT))
    assert refused.value.code == "reason_required"


def test_n5_what_is_not_offered_cannot_be_chosen() -> None:
    with pytest.raises(Refused) as refused:
        judge_form(choices_for(TaskKind.COMMERCE_CHECK), AnswerTask(task_id="t", choice=AnswerChoice.APPROVE))
    assert refused.value.code == "unknown_choice"


@pytest.mark.parametrize(
    ("choice", "outcome", "still_asked", "waits"),
    [
        pytest.param(AnswerChoice.APPROVE, "", True, True, id="N7 the other VP is still asked"),
        pytest.param(AnswerChoice.APPROVE, "", False, False, id="N7 both have approved"),
        pytest.param(AnswerChoice.REJECT, "", True, False, id="N9 one rejection is enough"),
        pytest.param(AnswerChoice.AGREE, AnswerOutcome.CONFIRMED, True, True, id="D1 another side still reads it"),
        pytest.param(AnswerChoice.AGREE, AnswerOutcome.PROPOSED, True, False, id="D1 a new text is put to the others"),
        pytest.param(AnswerChoice.REPORT, "", True, True, id="R1 others have not reported"),
    ],
)
def test_n7_n9_d1_r1_what_an_answer_waits_for(
    choice: AnswerChoice, outcome: str, still_asked: bool, waits: bool
) -> None:
    assert waits_for_others(choice, outcome, still_asked=still_asked) is waits

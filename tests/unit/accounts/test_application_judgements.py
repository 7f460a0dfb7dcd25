"""Whether what somebody says of an application is accepted (N5, N6, N8, N10, N13, N15, E2, E3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from domain.accounts.application import ENDED, WEIGHED, Industry, Stage
from domain.accounts.judgements import (
    StatementFacts,
    judge_appeal,
    judge_gathering,
    judge_supplied_form,
    judge_withdrawal,
    ruled_out,
)
from domain.accounts.named_account import FORM_FIELD
from domain.organisation import Organisation, Role
from domain.policy import load_policy
from domain.refusals import RefusalCode, Refused
from domain.statements import AppealRejection, GatherEvidence, Withdraw
from domain.tasks.task import AnswerChoice, Decision, TaskKind
from embedded.welcome import sample_organisation
from tests.unit.accounts.test_eligibility import form

ORGANISATION = sample_organisation()
VP, OTHER_VP = ORGANISATION.sales_vps
APPLICANT, STRANGER = "li.na", "zhang.wei"
CLERK = ORGANISATION.holders(Role.COMMERCE_CLERK)[0].id
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = load_policy().eligibility
REJECTED = StatementFacts(stage=Stage.REJECTED, applicant=APPLICANT, appeal_until=NOW + DAY)


def refusal(judge: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        judge()
    return refused.value.code


@pytest.mark.parametrize("stage", sorted(set(Stage) - ENDED))
def test_n13_the_applicant_withdraws_at_any_time_before_the_end(stage: Stage) -> None:
    facts = StatementFacts(stage=stage, applicant=APPLICANT)
    judge_withdrawal(facts, Withdraw(person=APPLICANT))
    assert refusal(lambda: judge_withdrawal(facts, Withdraw(person=STRANGER))) == RefusalCode.NOT_APPLICANT


@pytest.mark.parametrize("stage", sorted(ENDED))
def test_n13_what_is_over_is_not_withdrawn(stage: Stage) -> None:
    facts = StatementFacts(stage=stage, applicant=APPLICANT)
    with pytest.raises(Refused) as refused:
        judge_withdrawal(facts, Withdraw(person=APPLICANT))
    assert refused.value.code == RefusalCode.STAGE_DOES_NOT_ALLOW
    assert refused.value.facts == {"stage": stage.value}


def appeal(person: str = APPLICANT, said_at: datetime = NOW) -> AppealRejection:
    return AppealRejection(person=person, said_at=said_at)


def test_n10_the_applicant_appeals_in_time() -> None:
    judge_appeal(REJECTED, appeal(), NOW)
    judge_appeal(REJECTED, appeal(said_at=NOW), NOW + 2 * DAY)  # said in time, it waited for a worker


def test_n10_nobody_else_appeals() -> None:
    assert refusal(lambda: judge_appeal(REJECTED, appeal(STRANGER), NOW)) == RefusalCode.NOT_APPLICANT


def test_n10_there_is_one_appeal() -> None:
    heard = StatementFacts(stage=Stage.GM_APPEAL, applicant=APPLICANT, appealed=True, appeal_until=NOW + DAY)
    assert refusal(lambda: judge_appeal(heard, appeal(), NOW)) == RefusalCode.APPEAL_USED


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(StatementFacts(stage=Stage.VP_REVIEW, applicant=APPLICANT), id="not rejected"),
        pytest.param(StatementFacts(stage=Stage.REJECTED, applicant=APPLICANT), id="rejected for good"),
    ],
)
def test_n10_only_a_rejection_is_appealed_and_not_one_by_the_general_manager(facts: StatementFacts) -> None:
    assert refusal(lambda: judge_appeal(facts, appeal(), NOW)) == RefusalCode.STAGE_DOES_NOT_ALLOW


def test_n10_an_appeal_after_the_month_is_too_late() -> None:
    late = NOW + DAY
    with pytest.raises(Refused) as refused:
        judge_appeal(REJECTED, appeal(said_at=late), late)
    assert refused.value.code == RefusalCode.APPEAL_TOO_LATE
    assert refused.value.facts == {"until": late.isoformat()}


@pytest.mark.parametrize("stage", sorted(WEIGHED))
def test_n15_commerce_gathers_while_somebody_weighs_the_evidence(stage: Stage) -> None:
    judge_gathering(StatementFacts(stage=stage, applicant=APPLICANT), GatherEvidence(person=CLERK), ORGANISATION)


@pytest.mark.parametrize("stage", sorted(set(Stage) - WEIGHED))
def test_n15_nothing_is_gathered_for_nobody(stage: Stage) -> None:
    facts, wish = StatementFacts(stage=stage, applicant=APPLICANT), GatherEvidence(person=CLERK)
    assert refusal(lambda: judge_gathering(facts, wish, ORGANISATION)) == RefusalCode.STAGE_DOES_NOT_ALLOW


@pytest.mark.parametrize("person", [VP, "nobody"])
def test_n15_only_commerce_gathers(person: str) -> None:
    facts, wish = StatementFacts(stage=Stage.VP_REVIEW, applicant=APPLICANT), GatherEvidence(person=person)
    assert refusal(lambda: judge_gathering(facts, wish, ORGANISATION)) == RefusalCode.ONLY_COMMERCE_GATHERS


def test_n15_a_clerk_who_has_left_gathers_nothing() -> None:
    people = tuple(person.model_copy(update={"active": person.id != CLERK}) for person in ORGANISATION.people)
    gone = Organisation.model_validate({**ORGANISATION.model_dump(), "people": people})
    facts, wish = StatementFacts(stage=Stage.VP_REVIEW, applicant=APPLICANT), GatherEvidence(person=CLERK)
    assert refusal(lambda: judge_gathering(facts, wish, gone)) == RefusalCode.ONLY_COMMERCE_GATHERS


def test_n5_the_completed_form_is_read_as_it_was_sent() -> None:
    whole = form()
    assert judge_supplied_form({FORM_FIELD: whole.model_dump(mode="json")}, RULES) == whole


def test_n5_half_a_form_is_unreadable() -> None:
    half = form().model_dump(mode="json", exclude={"account_plan"})
    assert refusal(lambda: judge_supplied_form({FORM_FIELD: half}, RULES)) == RefusalCode.UNREADABLE


def test_e2_and_e3_refuse_a_completed_form_as_they_refuse_a_new_one() -> None:
    wrong = form(industry=Industry.POWER, centralised_procurement=True, legal_person=False).model_dump(mode="json")
    with pytest.raises(Refused) as refused:
        judge_supplied_form({FORM_FIELD: wrong}, RULES)
    assert [(problem.field, problem.rule) for problem in refused.value.problems] == [
        ("fields.application.centralised_procurement", "E3"),
        ("fields.application.customer.legal_person", "E2"),
    ]
    assert refused.value.code == "E3"


def review(slot: str, person: str) -> Decision:
    return Decision(
        task_id=slot, kind=TaskKind.VP_REVIEW, slot=slot, choice=AnswerChoice.APPROVE, person=person, decided_at=NOW
    )


def test_n6_one_person_counts_once() -> None:
    reviews = [review(OTHER_VP, "stand.in"), review(VP, VP)]
    out = ruled_out(TaskKind.VP_REVIEW, VP, other_slots=[OTHER_VP], reviews=reviews, vps=(VP, OTHER_VP))
    assert out == {OTHER_VP, "stand.in"}


@pytest.mark.parametrize("kind", [TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL])
def test_n8_n10_nobody_decides_for_the_general_manager_on_what_they_reviewed(kind: TaskKind) -> None:
    reviews = [review(OTHER_VP, "stand.in"), review(VP, VP)]
    out = ruled_out(kind, "", other_slots=[VP, OTHER_VP], reviews=reviews, vps=(VP, OTHER_VP))
    assert out == {VP, OTHER_VP, "stand.in"}


def test_n5_commerce_may_check_whatever_else_it_has_done() -> None:
    assert not ruled_out(TaskKind.COMMERCE_CHECK, "", other_slots=[VP], reviews=[review(VP, VP)], vps=(VP, OTHER_VP))

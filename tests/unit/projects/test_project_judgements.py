"""Which statements about a registration are accepted, and what the others are refused for (P2, P8, U1, U6–U8, A6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.organisation import Organisation, Person
from domain.projects.judgements import (
    ProjectFacts,
    judge_answer,
    judge_contract,
    judge_correction,
    judge_loss,
    judge_objection,
    judge_reassignment,
    judge_registration,
    judge_update,
    judge_withdrawal,
    signed_amount,
)
from domain.projects.project import (
    PROJECT_ENDED,
    ContractCorrection,
    ContractReview,
    Loss,
    ProjectStage,
    ProjectUpdate,
    Resumption,
)
from domain.refusals import RefusalCode, Refused
from domain.statements import (
    AnswerTask,
    CorrectContract,
    ObjectToRefusal,
    Reassign,
    ReceiveContract,
    RegisterProject,
    ReportLoss,
    UpdateProject,
    Withdraw,
)
from domain.tasks.task import AnswerChoice, TaskKind
from imports.organisation_file import read_organisation

SAMPLE = read_organisation((Path(__file__).parents[3] / "embedded/sample/org.toml").read_text(encoding="utf-8"))
FAN, LEI, JING, CLERK, VP = "yang.fan", "huang.lei", "xu.jing", "gao.yuan", "li.ming"
NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)
TODAY = date(2026, 12, 1)

ACTIVE = ProjectFacts(stage=ProjectStage.ACTIVE, applicant=FAN, salesperson=FAN)
REFUSED = replace(ACTIVE, stage=ProjectStage.REFUSED, objection_until=NOW + timedelta(days=1))
NOT_ACTIVE = [
    replace(ACTIVE, lost=True),
    replace(ACTIVE, contract_received=True),
    *(replace(ACTIVE, stage=stage) for stage in ProjectStage if stage is not ProjectStage.ACTIVE),
]

UPDATE = UpdateProject(person=FAN, update=ProjectUpdate(progress="offer sent", next_steps="call"))
LOSS = ReportLoss(person=FAN, loss=Loss(reason="no budget"))


def contract(person: str, **given: Any) -> ReceiveContract:
    made = ContractReview.model_validate({"amount": "100.00", "contract_number": "HT-1", **given})
    return ReceiveContract(person=person, contract=made)


def person(person_id: str) -> Person | None:
    return SAMPLE.person(person_id)


def inactive(person_id: str) -> Person:
    known = SAMPLE.person(person_id)
    assert known
    return known.model_copy(update={"active": False})


def refusal(judge: Callable[..., object], *arguments: Any, **named: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        judge(*arguments, **named)
    return refused.value


def code(judge: Callable[..., object], *arguments: Any, **named: Any) -> str:
    return refusal(judge, *arguments, **named).code


# U1, U5, U8


def test_u1_its_salesperson_updates_an_active_project() -> None:
    assert judge_update(ACTIVE, UPDATE) is UPDATE.update
    assert code(judge_update, replace(ACTIVE, salesperson=LEI), UPDATE) == RefusalCode.NOT_SALESPERSON_OF_PROJECT
    assert code(judge_update, ACTIVE, UpdateProject(person=FAN)) == RefusalCode.UNREADABLE


def test_u8_its_salesperson_reports_the_loss_of_an_active_project_with_the_reason() -> None:
    assert judge_loss(ACTIVE, LOSS) is LOSS.loss
    assert code(judge_loss, replace(ACTIVE, salesperson=LEI), LOSS) == RefusalCode.NOT_SALESPERSON_OF_PROJECT
    assert code(judge_loss, ACTIVE, ReportLoss(person=FAN)) == RefusalCode.UNREADABLE


@pytest.mark.parametrize("facts", NOT_ACTIVE)
def test_u7_u8_nothing_is_reported_of_a_project_that_is_not_active_or_about_to_end(facts: ProjectFacts) -> None:
    for judge, said in ((judge_update, UPDATE), (judge_loss, LOSS)):
        refused = refusal(judge, facts, said)
        assert refused.code == RefusalCode.PROJECT_NOT_ACTIVE
        assert refused.facts == {"stage": facts.stage.value, "status": facts.stage.status.value}
    assert code(judge_contract, facts, contract(FAN), person(FAN), today=TODAY) == RefusalCode.PROJECT_NOT_ACTIVE
    received = AnswerTask(choice=AnswerChoice.RECEIVED, fields={"number": "HT-1", "amount": "100.00"})
    answer = code(judge_answer, facts, TaskKind.CONTRACT_REVIEW, received, today=TODAY)
    assert answer == RefusalCode.PROJECT_NOT_ACTIVE


# U7


def test_u7_the_salesperson_hands_in_and_commerce_receives() -> None:
    assert judge_contract(ACTIVE, contract(FAN), person(FAN), today=TODAY)[1] is True
    assert judge_contract(ACTIVE, contract(CLERK), person(CLERK), today=TODAY)[1] is False
    waiting = replace(ACTIVE, contract_with_commerce=True)
    assert code(judge_contract, waiting, contract(FAN), person(FAN), today=TODAY) == RefusalCode.CONTRACT_REVIEW_OPEN
    assert judge_contract(waiting, contract(CLERK), person(CLERK), today=TODAY)[1] is False


@pytest.mark.parametrize("stranger", [VP, JING, "nobody"])
def test_u7_nobody_else_says_anything_of_a_contract(stranger: str) -> None:
    refused = code(judge_contract, ACTIVE, contract(stranger), person(stranger), today=TODAY)
    assert refused == RefusalCode.NOT_COMMERCE_OR_SALESPERSON


def test_u7_commerce_receives_nothing_of_its_own() -> None:
    own = replace(ACTIVE, applicant=CLERK)
    refused = code(judge_contract, own, contract(CLERK), person(CLERK), today=TODAY)
    assert refused == RefusalCode.NOT_COMMERCE_OR_SALESPERSON


def test_u7_commerce_needs_a_number_and_the_salesperson_does_not() -> None:
    judge_contract(ACTIVE, contract(FAN, contract_number=""), person(FAN), today=TODAY)
    refused = refusal(judge_contract, ACTIVE, contract(CLERK, contract_number=""), person(CLERK), today=TODAY)
    assert [(problem.field, problem.key) for problem in refused.problems] == [("contract_number", "missing")]
    assert refused.code == "missing"
    no_amount = refusal(judge_contract, ACTIVE, contract(FAN, amount="0.00"), person(FAN), today=TODAY)
    assert [problem.field for problem in no_amount.problems] == ["amount"]
    assert code(judge_contract, ACTIVE, ReceiveContract(person=FAN), person(FAN), today=TODAY) == RefusalCode.UNREADABLE


def test_u7_an_answer_that_receives_is_judged_as_the_statement_is() -> None:
    fields = {"number": "HT-1", "amount": "0.00", "received_on": "2026-12-02"}
    said = AnswerTask(choice=AnswerChoice.RECEIVED, fields={**fields})
    refused = refusal(judge_answer, ACTIVE, TaskKind.CONTRACT_REVIEW, said, today=TODAY)
    assert {problem.field for problem in refused.problems} == {"fields.amount", "fields.received_on"}
    sent_back = AnswerTask(choice=AnswerChoice.SEND_BACK, reason="no seal")
    judge_answer(ACTIVE, TaskKind.CONTRACT_REVIEW, sent_back, today=TODAY)


def test_u7_only_a_signed_contract_has_an_amount_to_correct() -> None:
    assert signed_amount(ProjectStage.CONTRACT_SIGNED, {"amount": "100.00"}) == Decimal("100.00")
    assert code(signed_amount, ProjectStage.ACTIVE, {"amount": "100.00"}) == RefusalCode.CONTRACT_NOT_SIGNED
    assert code(signed_amount, ProjectStage.CONTRACT_SIGNED, None) == RefusalCode.CONTRACT_NOT_SIGNED
    assert code(signed_amount, None, None) == RefusalCode.CONTRACT_NOT_SIGNED


def test_u7_commerce_corrects_another_positive_amount_with_a_reason() -> None:
    correction = ContractCorrection(amount=Decimal("90.00"), reason="typing error")
    said, signed = CorrectContract(person=CLERK, correction=correction), Decimal("100.00")
    assert judge_correction(said, person(CLERK), signed=signed, own={FAN}) is correction
    for other in (person(FAN), person(VP), inactive(CLERK), None):
        assert code(judge_correction, said, other, signed=signed, own={FAN}) == RefusalCode.NOT_COMMERCE
    assert code(judge_correction, said, person(CLERK), signed=signed, own={CLERK}) == RefusalCode.NOT_COMMERCE
    empty = CorrectContract(person=CLERK)
    assert code(judge_correction, empty, person(CLERK), signed=signed, own={FAN}) == RefusalCode.UNREADABLE
    assert code(judge_correction, said, person(CLERK), signed=Decimal("90.00"), own={FAN}) == "same_amount"


# P8


def test_p8_the_salesperson_objects_once_and_in_time() -> None:
    said = ObjectToRefusal(person=FAN, reason="another project", said_at=NOW)
    judge_objection(REFUSED, said, now=NOW)
    assert code(judge_objection, replace(REFUSED, objected=True), said, now=NOW) == RefusalCode.OBJECTION_USED
    foreign = replace(REFUSED, salesperson=LEI)
    assert code(judge_objection, foreign, said, now=NOW) == RefusalCode.NOT_SALESPERSON_OF_PROJECT


def test_p8_an_objection_after_its_time_names_the_limit() -> None:
    late = NOW + timedelta(days=2)
    refused = refusal(judge_objection, REFUSED, ObjectToRefusal(person=FAN, said_at=late), now=late)
    assert refused.code == RefusalCode.OBJECTION_TOO_LATE
    assert refused.facts == {"until": (NOW + timedelta(days=1)).isoformat()}


@pytest.mark.parametrize("stage", [stage for stage in ProjectStage if stage is not ProjectStage.REFUSED])
def test_p8_only_a_refusal_is_objected_to(stage: ProjectStage) -> None:
    said = ObjectToRefusal(person=FAN, said_at=NOW)
    refused = code(judge_objection, replace(REFUSED, stage=stage), said, now=NOW)
    assert refused == RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW


# N13, A6, U6


@pytest.mark.parametrize("stage", ProjectStage)
def test_n13_the_salesperson_withdraws_before_the_approval(stage: ProjectStage) -> None:
    facts = replace(ACTIVE, stage=stage)
    if stage in PROJECT_ENDED or stage is ProjectStage.ACTIVE:
        assert code(judge_withdrawal, facts, Withdraw(person=FAN)) == RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW
    else:
        judge_withdrawal(facts, Withdraw(person=FAN))
        again = code(judge_withdrawal, replace(facts, withdrawn=True), Withdraw(person=FAN))
        assert again == RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW


def test_d2_what_a_dispute_has_made_anothers_is_theirs_to_withdraw() -> None:
    facts = ProjectFacts(stage=ProjectStage.APPROVAL, applicant=FAN, salesperson=JING)
    assert code(judge_withdrawal, facts, Withdraw(person=FAN)) == RefusalCode.NOT_SALESPERSON_OF_PROJECT
    judge_withdrawal(facts, Withdraw(person=JING))


def test_a6_an_operator_hands_a_running_project_to_an_active_salesperson() -> None:
    said = Reassign(person="operator:root", was=FAN, to=LEI, reason="leaves")
    assert judge_reassignment(ACTIVE, said, SAMPLE).id == LEI
    by_a_person = said.model_copy(update={"person": VP})
    assert code(judge_reassignment, ACTIVE, by_a_person, SAMPLE) == RefusalCode.NOT_OPERATOR
    for other in (VP, "nobody"):
        refused = refusal(judge_reassignment, ACTIVE, said.model_copy(update={"to": other}), SAMPLE)
        assert (refused.code, refused.facts) == (RefusalCode.REASSIGN_UNKNOWN, {"person": other})
    people = [known.model_copy(update={"active": known.id != LEI}) for known in SAMPLE.people]
    gone = Organisation.model_validate(SAMPLE.model_dump() | {"people": people})
    assert code(judge_reassignment, ACTIVE, said, gone) == RefusalCode.REASSIGN_UNKNOWN


def test_a6_a_project_that_is_over_or_anothers_by_now_stays_where_it_is() -> None:
    said = Reassign(person="operator:root", was=FAN, to=LEI)
    over = replace(ACTIVE, stage=ProjectStage.ENDED)
    assert code(judge_reassignment, over, said, SAMPLE) == RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW
    refused = refusal(judge_reassignment, replace(ACTIVE, salesperson=JING), said, SAMPLE)
    assert (refused.code, refused.facts) == (RefusalCode.NOT_SALESPERSON_OF_PROJECT, {"salesperson": JING})


def test_u6_only_its_salesperson_resumes_a_shelved_project() -> None:
    resumption = Resumption(why_silent="ill", why_resume="new budget")
    said = RegisterProject(person=FAN, resumes="B-1", resumption=resumption)
    shelved = (ProjectStage.SHELVED, FAN)
    assert judge_registration(said, person(FAN), resumed=shelved) == person(FAN)
    assert code(judge_registration, said, person(FAN), resumed=None) == RefusalCode.PROJECT_NOT_SHELVED
    active = (ProjectStage.ACTIVE, FAN)
    assert code(judge_registration, said, person(FAN), resumed=active) == RefusalCode.PROJECT_NOT_SHELVED
    foreign = (ProjectStage.SHELVED, LEI)
    assert code(judge_registration, said, person(FAN), resumed=foreign) == RefusalCode.NOT_SALESPERSON_OF_PROJECT
    no_reasons = said.model_copy(update={"resumption": None})
    assert code(judge_registration, no_reasons, person(FAN), resumed=shelved) == RefusalCode.UNREADABLE


def test_p1_somebody_who_has_left_registers_nothing() -> None:
    said = RegisterProject(person=FAN)
    assert judge_registration(said, person(FAN)) == person(FAN)
    for nobody in (None, inactive(FAN)):
        assert code(judge_registration, said, nobody) == RefusalCode.PERSON_INACTIVE


# P2, D4


def test_p2_a_completed_form_is_whole() -> None:
    said = AnswerTask(choice=AnswerChoice.SUPPLY, fields={"project": {"name": "half a form"}})
    assert code(judge_answer, ACTIVE, TaskKind.SUPPLY_INFORMATION, said, today=TODAY) == RefusalCode.UNREADABLE


@pytest.mark.parametrize("kind", [TaskKind.PROJECT_APPROVAL, TaskKind.SUPPLY_INFORMATION])
def test_d4_nobody_decides_while_an_agreement_waits_for_the_meeting(kind: TaskKind) -> None:
    waits = replace(ACTIVE, stage=ProjectStage.APPROVAL, agreement_waits=True)
    refused = refusal(judge_answer, waits, kind, AnswerTask(choice=AnswerChoice.APPROVE), today=TODAY)
    assert (refused.code, refused.facts) == (RefusalCode.TASK_WITHDRAWN, {"closed_because": "disputed"})
    judge_answer(
        replace(waits, agreement_waits=False), TaskKind.PROJECT_APPROVAL, AnswerTask(choice="approve"), today=TODAY
    )

"""What commerce records of a contract, and how it is corrected (U7)."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domain.access import may_receive_contract
from domain.organisation import Person, Role
from domain.projects.contract_review import (
    application_problems,
    corrected,
    correction_problems,
    on_record,
    receipt_problems,
    received,
)
from domain.projects.project import ContractCorrection, ContractReview
from domain.projects.rules import project_choices
from domain.tasks.answer_fields import answer_problems
from domain.tasks.task import AnswerChoice, TaskKind
from texts.catalogue import Texts

TODAY = date(2026, 12, 1)
CHOICES = project_choices(TaskKind.CONTRACT_REVIEW)
NUMBER = {"number": "HT-2026-1", "amount": "100.00"}


def contract(**given: Any) -> ContractReview:
    return ContractReview.model_validate({"amount": "100.00", "contract_number": "HT-2026-1", **given})


def wrong(**given: Any) -> dict[str, str]:
    return {problem.field: problem.key for problem in receipt_problems(contract(**given), today=TODAY)}


def test_u7_commerce_records_number_and_positive_amount() -> None:
    assert wrong() == {}
    assert wrong(amount="0.00") == {"amount": "greater_than"}
    assert wrong(contract_number=" ", amount="0") == {"contract_number": "missing", "amount": "greater_than"}
    assert all(problem.rule == "U7" for problem in receipt_problems(contract(amount="0"), today=TODAY))


@pytest.mark.parametrize(
    ("signed_on", "received_on", "problems"),
    [
        (None, None, {}),
        ("2026-11-30", "2026-12-01", {}),
        ("2026-12-01", "2026-12-01", {}),
        ("2026-12-01", None, {}),
        (None, "2026-12-02", {"received_on": "received_later_than_today"}),
        ("2026-12-01", "2026-11-30", {"signed_on": "signed_after_received"}),
        ("2026-12-02", None, {"signed_on": "signed_after_received"}),
        (
            "2026-12-04",
            "2026-12-03",
            {"received_on": "received_later_than_today", "signed_on": "signed_after_received"},
        ),
    ],
)
def test_u7_it_is_received_today_or_earlier_and_not_before_it_was_signed(
    signed_on: str | None, received_on: str | None, problems: dict[str, str]
) -> None:
    assert wrong(signed_on=signed_on, received_on=received_on) == problems


def test_u7_an_application_needs_no_number_yet_but_an_amount() -> None:
    assert application_problems(contract(contract_number=""), today=TODAY) == ()
    assert [problem.field for problem in application_problems(contract(amount="0"), today=TODAY)] == ["amount"]


def test_u7_what_is_handed_in_was_signed_by_today() -> None:
    """U7: beside everything else that is wrong."""
    assert application_problems(contract(signed_on="2026-12-01"), today=TODAY) == ()
    problems = application_problems(contract(amount="0", signed_on="2026-12-02"), today=TODAY)
    assert [(problem.field, problem.key) for problem in problems] == [
        ("amount", "greater_than"),
        ("signed_on", "signed_later_than_today"),
    ]


def test_u7_the_answer_of_commerce_carries_number_amount_and_dates_or_a_reason() -> None:
    def keys(choice: str, reason: str = "", **fields: Any) -> dict[str, str]:
        problems = answer_problems(CHOICES, choice=choice, reason=reason, fields=fields)
        return {problem.field: problem.key for problem in problems}

    assert [choice.choice for choice in CHOICES] == [AnswerChoice.RECEIVED, AnswerChoice.SEND_BACK]
    assert keys(AnswerChoice.RECEIVED, **NUMBER) == {}
    assert keys(AnswerChoice.RECEIVED, **NUMBER, signed_on="2026-11-30", received_on="2026-12-01") == {}
    assert keys(AnswerChoice.RECEIVED, **NUMBER, signed_on="", received_on=" ") == {}
    assert keys(AnswerChoice.RECEIVED) == {"fields.number": "missing", "fields.amount": "missing"}
    assert keys(AnswerChoice.RECEIVED, number=" ", amount="x") == {
        "fields.number": "missing",
        "fields.amount": "decimal_parsing",
    }
    for nonsense in (1764000000, "1764000000", "2026-13-01", "2026-12-01T00:00:00", "yesterday", ["2026-12-01"], True):
        assert keys(AnswerChoice.RECEIVED, **NUMBER, received_on=nonsense).keys() == {"fields.received_on"}, nonsense
    assert keys(AnswerChoice.SEND_BACK) == {"reason": "reason_required"}
    assert keys(AnswerChoice.SEND_BACK, "number is missing") == {}
    assert keys(AnswerChoice.SEND_BACK, "x", **NUMBER).keys() == {"fields.number", "fields.amount"}


def test_u7_an_answer_is_read_as_the_contract_it_records() -> None:
    read = received({**NUMBER, "signed_on": "", "received_on": "2026-11-30"})
    assert read == contract(received_on="2026-11-30")
    assert receipt_problems(received({**NUMBER, "amount": "0"}), today=TODAY, number_field="number", prefix="fields.")[
        0
    ].field == ("fields.amount")


def test_u7_a_contract_counts_from_the_day_it_was_received() -> None:
    assert on_record(contract(), today=TODAY, by="gao.yuan", at="now")["received_on"] == "2026-12-01"
    earlier = on_record(contract(received_on="2026-11-27"), today=TODAY, by="gao.yuan", at="now")
    assert (earlier["received_on"], earlier["by"], earlier["contract_number"]) == (
        "2026-11-27",
        "gao.yuan",
        "HT-2026-1",
    )


def test_u7_a_corrected_amount_counts_and_every_figure_before_it_stays() -> None:
    first = on_record(contract(), today=TODAY, by="gao.yuan", at="1")
    typing = ContractCorrection(amount=Decimal("1000"), reason="a zero was missing")
    second = corrected(first, typing, by="anna.miller", at="2")
    third = corrected(second, ContractCorrection(amount=Decimal("990.5"), reason="discount"), by="gao.yuan", at="3")
    assert third["amount"] == "990.50"
    assert third["corrections"] == [
        {
            "amount_before": "100.00",
            "amount": "1000.00",
            "reason": "a zero was missing",
            "by": "anna.miller",
            "at": "2",
        },
        {"amount_before": "1000.00", "amount": "990.50", "reason": "discount", "by": "gao.yuan", "at": "3"},
    ]
    assert first["amount"] == "100.00"
    assert "corrections" not in first


@pytest.mark.parametrize(("amount", "key"), [("0.00", "greater_than"), ("100", "same_amount"), ("100.01", "")])
def test_u7_a_correction_is_positive_and_changes_something(amount: str, key: str) -> None:
    correction = ContractCorrection.model_validate({"amount": amount, "reason": "x"})
    problems = correction_problems(correction, amount=Decimal("100.00"))
    assert [problem.key for problem in problems] == ([key] if key else [])


def test_u7_x4_the_amount_that_is_there_already_is_written_as_everywhere() -> None:
    correction = ContractCorrection.model_validate({"amount": "1234567.5", "reason": "x"})
    (problem,) = correction_problems(correction, amount=Decimal("1234567.5"))
    for texts in (Texts("zh"), Texts("en")):
        assert texts.money(correction.amount) in texts.error(problem.key, problem.params)


def test_u7_nobody_receives_what_they_have_handed_in() -> None:
    def person(*roles: Role) -> Person:
        return Person(id="mia", name="M", email="m@example.com", login="mia", roles=frozenset(roles))

    for role in (Role.COMMERCE_CLERK, Role.COMMERCE_MANAGER):
        assert may_receive_contract(person(role), own=frozenset({"sam"}))
        assert not may_receive_contract(person(role, Role.SALESPERSON), own=frozenset({"mia", "sam"}))
    assert not may_receive_contract(person(Role.VP, Role.OPERATOR), own=frozenset({"sam"}))

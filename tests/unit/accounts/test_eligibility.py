"""Basic conditions of a Named Account, exactly at their bounds."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.accounts.application import (
    ApplicationForm,
    CustomerKind,
    Forecast,
    Industry,
)
from domain.accounts.eligibility import Background, Eligibility, evaluate, refusals, refusals_in
from domain.policy import load_policy
from tests.samples import APPLICATION_FORM, NO_FIGURES
from texts.accounts.eligibility import eligibility_lines

RULES = load_policy().eligibility
CLEAN = Background(lawsuit_with_us=False, malicious_arrears=False)
FEN = Decimal("0.01")
FIGURES = {
    "E1a-first-year": ("first_year_gross_margin", RULES.first_year_gross_margin, False),
    "E1a-later-years": ("later_year_gross_margin", RULES.later_year_gross_margin, False),
    "E1b-technical": ("technical_service_revenue", RULES.technical_service_revenue, False),
    "E1b-own": ("own_service_revenue", RULES.own_service_revenue_above, True),
    "E1c": ("annual_contracts", RULES.annual_contracts_above, True),
}
ENOUGH = {"technical_service_revenue": RULES.technical_service_revenue}


def form(
    *,
    kind: CustomerKind = CustomerKind.CUSTOMER,
    industry: Industry = Industry.MANUFACTURING,
    legal_person: bool = True,
    centralised_procurement: bool = False,
    **figures: Decimal,
) -> ApplicationForm:
    customer = APPLICATION_FORM.customer.model_copy(
        update={"kind": kind, "industry": industry, "legal_person": legal_person}
    )
    return APPLICATION_FORM.model_copy(
        update={
            "customer": customer,
            "forecast": Forecast(**(NO_FIGURES | figures)),
            "centralised_procurement": centralised_procurement,
        }
    )


def judged(background: Background = CLEAN, /, **given_: Any) -> Eligibility:
    return evaluate(form(**given_), background, RULES)


def test_the_bounds_are_those_of_the_regulation() -> None:
    """E1: RMB 400,000 and 1,000,000; 10,000,000 or more than 2,000,000; more than 10,000,000."""
    assert [required for _, required, _ in FIGURES.values()] == [400_000, 1_000_000, 10_000_000, 2_000_000, 10_000_000]


@pytest.mark.parametrize("clause", FIGURES)
@pytest.mark.parametrize("fen", [-1, 0, 1])
def test_e1_and_e5_each_clause_at_one_fen_below_and_one_above_its_bound(clause: str, fen: int) -> None:
    field, required, strict = FIGURES[clause]
    actual = required + fen * FEN
    result = judged(kind=CustomerKind.CORE_CHANNEL, **{field: actual}).clause(clause)
    assert result.passed is (fen > 0 or (fen == 0 and not strict))
    assert (result.actual, result.required, result.difference) == (actual, required, fen * FEN)
    assert (result.strict, result.applicable) == (strict, True)


def test_e1a_asks_for_both_the_first_and_the_later_years() -> None:
    first = {"first_year_gross_margin": RULES.first_year_gross_margin}
    later = {"later_year_gross_margin": RULES.later_year_gross_margin}
    assert judged(**first).passed is False
    assert judged(**later).passed is False
    assert judged(**first, **later).passed is True


def test_e1b_either_kind_of_service_is_enough() -> None:
    assert judged(technical_service_revenue=RULES.technical_service_revenue).passed is True
    assert judged(own_service_revenue=RULES.own_service_revenue_above + FEN).passed is True
    assert judged(own_service_revenue=RULES.own_service_revenue_above).passed is False


def test_e1c_counts_for_core_channels_only() -> None:
    contracts = {"annual_contracts": RULES.annual_contracts_above * 2}
    customer = judged(**contracts)
    assert customer.passed is False
    assert (customer.clause("E1c").applicable, customer.clause("E1c").passed) == (False, None)
    assert customer.clause("E1c").difference == RULES.annual_contracts_above
    channel = judged(kind=CustomerKind.CORE_CHANNEL, **contracts)
    assert channel.passed is True
    assert channel.clause("E1c").passed is True


@pytest.mark.parametrize("industry", Industry)
@pytest.mark.parametrize("centralised", [True, False])
def test_e3_centralised_procurement_of_four_industries_is_refused(industry: Industry, centralised: bool) -> None:
    named = industry in {Industry.TELECOM, Industry.POWER, Industry.PETROLEUM, Industry.PETROCHEMICAL}
    result = judged(industry=industry, centralised_procurement=centralised, **ENOUGH)
    assert result.refusals == (("E3",) if named and centralised else ())
    assert result.clause("E3").passed is result.passed is not (named and centralised)


def test_e2_and_e5_a_customer_that_is_no_legal_person_is_refused() -> None:
    result = judged(legal_person=False, **ENOUGH)
    assert result.refusals == ("E2",)
    assert result.clause("E2-legal-person").passed is result.passed is False
    both = form(legal_person=False, industry=Industry.POWER, centralised_procurement=True)
    assert refusals(both, RULES) == ("E3", "E2")


@pytest.mark.parametrize(
    ("lawsuit", "arrears", "passed"),
    [
        (False, False, True),
        (True, False, False),
        (False, True, False),
        (None, False, None),
        (False, None, None),
        (None, True, False),
        (None, None, None),
    ],
)
def test_e2_and_e5_lawsuits_and_arrears_are_evidence_and_refuse_nothing(
    lawsuit: bool | None, arrears: bool | None, passed: bool | None
) -> None:
    result = judged(Background(lawsuit_with_us=lawsuit, malicious_arrears=arrears), **ENOUGH)
    assert result.passed is passed
    assert result.refusals == ()
    assert result.clause("E2-lawsuit").passed is (None if lawsuit is None else not lawsuit)
    assert result.clause("E2-arrears").passed is (None if arrears is None else not arrears)


def test_e5_what_fails_for_certain_does_not_wait_for_a_silent_source() -> None:
    assert judged(Background()).passed is False
    assert judged(Background(), **ENOUGH).passed is None


@pytest.mark.parametrize("field", ["current_state", "goals", "actions", "resources"])
def test_e4_the_form_asks_for_what_people_judge_of_plan_and_resources(field: str) -> None:
    given_ = form().model_dump(mode="json")
    (given_ if field == "resources" else given_["account_plan"])[field] = " "
    with pytest.raises(ValidationError) as refused:
        ApplicationForm.model_validate(given_)
    assert [error["loc"][-1] for error in refused.value.errors()] == [field]


def test_e4_no_machine_has_a_verdict_on_it() -> None:
    (line,) = [line for line in eligibility_lines(judged(**ENOUGH)) if line.clause == "E4"]
    assert (line.for_people, line.passed) == (True, None)


def test_the_result_survives_a_journey_as_json() -> None:
    result = judged(Background(lawsuit_with_us=None, malicious_arrears=True), **ENOUGH)
    assert Eligibility.model_validate_json(result.model_dump_json()) == result


def test_a_clause_that_was_not_evaluated_is_not_found() -> None:
    with pytest.raises(KeyError):
        judged().clause("E4")


money = st.decimals(min_value=0, max_value=20_000_000, places=2)
near = st.sampled_from([required + fen * FEN for _, required, _ in FIGURES.values() for fen in (-1, 0, 1)])
amounts = money | near


@given(
    figures=st.fixed_dictionaries({field: amounts for field, _, _ in FIGURES.values()}),
    kind=st.sampled_from(CustomerKind),
)
def test_e1_holds_exactly_when_one_of_its_alternatives_does(figures: dict[str, Decimal], kind: CustomerKind) -> None:
    result = judged(kind=kind, **figures)
    expected = (
        (figures["first_year_gross_margin"] >= 400_000 and figures["later_year_gross_margin"] >= 1_000_000)
        or figures["technical_service_revenue"] >= 10_000_000
        or figures["own_service_revenue"] > 2_000_000
        or (kind is CustomerKind.CORE_CHANNEL and figures["annual_contracts"] > 10_000_000)
    )
    assert result.passed is result.clause("E1").passed is expected


@given(figures=st.fixed_dictionaries({field: amounts for field, _, _ in FIGURES.values()}))
def test_e5_the_difference_tells_whether_the_clause_passed(figures: dict[str, Decimal]) -> None:
    for result in judged(kind=CustomerKind.CORE_CHANNEL, **figures).clauses:
        if result.required is None:
            assert result.actual is result.difference is None
            continue
        assert result.difference is not None
        assert result.passed is (result.difference > 0 or (result.difference == 0 and not result.strict))


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"customer": {"legal_person": False, "industry": "telecom"}, "centralised_procurement": True}, ("E3", "E2")),
        ({"customer": {"legal_person": "false"}, "centralised_procurement": "true"}, ("E2",)),
        ({"customer": {"legal_person": "perhaps", "industry": "power"}, "centralised_procurement": "maybe"}, ()),
        ({"customer": {"legal_person": True, "industry": ["power"]}, "centralised_procurement": True}, ()),
        ({"customer": []}, ()),
        ([], ()),
        (None, ()),
    ],
)
def test_n1_e2_and_e3_are_seen_in_a_form_that_is_wrong_in_other_ways(given: object, refused: tuple[str, ...]) -> None:
    assert refusals_in(given, RULES) == refused

"""Targets, results and proposals of Named Accounts (R2–R4)."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.figures import (
    Holding,
    MonthResults,
    Results,
    SignedContract,
    Target,
    TargetSet,
    counted_months,
    figures_of,
    plan_of,
    propose,
    requirements_of,
    target_of,
)
from domain.policy import load_policy
from domain.reports.report import TargetSource
from domain.reports.totals import Standing, standing_of
from domain.reviews.periods import read_period
from domain.reviews.review import PlanProgress, Proposal
from embedded.welcome import sample_organisation
from tests.samples import APPLICATION_FORM

REVIEWS = load_policy().reviews
PROMISED = APPLICATION_FORM.model_copy(
    update={
        "forecast": APPLICATION_FORM.forecast.model_copy(
            update={
                "annual_contracts": Decimal("1200.00"),
                "technical_service_revenue": Decimal("500.00"),
                "own_service_revenue": Decimal("100.00"),
            }
        )
    }
)
HELD = Holding(account="A-1", salesperson="yang.fan", department="north", form=PROMISED, since=date(2025, 3, 2))
ON_TRACK, BEHIND, FAILED = PlanProgress.ON_TRACK, PlanProgress.BEHIND, PlanProgress.FAILED


def plainly(found: Target) -> tuple[int, int, TargetSource]:
    """In whole RMB, which it has to be."""
    assert found.contracts % 1 == found.revenue % 1 == 0
    return int(found.contracts), int(found.revenue), found.source


def signed(on: date, amount: str, **more: object) -> SignedContract:
    values = {"account": "A-1", "project": f"p-{on}", "number": "P2026-00001", "name": "扩容", "customer": "北方"}
    of = {"salesperson": "yang.fan", "department": "north", "on": on, "amount": Decimal(amount)}
    return SignedContract.model_validate(values | of | more)


def target(
    period: str, targets: Mapping[str, tuple[int, int]] | None = None, holding: Holding = HELD
) -> tuple[int, int, TargetSource]:
    given = {
        name: TargetSet(contracts=Decimal(contracts), revenue=Decimal(revenue))
        for name, (contracts, revenue) in (targets or {}).items()
    }
    return plainly(target_of(holding, read_period(period, REVIEWS), given, REVIEWS))


@pytest.mark.parametrize(
    ("period", "contracts", "revenue"),
    [("2026-11", 100, 50), ("FY2026-Q3", 300, 150), ("FY2026-H1", 600, 300), ("FY2026", 1200, 600)],
)
def test_r3_without_a_target_of_its_own_a_period_has_its_share_of_what_the_application_promised(
    period: str, contracts: int, revenue: int
) -> None:
    assert target(period) == (contracts, revenue, TargetSource.APPLICATION)


def test_r2_a_month_has_the_target_that_was_set_for_it() -> None:
    assert target("2026-11", {"2026-11": (7, 3), "FY2026": (2400, 1200)}) == (7, 3, TargetSource.MONTHS)


def test_r3_a_quarter_is_the_sum_of_its_months_once_each_of_them_was_set() -> None:
    two = {"2026-07": (10, 1), "2026-08": (20, 2), "FY2026": (2400, 1200)}
    assert target("FY2026-Q3", two) == (600, 300, TargetSource.YEAR)
    three = {**two, "2026-09": (40, 4)}
    assert target("FY2026-Q3", three) == (70, 7, TargetSource.MONTHS)


def test_r4_every_part_of_a_year_has_its_share_of_what_was_set_for_the_year() -> None:
    for period, months in (("2026-02", 1), ("FY2026-Q3", 3), ("FY2026-H1", 6), ("FY2026", 12)):
        assert target(period, {"FY2026": (2400, 1200)}) == (200 * months, 100 * months, TargetSource.YEAR)


def test_r4_nobody_is_measured_by_months_in_which_the_account_was_not_one() -> None:
    young = HELD.model_copy(update={"since": date(2026, 11, 20)})
    assert target("FY2026", holding=young) == (100, 50, TargetSource.APPLICATION)
    assert target("FY2026", {"2026-12": (6, 2)}, young) == (6, 2, TargetSource.MONTHS)
    assert target("2026-10", holding=young) == (0, 0, TargetSource.APPLICATION)
    revoked = HELD.model_copy(update={"until": date(2026, 2, 1)})
    assert target("FY2026", holding=revoked) == (200, 100, TargetSource.APPLICATION)


def test_r3_r7_an_account_is_not_measured_against_a_month_of_which_it_had_a_part() -> None:
    last_day = HELD.model_copy(update={"since": date(2026, 11, 30)})
    assert target("2026-11", holding=last_day) == (0, 0, TargetSource.APPLICATION)
    assert target("FY2026-Q4", holding=last_day) == (100, 50, TargetSource.APPLICATION)
    first_day = HELD.model_copy(update={"since": date(2026, 11, 1)})
    assert target("2026-11", holding=first_day) == (100, 50, TargetSource.APPLICATION)


def test_r2_r7_a_month_of_which_it_had_a_part_counts_once_a_target_was_set_for_it() -> None:
    """After a week of holidays, the review that sets a month's targets comes when the month has begun."""
    young = HELD.model_copy(update={"since": date(2026, 10, 6)})
    assert target("2026-10", {"2026-10": (7, 3)}, young) == (7, 3, TargetSource.MONTHS)
    assert counted_months(young, read_period("FY2026-Q4", REVIEWS), {"2026-10"}) == (
        date(2026, 10, 1),
        date(2026, 11, 1),
        date(2026, 12, 1),
    )


def test_r3_r4_r7_results_are_counted_over_the_months_of_the_target() -> None:
    young = HELD.model_copy(update={"since": date(2026, 11, 20)})
    contracts = [signed(date(2026, 10, 5), "1"), signed(date(2026, 11, 25), "20"), signed(date(2026, 12, 1), "300")]
    months = {
        date(2026, month, 1): MonthResults(
            other_contracts=Decimal(month), revenue=Decimal(10 * month), payments=Decimal(100 * month)
        )
        for month in (10, 11, 12)
    }
    said = {"2026-11": FAILED, "2026-12": ON_TRACK}
    results = Results(contracts=tuple(contracts), months=months, progress=said)
    found = figures_of(young, read_period("FY2026-Q4", REVIEWS), {}, results, sample_organisation(), REVIEWS)
    assert found.counted == ("2026-12",)
    brought = (found.signed, found.other_contracts, found.revenue, found.payments)
    assert brought == tuple(map(Decimal, (300, 12, 120, 1200)))
    assert found.plan_progress == (ON_TRACK,), "nobody's plan of a month in which they had it for ten days"
    assert found.not_counted == 20, "what was signed since it is an account, and before its target begins"
    november = figures_of(young, read_period("2026-11", REVIEWS), {}, results, sample_organisation(), REVIEWS)
    assert november.counted == ()
    assert november.contracts == november.target_contracts == 0
    assert november.proposal is Proposal.UNDECIDED
    assert standing_of(november, REVIEWS.near_target) is Standing.UNMEASURED


def test_r7_the_months_of_an_account_add_up_to_its_year_whenever_it_began() -> None:
    contracts = tuple(signed(date(2026, month, day), "1.01") for month in range(1, 13) for day in (1, 15, 28))
    results = Results(contracts=contracts)
    for since in (date(2025, 3, 2), date(2026, 1, 1), date(2026, 4, 30), date(2026, 5, 1), date(2026, 12, 31)):
        held = HELD.model_copy(update={"since": since, "until": date(2026, 11, 15)})
        year, *months = [
            figures_of(held, read_period(name, REVIEWS), {}, results, sample_organisation(), REVIEWS)
            for name in ("FY2026", *(f"2026-{month:02}" for month in range(1, 13)))
        ]
        for name in ("contracts", "target_contracts", "not_counted"):
            assert sum(getattr(month, name) for month in months) == getattr(year, name), (since, name)


def test_r4_a_fiscal_year_that_begins_in_april_takes_its_own_months() -> None:
    april = REVIEWS.model_copy(update={"fiscal_year_starts": 4})
    targets = {f"2027-{month:02}": TargetSet(contracts=Decimal(month), revenue=Decimal(1)) for month in (1, 2, 3)}
    assert plainly(target_of(HELD, read_period("FY2026-Q4", april), targets, april)) == (6, 3, TargetSource.MONTHS)


@given(st.decimals(0, 10**12, places=2), st.sampled_from(["FY2026", "FY2026-H1", "FY2026-Q2", "2026-05"]))
def test_r3_shares_are_rounded_to_the_cent_once(year: Decimal, period: str) -> None:
    share = {"FY2026": 12, "FY2026-H1": 6, "FY2026-Q2": 3, "2026-05": 1}[period]
    given = {"FY2026": TargetSet(contracts=year, revenue=year)}
    found = target_of(HELD, read_period(period, REVIEWS), given, REVIEWS)
    assert abs(found.contracts * 12 - year * share) <= Decimal("0.06")
    assert found.contracts == found.contracts.quantize(Decimal("0.01")) == found.revenue


@pytest.mark.parametrize(
    ("progress", "contracts", "proposal"),
    [
        ([FAILED, BEHIND, ON_TRACK], "49.99", Proposal.REVOKE),
        ([FAILED, BEHIND, ON_TRACK], "50.00", Proposal.UNDECIDED),
        ([FAILED, ON_TRACK], "49.99", Proposal.UNDECIDED),
        ([FAILED, ON_TRACK], "50.00", Proposal.KEEP),
        ([ON_TRACK], "0.00", Proposal.UNDECIDED),
        ([], "0.00", Proposal.UNDECIDED),
        ([], "100.00", Proposal.UNDECIDED),
    ],
)
def test_r4_revocation_is_proposed_when_the_plan_failed_and_the_contracts_are_below_expectation(
    progress: list[PlanProgress], contracts: str, proposal: Proposal
) -> None:
    assert propose(progress, Decimal(contracts), Decimal("100.00"), REVIEWS) is proposal


def test_r4_without_a_target_no_contracts_are_too_few() -> None:
    assert propose([FAILED], Decimal(0), Decimal(0), REVIEWS) is Proposal.UNDECIDED


def test_r2_the_plan_shown_is_that_of_the_period_else_of_the_year_else_the_account_plan() -> None:
    nothing = Decimal(0)
    month, year = (TargetSet(contracts=nothing, revenue=nothing, action_plan=plan) for plan in ("拜访", "扩展"))
    november = read_period("2026-11", REVIEWS)
    assert plan_of(HELD, november, {"2026-11": month, "FY2026": year}, REVIEWS) == "拜访"
    assert plan_of(HELD, november, {"2026-10": month, "FY2026": year}, REVIEWS) == "扩展"
    assert plan_of(HELD, november, {}, REVIEWS) == APPLICATION_FORM.account_plan.actions


def test_r3_contracts_are_those_of_registered_projects_and_all_others() -> None:
    month = MonthResults(other_contracts=Decimal("2.25"), revenue=Decimal(4), payments=Decimal(3))
    results = Results(
        contracts=(signed(date(2026, 11, 30), "10.50"),),
        months={date(2026, 11, 1): month},
        progress={"2026-11": BEHIND},
    )
    found = figures_of(HELD, read_period("2026-11", REVIEWS), {}, results, sample_organisation(), REVIEWS)
    assert found.contracts == Decimal("12.75")
    assert (found.salesperson_name, found.department_name) == ("杨帆", "北方区")
    assert (found.revenue, found.payments) == (Decimal(4), Decimal(3))
    assert found.plan_progress == (BEHIND,)
    assert found.proposal is Proposal.REVOKE


def test_r4_what_was_required_for_the_year_is_shown_in_each_of_its_periods() -> None:
    nothing = Decimal(0)
    year = TargetSet(contracts=nothing, revenue=nothing, requirements="上半年完成验收")
    for name in ("2026-11", "FY2026-Q3", "FY2026"):
        found = figures_of(
            HELD, read_period(name, REVIEWS), {"FY2026": year}, Results(), sample_organisation(), REVIEWS
        )
        assert found.requirements == "上半年完成验收"
    assert requirements_of(read_period("2027-01", REVIEWS), {"FY2026": year}, REVIEWS) == ""


def test_r3_a_week_has_no_targets() -> None:
    with pytest.raises(ValueError, match="week"):
        target("2026-W48")

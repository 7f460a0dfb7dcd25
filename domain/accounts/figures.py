"""How a Named Account stands in a period: what was to be reached, what was, and what follows from it (R2–R4).

Pure: the record's rows come in, one `AccountFigures` for each account comes out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from domain.accounts.application import ApplicationForm, Forecast
from domain.base import Wire
from domain.disputes.credit import Credit, added_up, credits_for, shares_of
from domain.organisation import Organisation
from domain.policy import Reviews
from domain.reports.report import ZERO, AccountFigures, ContractRow, TargetSource
from domain.reviews.periods import MONTHS, Period, Rhythm, months_of, period_at
from domain.reviews.review import PlanProgress, Proposal

_CENT = Decimal("0.01")


class Holding(Wire):
    """A Named Account: whose it is, since when, and what its application promised."""

    account: str
    salesperson: str
    department: str | None
    """In which it was approved."""
    form: ApplicationForm
    since: date
    until: date | None = None
    """The day it was revoked (R5)."""


class TargetSet(Wire):
    """What a review has set for an account in a period (R2: a month, R4: a year)."""

    contracts: Decimal
    revenue: Decimal
    action_plan: str = ""
    requirements: str = ""
    """R4: what is to be done beside the figures."""


class SignedContract(Wire):
    """U7: a contract of a registered project under a Named Account."""

    account: str
    project: str
    number: str
    name: str
    customer: str
    salesperson: str
    """Who is responsible for the project."""
    department: str | None
    on: date
    """The day it counts for."""
    amount: Decimal
    agreement: dict[str, Any] | None = None
    """D3: with the split, where there is one."""


class MonthResults(Wire):
    """What the results register says of an account in a month."""

    other_contracts: Decimal = ZERO
    revenue: Decimal = ZERO
    payments: Decimal = ZERO


class Results(Wire):
    """What the record has of an account in a period: each contract, each month, what the VP said of each month."""

    contracts: tuple[SignedContract, ...] = ()
    months: dict[date, MonthResults] = {}
    progress: dict[str, PlanProgress] = {}
    """R2: by month, such as `2026-11`, in their order."""


class Target(NamedTuple):
    """What was to be reached in a period, and where that was said."""

    contracts: Decimal
    revenue: Decimal
    source: TargetSource


def figures_of(
    holding: Holding,
    period: Period,
    targets: Mapping[str, TargetSet],
    results: Results,
    organisation: Organisation,
    reviews: Reviews,
) -> AccountFigures:
    """One account in one period, its target and its results over the same months (R7). `targets` are all that was ever
    set for it, by period; `results` those of the period. Raises `ValueError` for a week."""
    target = target_of(holding, period, targets, reviews)
    counted = counted_months(holding, period, targets)
    contracts = counted_contracts(holding, period, targets, results.contracts)
    signed = sum((contract.amount for contract in contracts), ZERO)
    credits = [credit for contract in contracts for credit in contract_credits(contract, organisation)]
    while_held = [
        contract for contract in results.contracts if period.holds(contract.on) and _while_held(holding, contract.on)
    ]
    brought = [found for month in counted if (found := results.months.get(month))]
    other = sum((month.other_contracts for month in brought), ZERO)
    progress = tuple(said for month in counted if (said := results.progress.get(f"{month:%Y-%m}")))
    department = organisation.department_now(holding.salesperson, holding.department)
    office = organisation.departments_by_id.get(department or "")
    if other:  # no project stands for them, and no split
        credits.append(
            Credit(
                person=holding.salesperson,
                name=organisation.name_of(holding.salesperson),
                department=department,
                department_name=office.name if office else "",
                amount=other,
            )
        )
    return AccountFigures(
        salesperson=holding.salesperson,
        salesperson_name=organisation.name_of(holding.salesperson),
        department=department,
        department_name=office.name if office else "",
        account=holding.account,
        customer=holding.form.customer.name,
        target_contracts=target.contracts,
        target_revenue=target.revenue,
        target_source=target.source,
        credits=added_up(credits),
        counted=tuple(f"{month:%Y-%m}" for month in counted),
        signed=signed,
        other_contracts=other,
        revenue=sum((month.revenue for month in brought), ZERO),
        payments=sum((month.payments for month in brought), ZERO),
        not_counted=sum((contract.amount for contract in while_held), ZERO) - signed,
        plan=plan_of(holding, period, targets, reviews),
        requirements=requirements_of(period, targets, reviews),
        plan_progress=progress,
        proposal=propose(progress, signed + other, target.contracts, reviews),
    )


def contract_credits(contract: SignedContract, organisation: Organisation) -> tuple[Credit, ...]:
    """D3: who is credited with which part of a contract."""
    shares = shares_of(contract.agreement, contract.salesperson)
    responsible, department = contract.salesperson, contract.department
    return credits_for(shares, contract.amount, organisation, department=department, responsible=responsible)


def contract_row(contract: SignedContract, organisation: Organisation) -> ContractRow:
    """A contract as a report lists it (R3, D3)."""
    office = organisation.departments_by_id.get(contract.department or "")
    return ContractRow(
        **contract.model_dump(exclude={"agreement"}),
        salesperson_name=organisation.name_of(contract.salesperson),
        department_name=office.name if office else "",
        credits=contract_credits(contract, organisation),
    )


def counted_months(holding: Holding, period: Period, targets: Collection[str]) -> tuple[date, ...]:
    """R7: the months of a period in which an account is measured, targets and results alike, by their first days.

    Those it was an account in, from the first that it was one from its first day on: nobody is measured by a month of
    which they had a part. A month of which it had a part counts as well once a target was set for it. The month in
    which it was revoked is the last.
    """
    began = holding.since.replace(day=1)
    return tuple(
        month
        for month in months_of(period)
        if (month >= holding.since or (month == began and f"{month:%Y-%m}" in targets))
        and (holding.until is None or month <= holding.until)
    )


def counted_contracts(
    holding: Holding, period: Period, targets: Collection[str], contracts: Iterable[SignedContract]
) -> tuple[SignedContract, ...]:
    """R7: those that count against the target of the period."""
    counted = set(counted_months(holding, period, targets))
    return tuple(
        contract
        for contract in contracts
        if contract.on.replace(day=1) in counted and _while_held(holding, contract.on)
    )


def _while_held(holding: Holding, day: date) -> bool:
    """From the day on which it became an account, to the end of the month in which it was revoked."""
    return holding.since <= day and (holding.until is None or day.replace(day=1) <= holding.until)


def target_of(holding: Holding, period: Period, targets: Mapping[str, TargetSet], reviews: Reviews) -> Target:
    """R2–R4: what the account was to reach in the months of a period that are counted (R7).

    The sum of what was set for them, when something was set for each. Otherwise their share of what was set for the
    year, else of what the application promised for a year.
    """
    months = counted_months(holding, period, targets)
    names = [f"{month:%Y-%m}" for month in months]
    if names and all(name in targets for name in names):
        each = [targets[name] for name in names]
        return Target(sum((t.contracts for t in each), ZERO), sum((t.revenue for t in each), ZERO), TargetSource.MONTHS)
    year = targets.get(_year_of(period, reviews))
    given = year or promise_of(holding.form.forecast)
    share = Decimal(len(months)) / MONTHS[Rhythm.YEARLY]
    source = TargetSource.YEAR if year else TargetSource.APPLICATION
    return Target(_to_the_cent(given.contracts * share), _to_the_cent(given.revenue * share), source)


def promise_of(forecast: Forecast) -> TargetSet:
    """N1: what the application promised for a year. Revenue is that of technical and of own services."""
    revenue = forecast.technical_service_revenue + forecast.own_service_revenue
    return TargetSet(contracts=forecast.annual_contracts, revenue=revenue)


def plan_of(holding: Holding, period: Period, targets: Mapping[str, TargetSet], reviews: Reviews) -> str:
    """The action plan of the period, else of the year it lies in, else the Account Plan's actions."""
    plans = (targets[name].action_plan for name in (period.id, _year_of(period, reviews)) if name in targets)
    return next((plan for plan in plans if plan), holding.form.account_plan.actions)


def requirements_of(period: Period, targets: Mapping[str, TargetSet], reviews: Reviews) -> str:
    """R4, R7: what was required for the year in which the period lies."""
    year = targets.get(_year_of(period, reviews))
    return year.requirements if year else ""


def propose(progress: Sequence[PlanProgress], contracts: Decimal, target: Decimal, reviews: Reviews) -> Proposal:
    """R4: what the system proposes of an account; people decide.

    The plan failed when the VP called more than half of the months they spoke of `failed` or `behind`. The contracts
    are below expectation when they are below the policy's share (`revoke_below`) of their target. Both: revoke.
    Neither: keep. One of the two, or a plan nobody has said anything of: undecided.
    """
    if not progress:
        return Proposal.UNDECIDED
    plan_failed = 2 * sum(said is not PlanProgress.ON_TRACK for said in progress) > len(progress)
    below = contracts < reviews.revoke_below * target
    if plan_failed and below:
        return Proposal.REVOKE
    return Proposal.UNDECIDED if plan_failed or below else Proposal.KEEP


def _year_of(period: Period, reviews: Reviews) -> str:
    return period_at(Rhythm.YEARLY, period.last, reviews).id


def _to_the_cent(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)

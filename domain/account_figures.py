"""How a Named Account stands in a period: what was to be reached, what was, and what follows from it (R2–R4).

Pure: the record's rows come in, one `AccountFigures` for each account comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from domain.application import ApplicationForm, Forecast
from domain.base import Wire
from domain.organisation import Organisation
from domain.periods import MONTHS, Period, Rhythm, months_of, period_at
from domain.policy import Reviews
from domain.reports import ZERO, AccountFigures, TargetSource
from domain.reviews import PlanProgress, Proposal

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


class Results(Wire):
    """What was reached in a period."""

    signed: Decimal = ZERO
    other_contracts: Decimal = ZERO
    revenue: Decimal = ZERO
    payments: Decimal = ZERO


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
    progress: Sequence[PlanProgress],
    organisation: Organisation,
    reviews: Reviews,
) -> AccountFigures:
    """One account in one period. `targets` are all that was ever set for it, by period; `progress` is what the VP said
    of the months of the period, in their order. Raises `ValueError` for a week."""
    target = target_of(holding, period, targets, reviews)
    department = organisation.department_now(holding.salesperson, holding.department)
    office = organisation.departments_by_id.get(department or "")
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
        **dict(results),
        plan=plan_of(holding, period, targets, reviews),
        plan_progress=tuple(progress),
        proposal=propose(progress, results.signed + results.other_contracts, target.contracts, reviews),
    )


def target_of(holding: Holding, period: Period, targets: Mapping[str, TargetSet], reviews: Reviews) -> Target:
    """R2–R4: what the account was to reach in a period.

    The sum of its months' targets when each of them was set. Otherwise its months' share of what was set for the year,
    else of what the application promised for a year. Months before the account was one, or after it was revoked, are
    not counted: nobody is measured by a year of which they had a month.
    """
    months = _months_held(holding, period)
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


def _months_held(holding: Holding, period: Period) -> list[date]:
    return [
        month
        for month in months_of(period)
        if month >= holding.since.replace(day=1) and (holding.until is None or month <= holding.until)
    ]


def _year_of(period: Period, reviews: Reviews) -> str:
    return period_at(Rhythm.YEARLY, period.last, reviews).id


def _to_the_cent(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)

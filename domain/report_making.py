"""Reports, put together from what the record has (U1, U9, R2–R4, R6).

Pure. A report is made of the record as it is at `made_at`, when its period is over: an amount, a stage or a salesperson
that has changed since the end is shown as it is now, and what belongs to a moment (an update, a contract) is counted in
the period in which it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypedDict

from domain.base import Moment, Wire
from domain.organisation import Organisation
from domain.periods import Period
from domain.policy import Reviews
from domain.project import ProjectStage, ProjectStatus, SalesStage
from domain.reports import (
    AccountFigures,
    AccountStatistics,
    Change,
    ChangeRow,
    DigestRow,
    ForecastRow,
    MissedStep,
    Row,
    Said,
    SalesForecast,
    WeeklyDigest,
)
from domain.tasks import TaskKind


class ProjectNow(Wire):
    """An approved project as the record has it."""

    id: str
    number: str
    name: str
    customer: str
    salesperson: str
    department: str | None
    stage: ProjectStage
    stage_since: Moment
    number_issued_at: Moment
    sales_stage: SalesStage
    amount: Decimal
    expected_signing: date
    contract_amount: Decimal | None = None
    """U7."""


class Missed(Wire):
    """R6: a step of a review that its person has not done."""

    task: TaskKind
    review: str
    period: str
    person: str
    department: str | None


def make_digest(
    period: Period,
    made_at: datetime,
    week: tuple[datetime, datetime],
    projects: Iterable[ProjectNow],
    updates: Mapping[str, Sequence[Said]],
    last_updates: Mapping[str, datetime],
    missed: Iterable[Missed],
    organisation: Organisation,
) -> WeeklyDigest:
    """U1: every project that was active in the week, with what was said of it in the week.

    `week`: from its first moment up to, not including, its last. `last_updates`: of each project the last one before
    the week's end. A project that ended in the week is among them and is not silent.
    """
    end = week[1]
    rows = []
    for one in projects:
        last = max(last_updates.get(one.id, one.number_issued_at), one.number_issued_at)
        over = one.stage.ended and one.stage_since < end
        rows.append(
            DigestRow(
                **_whose(one.salesperson, one.department, organisation),
                **_project(one),
                status=one.stage.status if over else ProjectStatus.ACTIVE,
                updates=tuple(updates.get(one.id, ())),
                last_update_at=last,
                silent_days=(end - last) // timedelta(days=1),
            )
        )
    rows.sort(key=lambda row: (not row.silent, -row.silent_days if row.silent else 0, row.number))
    return WeeklyDigest(period=period, made_at=made_at, rows=tuple(rows), missed=_missed(missed, organisation))


def make_forecast(
    period: Period,
    made_at: datetime,
    projects: Iterable[ProjectNow],
    earlier: SalesForecast | None,
    gone: Mapping[str, ProjectNow],
    missed: Iterable[Missed],
    organisation: Organisation,
    reviews: Reviews,
) -> SalesForecast:
    """U9: every approved project that is open, and what has changed since the forecast before. `gone`: those of the
    forecast before that are open no more."""
    rows = [
        ForecastRow(
            **_whose(one.salesperson, one.department, organisation),
            **_project(one),
            probability=reviews.probability[one.sales_stage],
        )
        for one in projects
    ]
    rows.sort(key=lambda row: (row.expected_signing, row.number))
    return SalesForecast(
        period=period,
        made_at=made_at,
        rows=tuple(rows),
        compared_with=earlier.period.id if earlier else "",
        changes=changes_between(earlier.rows, rows, gone) if earlier else (),
        missed=_missed(missed, organisation),
    )


_FATES = {
    ProjectStage.CONTRACT_SIGNED: Change.SIGNED,
    ProjectStage.ENDED: Change.LOST,
    ProjectStage.SHELVED: Change.SHELVED,
}


def changes_between(
    before: Iterable[ForecastRow], now: Iterable[ForecastRow], gone: Mapping[str, ProjectNow]
) -> tuple[ChangeRow, ...]:
    """U9: what became of each project. The amounts add up to the total now minus the total before: of everything, of
    each department, and of each salesperson."""
    then = {row.project: row for row in before}
    found: list[ChangeRow] = []
    for row in now:
        old = then.pop(row.project, None)
        found += _changes_of(old, row) if old else [_change(row, Change.NEW, after=str(row.amount), amount=row.amount)]
    for row in then.values():
        fate = gone.get(row.project)
        change = _FATES.get(fate.stage, Change.LOST) if fate else Change.LOST
        signed = fate.contract_amount if fate and change is Change.SIGNED else None
        after = "" if signed is None else str(signed)
        found.append(_change(row, change, before=str(row.amount), after=after, amount=-row.amount))
    return tuple(sorted(found, key=lambda row: (list(Change).index(row.change), row.number, row.amount)))


def _changes_of(old: ForecastRow, row: ForecastRow) -> list[ChangeRow]:
    """Of a project that is in both forecasts."""
    found = []
    if (old.salesperson, old.department) != (row.salesperson, row.department):
        found += [
            _change(
                one,
                Change.HANDED_OVER,
                before=old.salesperson_name,
                after=row.salesperson_name,
                amount=sign * one.amount,
            )
            for one, sign in ((old, -1), (row, 1))
        ]
    elif old.amount != row.amount:
        difference = row.amount - old.amount
        found.append(_change(row, Change.AMOUNT, before=str(old.amount), after=str(row.amount), amount=difference))
    if old.sales_stage is not row.sales_stage:
        found.append(_change(row, Change.STAGE, before=old.sales_stage.value, after=row.sales_stage.value))
    if old.expected_signing != row.expected_signing:
        before, after = old.expected_signing.isoformat(), row.expected_signing.isoformat()
        found.append(_change(row, Change.SIGNING, before=before, after=after))
    return found


def _change(
    row: ForecastRow, change: Change, *, before: str = "", after: str = "", amount: Decimal = Decimal(0)
) -> ChangeRow:
    whose = {name: getattr(row, name) for name in (*Row.model_fields, "project", "number", "name")}
    return ChangeRow(**whose, change=change, before=before, after=after, amount=amount)


def make_statistics(
    period: Period,
    made_at: datetime,
    figures: Iterable[AccountFigures],
    missed: Iterable[Missed],
    organisation: Organisation,
    reviews: Reviews,
) -> AccountStatistics:
    """R2–R4: how every account that was one in the period stands."""
    rows = sorted(figures, key=lambda row: (row.department or "", row.salesperson, row.customer, row.account))
    return AccountStatistics(
        period=period,
        made_at=made_at,
        rows=tuple(rows),
        near_target=reviews.near_target,
        missed=_missed(missed, organisation),
    )


class _Whose(TypedDict):
    salesperson: str
    salesperson_name: str
    department: str | None
    department_name: str


def _whose(person: str, department: str | None, organisation: Organisation) -> _Whose:
    office = organisation.departments_by_id.get(department or "")
    return {
        "salesperson": person,
        "salesperson_name": organisation.name_of(person),
        "department": department,
        "department_name": office.name if office else department or "",
    }


def _project(one: ProjectNow) -> dict[str, Any]:
    return {
        "project": one.id,
        **one.model_dump(include={"number", "name", "customer", "sales_stage", "amount", "expected_signing"}),
    }


def _missed(missed: Iterable[Missed], organisation: Organisation) -> tuple[MissedStep, ...]:
    steps = [
        MissedStep(
            **_whose(one.person, one.department, organisation), task=one.task, review=one.review, period=one.period
        )
        for one in missed
    ]
    return tuple(sorted(steps, key=lambda step: (step.period, step.task, step.department or "", step.salesperson)))

"""Assembles reports from the record (U1, U9, R2–R4, R6).

Pure. However late a report is made, it holds what was true when its period ended: which projects were open, and their
stages, amounts and expected signing dates. A forecast also has the projects approved since, marked as such. Responsible
people and splits are those at `made_at`; events (an update, a contract) count in the period in which they happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypedDict

from domain.base import Moment, Wire
from domain.disputes.credit import Credit, credits_for, shares_in_words, shares_of
from domain.organisation import Organisation
from domain.policy import Reviews
from domain.projects.project import ProjectStage, ProjectStatus, SalesStage
from domain.reports.report import (
    AccountFigures,
    AccountStatistics,
    Change,
    ChangeRow,
    ContractRow,
    DigestRow,
    ForecastRow,
    MissedStep,
    ReportRow,
    Said,
    SalesForecast,
    WeeklyDigest,
)
from domain.reviews.periods import Period
from domain.tasks.task import TaskKind


class ProjectNow(Wire):
    """An approved project as recorded at present."""

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
    agreement: dict[str, Any] | None = None
    """D3: the agreement with its split, if there is one."""


class Terms(Wire):
    """The terms in a form or an update; an update leaves unchanged terms out."""

    sales_stage: SalesStage | None = None
    amount: Decimal | None = None
    expected_signing: date | None = None


class TermsUpdated(Terms):
    """The terms that one update gives, and when."""

    at: Moment


def as_at(moment: datetime, now: ProjectNow, submitted: Terms, updates: Sequence[TermsUpdated]) -> ProjectNow:
    """U9: a project as it was at `moment`. `submitted`: its form as approved; `updates`: all its updates, oldest
    first. Terms that no update has changed since keep their present value."""
    then: dict[str, Any] = {}
    for name in Terms.model_fields:
        said = [(update.at, value) for update in updates if (value := getattr(update, name)) is not None]
        if any(at >= moment for at, _ in said):
            before = [value for at, value in said if at < moment]
            then[name] = before[-1] if before else getattr(submitted, name)
    return now.model_copy(update=then)


class Missed(Wire):
    """R6: a review step that was not done."""

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
    """U1: every project that was active in the week, with its updates of the week.

    `week`: from its first moment up to, not including, its last. `last_updates`: the last update of each project before
    the end of the week. A project that ended or was approved in the week is not silent.
    """
    end = week[1]
    rows = []
    for project in projects:
        last = max(last_updates.get(project.id, project.number_issued_at), project.number_issued_at)
        over = project.stage.ended and project.stage_since < end
        rows.append(
            DigestRow(
                **_whose(project.salesperson, project.department, organisation),
                **_project(project),
                credits=credits_of(project, organisation),
                status=project.stage.status if over else ProjectStatus.ACTIVE,
                updates=tuple(updates.get(project.id, ())),
                last_update_at=last,
                silent_days=(end - last) // timedelta(days=1),
                new=project.number_issued_at >= week[0],
            )
        )
    rows.sort(key=lambda row: (not row.silent, -row.silent_days if row.silent else 0, row.number))
    return WeeklyDigest(
        period=period, made_at=made_at, as_of=end, rows=tuple(rows), missed=_missed(missed, organisation)
    )


def make_forecast(
    period: Period,
    made_at: datetime,
    projects: Iterable[ProjectNow],
    earlier: SalesForecast | None,
    gone: Mapping[str, ProjectNow],
    missed: Iterable[Missed],
    organisation: Organisation,
    reviews: Reviews,
    as_of: datetime | None = None,
    since: Iterable[ProjectNow] = (),
) -> SalesForecast:
    """U9: every approved project that was open `as_of` the end of the period, those approved `since` (marked), and
    the changes since the previous forecast. `gone`: projects of the previous forecast that are in neither."""
    known, later = tuple(projects), tuple(since)
    approved_since = {project.id for project in later}
    known = (*known, *later)
    rows = [
        ForecastRow(
            **_whose(project.salesperson, project.department, organisation),
            **_project(project),
            probability=reviews.probability[project.sales_stage],
            approved_since=project.id in approved_since,
        )
        for project in known
    ]
    rows = [
        row.model_copy(update={"credits": credits_of(project, organisation, row.weighted)})
        for project, row in zip(known, rows, strict=True)
    ]
    rows.sort(key=lambda row: (row.expected_signing, row.number))
    return SalesForecast(
        period=period,
        made_at=made_at,
        as_of=as_of,
        rows=tuple(rows),
        compared_with=earlier.period.id if earlier else "",
        changes=changes_between(earlier.rows, rows, gone) if earlier else (),
        missed=_missed(missed, organisation),
    )


def credits_of(project: ProjectNow, organisation: Organisation, weighted: Decimal | None = None) -> tuple[Credit, ...]:
    """D3: how a project's amount is credited to people."""
    shares = shares_of(project.agreement, project.salesperson)
    return credits_for(
        shares,
        project.amount,
        organisation,
        department=project.department,
        responsible=project.salesperson,
        weighted=weighted,
    )


_FATES = {
    ProjectStage.CONTRACT_SIGNED: Change.SIGNED,
    ProjectStage.ENDED: Change.LOST,
    ProjectStage.SHELVED: Change.SHELVED,
    ProjectStage.MERGED: Change.MERGED,  # D6: its status is "ended", but it was not lost
}


def changes_between(
    before: Iterable[ForecastRow], now: Iterable[ForecastRow], gone: Mapping[str, ProjectNow]
) -> tuple[ChangeRow, ...]:
    """U9: how each project changed. The amounts add up to the present total minus the previous total: overall, per
    department and per salesperson; so do the credits of each person (D3)."""
    then = {row.project: row for row in before}
    found: list[ChangeRow] = []
    for row in now:
        old = then.pop(row.project, None)
        found += _changes_of(old, row) if old else [_all_of(row, Change.NEW, 1, after=str(row.amount))]
    for row in then.values():
        fate = gone.get(row.project)
        change = _FATES.get(fate.stage, Change.LOST) if fate else Change.LOST
        signed = fate.contract_amount if fate and change is Change.SIGNED else None
        after = "" if signed is None else str(signed)
        found.append(_all_of(row, change, -1, before=str(row.amount), after=after))
    return tuple(sorted(found, key=lambda row: (list(Change).index(row.change), row.number, row.amount)))


def _changes_of(old: ForecastRow, row: ForecastRow) -> list[ChangeRow]:
    """Changes of a project that is in both forecasts."""
    found = []
    if (old.salesperson, old.department) != (row.salesperson, row.department):
        names = {"before": old.salesperson_name, "after": row.salesperson_name}
        found += [_all_of(old, Change.HANDED_OVER, -1, **names), _all_of(row, Change.HANDED_OVER, 1, **names)]
    elif _shares(old) != _shares(row):
        words = {"before": shares_in_words(old.credited), "after": shares_in_words(row.credited)}
        found += [_all_of(old, Change.SPLIT, -1, **words), _all_of(row, Change.SPLIT, 1, **words)]
    elif old.amount != row.amount:
        more = [
            credit.model_copy(update={"amount": credit.amount - before.amount, "weighted": None})
            for before, credit in zip(old.credited, row.credited, strict=True)
        ]
        amounts = {"before": str(old.amount), "after": str(row.amount)}
        found.append(_change(row, Change.AMOUNT, row.amount - old.amount, more, **amounts))
    if old.sales_stage is not row.sales_stage:
        found.append(_all_of(row, Change.STAGE, 0, before=old.sales_stage.value, after=row.sales_stage.value))
    if old.expected_signing != row.expected_signing:
        before, after = old.expected_signing.isoformat(), row.expected_signing.isoformat()
        found.append(_all_of(row, Change.SIGNING, 0, before=before, after=after))
    return found


def _shares(row: ForecastRow) -> list[tuple[str, str | None, Decimal | None]]:
    return [(credit.person, credit.department, credit.percent) for credit in row.credited]


def _all_of(row: ForecastRow, change: Change, sign: int, *, before: str = "", after: str = "") -> ChangeRow:
    """The whole amount is added (1), removed (-1) or unchanged (0); so are its credits."""
    credits = [credit.model_copy(update={"amount": sign * credit.amount, "weighted": None}) for credit in row.credited]
    return _change(row, change, sign * row.amount, credits, before=before, after=after)


def _change(
    row: ForecastRow, change: Change, amount: Decimal, credits: Sequence[Credit], *, before: str, after: str
) -> ChangeRow:
    whose = {name: getattr(row, name) for name in (*ReportRow.model_fields, "project", "number", "name")}
    return ChangeRow(**whose, change=change, before=before, after=after, amount=amount, credits=tuple(credits))


def make_statistics(
    period: Period,
    made_at: datetime,
    figures: Iterable[AccountFigures],
    contracts: Iterable[ContractRow],
    missed: Iterable[Missed],
    organisation: Organisation,
    reviews: Reviews,
) -> AccountStatistics:
    """R2–R4: how every account of the period performs."""
    rows = sorted(figures, key=lambda row: (row.department or "", row.salesperson, row.customer, row.account))
    return AccountStatistics(
        period=period,
        made_at=made_at,
        rows=tuple(rows),
        contracts=tuple(sorted(contracts, key=lambda row: (row.on, row.number, row.project))),
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


def _project(project: ProjectNow) -> dict[str, Any]:
    return {
        "project": project.id,
        **project.model_dump(include={"number", "name", "customer", "sales_stage", "amount", "expected_signing"}),
    }


def _missed(missed: Iterable[Missed], organisation: Organisation) -> tuple[MissedStep, ...]:
    steps = [
        MissedStep(
            **_whose(step.person, step.department, organisation), task=step.task, review=step.review, period=step.period
        )
        for step in missed
    ]
    return tuple(sorted(steps, key=lambda step: (step.period, step.task, step.department or "", step.salesperson)))

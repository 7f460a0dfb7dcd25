"""What reports are made from, and the reports that were made (U1, U9, R2–R4, R6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Date, Numeric, and_, cast, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts.accounts import AccountRow
from db.rows import read, read_all
from db.tables.accounts import account, account_result
from db.tables.base import Moment
from db.tables.projects import project, project_round, project_update
from db.tables.reviews import account_review, account_target, report, review
from db.tables.tasks import task, task_person
from domain.accounts.figures import MonthResults, SignedContract, TargetSet
from domain.base import Wire
from domain.projects.project import PROJECT_ENDED, ProjectStage
from domain.reports.making import Missed, ProjectNow, Terms, TermsUpdated, as_at
from domain.reports.report import Report, ReportKind, Said
from domain.reviews.periods import Period, Rhythm
from domain.reviews.review import UNASSIGNED, PlanProgress
from domain.subject import SubjectType
from domain.tasks.task import AssigneeCapacity, TaskKind, TaskStatus

_REPORT: TypeAdapter[Report] = TypeAdapter(Report)
_NAMES = {
    Rhythm.WEEKLY: "____-W__",
    Rhythm.MONTHLY: "____-__",
    Rhythm.QUARTERLY: "FY____-Q_",
    Rhythm.HALF_YEARLY: "FY____-H_",
    Rhythm.YEARLY: "FY____",
}
"""How the periods of a rhythm are named (`domain/reviews/periods.py`): documents are large, names are not."""
_OVER = sorted(stage.value for stage in PROJECT_ENDED)
_FORM = project.c.form


def contract_amount() -> ColumnElement[Decimal]:
    """U7: what a project's contract is worth, as it stands in the record by now."""
    return cast(project.c.contract["amount"].astext, Numeric(15, 2))


def signed_on(time_zone: str) -> ColumnElement[date]:
    """U7: the day a contract counts for: when commerce received it, else when that was said, in the company's zone."""
    said_at = cast(project.c.contract["at"].astext, Moment)
    on_that_day: ColumnElement[Any] = cast(func.timezone(time_zone, said_at), Date)
    return func.coalesce(cast(project.c.contract["received_on"].astext, Date), on_that_day)


_PROJECT_NOW = (
    *(project.c[name] for name in ("id", "number", "salesperson", "department", "agreement")),
    *(project.c[name] for name in ("stage", "stage_since", "number_issued_at")),
    _FORM["name"].astext.label("name"),
    _FORM["customer"]["name"].astext.label("customer"),
    _FORM["stage"].astext.label("sales_stage"),
    cast(_FORM["amount"].astext, Numeric(15, 2)).label("amount"),
    cast(_FORM["expected_signing"].astext, Date).label("expected_signing"),
    contract_amount().label("contract_amount"),
)


class MadeReport(Wire):
    """A report that there is, by name."""

    kind: ReportKind
    period: Period
    made_at: datetime


async def keep(connection: AsyncConnection, made: Report) -> bool:
    """Keep a report; one that is there already stays as it is (X3). Returns whether it was kept."""
    statement = upsert(report).values(
        kind=made.kind.value,
        period=made.period.id,
        made_at=made.made_at,
        document=made.model_dump(mode="json"),
    )
    kept = await connection.execute(statement.on_conflict_do_nothing().returning(report.c.kind))
    return kept.first() is not None


async def find(connection: AsyncConnection, kind: ReportKind, period: str) -> Report | None:
    """The report of a period, if it has been made."""
    query = select(report.c.document).where(report.c.kind == kind.value, report.c.period == period)
    document = await connection.scalar(query)
    return _REPORT.validate_python(document) if document else None


async def newest(
    connection: AsyncConnection, kind: ReportKind, *, rhythms: Sequence[Rhythm] = (), before: datetime | None = None
) -> MadeReport | None:
    """The report of that kind that was made last; of these rhythms, and before a moment, where they are given."""
    wanted = [report.c.kind == kind.value]
    if rhythms:
        wanted.append(or_(*(report.c.period.like(_NAMES[rhythm]) for rhythm in rhythms)))
    if before:
        wanted.append(report.c.made_at < before)
    found = await _made(connection, wanted, limit=1)
    return found[0] if found else None


async def reports_made(
    connection: AsyncConnection, *, kind: ReportKind | None, after: tuple[str, ...] | None, limit: int
) -> tuple[MadeReport, ...]:
    """The reports there are, the last made first, after the one that a cursor names."""
    wanted = [] if kind is None else [report.c.kind == kind.value]
    if after:
        place = (datetime.fromisoformat(after[0]), after[1], after[2])
        wanted.append(tuple_(report.c.made_at, report.c.kind, report.c.period) < place)
    return await _made(connection, wanted, limit=limit)


async def _made(
    connection: AsyncConnection, wanted: Sequence[ColumnElement[bool]], *, limit: int
) -> tuple[MadeReport, ...]:
    newest_first = [column.desc() for column in (report.c.made_at, report.c.kind, report.c.period)]
    columns = (report.c.made_at, report.c.kind, report.c.document["period"].label("period"))
    rows = await connection.execute(select(*columns).where(*wanted).order_by(*newest_first).limit(limit))
    return read_all(MadeReport, rows)


async def active_within(connection: AsyncConnection, start: datetime, end: datetime) -> tuple[ProjectNow, ...]:
    """U1: the projects that were active at some time from `start` up to `end`, as they were then."""
    return await _as_they_were(connection, end, await _projects(connection, _active_within(start, end)))


async def active_at(connection: AsyncConnection, moment: datetime) -> tuple[ProjectNow, ...]:
    """U9: the approved projects that were open at `moment`, as they were then."""
    return await _as_they_were(connection, moment, await _projects(connection, _active_within(moment, moment)))


async def approved_since(connection: AsyncConnection, moment: datetime) -> tuple[ProjectNow, ...]:
    """U9: the projects that were approved at `moment` or later, and are open."""
    return await _projects(
        connection, project.c.number_issued_at >= moment, project.c.stage == ProjectStage.ACTIVE.value
    )


async def projects_now(connection: AsyncConnection, project_ids: Sequence[str]) -> dict[str, ProjectNow]:
    """Approved projects, wherever they stand now."""
    if not project_ids:
        return {}
    return {found.id: found for found in await _projects(connection, project.c.id.in_(project_ids))}


async def updates_within(connection: AsyncConnection, start: datetime, end: datetime) -> dict[str, tuple[Said, ...]]:
    """U1: what was said from `start` up to `end`, by project, the first first."""
    columns = project_update.c
    rows = await connection.execute(
        select(columns.project_id, columns.recorded_at, columns.progress, columns.problems, columns.next_steps)
        .where(columns.recorded_at >= start, columns.recorded_at < end)
        .order_by(columns.project_id, columns.number)
    )
    found: dict[str, list[Said]] = defaultdict(list)
    for row in rows:
        said = Said(at=row.recorded_at, progress=row.progress, problems=row.problems, next_steps=row.next_steps)
        found[row.project_id].append(said)
    return {project_id: tuple(updates) for project_id, updates in found.items()}


async def last_updates(connection: AsyncConnection, start: datetime, end: datetime) -> dict[str, datetime]:
    """When each project that was active within was updated last before `end`; none for those never updated."""
    columns = project_update.c
    rows = await connection.execute(
        select(columns.project_id, func.max(columns.recorded_at).label("at"))
        .join(project, project.c.id == columns.project_id)
        .where(_active_within(start, end), columns.recorded_at < end)
        .group_by(columns.project_id)
    )
    return {row.project_id: row.at for row in rows}


async def accounts_within(connection: AsyncConnection, start: datetime, end: datetime) -> tuple[AccountRow, ...]:
    """R3, R4: the accounts that were one at some time from `start` up to `end`."""
    columns = account.c
    there = and_(columns.activated_at < end, or_(columns.revoked_at.is_(None), columns.revoked_at >= start))
    rows = await connection.execute(select(account).where(there).order_by(columns.id))
    return read_all(AccountRow, rows)


async def missed_steps(
    connection: AsyncConnection, rhythms: Sequence[Rhythm], since: datetime | None, until: datetime
) -> tuple[Missed, ...]:
    """R6: what nobody did of the reviews that closed after `since`, up to `until`. One that is still open then is
    missed, whether or not its process has said so yet; one that was opened when it had closed is nobody's miss."""
    columns = review.c
    wanted = [
        columns.rhythm.in_([rhythm.value for rhythm in rhythms]),
        columns.closes_at <= until,
        task.c.opened_at < columns.closes_at,
        task.c.status.in_([TaskStatus.MISSED.value, TaskStatus.OPEN.value]),
    ]
    if since:
        wanted.append(columns.closes_at > since)
    rows = await connection.execute(
        select(
            task.c.kind.label("task"),
            columns.id.label("review"),
            columns.period,
            columns.rhythm,
            columns.unit,
            task_person.c.person,
        )
        .ext(distinct_on(task.c.id))
        .join(review, and_(task.c.subject_type == SubjectType.REVIEW.value, task.c.subject_id == columns.id))
        .join(task_person, and_(task_person.c.task_id == task.c.id, task_person.c.removed_at.is_(None)))
        .where(*wanted)
        .order_by(
            task.c.id,
            task_person.c.capacity != AssigneeCapacity.HOLDER.value,
            task_person.c.asked_at,
            task_person.c.person,
        )
    )
    return tuple(
        Missed(
            department=row.unit if row.rhythm == Rhythm.WEEKLY.value and row.unit != UNASSIGNED else None,
            **{name: row._mapping[name] for name in ("task", "review", "period", "person")},
        )
        for row in rows
    )


def _active_within(start: datetime, end: datetime) -> ColumnElement[bool]:
    still_open_then = or_(project.c.stage.not_in(_OVER), project.c.stage_since >= start)
    return and_(project.c.number_issued_at < end, still_open_then)


async def _as_they_were(
    connection: AsyncConnection, moment: datetime, projects: Sequence[ProjectNow]
) -> tuple[ProjectNow, ...]:
    """Those that were updated since, as they were before (U9)."""
    columns = project_update.c
    since = select(columns.project_id).where(columns.recorded_at >= moment).distinct()
    said: dict[str, list[TermsUpdated]] = defaultdict(list)
    for row in await connection.execute(
        select(
            columns.project_id,
            columns.recorded_at.label("at"),
            columns.stage.label("sales_stage"),
            columns.amount,
            columns.expected_signing,
        )
        .where(columns.project_id.in_(since))
        .order_by(columns.project_id, columns.number)
    ):
        said[row.project_id].append(read(TermsUpdated, row))
    submitted = await _submitted(connection, list(said))
    return tuple(as_at(moment, now, submitted[now.id], said[now.id]) if now.id in said else now for now in projects)


async def _submitted(connection: AsyncConnection, project_ids: Sequence[str]) -> dict[str, Terms]:
    """What the forms of these projects said when they were submitted last (P2)."""
    columns = project_round.c
    rows = await connection.execute(
        select(columns.project_id, columns.form)
        .ext(distinct_on(columns.project_id))
        .where(columns.project_id.in_(project_ids))
        .order_by(columns.project_id, columns.round.desc())
    )
    return {
        row.project_id: Terms(
            sales_stage=row.form["stage"], amount=row.form["amount"], expected_signing=row.form["expected_signing"]
        )
        for row in rows
    }


async def _projects(connection: AsyncConnection, *wanted: ColumnElement[bool]) -> tuple[ProjectNow, ...]:
    query = select(*_PROJECT_NOW).where(project.c.number.is_not(None), *wanted).order_by(project.c.id)
    return tuple(read(ProjectNow, row) for row in await connection.execute(query))


async def targets_of(connection: AsyncConnection, accounts: Sequence[str]) -> dict[str, dict[str, TargetSet]]:
    """Everything that was set for these accounts, by account and period (R2, R4)."""
    columns = account_target.c
    rows = await connection.execute(select(account_target).where(columns.account_id.in_(accounts)))
    found: dict[str, dict[str, TargetSet]] = defaultdict(dict)
    for row in rows:
        found[row.account_id][row.period] = TargetSet(
            contracts=row.contracts,
            revenue=row.revenue,
            action_plan=row.action_plan,
            requirements=row.requirements,
        )
    return found


async def contracts_under(
    connection: AsyncConnection, accounts: Sequence[str], first: date, last: date, time_zone: str
) -> dict[str, tuple[SignedContract, ...]]:
    """U7: the contracts of registered projects under these accounts that count for a day from `first` to `last`, by
    account, in the order of their days."""
    on = signed_on(time_zone)
    rows = await connection.execute(
        select(
            project.c.account_id.label("account"),
            project.c.id.label("project"),
            func.coalesce(project.c.number, "").label("number"),
            *(project.c[name] for name in ("salesperson", "department", "agreement")),
            _FORM["name"].astext.label("name"),
            _FORM["customer"]["name"].astext.label("customer"),
            on.label("on"),
            contract_amount().label("amount"),
        )
        .where(project.c.account_id.in_(accounts), project.c.stage == ProjectStage.CONTRACT_SIGNED.value)
        .where(on.between(first, last))
        .order_by(on, project.c.number)
    )
    found: dict[str, list[SignedContract]] = defaultdict(list)
    for row in rows:
        found[row.account].append(read(SignedContract, row))
    return {account_id: tuple(contracts) for account_id, contracts in found.items()}


async def months_of_register(
    connection: AsyncConnection, accounts: Sequence[str], first: date, last: date
) -> dict[str, dict[date, MonthResults]]:
    """What the results register says of these accounts, by account and month (R2, R3)."""
    columns = account_result.c
    rows = await connection.execute(
        select(account_result).where(columns.account_id.in_(accounts), columns.month.between(first, last))
    )
    found: dict[str, dict[date, MonthResults]] = defaultdict(dict)
    for row in rows:
        found[row.account_id][row.month] = read(MonthResults, row)
    return found


async def plan_progress_of(
    connection: AsyncConnection, accounts: Sequence[str], months: Sequence[str]
) -> dict[str, dict[str, PlanProgress]]:
    """What the VP said of the action plans of these months (R2), by account and month; of each, what was said last."""
    columns = account_review.c
    said = columns.fields["plan_progress"].astext.label("said")
    rows = await connection.execute(
        select(columns.account_id, columns.period, said)
        .where(columns.account_id.in_(accounts), columns.period.in_(months))
        .where(columns.kind == TaskKind.MONTHLY_REVIEW.value, said.in_([progress.value for progress in PlanProgress]))
        .order_by(columns.account_id, columns.period, columns.at, columns.task_id)
    )
    by_month: dict[str, dict[str, PlanProgress]] = defaultdict(dict)
    for row in rows:
        by_month[row.account_id][row.period] = PlanProgress(row.said)
    return by_month

"""Lists and what waits; reading never asks the engine (design principle 8)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Select, Table, and_, case, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts.accounts import AccountRow
from db.accounts.applications import ApplicationRow
from db.projects.projects import ProjectRow
from db.reads.access import COUNTS_AS_ASKED, sees_account, sees_application, sees_project
from db.rows import read, read_prefixed
from db.tables.accounts import account, application
from db.tables.messages import mail, nudge
from db.tables.projects import project
from db.tables.tasks import task, task_person
from db.tasks.tasks import ASKED, ASKED_COLUMNS, AskedRow, TaskRow
from domain.access import Scope
from domain.accounts.application import WORKED_ON
from domain.projects.project import WORKED_ON_PROJECT
from domain.tasks.task import TaskStatus

Cursor = tuple[str, ...]


class OpenTasks(NamedTuple):
    """How many open tasks ask somebody, and how many of them are overdue."""

    open: int
    overdue: int


async def applications_seen(
    connection: AsyncConnection,
    scope: Scope,
    *,
    stage: str | None,
    applicant: str | None,
    department: str | None = None,
    after: Cursor | None,
    limit: int,
) -> tuple[ApplicationRow, ...]:
    """Applications in `scope`, newest first, after the one a cursor names."""
    wanted = [
        *_is(application.c.stage, stage),
        *_is(application.c.applicant, applicant),
        *_is(application.c.department, department),
    ]
    rows = await _newest(
        connection, application, application.c.submitted_at, [sees_application(scope), *wanted], after, limit
    )
    return tuple(ApplicationRow.model_validate(row) for row in rows)


async def accounts_seen(
    connection: AsyncConnection,
    scope: Scope,
    *,
    salesperson: str | None,
    department: str | None = None,
    revoked: bool,
    after: Cursor | None,
    limit: int,
) -> tuple[AccountRow, ...]:
    """Accounts in `scope`, newest first; with `revoked` those that were revoked as well (R5)."""
    wanted = [*_is(account.c.salesperson, salesperson), *_is(account.c.department, department)]
    if not revoked:
        wanted.append(account.c.revoked_at.is_(None))
    rows = await _newest(connection, account, account.c.activated_at, [sees_account(scope), *wanted], after, limit)
    return tuple(AccountRow.model_validate(row) for row in rows)


async def projects_seen(
    connection: AsyncConnection,
    scope: Scope,
    *,
    stages: Sequence[str] | None = None,
    salesperson: str | None = None,
    department: str | None = None,
    account_id: str | None = None,
    after: Cursor | None = None,
    limit: int | None = None,
) -> tuple[ProjectRow, ...]:
    """Projects in `scope`, the newest registration first."""
    wanted = [
        *_is(project.c.salesperson, salesperson),
        *_is(project.c.department, department),
        *_is(project.c.account_id, account_id),
    ]
    if stages is not None:
        wanted.append(project.c.stage.in_(stages))
    rows = await _newest(connection, project, project.c.registered_at, [sees_project(scope), *wanted], after, limit)
    return tuple(ProjectRow.model_validate(row) for row in rows)


async def seen_among(connection: AsyncConnection, scope: Scope, kind: str, ids: Sequence[str]) -> frozenset[str]:
    """Which of these applications, accounts or projects are in `scope`, by the very conditions that filter lists."""
    if not ids:
        return frozenset()
    subject_id, seen = {
        "application": (application.c.id, sees_application(scope)),
        "account": (account.c.id, sees_account(scope)),
        "project": (project.c.id, sees_project(scope)),
    }[kind]
    return frozenset(await connection.scalars(select(subject_id).where(subject_id.in_(ids), seen)))


async def project_names(connection: AsyncConnection, project_ids: Sequence[str]) -> dict[str, str]:
    """The name of each of these projects."""
    name = project.c.form["name"].astext
    rows = await connection.execute(select(project.c.id, name.label("name")).where(project.c.id.in_(project_ids)))
    return {row.id: row.name for row in rows}


async def resumed_by(connection: AsyncConnection, project_id: str) -> str | None:
    """U6: the registration that resumes this project, or tries to; the newest when one came to nothing."""
    newest = select(project.c.id).where(project.c.resumes == project_id).order_by(project.c.registered_at.desc())
    return cast(str | None, await connection.scalar(newest.limit(1)))


async def tasks_asked(
    connection: AsyncConnection, person: str, *, status: str | None, after: Cursor | None, limit: int
) -> tuple[tuple[TaskRow, AskedRow], ...]:
    """The tasks that ask or asked `person`, open ones first, then the newest."""
    closed = case((task.c.status == TaskStatus.OPEN.value, 0), else_=1)
    query: Select[Any] = (
        select(task, *ASKED_COLUMNS)
        .join(task_person, task_person.c.task_id == task.c.id)
        .where(task_person.c.person == person)
        .where(COUNTS_AS_ASKED)
    )
    if status:
        query = query.where(task.c.status == status)
    if after:
        rank, opened_at, task_id = int(after[0]), datetime.fromisoformat(after[1]), after[2]
        later = and_(closed == rank, tuple_(task.c.opened_at, task.c.id) < (opened_at, task_id))
        query = query.where(or_(closed > rank, later))
    rows = await connection.execute(query.order_by(closed, task.c.opened_at.desc(), task.c.id.desc()).limit(limit))
    return tuple((read(TaskRow, row), read_prefixed(AskedRow, row, ASKED)) for row in rows)


async def open_tasks_of(connection: AsyncConnection, person: str, now: datetime) -> OpenTasks:
    """How many open tasks ask `person`, and how many of those are past their deadline."""
    overdue = func.count().filter(task.c.due_at < now)
    query = (
        select(func.count(), overdue)
        .select_from(task.join(task_person, task_person.c.task_id == task.c.id))
        .where(task_person.c.person == person, task_person.c.removed_at.is_(None))
        .where(task.c.status == TaskStatus.OPEN.value)
    )
    return OpenTasks(*(await connection.execute(query)).one())


async def waiting_now(connection: AsyncConnection, now: datetime) -> dict[str, int]:
    """How much waits: open tasks, those past their deadline, processes that nobody is asked in, mails and nudges not
    out yet."""
    open_tasks = select(func.count()).where(task.c.status == TaskStatus.OPEN.value)
    counts = {
        "baobei_tasks_open": open_tasks,
        "baobei_tasks_overdue": open_tasks.where(task.c.due_at < now),
        "baobei_processes_standing": select(_all_standing(now)),
        "baobei_mails_unsent": select(func.count()).select_from(mail).where(mail.c.sent_at.is_(None)),
        "baobei_nudges_undelivered": select(func.count()).select_from(nudge).where(nudge.c.sent_at.is_(None)),
    }
    row = (
        await connection.execute(select(*(query.scalar_subquery().label(name) for name, query in counts.items())))
    ).one()
    return {name: int(value) for name, value in row._mapping.items()}


STANDING_AFTER = timedelta(minutes=1)
"""From this moment on, a process that should continue automatically counts as standing still."""


async def processes_standing(connection: AsyncConnection, now: datetime) -> int:
    """How many processes have had nobody to ask for more than a minute, at a stage where somebody is to be asked, or
    where they look something up and go on."""
    return int((await connection.execute(select(_all_standing(now)))).scalar_one())


def _all_standing(now: datetime) -> ColumnElement[int]:
    return _standing(application, WORKED_ON, now) + _standing(project, WORKED_ON_PROJECT, now)


def _standing(table: Table, stages: Collection[StrEnum], now: datetime) -> ColumnElement[int]:
    mine = (task.c.subject_type == table.name, task.c.subject_id == table.c.id)
    since = select(func.max(task.c.closed_at)).where(*mine).scalar_subquery()
    asked = select(task.c.id).where(*mine, task.c.status == TaskStatus.OPEN.value).exists()
    over = func.greatest(table.c.stage_since, since) < now - STANDING_AFTER
    live = table.c.stage.in_([stage.value for stage in stages])
    return select(func.count()).select_from(table).where(live, ~asked, over).scalar_subquery()


def _is(column: ColumnElement[Any], wanted: str | None) -> list[ColumnElement[bool]]:
    return [] if wanted is None else [column == wanted]


async def _newest(
    connection: AsyncConnection,
    table: Table,
    moment: ColumnElement[datetime],
    wanted: Sequence[ColumnElement[bool]],
    after: Cursor | None,
    limit: int | None,
) -> list[dict[str, Any]]:
    """Rows of a list, newest first, after the one that a cursor names by moment and id."""
    query = select(table).where(*wanted)
    if after:
        query = query.where(tuple_(moment, table.c.id) < (datetime.fromisoformat(after[0]), after[1]))
    rows = await connection.execute(query.order_by(moment.desc(), table.c.id.desc()).limit(limit))
    return [row._asdict() for row in rows]

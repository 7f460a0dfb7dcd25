"""Lists and what waits; reading never asks the engine (design principle 8)."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Select,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    false,
    func,
    literal_column,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts.accounts import AccountRow
from db.accounts.applications import ApplicationRow
from db.projects.projects import ProjectRow
from db.reads.access import ACCOUNTS, APPLICATIONS, ASKS_NOW, COUNTS_AS_ASKED, PROJECTS, Listed, grounds, sees
from db.reads.walks import AFTER_ID, AFTER_MOMENT, literal, page_of_grounds
from db.rows import read, read_all, read_prefixed
from db.tables.accounts import application
from db.tables.messages import mail, nudge
from db.tables.projects import project
from db.tables.tasks import task, task_person
from db.tasks.tasks import ASKED, ASKED_COLUMNS, AskedRow, TaskRow
from domain.access import Scope
from domain.accounts.application import WORKED_ON
from domain.projects.project import WORKED_ON_PROJECT
from domain.tasks.task import TaskStatus

Cursor = tuple[str, ...]
_LISTED: Mapping[str, Listed] = {listed.name: listed for listed in (APPLICATIONS, ACCOUNTS, PROJECTS)}


_SHAPES = 1000
"""How many statements of lists are kept: building one costs more than sending it (measured)."""


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
    wanted = _Wanted(
        APPLICATIONS.name,
        column="applicant",
        owner=applicant,
        stages=(stage,) if stage else None,
        department=department,
    )
    return read_all(ApplicationRow, await _newest(connection, scope, wanted, after, limit))


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
    wanted = _Wanted(ACCOUNTS.name, owner=salesperson, live=not revoked, department=department)
    return read_all(AccountRow, await _newest(connection, scope, wanted, after, limit))


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
    of_account = {"column": "account_id", "owner": account_id} if account_id is not None else {"owner": salesperson}
    wanted = _Wanted(
        PROJECTS.name, stages=None if stages is None else tuple(stages), department=department, **of_account
    )
    return read_all(ProjectRow, await _newest(connection, scope, wanted, after, limit))


async def seen_among(connection: AsyncConnection, scope: Scope, kind: str, ids: Sequence[str]) -> frozenset[str]:
    """Which of these applications, accounts or projects are in `scope`, by the very conditions that filter lists."""
    if not ids:
        return frozenset()
    listed = _LISTED[kind]
    subject_id = listed.table.c.id
    return frozenset(await connection.scalars(select(subject_id).where(subject_id.in_(ids), sees(scope, listed))))


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
    statuses = tuple(known for known in TaskStatus if status in (None, known.value))
    values: dict[str, Any] = {"person": person}
    if after:
        values |= {AFTER_MOMENT.key: datetime.fromisoformat(after[1]), AFTER_ID.key: after[2]}
    rows = await connection.execute(_asked_page(statuses, int(after[0]) if after else None, limit), values)
    return tuple((read(TaskRow, row), read_prefixed(AskedRow, row, ASKED)) for row in rows)


@functools.lru_cache(maxsize=_SHAPES)
def _asked_page(statuses: tuple[TaskStatus, ...], rank: int | None, limit: int) -> Select[Any]:
    """A page of tasks in these statuses; with a `rank` it goes on after an open task (0) or one that is not (1)."""
    walks = []
    moment, task_id = task_person.c.opened_at, task_person.c.task_id
    for status in statuses:
        mine = 0 if status is TaskStatus.OPEN else 1
        if rank is not None and mine < rank:
            continue
        walk = select(literal(mine).label("rank"), moment.label("opened_at"), task_id.label("task_id"))
        walk = walk.where(task_person.c.person == bindparam("person"), COUNTS_AS_ASKED)
        walk = walk.where(task_person.c.status == literal_column(f"'{status}'"))
        if mine == rank:
            walk = walk.where(tuple_(moment, task_id) < tuple_(AFTER_MOMENT, AFTER_ID))
        walks.append(walk.order_by(moment.desc(), task_id.desc()).limit(literal(limit)))
    if not walks:
        return select(task, *ASKED_COLUMNS).where(false())
    merged = union_all(*walks).subquery()
    order = (merged.c.rank, merged.c.opened_at.desc(), merged.c.task_id.desc())
    page = select(merged).order_by(*order).limit(literal(limit)).subquery()
    return (
        select(task, *ASKED_COLUMNS)
        .join(page, page.c.task_id == task.c.id)
        .join(task_person, and_(task_person.c.task_id == task.c.id, task_person.c.person == bindparam("person")))
        .order_by(page.c.rank, page.c.opened_at.desc(), page.c.task_id.desc())
    )


async def open_tasks_of(connection: AsyncConnection, person: str, now: datetime) -> OpenTasks:
    """How many open tasks ask `person`, and how many of those are past their deadline."""
    overdue = func.count().filter(task_person.c.due_at < now)
    query = select(func.count(), overdue).where(task_person.c.person == person, ASKS_NOW)
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


class _Wanted(NamedTuple):
    """Which rows of a list are asked for."""

    name: str
    """Of the table."""
    column: str = "salesperson"
    owner: str | None = None
    """What `column` is."""
    stages: tuple[str, ...] | None = None
    live: bool = False
    """Of accounts: not revoked (R5)."""
    department: str | None = None


async def _newest(
    connection: AsyncConnection, scope: Scope, wanted: _Wanted, after: Cursor | None, limit: int | None
) -> CursorResult[Any]:
    """Rows of a list, newest first, after the one that a cursor names by moment and id."""
    values: dict[str, Any] = {"owner": wanted.owner} if wanted.owner is not None else {}
    if wanted.stages is not None:
        values["stages"] = wanted.stages
    if wanted.department is not None:
        values["department"] = wanted.department
    if after:
        values |= {AFTER_MOMENT.key: datetime.fromisoformat(after[0]), AFTER_ID.key: after[1]}
    alike = wanted._replace(
        owner=wanted.owner and "",
        stages=None if wanted.stages is None else (),
        department=wanted.department and "",
    )
    rows: CursorResult[Any] = await connection.execute(_page(scope, alike, after is not None, limit), values)
    return rows


@functools.lru_cache(maxsize=_SHAPES)
def _page(scope: Scope, wanted: _Wanted, goes_on: bool, limit: int | None) -> Select[Any]:
    """The statement of a list. `wanted` says what is asked for, without the values."""
    listed = _LISTED[wanted.name]
    table, found = listed.table, grounds(scope, listed)
    conditions: list[ColumnElement[bool]] = []
    if wanted.stages is not None:
        conditions.append(table.c.stage == any_(bindparam("stages", type_=ARRAY(Text))))
    if wanted.live:
        conditions.append(table.c.revoked_at.is_(None))
    if wanted.department is not None:
        conditions.append(table.c.department == bindparam("department"))
    if found is not None and wanted.owner is None and limit is not None:
        return page_of_grounds(listed, found, conditions, goes_on=goes_on, limit=limit)
    conditions.append(sees(scope, listed))  # what one person or account has is little, and judged row by row
    if wanted.owner is not None:
        conditions.append(table.c[wanted.column] == bindparam("owner"))
    order = (listed.moment, table.c.id)
    if goes_on:
        conditions.append(tuple_(*order) < tuple_(AFTER_MOMENT, AFTER_ID))
    query = select(table).where(*conditions).order_by(*(column.desc() for column in order))
    return query if limit is None else query.limit(literal(limit))

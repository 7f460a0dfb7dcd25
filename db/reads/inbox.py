"""What an inbox lists: tasks that wait for somebody, that they decided, and subjects that mails told them about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    ColumnElement,
    Label,
    Numeric,
    Select,
    and_,
    cast,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from db.reads.access import ACCOUNTS, APPLICATIONS, ASKS_NOW, PROJECTS, sees
from db.rows import read, read_all, read_prefixed
from db.tables.accounts import account, application
from db.tables.messages import mail
from db.tables.projects import project
from db.tables.tasks import decision, task, task_person
from db.tasks.tasks import ASKED, ASKED_COLUMNS, AskedRow, TaskRow
from domain.access import Scope
from domain.base import Wire
from domain.tasks.task import TaskKind, TaskStatus

MOST_FOUND = 10
After = tuple[datetime, str]
"""The moment and id of the task that a page goes on after."""


class Listed(Wire):
    """A task in a list, and what it is to the person whose list it is."""

    task: TaskRow
    mine: AskedRow
    at: datetime
    """What the list is ordered by: when the task is due, or when it was decided."""


class SubjectLine(Wire):
    """A subject as a row of a list."""

    id: str
    type: str
    name: str
    customer_name: str
    by: str
    """Id of whoever applied or registered."""
    amount: Decimal | None = None
    stage: str = ""
    number: str | None = None


class Told(Wire):
    """A subject that somebody was told about, and when last."""

    subject_id: str
    at: datetime


def _type(name: str) -> Label[str]:
    return literal_column(f"'{name}'").label("type")


_APPLICATION = (
    application.c.id,
    _type("application"),
    application.c.form["customer"]["name"].astext.label("name"),
    application.c.form["customer"]["name"].astext.label("customer_name"),
    application.c.applicant.label("by"),
    cast(application.c.form["forecast"]["annual_contracts"].astext, Numeric).label("amount"),
    application.c.stage,
)
_PROJECT = (
    project.c.id,
    _type("project"),
    project.c.form["name"].astext.label("name"),
    project.c.form["customer"]["name"].astext.label("customer_name"),
    project.c.salesperson.label("by"),
    cast(project.c.form["amount"].astext, Numeric).label("amount"),
    project.c.stage,
    project.c.number,
)
_ACCOUNT = (
    account.c.id,
    _type("account"),
    account.c.form["customer"]["name"].astext.label("name"),
    account.c.form["customer"]["name"].astext.label("customer_name"),
    account.c.salesperson.label("by"),
)


async def waiting_for(
    connection: AsyncConnection,
    person: str,
    *,
    kind: TaskKind | None = None,
    due_before: datetime | None = None,
    after: After | None = None,
    limit: int,
) -> tuple[Listed, ...]:
    """The open tasks that ask `person` now, the one due first first."""
    due = task_person.c.due_at
    wanted = [ASKS_NOW, *([due < due_before] if due_before else [])]
    if after:
        wanted.append(tuple_(due, task.c.id) > after)
    query = _tasks_of(person, due, kind).where(*wanted).order_by(due, task.c.id)
    return await _listed(connection, query.limit(limit))


async def decided_by(
    connection: AsyncConnection, person: str, *, kind: TaskKind | None = None, after: After | None = None, limit: int
) -> tuple[Listed, ...]:
    """The tasks that `person` decided, the last one first."""
    at = decision.c.decided_at
    query = _tasks_of(person, at, kind).join(decision, decision.c.task_id == task.c.id)
    query = query.where(decision.c.person == person)
    if after:
        query = query.where(tuple_(at, task.c.id) < after)
    return await _listed(connection, query.order_by(at.desc(), task.c.id.desc()).limit(limit))


def _tasks_of(person: str, at: ColumnElement[datetime], kind: TaskKind | None) -> Select[tuple[object, ...]]:
    query = select(task, *ASKED_COLUMNS, at.label("listed_at")).join(task_person, task_person.c.task_id == task.c.id)
    query = query.where(task_person.c.person == person)
    return query.where(task.c.kind == kind.value) if kind else query


async def _listed(connection: AsyncConnection, query: Select[tuple[object, ...]]) -> tuple[Listed, ...]:
    rows = await connection.execute(query)
    return tuple(
        Listed(task=read(TaskRow, row), mine=read_prefixed(AskedRow, row, ASKED), at=row.listed_at) for row in rows
    )


async def subjects(
    connection: AsyncConnection, application_ids: Sequence[str], project_ids: Sequence[str]
) -> dict[str, SubjectLine]:
    """These applications and projects, by id."""
    found: list[SubjectLine] = []
    if application_ids:
        query = select(*_APPLICATION).where(application.c.id.in_(application_ids))
        found += read_all(SubjectLine, await connection.execute(query))
    if project_ids:
        query = select(*_PROJECT).where(project.c.id.in_(project_ids))
        found += read_all(SubjectLine, await connection.execute(query))
    return {line.id: line for line in found}


async def told(connection: AsyncConnection, person: str, *, limit: int) -> tuple[Told, ...]:
    """The subjects that mails without a task have told `person` of, the newest first, each once.

    Looks at no more than four mails for each subject wanted: somebody who is told of one subject again and again sees
    fewer subjects.
    """
    newest = (
        select(mail.c.subject_id, mail.c.created_at.label("at"), mail.c.id)
        .where(mail.c.person == person, mail.c.link_id.is_(None), mail.c.subject_id.is_not(None))
        .order_by(mail.c.id.desc())
        .limit(limit * 4)
        .subquery()
    )
    query = (
        select(newest.c.subject_id, func.max(newest.c.at).label("at"))
        .group_by(newest.c.subject_id)
        .order_by(func.max(newest.c.id).desc())
        .limit(limit)
    )
    return read_all(Told, await connection.execute(query))


async def open_tasks_on(connection: AsyncConnection, person: str, *, limit: int) -> tuple[TaskRow, ...]:
    """The open tasks on what `person` has applied for or is responsible for, the one due first first."""
    mine = union_all(
        select(application.c.id, _type("application")).where(application.c.applicant == person),
        select(project.c.id, _type("project")).where(project.c.salesperson == person),
    ).subquery()
    query = (
        select(task)
        .join(mine, and_(task.c.subject_id == mine.c.id, task.c.subject_type == mine.c.type))
        .where(task.c.status == TaskStatus.OPEN.value)
        .order_by(task.c.due_at)
        .limit(limit)
    )
    return read_all(TaskRow, await connection.execute(query))


async def search(
    connection: AsyncConnection, scope: Scope, project_scope: Scope, words: str
) -> tuple[SubjectLine, ...]:
    """Accounts, applications and projects in scope whose customer, name or number contains `words`; a few of each."""
    queries = (
        select(*_ACCOUNT)
        .where(account.c.form["customer"]["name"].astext.icontains(words, autoescape=True), sees(scope, ACCOUNTS))
        .order_by(account.c.activated_at.desc()),
        select(*_PROJECT)
        .where(
            or_(
                project.c.form["name"].astext.icontains(words, autoescape=True),
                project.c.form["customer"]["name"].astext.icontains(words, autoescape=True),
                project.c.number.icontains(words, autoescape=True),
            ),
            sees(project_scope, PROJECTS),
        )
        .order_by(project.c.registered_at.desc()),
        select(*_APPLICATION)
        .where(
            application.c.form["customer"]["name"].astext.icontains(words, autoescape=True), sees(scope, APPLICATIONS)
        )
        .order_by(application.c.submitted_at.desc()),
    )
    found: list[SubjectLine] = []
    for query in queries:
        found += read_all(SubjectLine, await connection.execute(query.limit(MOST_FOUND)))
    return tuple(found)

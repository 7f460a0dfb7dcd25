"""What an inbox shows of the subjects of tasks, of what somebody was told, and of what they search for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Numeric, and_, cast, func, literal_column, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from db.reads.access import ACCOUNTS, APPLICATIONS, PROJECTS, sees
from db.rows import read_all
from db.tables.accounts import account, application
from db.tables.messages import mail
from db.tables.projects import project
from db.tables.tasks import task
from db.tasks.tasks import TaskRow
from domain.access import Scope
from domain.base import Wire
from domain.tasks.task import TaskStatus

MOST_FOUND = 10


class SubjectLine(Wire):
    """A subject as a row of a list."""

    id: str
    type: str
    name: str
    customer_name: str
    by: str
    """Id of whoever applied or registered."""
    department: str | None = None
    amount: Decimal | None = None
    stage: str = ""
    number: str | None = None


class Told(Wire):
    """A subject that somebody was told about, and when last."""

    subject_id: str
    at: datetime


_APPLICATION = (
    application.c.id,
    func.concat("application").label("type"),
    application.c.form["customer"]["name"].astext.label("name"),
    application.c.form["customer"]["name"].astext.label("customer_name"),
    application.c.applicant.label("by"),
    application.c.department,
    cast(application.c.form["forecast"]["annual_contracts"].astext, Numeric).label("amount"),
    application.c.stage,
)
_PROJECT = (
    project.c.id,
    func.concat("project").label("type"),
    project.c.form["name"].astext.label("name"),
    project.c.form["customer"]["name"].astext.label("customer_name"),
    project.c.salesperson.label("by"),
    project.c.department,
    cast(project.c.form["amount"].astext, Numeric).label("amount"),
    project.c.stage,
    project.c.number,
)
_ACCOUNT = (
    account.c.id,
    func.concat("account").label("type"),
    account.c.form["customer"]["name"].astext.label("name"),
    account.c.form["customer"]["name"].astext.label("customer_name"),
    account.c.salesperson.label("by"),
    account.c.department,
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
    """The subjects that mails without a task have told `person` of, the newest first, each once."""
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
        select(application.c.id, literal_column("'application'").label("type")).where(
            application.c.applicant == person
        ),
        select(project.c.id, literal_column("'project'").label("type")).where(project.c.salesperson == person),
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
    escaped = words
    for special in ("\\", "%", "_"):
        escaped = escaped.replace(special, f"\\{special}")
    pattern = f"%{escaped}%"
    queries = (
        select(*_ACCOUNT)
        .where(account.c.form["customer"]["name"].astext.ilike(pattern), sees(scope, ACCOUNTS))
        .order_by(account.c.activated_at.desc()),
        select(*_PROJECT)
        .where(
            or_(
                project.c.form["name"].astext.ilike(pattern),
                project.c.form["customer"]["name"].astext.ilike(pattern),
                project.c.number.ilike(pattern),
            ),
            sees(project_scope, PROJECTS),
        )
        .order_by(project.c.registered_at.desc()),
        select(*_APPLICATION)
        .where(application.c.form["customer"]["name"].astext.ilike(pattern), sees(scope, APPLICATIONS))
        .order_by(application.c.submitted_at.desc()),
    )
    found: list[SubjectLine] = []
    for query in queries:
        found += read_all(SubjectLine, await connection.execute(query.limit(MOST_FOUND)))
    return tuple(found)

"""What an inbox lists: tasks that wait for somebody, that they decided, and subjects that mails told them about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

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
from domain.base import Frozen, Wire
from domain.tasks.task import TaskKind, TaskStatus

MOST_FOUND = 10
MOST_COUNTED = 100
"""Beyond, a list says that there are more."""
After = tuple[datetime | Decimal, str]
"""The place in the order and the id of the task that a page goes on after."""


class InboxOrder(StrEnum):
    """What a list of open tasks is ordered by."""

    DUE = "due"
    """The one due first first."""
    NEWEST = "newest"
    AMOUNT = "amount"
    """The largest first."""


class Wanted(Frozen):
    """Which tasks a list shows."""

    kind: TaskKind | None = None
    department: str = ""
    at_least: Decimal | None = None
    """In yuan: the amount of the project, or the annual contracts that an application forecasts."""


EVERYTHING: Final = Wanted()


class Listed(Wire):
    """A task in a list, and what it is to the person whose list it is."""

    task: TaskRow
    mine: AskedRow
    at: datetime | Decimal
    """What the list is ordered by: when the task is due, was asked or decided, or its amount."""


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


_AMOUNT_OF_APPLICATION = cast(application.c.form["forecast"]["annual_contracts"].astext, Numeric)
_AMOUNT_OF_PROJECT = cast(project.c.form["amount"].astext, Numeric)
_APPLICATION = (
    application.c.id,
    _type("application"),
    application.c.form["customer"]["name"].astext.label("name"),
    application.c.form["customer"]["name"].astext.label("customer_name"),
    application.c.applicant.label("by"),
    _AMOUNT_OF_APPLICATION.label("amount"),
    application.c.stage,
)
_PROJECT = (
    project.c.id,
    _type("project"),
    project.c.form["name"].astext.label("name"),
    project.c.form["customer"]["name"].astext.label("customer_name"),
    project.c.salesperson.label("by"),
    _AMOUNT_OF_PROJECT.label("amount"),
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


_AMOUNT = func.coalesce(_AMOUNT_OF_APPLICATION, _AMOUNT_OF_PROJECT, 0)
_PLACES: Final[dict[InboxOrder, ColumnElement[Any]]] = {
    InboxOrder.DUE: task_person.c.due_at,
    InboxOrder.NEWEST: task_person.c.opened_at,
    InboxOrder.AMOUNT: _AMOUNT,
}


async def waiting_for(
    connection: AsyncConnection,
    person: str,
    wanted: Wanted = EVERYTHING,
    *,
    order: InboxOrder = InboxOrder.DUE,
    due_before: datetime | None = None,
    after: After | None = None,
    limit: int,
) -> tuple[Listed, ...]:
    """The open tasks that ask `person` now, the one due first first unless another `order` is asked for."""
    place, rising = _PLACES[order], order is InboxOrder.DUE
    conditions = [ASKS_NOW, *([task_person.c.due_at < due_before] if due_before else [])]
    query = _tasks_of(person, place, wanted, with_subjects=order is InboxOrder.AMOUNT).where(*conditions)
    return await _listed(connection, _going_on(query, place, after, rising=rising).limit(limit))


async def decided_by(
    connection: AsyncConnection,
    person: str,
    wanted: Wanted = EVERYTHING,
    *,
    after: After | None = None,
    limit: int,
) -> tuple[Listed, ...]:
    """The tasks that `person` decided, the last one first."""
    at = decision.c.decided_at
    query = _tasks_of(person, at, wanted).join(decision, decision.c.task_id == task.c.id)
    query = query.where(decision.c.person == person)
    return await _listed(connection, _going_on(query, at, after, rising=False).limit(limit))


async def counted(connection: AsyncConnection, person: str) -> tuple[int, int]:
    """How many tasks `person` has decided, and how many applications and projects they have begun; at most
    `MOST_COUNTED` of each."""
    decided = select(decision.c.task_id).where(decision.c.person == person).limit(MOST_COUNTED)
    begun = union_all(
        select(application.c.id).where(application.c.applicant == person).limit(MOST_COUNTED),
        select(project.c.id).where(project.c.salesperson == person).limit(MOST_COUNTED),
    )
    queries = [select(func.count()).select_from(rows.subquery()).scalar_subquery() for rows in (decided, begun)]
    decisions, subjects_begun = (await connection.execute(select(*queries))).one()
    return int(decisions), min(int(subjects_begun), MOST_COUNTED)


def _tasks_of(
    person: str, place: ColumnElement[Any], wanted: Wanted, *, with_subjects: bool = False
) -> Select[tuple[object, ...]]:
    """The tasks of `person` with the column that the list is ordered by."""
    query = select(task, *ASKED_COLUMNS, place.label("listed_at")).join(task_person, task_person.c.task_id == task.c.id)
    query = query.where(task_person.c.person == person)
    if wanted.kind:
        query = query.where(task.c.kind == wanted.kind.value)
    if with_subjects or wanted.department or wanted.at_least is not None:
        of_application = and_(task.c.subject_type == "application", application.c.id == task.c.subject_id)
        of_project = and_(task.c.subject_type == "project", project.c.id == task.c.subject_id)
        query = query.outerjoin(application, of_application).outerjoin(project, of_project)
    if wanted.department:
        query = query.where(func.coalesce(application.c.department, project.c.department) == wanted.department)
    if wanted.at_least is not None:
        query = query.where(wanted.at_least <= _AMOUNT)
    return query


def _going_on(
    query: Select[tuple[object, ...]], place: ColumnElement[Any], after: After | None, *, rising: bool
) -> Select[tuple[object, ...]]:
    """`query` in the order of `place`, from behind `after` on."""
    here = tuple_(place, task.c.id)
    if after:
        query = query.where(here > after if rising else here < after)
    return query.order_by(*((place, task.c.id) if rising else (place.desc(), task.c.id.desc())))


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


# As the indexes of migration 0020 are written.
_NAMES_OF_PROJECT: ColumnElement[Any] = literal_column(
    "name_pairs(coalesce(project.number, '') || ' ' || (project.form ->> 'name') || ' ' "
    "|| (project.form -> 'customer' ->> 'name'))"
)
_CUSTOMER_OF_APPLICATION: ColumnElement[Any] = literal_column("name_pairs(application.form -> 'customer' ->> 'name')")
_CUSTOMER_OF_ACCOUNT: ColumnElement[Any] = literal_column("name_pairs(account.form -> 'customer' ->> 'name')")


def _has_pairs(names: ColumnElement[Any], words: str) -> ColumnElement[bool]:
    """Whether `names` have all pairs of characters of `words`; false for words without any."""
    pairs = func.name_pairs(words)
    return and_(names.op("@>")(pairs), func.cardinality(pairs) > 0)


async def search(
    connection: AsyncConnection, scope: Scope, project_scope: Scope, words: str
) -> tuple[SubjectLine, ...]:
    """Accounts, applications and projects in scope whose customer, name or number contains `words`; a few of each.
    Words of one character find nothing: the indexes hold pairs."""
    queries = (
        select(*_ACCOUNT)
        .where(
            _has_pairs(_CUSTOMER_OF_ACCOUNT, words),
            account.c.form["customer"]["name"].astext.icontains(words, autoescape=True),
            sees(scope, ACCOUNTS),
        )
        .order_by(account.c.activated_at.desc()),
        select(*_PROJECT)
        .where(
            _has_pairs(_NAMES_OF_PROJECT, words),
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
            _has_pairs(_CUSTOMER_OF_APPLICATION, words),
            application.c.form["customer"]["name"].astext.icontains(words, autoescape=True),
            sees(scope, APPLICATIONS),
        )
        .order_by(application.c.submitted_at.desc()),
    )
    found: list[SubjectLine] = []
    for query in queries:
        found += read_all(SubjectLine, await connection.execute(query.limit(MOST_FOUND)))
    return tuple(found)

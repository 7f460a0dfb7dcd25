"""Lists and pages are read from here; reading never asks the engine (design principle 8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, insert, or_, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts import AccountRow
from db.applications import ApplicationRow
from db.tables import account, application, decision, mail, nudge, reading, task, task_person
from db.tasks import AskedRow, TaskRow
from domain.access import Scope
from domain.tasks import TaskStatus

Cursor = tuple[str, ...]


async def applications_seen(
    tx: AsyncConnection, scope: Scope, *, stage: str | None, applicant: str | None, after: Cursor | None, limit: int
) -> tuple[ApplicationRow, ...]:
    """Applications in `scope`, newest first, after the one a cursor names."""
    query = select(application).where(_seen(scope, application.c.applicant, application.c.department, application.c.id))
    if stage:
        query = query.where(application.c.stage == stage)
    if applicant:
        query = query.where(application.c.applicant == applicant)
    if after:
        query = query.where(
            tuple_(application.c.submitted_at, application.c.id) < (datetime.fromisoformat(after[0]), after[1])
        )
    rows = await tx.execute(query.order_by(application.c.submitted_at.desc(), application.c.id.desc()).limit(limit))
    return tuple(ApplicationRow.model_validate(dict(row._mapping)) for row in rows)


async def accounts_seen(
    tx: AsyncConnection, scope: Scope, *, salesperson: str | None, after: Cursor | None, limit: int
) -> tuple[AccountRow, ...]:
    """Accounts in `scope`, newest first."""
    seen = _seen(scope, account.c.salesperson, account.c.department, account.c.application_id)
    query = select(account).where(seen)
    if salesperson:
        query = query.where(account.c.salesperson == salesperson)
    if after:
        query = query.where(tuple_(account.c.activated_at, account.c.id) < (datetime.fromisoformat(after[0]), after[1]))
    rows = await tx.execute(query.order_by(account.c.activated_at.desc(), account.c.id.desc()).limit(limit))
    return tuple(AccountRow.model_validate(dict(row._mapping)) for row in rows)


async def tasks_asked(
    tx: AsyncConnection, person: str, *, status: str | None, after: Cursor | None, limit: int
) -> tuple[tuple[TaskRow, AskedRow], ...]:
    """The tasks that ask or asked `person`, open ones first, then the newest."""
    closed = case((task.c.status == TaskStatus.OPEN.value, 0), else_=1)
    query: Select[Any] = (
        select(task, *_asked_columns())
        .join(task_person, task_person.c.task_id == task.c.id)
        .where(task_person.c.person == person)
        .where(_counts())
    )
    if status:
        query = query.where(task.c.status == status)
    if after:
        rank, opened_at, task_id = int(after[0]), datetime.fromisoformat(after[1]), after[2]
        later = and_(closed == rank, tuple_(task.c.opened_at, task.c.id) < (opened_at, task_id))
        query = query.where(or_(closed > rank, later))
    rows = await tx.execute(query.order_by(closed, task.c.opened_at.desc(), task.c.id.desc()).limit(limit))
    return tuple((TaskRow.model_validate(dict(row._mapping)), _asked(row)) for row in rows)


async def was_asked(tx: AsyncConnection, person: str, subject_ids: Sequence[str]) -> frozenset[str]:
    """Which of these subjects have a task that asks `person`, or asked them until it closed, or that they decided."""
    rows = await tx.scalars(
        select(task.c.subject_id)
        .join(task_person, task_person.c.task_id == task.c.id)
        .where(task_person.c.person == person, task.c.subject_id.in_(subject_ids), _counts())
        .distinct()
    )
    return frozenset(rows)


async def note_listed(tx: AsyncConnection, person: str, subject_type: str, subject_ids: Sequence[str]) -> None:
    """X2: a page of a list names customers, so each of them counts as read."""
    rows = [
        {"person": person, "subject_type": subject_type, "subject_id": subject_id, "through": "list"}
        for subject_id in subject_ids
    ]
    if rows:
        await tx.execute(insert(reading).values(rows))


async def waiting_now(tx: AsyncConnection, now: datetime) -> dict[str, int]:
    """How much waits: open tasks, those past their deadline, mails and nudges not out yet."""
    open_tasks = select(func.count()).where(task.c.status == TaskStatus.OPEN.value)
    counts = {
        "baobei_tasks_open": open_tasks,
        "baobei_tasks_overdue": open_tasks.where(task.c.due_at < now),
        "baobei_mails_unsent": select(func.count()).select_from(mail).where(mail.c.sent_at.is_(None)),
        "baobei_nudges_undelivered": select(func.count()).select_from(nudge).where(nudge.c.sent_at.is_(None)),
    }
    row = (await tx.execute(select(*(query.scalar_subquery().label(name) for name, query in counts.items())))).one()
    return {name: int(value) for name, value in row._mapping.items()}


def _seen(
    scope: Scope, applicant: ColumnElement[str], department: ColumnElement[str | None], subject: ColumnElement[str]
) -> ColumnElement[bool]:
    """`Scope.covers` as SQL."""
    if scope.everything:
        return true()
    involved = exists().where(
        task_person.c.person == scope.person,
        task_person.c.task_id == task.c.id,
        task.c.subject_id == subject,
        _counts(),
    )
    led = department.in_(sorted(scope.departments)) if scope.departments else false()
    return or_(applicant == scope.person, led, involved)


def _counts() -> ColumnElement[bool]:
    """Whether a person of a task counts as asked by it: not taken off while it was open, or they decided it (X2)."""
    decided = exists().where(decision.c.task_id == task_person.c.task_id, decision.c.person == task_person.c.person)
    return or_(task_person.c.removed_at.is_(None), decided)


def _asked_columns() -> list[ColumnElement[Any]]:
    return [column.label(f"asked_{column.name}") for column in task_person.c]


def _asked(row: Any) -> AskedRow:
    return AskedRow.model_validate({column.name: row._mapping[f"asked_{column.name}"] for column in task_person.c})

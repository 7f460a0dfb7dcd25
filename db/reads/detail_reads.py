"""One application, account or project for whoever may see it, and what belongs to an account."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts import registers
from db.accounts.accounts import AccountRow
from db.accounts.applications import ApplicationRow
from db.accounts.registers import AccountResultRow
from db.projects.projects import ProjectRow
from db.reads.access import sees_account, sees_application, sees_project
from db.reviews.reviews import AccountReviewRow, TargetRow
from db.rows import first, read_all
from db.tables.accounts import account, application
from db.tables.projects import project
from db.tables.reviews import account_review, account_target
from domain.access import Scope

# Built once: building a statement costs more than sending it (measured).
_TARGETS = (
    select(account_target)
    .where(account_target.c.account_id == bindparam("account"))
    .order_by(account_target.c.set_at.desc(), account_target.c.period.desc())
)
_REVIEWS = (
    select(account_review)
    .where(account_review.c.account_id == bindparam("account"))
    .order_by(account_review.c.at.desc(), account_review.c.task_id)
    .limit(bindparam("most"))
)
_HAS_PROJECTS = select(exists().where(project.c.account_id == bindparam("account")))


_SCOPES = 1000
"""How many people's queries are kept: building one costs more than sending it (measured)."""


class AccountParts(NamedTuple):
    """What belongs to a Named Account beside its row."""

    targets: tuple[TargetRow, ...]
    """The newest first."""
    reviews: tuple[AccountReviewRow, ...]
    """The newest first."""
    results: tuple[AccountResultRow, ...]
    has_projects: bool
    """Not everybody who sees the account sees each."""


@functools.lru_cache(maxsize=_SCOPES)
def _application_in(scope: Scope) -> Select[Any]:
    return select(application).where(application.c.id == bindparam("id"), sees_application(scope))


@functools.lru_cache(maxsize=_SCOPES)
def _account_in(scope: Scope) -> Select[Any]:
    return select(account).where(account.c.id == bindparam("id"), sees_account(scope))


@functools.lru_cache(maxsize=_SCOPES)
def _project_in(scope: Scope) -> Select[Any]:
    return select(project).where(project.c.id == bindparam("id"), sees_project(scope))


async def application_seen(connection: AsyncConnection, scope: Scope, application_id: str) -> ApplicationRow | None:
    """None when there is no such application in `scope`."""
    return first(ApplicationRow, await connection.execute(_application_in(scope), {"id": application_id}))


async def account_seen(connection: AsyncConnection, scope: Scope, account_id: str) -> AccountRow | None:
    """None when there is no such account in `scope`."""
    return first(AccountRow, await connection.execute(_account_in(scope), {"id": account_id}))


async def project_seen(connection: AsyncConnection, scope: Scope, project_id: str) -> ProjectRow | None:
    """None when there is no such project in `scope`."""
    return first(ProjectRow, await connection.execute(_project_in(scope), {"id": project_id}))


async def account_parts(connection: AsyncConnection, account_id: str, *, most_reviews: int) -> AccountParts:
    """`most_reviews`: so many of the newest statements of reviews."""
    mine = {"account": account_id}
    return AccountParts(
        read_all(TargetRow, await connection.execute(_TARGETS, mine)),
        read_all(AccountReviewRow, await connection.execute(_REVIEWS, {**mine, "most": most_reviews})),
        await registers.results_of_account(connection, account_id),
        bool(await connection.scalar(_HAS_PROJECTS, mine)),
    )

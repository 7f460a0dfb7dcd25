"""X2: who may see what, as conditions of a query. The same `domain.access.Scope` filters lists, opens single subjects
and masks the results of searches.

Each ground on which somebody sees a subject stands here once. A list walks each by an index (`db.reads.walks`); for a
single subject they are one condition.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Table, Text, and_, any_, cast, exists, literal_column, or_, true
from sqlalchemy.dialects.postgresql import ARRAY

from db.tables.accounts import account, application
from db.tables.projects import project
from db.tables.tasks import task_person, tie
from domain.access import Scope

COUNTS_AS_ASKED = or_(task_person.c.removed_at.is_(None), task_person.c.decided)
"""Whether a person of a task counts as asked by it: not taken off while it was open, or they decided it."""

ASKS_NOW = and_(task_person.c.status == literal_column("'open'"), task_person.c.removed_at.is_(None))
"""Whether a task waits for a person."""


class TieKind(StrEnum):
    """How a subject concerns somebody who is neither its owner nor at the head of the owner's department."""

    ASKED = "asked"
    """A task about it asks them, or they decided one."""
    SIDE = "side"
    """D1: a salesperson of its dispute."""
    INVITED = "invited"
    """D2: to the meeting of its dispute."""
    TOLD = "told"
    """U8: of its loss; P3, D4: of its registration under an account, a moment before its dispute is on record."""


class Ground(NamedTuple):
    """One reason to see subjects: of a column of theirs, or of their ties."""

    table: Table
    """That of the subjects, or `tie`."""
    key: ColumnElement[str] | None
    values: tuple[str, ...] = ()
    """What `key` has to be one of."""
    condition: ColumnElement[bool] = true()
    """What has to hold as well; with an index for it, or for hardly any row else."""


class Listed(NamedTuple):
    """A kind of subject, and the order of its lists."""

    table: Table
    moment: ColumnElement[object]

    @property
    def name(self) -> str:
        return self.table.name


APPLICATIONS: Final = Listed(application, application.c.submitted_at)
ACCOUNTS: Final = Listed(account, account.c.activated_at)
PROJECTS: Final = Listed(project, project.c.registered_at)


def grounds(scope: Scope, listed: Listed) -> tuple[Ground, ...] | None:
    """On which grounds `scope` covers subjects of that kind. None: it covers all of them.

    Every account stands in reports to management (R3, R4), and every approved project (U9).
    """
    table, me = listed.table, (scope.person,)
    if scope.everything or (table is account and scope.reported):
        return None
    found = [Ground(tie, tie.c.person, me, _of_kind(TieKind.ASKED))]
    found += [Ground(table, table.c[name], me) for name in ("applicant", "salesperson") if name in table.c]
    if scope.departments:
        found.append(Ground(table, table.c.department, tuple(sorted(scope.departments))))
    if table is project:
        of_disputes = (TieKind.SIDE, TieKind.INVITED, TieKind.TOLD)
        found += [Ground(tie, tie.c.person, me, _of_kind(kind)) for kind in of_disputes]
        if scope.reported:
            found.append(Ground(table, None, condition=table.c.number.is_not(None)))
        if scope.led:
            found.append(Ground(tie, tie.c.person, tuple(sorted(scope.led)), _of_kind(TieKind.SIDE)))
        if scope.disputes:
            found.append(Ground(tie, None, condition=_of_kind(TieKind.SIDE)))
    return tuple(found)


def sees_application(scope: Scope) -> ColumnElement[bool]:
    """Which rows of `application` are in `scope`."""
    return sees(scope, APPLICATIONS)


def sees_account(scope: Scope) -> ColumnElement[bool]:
    """Which rows of `account` are in `scope`."""
    return sees(scope, ACCOUNTS)


def sees_project(scope: Scope) -> ColumnElement[bool]:
    """Which rows of `project` are in `scope`."""
    return sees(scope, PROJECTS)


def sees(scope: Scope, listed: Listed) -> ColumnElement[bool]:
    """The grounds as one condition of a row."""
    found = grounds(scope, listed)
    if found is None:
        return true()
    own = [holds(ground) for ground in found if ground.table is not tie]
    tied = [holds(ground) for ground in found if ground.table is tie]
    mine = (tie.c.subject_id == listed.table.c.id, tie.c.subject_type == listed.name)
    return or_(*own, exists().where(*mine, or_(*tied)))


def holds(ground: Ground) -> ColumnElement[bool]:
    """The ground as a condition of a row of its table."""
    return and_(ground.condition, one_of(ground.key, ground.values) if ground.key is not None else true())


def _of_kind(kind: TieKind) -> ColumnElement[bool]:
    """Written into the statement: an index of one kind serves no parameter."""
    return tie.c.kind == literal_column(f"'{kind}'")


def one_of(column: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
    """Whether the column has one of these values: one parameter, however many they are."""
    known = list(values)
    return column == known[0] if len(known) == 1 else column == any_(cast(known, ARRAY(Text)))

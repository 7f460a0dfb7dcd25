"""What an import compares its file with, and the rows it writes many at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts.applications import KeyedParty
from db.accounts.registers import AccountResultRow, BackgroundRow, EarlierProjectRow
from db.rows import read
from db.tables.accounts import account, account_result
from db.tables.conflicts import party
from db.tables.reference import background, calendar, earlier_project, organisation
from domain.base import Wire

IMPORT_LOCK = 7_226_002
"""Advisory lock key: two imports take turns, so that each compares with what the other wrote."""
BATCH = 5_000
"""Well below the 32,767 parameters that one statement may have."""
EARLIER_PROJECT = "earlier_project"
"""The subject type of imported projects; those registered here are of type `project`."""


class ProjectParties(Wire):
    """The companies that a project of the register names."""

    project_id: str
    since: datetime
    live: bool
    parties: tuple[KeyedParty, ...]


class Version(Wire):
    """One imported version: when, and by whom."""

    version: int
    imported_at: datetime
    imported_by: str


async def take_turn(connection: AsyncConnection) -> None:
    """Wait until no other import is under way; holds until the transaction ends."""
    await connection.execute(select(func.pg_advisory_xact_lock(IMPORT_LOCK)))


async def newest_organisation(connection: AsyncConnection) -> Version | None:
    """The organisation in force, if there is one."""
    row = (
        await connection.execute(
            select(organisation.c.version, organisation.c.imported_at, organisation.c.imported_by)
            .order_by(organisation.c.version.desc())
            .limit(1)
        )
    ).one_or_none()
    return read(Version, row) if row else None


async def newest_calendar(connection: AsyncConnection) -> tuple[int, dict[str, Any]]:
    """The newest version and its document; 0 and empty before the first."""
    newest = select(calendar.c.version, calendar.c.document).order_by(calendar.c.version.desc()).limit(1)
    row = (await connection.execute(newest)).one_or_none()
    return (row.version, row.document) if row else (0, {})


async def known_background(connection: AsyncConnection, name_keys: Sequence[str]) -> tuple[BackgroundRow, ...]:
    """Everything the register has under these names."""
    found = []
    for batch in _batches(name_keys):
        rows = await connection.execute(select(background).where(background.c.name_key.in_(batch)))
        found += [read(BackgroundRow, row) for row in rows]
    return tuple(found)


async def known_earlier_projects(
    connection: AsyncConnection, ids: Sequence[str]
) -> dict[str, tuple[EarlierProjectRow, ProjectParties]]:
    """The projects among `ids` that the register has, with the companies each names."""
    projects: list[EarlierProjectRow] = []
    parties: dict[str, list[Any]] = defaultdict(list)
    for batch in _batches(ids):
        rows = await connection.execute(select(earlier_project).where(earlier_project.c.id.in_(batch)))
        projects += [read(EarlierProjectRow, row) for row in rows]
        named = select(party).where(party.c.subject_type == EARLIER_PROJECT, party.c.subject_id.in_(batch))
        for row in await connection.execute(named.order_by(party.c.id)):
            parties[row.subject_id].append(row)
    return {row.id: (row, _parties(row, parties[row.id])) for row in projects}


async def known_results(
    connection: AsyncConnection, accounts: Sequence[str]
) -> dict[tuple[str, date], AccountResultRow]:
    """Everything the results register has of these accounts."""
    found: dict[tuple[str, date], AccountResultRow] = {}
    for batch in _batches(accounts):
        for row in await connection.execute(select(account_result).where(account_result.c.account_id.in_(batch))):
            found[row.account_id, row.month] = read(AccountResultRow, row)
    return found


async def account_names(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, str]:
    """The customer of each of these accounts, whether it is live or was revoked."""
    name = account.c.form["customer"]["name"].astext.label("name")
    found: dict[str, str] = {}
    for batch in _batches(ids):
        found |= {
            row.id: row.name
            for row in await connection.execute(select(account.c.id, name).where(account.c.id.in_(batch)))
        }
    return found


async def live_accounts_named(connection: AsyncConnection, names: Sequence[str]) -> dict[str, str]:
    """The live accounts of these customers, by the customer's exact name."""
    name = account.c.form["customer"]["name"].astext
    found: dict[str, str] = {}
    for batch in _batches(names):
        wanted = select(account.c.id, name.label("name")).where(name.in_(batch), account.c.revoked_at.is_(None))
        found |= {row.name: row.id for row in await connection.execute(wanted)}
    return found


def _parties(row: EarlierProjectRow, named: Sequence[Any]) -> ProjectParties:
    return ProjectParties(
        project_id=row.id,
        since=named[0].since if named else row.registered_at,
        live=bool(named) and all(party.live for party in named),
        parties=tuple(read(KeyedParty, row) for row in named),
    )


async def set_project_parties(connection: AsyncConnection, projects: Sequence[ProjectParties]) -> None:
    """Name the parties of these projects anew. Their place in time is the date of registration (A5)."""
    for batch in _batches([project.project_id for project in projects]):
        await connection.execute(
            delete(party).where(party.c.subject_type == EARLIER_PROJECT, party.c.subject_id.in_(batch))
        )
    rows: list[Mapping[str, Any]] = [
        {
            "subject_type": EARLIER_PROJECT,
            "subject_id": project.project_id,
            "live": project.live,
            "since": project.since,
            **named.model_dump(),
        }
        for project in projects
        for named in project.parties
    ]
    if rows:
        await connection.execute(insert(party), rows)


def _batches(values: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(values[start : start + BATCH]) for start in range(0, len(values), BATCH))

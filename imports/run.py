"""Imports files, each in one transaction: the data and its audit entry, or nothing.

Importing the same file again changes nothing and leaves no entry.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from conflicts.inquiry import keyed
from crypto.keyring import Keyring
from crypto.seal import seal_head
from db import audit, imports, reference_data
from db.accounts import registers
from db.accounts.applications import KeyedParty
from db.accounts.registers import AccountResultRow, BackgroundRow, EarlierProjectRow
from db.imports import ProjectParties
from db.reference_data import NoOrganisation, ReferenceData
from domain.accounts.register_entries import BackgroundEntry, ProjectEntry, RegisteredStatus
from domain.base import Frozen
from domain.organisation import Organisation
from imports.calendar_file import AnnouncedYear, merged
from imports.results_register import ResultEntry, ResultsRead, results_by_account
from matching.names.names import name_key
from matching.parties import Party


class OrganisationImported(Frozen):
    """The result of importing an organisation."""

    version: int
    unchanged: bool = False
    people: int
    added: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """Ids of people no longer listed, or no longer active."""
    changed: tuple[str, ...] = ()
    """Ids of people with any other change."""
    parts: tuple[str, ...] = ()
    """Other changed parts: company, departments, sales_vps, delegations."""
    told: int = 0
    """The number of running processes that recompute their assignees."""


class RegisterImported(Frozen):
    """The result of importing a register, in rows."""

    register_name: str
    rows: int
    added: int = 0
    changed: int = 0
    older: int = 0
    """Rows skipped because the register has newer ones of the same source."""
    no_longer_active: int = 0
    unresolved: tuple[str, ...] = ()
    """Salespeople of active projects who match nobody, or several people, in the organisation; stored as written."""

    @property
    def unchanged(self) -> bool:
        return not (self.added or self.changed)


class CalendarImported(Frozen):
    """The result of importing days off."""

    version: int
    unchanged: bool = False
    years: tuple[int, ...]
    provisional: tuple[int, ...] = ()
    """Years whose file names no announcement."""
    told: int = 0


class Imports:
    """Imports, each in its own transaction. Raises what the database raises; then nothing was changed."""

    def __init__(self, engine: AsyncEngine, facts: ReferenceData, seal_keys: Keyring) -> None:
        self._engine = engine
        self._facts = facts
        self._seal_keys = seal_keys

    async def organisation(self, company: Organisation, *, now: datetime, by: str) -> OrganisationImported:
        """Make `company` the current version and notify every running process to recompute its assignees."""
        async with self._engine.begin() as connection:
            await imports.take_turn(connection)
            before = await self._organisation(connection)
            if before == company:
                newest = await imports.newest_organisation(connection)
                return OrganisationImported(
                    version=newest.version if newest else 0, unchanged=True, people=len(company.people)
                )
            version, told = await reference_data.import_organisation(connection, company, now=now, by=by)
            done = _difference(before, company, version, told)
            await self._record(connection, "organisation_imported", done.model_dump(mode="json"), now=now, by=by)
        return done

    async def background(self, entries: Sequence[BackgroundEntry], *, now: datetime, by: str) -> RegisterImported:
        """Add or correct entries of the background register (N4, E2): the newest entry of each source about a
        company counts."""
        async with self._engine.begin() as connection:
            await imports.take_turn(connection)
            keyed = [(_background_key(entry), entry) for entry in entries]
            known = {
                (row.name_key, row.uscc, row.source): BackgroundEntry.model_validate(row.document)
                for row in await imports.known_background(connection, sorted({key[0] for key, _ in keyed}))
            }
            newest = dict(known)
            for key, entry in keyed:
                if key not in newest or entry.as_of >= newest[key].as_of:
                    newest[key] = entry
            fresh = {key: entry for key, entry in newest.items() if known.get(key) != entry}
            done = RegisterImported(
                register_name="background",
                rows=len(entries),
                added=sum(key not in known for key in fresh),
                changed=sum(key in known for key in fresh),
                older=sum(newest[key] != entry for key, entry in keyed),
            )
            if fresh:
                rows = [_background_row(key, entry) for key, entry in fresh.items()]
                await registers.keep_background(connection, rows)
                await self._record_register(connection, done, entries, now=now, by=by)
        return done

    async def projects(self, entries: Sequence[ProjectEntry], *, now: datetime, by: str) -> RegisterImported:
        """Add or correct entries of the project register (N3); only active ones take part in conflict detection
        (P10)."""
        async with self._engine.begin() as connection:
            await imports.take_turn(connection)
            people = _People(await self._organisation(connection))
            wanted = {entry.id: self._project(entry, people) for entry in entries}
            known = await imports.known_earlier_projects(connection, list(wanted))
            fresh = {key: pair for key, pair in wanted.items() if known.get(key) != pair}
            done = RegisterImported(
                register_name="projects",
                rows=len(entries),
                added=sum(key not in known for key in fresh),
                changed=sum(key in known for key in fresh),
                no_longer_active=sum(
                    key in known and known[key][0].status == RegisteredStatus.ACTIVE != pair[0].status
                    for key, pair in fresh.items()
                ),
                unresolved=tuple(
                    sorted(
                        {
                            entry.salesperson
                            for entry in entries
                            if entry.status is RegisteredStatus.ACTIVE and people.find(entry.salesperson) is None
                        }
                    )
                ),
            )
            if fresh:
                await registers.keep_earlier_projects(connection, [row for row, _ in fresh.values()])
                await imports.set_project_parties(connection, [parties for _, parties in fresh.values()])
                await self._record_register(connection, done, entries, now=now, by=by)
        return done

    async def results(self, read: ResultsRead, *, now: datetime, by: str) -> RegisterImported:
        """Add to what Named Accounts have brought in, or correct it (R2, R3): the newest import of a month is right.

        Raises `RegisterMistakes` with everything that is wrong with the file.
        """
        async with self._engine.begin() as connection:
            await imports.take_turn(connection)
            ids = sorted({row.entry.account for row in read.rows if row.entry.account})
            customers = sorted({row.entry.customer for row in read.rows if row.entry.customer})
            wanted = results_by_account(
                read,
                names=await imports.account_names(connection, ids),
                live=await imports.live_accounts_named(connection, customers),
                this_month=now.astimezone(self._facts.policy.zone).date().replace(day=1),
            )
            known = await imports.known_results(connection, sorted({account for account, _ in wanted}))
            rows = {key: _result_row(key, entry, now=now, by=by) for key, entry in wanted.items()}
            fresh = {key: row for key, row in rows.items() if key not in known or _figures(known[key]) != _figures(row)}
            done = RegisterImported(
                register_name="results",
                rows=len(read.rows),
                added=sum(key not in known for key in fresh),
                changed=sum(key in known for key in fresh),
            )
            if fresh:
                await registers.keep_results(connection, list(fresh.values()))
                await self._record_register(connection, done, [row.entry for row in read.rows], now=now, by=by)
        return done

    async def calendar(self, years: Sequence[AnnouncedYear], *, now: datetime, by: str) -> CalendarImported:
        """Add announced years to the calendar; running processes recompute their deadlines (N12)."""
        async with self._engine.begin() as connection:
            await imports.take_turn(connection)
            version, before = await imports.newest_calendar(connection)
            document = merged(before, years)
            done = CalendarImported(
                version=version,
                unchanged=document == before,
                years=tuple(sorted(year.year for year in years)),
                provisional=tuple(sorted(year.year for year in years if not year.published)),
            )
            if done.unchanged:
                return done
            version, told = await reference_data.import_calendar(connection, document, now=now, by=by)
            done = done.model_copy(update={"version": version, "told": told})
            body = done.model_dump(mode="json") | {"digest": _digest(document)}
            await self._record(connection, "calendar_imported", body, now=now, by=by)
        return done

    async def _organisation(self, connection: AsyncConnection) -> Organisation | None:
        try:
            return await self._facts.organisation(connection)
        except NoOrganisation:
            return None

    def _project(self, entry: ProjectEntry, people: _People) -> tuple[EarlierProjectRow, ProjectParties]:
        zone = self._facts.policy.zone
        registered_at = datetime.combine(entry.registered_on, time(), tzinfo=zone)
        row = EarlierProjectRow(
            id=entry.id,
            name=entry.name,
            customer_name=entry.customer_name,
            salesperson=people.find(entry.salesperson) or entry.salesperson,
            status=entry.status.value,
            registered_at=registered_at,
            closed_at=datetime.combine(entry.closed_on, time(), tzinfo=zone) if entry.closed_on else None,
            amount=entry.amount,
            note=entry.note,
        )
        live = entry.status is RegisteredStatus.ACTIVE
        return row, ProjectParties(project_id=entry.id, since=registered_at, live=live, parties=_parties(entry))

    async def _record_register(
        self, connection: AsyncConnection, done: RegisterImported, entries: Iterable[Frozen], *, now: datetime, by: str
    ) -> None:
        # Counts and a digest only: the customers in a register are confidential (X2).
        body = done.model_dump(mode="json", exclude={"unresolved"})
        digest = _digest([entry.model_dump(mode="json") for entry in entries])
        await self._record(connection, "register_imported", body | {"digest": digest}, now=now, by=by)

    async def _record(
        self, connection: AsyncConnection, event: str, body: dict[str, Any], *, now: datetime, by: str
    ) -> None:
        happened = audit.Event(event=event, at=now, actor=by, body=body)
        await audit.append(connection, [happened], lambda seq, digest: seal_head(seq, digest, self._seal_keys))


class _People:
    """Finds the person a register means: by id, login, or a unique name."""

    def __init__(self, organisation: Organisation | None) -> None:
        people = organisation.people if organisation else ()
        named: dict[str, list[str]] = defaultdict(list)
        for person in people:
            named[person.name].append(person.id)
        self._ids = {name: ids[0] for name, ids in named.items() if len(ids) == 1}
        self._ids |= {person.login: person.id for person in people}
        self._ids |= {person.id: person.id for person in people}

    def find(self, written: str) -> str | None:
        return self._ids.get(written)


def _difference(before: Organisation | None, after: Organisation, version: int, told: int) -> OrganisationImported:
    old = before.by_id if before else {}
    here = {person.id for person in after.people if person.active}
    was_here = {person.id for person in old.values() if person.active}
    parts = ("company", "departments", "sales_vps", "delegations")
    return OrganisationImported(
        version=version,
        people=len(after.people),
        added=tuple(sorted(here - was_here)),
        left=tuple(sorted(was_here - here)),
        changed=tuple(sorted(person for person in here & was_here if old[person] != after.by_id[person])),
        parts=tuple(part for part in parts if before and getattr(before, part) != getattr(after, part)),
        told=told,
    )


def _background_key(entry: BackgroundEntry) -> tuple[str, str | None, str]:
    return name_key(entry.name), entry.uscc, entry.source


def _background_row(key: tuple[str, str | None, str], entry: BackgroundEntry) -> BackgroundRow:
    return BackgroundRow(
        name=entry.name, name_key=key[0], uscc=key[1], source=key[2], document=entry.model_dump(mode="json")
    )


def _result_row(key: tuple[str, date], entry: ResultEntry, *, now: datetime, by: str) -> AccountResultRow:
    account, month = key
    figures = entry.model_dump(include={"other_contracts", "revenue", "payments"})
    return AccountResultRow(account_id=account, month=month, imported_at=now, imported_by=by, **figures)


def _figures(row: AccountResultRow) -> tuple[Decimal, ...]:
    return row.other_contracts, row.revenue, row.payments


def _parties(entry: ProjectEntry) -> tuple[KeyedParty, ...]:
    """The customer, and the end user when that is another company."""
    named = [Party(name=entry.customer_name, uscc=entry.customer_uscc)]
    if entry.end_user_name:
        named.append(Party(name=entry.end_user_name, uscc=entry.end_user_uscc, role="related_party"))
    found = {(party.name_key, party.uscc): party for party in reversed(keyed(named))}
    return tuple(reversed(found.values()))


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()

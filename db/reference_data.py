"""What the rules are applied to: the organisation, the calendar and the policies, each a version never changed."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, bindparam, func, insert, literal, select, union_all
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.connection.channels import NUDGES
from db.tables.accounts import application
from db.tables.disputes import dispute
from db.tables.messages import nudge
from db.tables.projects import project
from db.tables.reference import calendar, organisation, policy
from db.tables.reviews import review
from domain.accounts.application import ENDED
from domain.calendar import WorkCalendar
from domain.disputes.dispute import DISPUTE_ENDED
from domain.organisation import Organisation
from domain.policy import Policy
from domain.projects.project import PROJECT_ENDED, ProjectStage
from domain.reviews.review import REVIEW_ENDED

# Built once: building a statement costs more than sending it (measured).
_NEWEST_ORGANISATION = select(func.max(organisation.c.version))
_NEWEST_CALENDAR = select(func.max(calendar.c.version))
NEWEST_VERSIONS = (
    _NEWEST_ORGANISATION.scalar_subquery().label("organisation"),
    _NEWEST_CALENDAR.scalar_subquery().label("calendar"),
)
"""Of organisation and calendar, as columns of a query."""
_NEWEST = select(*NEWEST_VERSIONS)
_ORGANISATION = select(organisation.c.document).where(organisation.c.version == bindparam("version"))
_CALENDAR = select(calendar.c.document).where(calendar.c.version == bindparam("version"))
_POLICY = select(policy.c.document).where(policy.c.digest == bindparam("digest"))
_PIN_POLICY = upsert(policy).on_conflict_do_nothing()

RECENT_SECONDS = 2.0
"""How old `recent_organisation` may be where the notification of an import was lost."""


class NoOrganisation(Exception):
    """No organisation has been imported yet."""


def policy_digest(rules: Policy) -> str:
    """A digest of the policy, the same wherever the policy is."""
    content = json.dumps(rules.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


class ReferenceData:
    """Reads the newest versions and keeps what it has parsed, because a version never changes."""

    def __init__(self, rules: Policy) -> None:
        self.policy = rules
        self.digest = policy_digest(rules)
        self._organisation: tuple[int, Organisation] | None = None
        self._seen_at = float("-inf")
        self._calendar: tuple[int, WorkCalendar] | None = None
        self._policies: dict[str, Policy] = {self.digest: rules}

    async def organisation(self, connection: AsyncConnection) -> Organisation:
        """The company as it is now. Raises `NoOrganisation`."""
        version: int | None = await connection.scalar(_NEWEST_ORGANISATION)
        return await self._organisation_of(connection, version)

    async def of_now(self, connection: AsyncConnection) -> tuple[Organisation, WorkCalendar]:
        """The company and the working days as they are now. Raises `NoOrganisation`."""
        company, days = (await connection.execute(_NEWEST)).one()
        return await self.of_versions(connection, company, days)

    async def of_versions(
        self, connection: AsyncConnection, company: int | None, days: int | None
    ) -> tuple[Organisation, WorkCalendar]:
        """The company and the working days of versions that were just found to be the newest. Raises
        `NoOrganisation`."""
        return await self._organisation_of(connection, company), await self._calendar_of(connection, days)

    async def _organisation_of(self, connection: AsyncConnection, version: int | None) -> Organisation:
        if version is None:
            raise NoOrganisation("no organisation imported yet: run `cli.py org import FILE`")
        if self._organisation is None or self._organisation[0] != version:
            document = await connection.scalar(_ORGANISATION, {"version": version})
            self._organisation = (version, Organisation.model_validate(document))
        self._seen_at = time.monotonic()
        return self._organisation[1]

    def recent_organisation(self) -> Organisation | None:
        """The company as it was found a moment ago, for showing; None when it has to be read again.

        What people may decide is judged by `organisation`, in the transaction that records it.
        """
        known = self._organisation and time.monotonic() - self._seen_at < RECENT_SECONDS
        return self._organisation[1] if self._organisation and known else None

    def forget(self) -> None:
        """Something was imported (`channels.NUDGES`): `recent_organisation` is no longer recent."""
        self._seen_at = float("-inf")

    async def calendar(self, connection: AsyncConnection) -> WorkCalendar:
        """The working days as they are known now, the company's own table over the published ones."""
        version: int | None = await connection.scalar(_NEWEST_CALENDAR)
        return await self._calendar_of(connection, version)

    async def _calendar_of(self, connection: AsyncConnection, newest: int | None) -> WorkCalendar:
        version = newest or 0
        if self._calendar is None or self._calendar[0] != version:
            document: dict[str, Any] = {}
            if version:
                document = await connection.scalar(_CALENDAR, {"version": version}) or {}
            base = {"region": self.policy.calendar_region, "time_zone": self.policy.time_zone}
            self._calendar = (version, WorkCalendar.model_validate(base | document))
        return self._calendar[1]

    def known_policy(self, digest: str) -> Policy | None:
        """The policy a process started with, if it was asked for before."""
        return self._policies.get(digest)

    async def pinned_policy(self, connection: AsyncConnection, digest: str) -> Policy:
        """The policy a process started with."""
        if digest not in self._policies:
            document = await connection.scalar(_POLICY, {"digest": digest})
            self._policies[digest] = Policy.model_validate(document)
        return self._policies[digest]

    async def pin_policy(self, connection: AsyncConnection) -> str:
        """Keep the current policy for a process that starts now; returns its digest."""
        row = {"digest": self.digest, "version": self.policy.version, "document": self.policy}
        await connection.execute(_PIN_POLICY, row)
        return self.digest


class Imported(NamedTuple):
    """A new version, and how many running processes are told of it."""

    version: int
    told: int


async def import_organisation(
    connection: AsyncConnection, company: Organisation, *, now: datetime, by: str
) -> Imported:
    """Make `company` the newest version, and nudge every running process."""
    version = await connection.scalar(
        insert(organisation)
        .values(document=company.model_dump(mode="json"), imported_at=now, imported_by=by)
        .returning(organisation.c.version)
    )
    return Imported(int(version or 0), await nudge_running(connection, because=f"organisation {version}"))


async def import_calendar(connection: AsyncConnection, document: dict[str, Any], *, now: datetime, by: str) -> Imported:
    """Make `document` (fields of `WorkCalendar`) the newest calendar, and nudge every running process."""
    version = await connection.scalar(
        insert(calendar).values(document=document, imported_at=now, imported_by=by).returning(calendar.c.version)
    )
    return Imported(int(version or 0), await nudge_running(connection, because=f"calendar {version}"))


async def nudge_running(connection: AsyncConnection, *, because: str) -> int:
    """Note for every running process that its facts changed; a dispatcher beside the worker delivers the notes.

    Returns how many processes there are.
    """
    # An active project follows people by its own steps: it has no open task that somebody else could be asked. Nor has
    # one whose dispute runs, which may take years: only the dispute asks.
    still: dict[Table, list[StrEnum]] = {
        application: [*ENDED],
        project: [*PROJECT_ENDED, ProjectStage.ACTIVE],
        dispute: [*DISPUTE_ENDED],
        review: [*REVIEW_ENDED],
    }
    disputing = select(dispute.c.project_id).where(_not_in(dispute, [*DISPUTE_ENDED]))
    running = union_all(
        *(
            select(table.c.workflow_id, literal(because)).where(
                _not_in(table, ends), *([project.c.id.not_in(disputing)] if table is project else [])
            )
            for table, ends in still.items()
        )
    )
    told = await connection.execute(insert(nudge).from_select(["workflow_id", "because"], running))
    await connection.execute(select(func.pg_notify(NUDGES, "")))
    return told.rowcount


def _not_in(table: Table, stages: list[StrEnum]) -> ColumnElement[bool]:
    return table.c.stage.not_in([stage.value for stage in stages])

"""X2: what a list shows and what a single row shows are decided by one value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.accounts import applications
from db.accounts.applications import ApplicationRow
from db.reads import detail_reads, lists
from db.reference_data import ReferenceData
from domain.access import scope_of
from domain.accounts.application import Stage
from domain.organisation import Person
from domain.policy import load_policy
from embedded.welcome import sample_organisation
from tests.samples import APPLICATION_FORM

ORGANISATION = sample_organisation()
START = datetime(2026, 11, 2, 9, tzinfo=UTC)
SALESPEOPLE = [person for person in ORGANISATION.people if "salesperson" in person.roles][:5]


@pytest.fixture
async def rows(engine: AsyncEngine) -> list[ApplicationRow]:
    """One application of each of five salespeople; the last one's asks a product manager, for once."""
    added = []
    async with engine.begin() as connection:
        digest = await ReferenceData(load_policy()).pin_policy(connection)
        for number, person in enumerate(SALESPEOPLE):
            row = ApplicationRow(
                id=f"a{number}",
                workflow_id=f"application-a{number}",
                applicant=person.id,
                department=person.department,
                stage=Stage.COMMERCE_CHECK,
                round=1,
                form=APPLICATION_FORM,
                policy_digest=digest,
                submitted_at=START + timedelta(hours=number),
                stage_since=START,
            )
            await applications.add(connection, row)
            added.append(row)
        await connection.execute(
            text(
                "INSERT INTO task VALUES ('t', 'application-a4', 'application', 'a4', 'commerce_check', '', 1, 'open',"
                " '[]', NULL, now(), now(), false)"
            )
        )
        asked = "INSERT INTO task_person VALUES ('t', :person, 'holder', NULL, 'link', now(), now())"
        await connection.execute(text(asked), {"person": outsider().id})
    return added


def outsider() -> Person:
    return next(person for person in ORGANISATION.people if person.roles == {"product_manager"})


@pytest.mark.parametrize("viewer", ORGANISATION.people, ids=lambda person: person.id)
async def test_x2_a_list_holds_exactly_the_rows_that_may_be_opened(
    viewer: Person, rows: list[ApplicationRow], engine: AsyncEngine
) -> None:
    scope = scope_of(viewer, ORGANISATION)
    async with engine.connect() as connection:
        seen = [await detail_reads.application_seen(connection, scope, row.id) for row in rows]
        listed = await lists.applications_seen(connection, scope, stage=None, applicant=None, after=None, limit=50)
    asked = {rows[-1].id} if viewer.id == outsider().id else set()
    may_open = [
        row.id
        for row in rows
        if scope.covers(applicant=row.applicant, department=row.department, involved=row.id in asked)
    ]
    assert [row.id for row in listed] == may_open[::-1]
    assert [row.id for row in seen if row] == may_open


async def test_x2_whoever_was_asked_sees_that_one_and_an_operator_sees_none(
    rows: list[ApplicationRow], engine: AsyncEngine
) -> None:
    operator = next(person for person in ORGANISATION.people if person.roles == {"operator"})
    async with engine.connect() as connection:
        seen = [
            await lists.applications_seen(
                connection, scope_of(person, ORGANISATION), stage=None, applicant=None, after=None, limit=50
            )
            for person in (outsider(), operator)
        ]
    assert [[row.id for row in page] for page in seen] == [[rows[-1].id], []]


async def test_a_list_is_paged_without_gap_or_repetition(rows: list[ApplicationRow], engine: AsyncEngine) -> None:
    clerk = next(person for person in ORGANISATION.people if "commerce_clerk" in person.roles)
    found: list[str] = []
    after = None
    async with engine.connect() as connection:
        while page := await lists.applications_seen(
            connection, scope_of(clerk, ORGANISATION), stage=None, applicant=None, after=after, limit=2
        ):
            found += [row.id for row in page]
            after = (page[-1].submitted_at.isoformat(), page[-1].id)
    assert found == [row.id for row in rows][::-1]

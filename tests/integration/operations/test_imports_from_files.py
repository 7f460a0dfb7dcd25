"""Files that operators bring in: whole or not at all, once, and with their trace in the record (X1, X3)."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretBytes
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from crypto.keyring import Keyring
from crypto.seal import head_seal_holds
from db import audit
from db.accounts import registers
from db.accounts.applications import KeyedParty, RegisteredParty
from db.conflicts import candidates
from db.imports import BATCH
from db.reference_data import ReferenceData
from db.tables.audit import audit as audit_table
from domain.accounts.register_entries import BackgroundEntry, ProjectEntry
from domain.calendar import DayKind
from domain.organisation import Organisation
from domain.policy import load_policy
from imports.calendar_file import AnnouncedYear
from imports.organisation_file import read_organisation
from imports.registers import read_background, read_projects
from imports.run import Imports
from matching.names.names import name_key

SAMPLES = Path(__file__).parents[3] / "embedded" / "sample"
COMPANY = read_organisation((SAMPLES / "org.toml").read_text(encoding="utf-8"))
BACKGROUND = read_background((SAMPLES / "background.csv").read_text(encoding="utf-8"))
PROJECTS = read_projects((SAMPLES / "projects.csv").read_text(encoding="utf-8"))
KEYS = Keyring((("k1", SecretBytes(secrets.token_bytes(32))),))
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MORE_THAN_A_BATCH = BATCH + 100
SINCE: dict[str, Any] = {"now": NOW, "by": "operator:root"}


@pytest.fixture
def facts() -> ReferenceData:
    return ReferenceData(load_policy())


@pytest.fixture
def imports(engine: AsyncEngine, facts: ReferenceData) -> Imports:
    return Imports(engine, facts, KEYS)


async def recorded(engine: AsyncEngine) -> list[str]:
    """The names of all events; the record they stand in holds."""
    async with engine.connect() as connection:
        proof = await audit.verify(connection, lambda seq, digest, seal: head_seal_holds(seq, digest, seal, KEYS))
        assert proof.faults == ()
        return list(await connection.scalars(select(audit_table.c.event).order_by(audit_table.c.seq)))


async def count(engine: AsyncEngine, table: str) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


async def running(engine: AsyncEngine, *stages: str) -> None:
    """Applications at these stages; only their workflow ids matter here."""
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO policy VALUES ('d', '1', '{}')"))
        for number, stage in enumerate(stages):
            await connection.execute(
                text(
                    "INSERT INTO application (id, workflow_id, applicant, stage, round, form, policy_digest,"
                    " submitted_at, stage_since)"
                    " VALUES (:id, :workflow, 'yang.fan', :stage, 1, '{}', 'd', now(), now())"
                ),
                {"id": str(number), "workflow": f"application-{number}", "stage": stage},
            )


def changed_company() -> Organisation:
    people = list(COMPANY.people)
    gone = people.pop()
    people[1] = people[1].model_copy(update={"active": False})
    people[2] = people[2].model_copy(update={"email": "new@example.com"})
    assert gone.id == "song.jie"
    new = people[0].model_copy(update={"id": "qian.kun", "login": "qian.kun", "email": "qian.kun@example.com"})
    # A copy would keep the index of people that the original may have made already.
    return Organisation.model_validate(COMPANY.model_dump() | {"people": (*people, new), "company": "新公司"})


async def test_an_organisation_is_imported_once_and_says_what_is_different(
    engine: AsyncEngine, imports: Imports, facts: ReferenceData
) -> None:
    first = await imports.organisation(COMPANY, **SINCE)
    assert (first.version, len(first.added), first.left, first.parts) == (1, len(COMPANY.people), (), ())
    same = await imports.organisation(
        read_organisation((SAMPLES / "org.toml").read_text(encoding="utf-8")), now=NOW, by="operator:other"
    )
    assert (same.version, same.unchanged, same.told) == (1, True, 0)
    second = await imports.organisation(changed_company(), **SINCE)
    assert second.model_dump() == {
        "version": 2,
        "unchanged": False,
        "people": len(COMPANY.people),
        "added": ("qian.kun",),
        "left": ("liu.yang", "song.jie"),
        "changed": ("li.ming",),
        "parts": ("company",),
        "told": 0,
    }
    async with engine.connect() as connection:
        assert await facts.organisation(connection) == changed_company()
    assert await recorded(engine) == ["organisation_imported"] * 2


async def test_running_processes_are_told_and_ended_ones_are_not(engine: AsyncEngine, imports: Imports) -> None:
    await running(engine, "commerce_check", "vp_review", "active", "withdrawn")
    done = await imports.organisation(COMPANY, **SINCE)
    async with engine.connect() as connection:
        told = list(await connection.scalars(text("SELECT workflow_id FROM nudge ORDER BY id")))
    assert told == ["application-0", "application-1"]
    assert done.told == 2
    assert (await imports.calendar([AnnouncedYear(year=2027, days={date(2027, 2, 6): DayKind.OFF})], **SINCE)).told == 2


async def test_two_imports_of_one_organisation_at_once_make_one_version(engine: AsyncEngine) -> None:
    done = await asyncio.gather(
        *(Imports(engine, ReferenceData(load_policy()), KEYS).organisation(COMPANY, **SINCE) for _ in range(4))
    )
    assert sorted(report.unchanged for report in done) == [False, True, True, True]
    assert await recorded(engine) == ["organisation_imported"]


async def test_an_import_that_cannot_be_recorded_changes_nothing(engine: AsyncEngine, facts: ReferenceData) -> None:
    with pytest.raises(IndexError):
        await Imports(engine, facts, Keyring(())).organisation(COMPANY, **SINCE)
    with pytest.raises(IndexError):
        await Imports(engine, facts, Keyring(())).projects(PROJECTS, **SINCE)
    assert [await count(engine, table) for table in ("organisation", "earlier_project", "party", "audit")] == [
        0,
        0,
        0,
        0,
    ]


async def test_background_is_added_corrected_and_never_overwritten_by_older_or_other_sources(
    engine: AsyncEngine, imports: Imports
) -> None:
    """N4, E2: what one source says does not hide what another one said."""
    first = await imports.background(BACKGROUND, **SINCE)
    assert (first.rows, first.added, first.changed, first.older) == (5, 5, 0, 0)
    assert (await imports.background(BACKGROUND, **SINCE)).unchanged
    company = BACKGROUND[0]
    other = company.model_copy(update={"source": "法务部", "lawsuit_with_us": True})
    newer = company.model_copy(update={"as_of": company.as_of + timedelta(days=1), "malicious_arrears": True})
    older = company.model_copy(update={"as_of": company.as_of - timedelta(days=1)})
    for order in ([newer, other, older], [older, other, newer]):
        done = await imports.background(order, **SINCE)
        assert done.older == 1
    async with engine.connect() as connection:
        rows = await registers.background_of(connection, [name_key(company.name)], [])
    assert [BackgroundEntry.model_validate(row.document) for row in rows] == [newer, other]
    assert await recorded(engine) == ["register_imported"] * 2


async def test_the_record_of_an_import_names_no_customer(engine: AsyncEngine, imports: Imports) -> None:
    """X2: an import leaves counts and a digest behind."""
    await imports.background(BACKGROUND, **SINCE)
    await imports.projects(PROJECTS, **SINCE)
    async with engine.connect() as connection:
        bodies = list(await connection.scalars(select(audit_table.c.body).order_by(audit_table.c.seq)))
    assert bodies[1] | {"digest": ""} == {
        "register_name": "projects",
        "rows": 6,
        "added": 6,
        "changed": 0,
        "older": 0,
        "no_longer_active": 0,
        "digest": "",
    }
    for name in (*(entry.name for entry in BACKGROUND), *(entry.customer_name for entry in PROJECTS)):
        assert name not in str(bodies)


async def parties_of(engine: AsyncEngine, project: ProjectEntry, live_only: bool = True) -> list[RegisteredParty]:
    named = KeyedParty(role="customer", name=project.customer_name, name_key=name_key(project.customer_name))
    async with engine.connect() as connection:
        found = await candidates.candidates(connection, ["earlier_project"], [named], but="", live_only=live_only)
    return [party for party in found if party.subject_id == project.id]


def project(project_id: str) -> ProjectEntry:
    return next(entry for entry in PROJECTS if entry.id == project_id)


async def test_projects_are_imported_with_their_companies_and_salespeople(
    engine: AsyncEngine, imports: Imports
) -> None:
    """N3: the register knows the customer and the end user, since when, and whose project it is."""
    await imports.organisation(COMPANY, **SINCE)
    done = await imports.projects(PROJECTS, **SINCE)
    assert (done.rows, done.added, done.unresolved) == (6, 6, ())
    assert (await imports.projects(PROJECTS, **SINCE)).unchanged
    sold = project("2026-044")
    [customer] = await parties_of(engine, sold)
    assert customer.since == datetime.fromisoformat("2026-10-09T00:00:00+08:00")
    async with engine.connect() as connection:
        [row] = await registers.earlier_projects(connection, [sold.id])
        roles = await connection.execute(
            text("SELECT role, name, uscc FROM party WHERE subject_id = '2026-044' ORDER BY id")
        )
        assert [tuple(role) for role in roles] == [
            ("customer", "上海汇川信息技术有限公司", "91310000132200821H"),
            ("related_party", "青岛海棠物流有限公司", "91370200264574251E"),
        ]
    assert (row.salesperson, row.status, row.amount) == ("xu.jing", "active", Decimal("780000.00"))
    assert await recorded(engine) == ["organisation_imported", "register_imported"]


async def test_a_project_that_is_no_longer_active_leaves_conflict_detection(
    engine: AsyncEngine, imports: Imports
) -> None:
    """P10: and comes back when the register says so."""
    live = project("2026-031")
    await imports.projects(PROJECTS, **SINCE)
    assert len(await parties_of(engine, live)) == 1
    assert await parties_of(engine, project("2023-017")) == []
    ended = ProjectEntry.model_validate(live.model_dump() | {"status": "ended", "closed_on": date(2026, 11, 20)})
    done = await imports.projects([ended], **SINCE)
    assert (done.changed, done.no_longer_active) == (1, 1)
    assert await parties_of(engine, live) == []
    assert len(await parties_of(engine, live, live_only=False)) == 1
    await imports.projects([live], **SINCE)
    assert len(await parties_of(engine, live)) == 1


async def test_an_unknown_or_ambiguous_salesperson_is_stored_as_written(engine: AsyncEngine, imports: Imports) -> None:
    live = project("2026-031")
    assert (await imports.projects([live], **SINCE)).unresolved == ("黄磊",)
    huang = COMPANY.by_id["huang.lei"]
    second = huang.model_copy(update={"id": "huang.lei2", "login": "huang.lei2", "email": "h2@example.com"})
    await imports.organisation(COMPANY.model_copy(update={"people": (*COMPANY.people, second)}), **SINCE)
    assert (await imports.projects([live], **SINCE)).unresolved == ("黄磊",)
    await imports.organisation(COMPANY, **SINCE)
    done = await imports.projects([live], **SINCE)
    assert (done.changed, done.unresolved) == (1, ())
    async with engine.connect() as connection:
        assert [row.salesperson for row in await registers.earlier_projects(connection, [live.id])] == ["huang.lei"]


async def test_a_project_of_the_customer_itself_names_it_once(engine: AsyncEngine, imports: Imports) -> None:
    live = project("2026-031")
    own = live.model_copy(
        update={"end_user_name": f"{live.customer_name} ", "end_user_uscc": live.customer_uscc, "id": "own"}
    )
    await imports.projects([own], **SINCE)
    assert await count(engine, "party") == 1


async def test_a_large_register_is_imported_in_one_go(engine: AsyncEngine, imports: Imports) -> None:
    """More projects than one statement has parameters for."""
    live = project("2026-031")
    many = [
        live.model_copy(update={"id": f"P{n}", "customer_name": f"客户{n}", "customer_uscc": None})
        for n in range(MORE_THAN_A_BATCH)
    ]
    assert (await imports.projects(many, **SINCE)).added == MORE_THAN_A_BATCH
    assert (await imports.projects(many, **SINCE)).unchanged
    assert await count(engine, "party") == MORE_THAN_A_BATCH


async def test_announced_years_add_up_and_make_deadlines_certain(
    engine: AsyncEngine, imports: Imports, facts: ReferenceData
) -> None:
    """N12: from the next version on, working days of that year are counted as announced."""
    day = date(2027, 2, 14)
    async with engine.connect() as connection:
        assert (await facts.calendar(connection)).is_provisional(day)
    first = AnnouncedYear(year=2027, days={day: DayKind.WORKING})
    later = AnnouncedYear(year=2028, days={date(2028, 1, 29): DayKind.WORKING}, published=False)
    done = await imports.calendar([first, later], **SINCE)
    assert (done.version, done.years, done.provisional) == (1, (2027, 2028), (2028,))
    assert (await imports.calendar([first], **SINCE)).unchanged
    assert (await imports.calendar([later.model_copy(update={"published": True})], **SINCE)).version == 2
    async with engine.connect() as connection:
        known = await facts.calendar(connection)
    assert known.is_working_day(day)
    assert known.published_years == {2027, 2028}
    assert await recorded(engine) == ["calendar_imported"] * 2

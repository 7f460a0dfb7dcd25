"""The schema: made once whoever migrates, equal to what the code believes, and append-only where it must be (X1)."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.connection.engine import make_engine
from db.connection.migrate import upgrade
from db.tables.schema import metadata

ROOT = Path(__file__).parents[3]
ONLY_IN_THE_DATABASE = {
    *(("column", "codes"), ("column", "registration_numbers"), ("index", "ex_claim_name"), ("index", "ex_claim_uscc")),
    *(("index", "ix_project_name_pairs"), ("index", "ix_project_tender_number"), ("index", "ix_project_search")),
    *(("index", "ix_application_search"), ("index", "ix_account_search")),
    ("index", "uq_learned_alias_pair"),
}
"""What the migrations make and SQLAlchemy cannot say or compare: the generated ranges of codes, the exclusion
constraints, indexes of what is inside a document."""


def differences(connection: Connection) -> list[Any]:
    def ours(_: object, name: str | None, kind: str, reflected: bool, __: object) -> bool:
        return not (reflected and ((kind, name) in ONLY_IN_THE_DATABASE or name == "alembic_version"))

    context = MigrationContext.configure(
        connection, opts={"include_object": ours, "compare_type": True, "compare_server_default": True}
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Did not recognize type 'textrange'")
        return list(compare_metadata(context, metadata))


async def test_the_tables_of_the_code_are_the_tables_of_the_migrations(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        checks = await connection.scalars(
            text("SELECT conname FROM pg_constraint WHERE contype IN ('c', 'x') AND conrelid <> 0")
        )
        assert set(checks) == {
            "ck_account_limit_needs_gm",
            "ck_learned_alias_removed_by_somebody",
            "ck_learned_alias_two_names",
            "ck_project_number_with_its_moment",
            "ck_reading_one_or_several",
            "ck_session_ended_for_a_reason",
            "ex_claim_name",
            "ex_claim_uscc",
        }


async def test_a_missing_column_would_be_seen(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE mail DROP COLUMN last_error"))
        await connection.execute(text("ALTER TABLE earlier_project ALTER COLUMN note DROP NOT NULL"))
        found = await connection.run_sync(differences)
    assert len(found) == 2


async def schema(database_url: str) -> tuple[str, int]:
    engine = make_engine(database_url, process="test")
    try:
        async with engine.connect() as connection:
            version = await connection.scalar(text("SELECT string_agg(version_num, ',') FROM alembic_version"))
            heads = await connection.scalar(text("SELECT count(*) FROM audit_head"))
            return str(version), int(heads or 0)
    finally:
        await engine.dispose()


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    before = await schema(database_url)
    await upgrade(database_url)
    assert await schema(database_url) == before


async def test_two_processes_that_migrate_at_once_take_turns(empty_database_url: str, database_url: str) -> None:
    environment = os.environ | {"BAOBEI_EMBEDDED": "true", "BAOBEI_DATABASE_URL": empty_database_url}
    racing = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "cli.py",
            "migrate",
            cwd=ROOT,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        for _ in range(2)
    ]
    said = [(await process.communicate())[0].decode() for process in racing]
    assert [process.returncode for process in racing] == [0, 0], said
    assert await schema(empty_database_url) == await schema(database_url)


BEFORE_PROJECTS = """
INSERT INTO policy VALUES ('d', '1', '{}');
INSERT INTO application VALUES ('a', 'w', 'p', null, 'commerce_check', 1, '{}', 'd', now(), now());
INSERT INTO project VALUES ('2026-031', '机房', '云岭', '黄磊', 'active', now(), null, 780000.00, '');
INSERT INTO party (subject_type, subject_id, role, name, name_key, live, since)
    VALUES ('project', '2026-031', 'customer', '云岭', '云岭', true, now()),
           ('application', 'a', 'customer', '云岭', '云岭', true, now());
INSERT INTO evidence VALUES
    ('a', 1, 'projects', '{"note": "已核对", "findings": [
        {"subject_type": "register", "subject_id": "x"},
        {"subject_type": "project", "subject_id": "2026-031", "name": "云岭"},
        {"subject_type": "project", "subject_id": "2026-044"}]}'),
    ('a', 1, 'accounts', '{"findings": [{"subject_type": "account", "subject_id": "c"}]}'),
    ('a', 1, 'past_projects', '{"findings": []}');
"""


async def test_projects_imported_before_keep_their_place_and_become_earlier_ones(empty_database_url: str) -> None:
    """N3, 0002: the companies they name, and what was shown of them, go along; nothing else changes."""
    engine = make_engine(empty_database_url, process="test")
    plain = await asyncpg.connect(empty_database_url.replace("+asyncpg", ""), timeout=5)
    documents = "SELECT kind, document::text FROM evidence ORDER BY kind"
    try:
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: to_revision(sync, "0001"))
        await plain.execute(BEFORE_PROJECTS)
        earlier = await plain.fetchrow("SELECT * FROM project")
        shown = {row["kind"]: row["document"] for row in await plain.fetch(documents)}
        await upgrade(empty_database_url)
        assert await plain.fetchval("SELECT count(*) FROM project") == 0
        assert await plain.fetch("SELECT * FROM earlier_project") == [earlier]
        kinds = await plain.fetch("SELECT subject_type, subject_id, live FROM party ORDER BY id")
        assert [tuple(row) for row in kinds] == [("earlier_project", "2026-031", True), ("application", "a", True)]
        now_shown = {row["kind"]: row["document"] for row in await plain.fetch(documents)}
        projects = shown["projects"].replace('"subject_type": "project"', '"subject_type": "earlier_project"')
        assert projects.count("earlier_project") == 2
        assert {kind: json.loads(text) for kind, text in now_shown.items()} == {
            kind: json.loads(text) for kind, text in (shown | {"projects": projects}).items()
        }
    finally:
        await plain.close()
        await engine.dispose()


def to_revision(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "db" / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


KEPT = {
    "audit": (
        "INSERT INTO audit VALUES (1, now(), null, null, 'x', 'system', '{}', 'a', 'b')",
        "UPDATE audit SET actor = 'li.ming'",
    ),
    "reading": (
        "INSERT INTO reading (person, subject_type, subject_id, through) VALUES ('a', 'application', '1', 'api')",
        "UPDATE reading SET person = 'b'",
    ),
    "decision": (
        "INSERT INTO decision VALUES ('t', 'm', 'a', 'own', null, 'approve', false, '', '{}', now(), now())",
        "UPDATE decision SET choice = 'reject'",
    ),
    "application_round": (
        "INSERT INTO application_round VALUES ('a', 1, '{}', now())",
        "UPDATE application_round SET form = '[]'",
    ),
    "project_round": (
        "INSERT INTO project_round VALUES ('b', 1, '{}', now())",
        "UPDATE project_round SET form = '[]'",
    ),
    "project_update": (
        "INSERT INTO project_update VALUES ('b', 1, 'm', 'p', now(), now(), 'a', '', 'b')",
        "UPDATE project_update SET progress = 'c'",
    ),
    "policy": ("INSERT INTO policy VALUES ('p', '1', '{}')", "UPDATE policy SET version = '2'"),
    "organisation": (
        "INSERT INTO organisation (document, imported_at, imported_by) VALUES ('{}', now(), 'x')",
        "UPDATE organisation SET imported_by = 'y'",
    ),
    "calendar": (
        "INSERT INTO calendar (document, imported_at, imported_by) VALUES ('{}', now(), 'x')",
        "UPDATE calendar SET imported_by = 'y'",
    ),
}
"""Tables that only ever grow: how to add a row (with whatever it refers to), and an attempt to rewrite it."""

REFERRED_TO = """
INSERT INTO policy VALUES ('d', '1', '{}');
INSERT INTO application
    VALUES ('a', 'w', 'p', null, 'commerce_check', 1, '{}', 'd', now(), now());
INSERT INTO project (id, workflow_id, applicant, salesperson, stage, round, form, policy_digest, registered_at,
    stage_since) VALUES ('b', 'w', 'p', 'p', 'routing', 1, '{}', 'd', now(), now());
INSERT INTO task (id, workflow_id, subject_type, subject_id, kind, slot, round, status, choices, opened_at, due_at,
    due_provisional) VALUES ('t', 'w', 'application', 'a', 'vp_review', 's', 1, 'open', '[]', now(), now(), false);
"""


@pytest.mark.parametrize("table", sorted(KEPT))
async def test_what_is_written_once_is_neither_changed_nor_removed_even_by_the_owner_of_the_table(
    database_url: str, superuser: asyncpg.Connection, table: str
) -> None:
    """X1: the database itself refuses, also for a superuser and for a session that says it only replicates."""
    insert, rewrite = KEPT[table]
    await superuser.execute(REFERRED_TO)
    application = await asyncpg.connect(database_url.replace("+asyncpg", ""), timeout=5)
    try:
        await application.execute(insert)
        await superuser.execute("SET session_replication_role = replica")
        for connection in (application, superuser):
            before = await connection.fetchval(f"SELECT count(*) FROM {table}")
            for attempt in (rewrite, f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is append-only"):
                    await connection.execute(attempt)
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == before
    finally:
        await application.close()

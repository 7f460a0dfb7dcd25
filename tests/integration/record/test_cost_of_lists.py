"""What a page of a list makes PostgreSQL read: as much as it shows, however many rows there are beside.

Counted in buffers, not in time, so that the machine does not matter.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.connection.engine import autocommit
from db.reads import inbox, lists
from db.reference_data import ReferenceData
from domain.access import Scope
from domain.policy import load_policy
from tests.samples import APPLICATION_FORM, PROJECT_FORM

FEW, MANY = 1_000, 10_000
PAGE = 51
MOST_BUFFERS = 10 * PAGE
"""The row, the way to it through an index, and the ways into the indexes of each ground. The whole of a table is
thousands."""
ENOUGH = 20
"""Lists that show a full page at either size, so that there is something to measure."""

SELLERS, DEPARTMENTS = 100, 10
"""Everybody has a part of all rows, so that whoever reads what they have reads ten times as much."""

FILL = (
    """
    INSERT INTO application (id, workflow_id, applicant, department, stage, round, form, policy_digest, submitted_at,
        stage_since)
    SELECT 'a' || n, 'wa' || n, 's' || n % :sellers, 'd' || n % :departments, 'vp_review', 1,
        CAST(:application AS jsonb), :digest, CAST('2026-01-01Z' AS timestamptz) + n * interval '1 minute', now()
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n""",
    """
    INSERT INTO account (id, application_id, salesperson, department, form, slot, account_limit, activated_at)
    SELECT id, id, applicant, department, form, substr(id, 2)::int, 1000000, submitted_at FROM application
    WHERE substr(id, 2)::int BETWEEN :first AND :last""",
    """
    INSERT INTO project (id, workflow_id, applicant, salesperson, department, stage, round, form, policy_digest,
        registered_at, stage_since, loss)
    SELECT 'p' || n, 'wp' || n, 's' || n % :sellers, 's' || n % :sellers, 'd' || n % :departments, 'active', 1,
        CAST(:project AS jsonb), :digest, CAST('2026-01-01Z' AS timestamptz) + n * interval '1 minute', now(),
        CASE WHEN n % 10 = 3 THEN CAST('{}' AS jsonb) END
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n""",
    """
    INSERT INTO dispute (id, project_id, workflow_id, origin, stage, round, opened_at, stage_since, claimants)
    SELECT 'x' || n, 'p' || n, 'wx' || n, 'check', 'negotiation', 1, now(), now(), jsonb_build_array(
        jsonb_build_object('person', 's' || n % :sellers), jsonb_build_object('person', 's' || (n + 1) % :sellers))
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n WHERE n % 10 IN (1, 4)""",
    """
    INSERT INTO mail (key, subject_id, person, facts, created_at, sent_at)
    SELECT 'm' || id, id, 'pm', CAST('{"kind": "lost"}' AS jsonb), now(), now() FROM project
    WHERE loss IS NOT NULL AND substr(id, 2)::int BETWEEN :first AND :last""",
    """
    INSERT INTO task (id, workflow_id, subject_type, subject_id, kind, slot, round, status, choices, opened_at, due_at,
        due_provisional)
    SELECT kind || n, kind || n, CASE kind WHEN 'a' THEN 'application' ELSE 'project' END, kind || n, 'vp_review',
        '', 1, CASE WHEN n % 5 = 0 THEN 'open' ELSE 'answered' END, '[]',
        CAST('2026-01-01Z' AS timestamptz) + n * interval '1 minute', now(), false
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n, unnest(ARRAY['a', 'p']) AS kind""",
    """
    INSERT INTO task_person (task_id, person, capacity, link_id, link_expires_at, asked_at)
    SELECT id, person, 'holder', id || person, now(), now() FROM task, unnest(ARRAY['clerk', 'asked']) AS person
    WHERE substr(id, 2)::int BETWEEN :first AND :last AND (person = 'clerk' OR substr(id, 2)::int % 4 = 0)""",
)

WHO = {
    "salesperson": Scope(person="s1"),
    "department": Scope(person="gm", departments=frozenset({"d1"})),
    "vp": Scope(
        person="vp",
        departments=frozenset({"d1", "d2"}),
        led=frozenset(f"s{n}" for n in range(SELLERS) if n % DEPARTMENTS in (1, 2)),
    ),
    "asked": Scope(person="asked"),
    "told of losses": Scope(person="pm"),
    "stands in for the manager": Scope(person="deputy", disputes=True),
    "everything": Scope(person="clerk", everything=True),
    "management": Scope(person="coo", reported=True),
}

Read = Callable[[AsyncConnection, Scope], Awaitable[Any]]
AFTER = ("2026-01-01T10:00:00+00:00", "p600")
"""A row in the middle of what there is at first."""

LISTS: dict[str, Read] = {
    "applications": lambda tx, scope: lists.applications_seen(
        tx, scope, stage=None, applicant=None, after=None, limit=PAGE
    ),
    "accounts": lambda tx, scope: lists.accounts_seen(
        tx, scope, salesperson=None, revoked=False, after=None, limit=PAGE
    ),
    "projects": lambda tx, scope: lists.projects_seen(tx, scope, limit=PAGE),
    "projects, a later page": lambda tx, scope: lists.projects_seen(tx, scope, after=AFTER, limit=PAGE),
    "active projects": lambda tx, scope: lists.projects_seen(tx, scope, stages=["active"], limit=PAGE),
    "tasks": lambda tx, scope: lists.tasks_asked(tx, scope.person, status=None, after=None, limit=PAGE),
    "open tasks": lambda tx, scope: lists.tasks_asked(tx, scope.person, status="open", after=None, limit=PAGE),
    "answered tasks": lambda tx, scope: lists.tasks_asked(tx, scope.person, status="answered", after=None, limit=PAGE),
}


async def fill(engine: AsyncEngine, first: int, last: int) -> None:
    async with engine.begin() as connection:
        digest = await ReferenceData(load_policy()).pin_policy(connection)
        values = {
            "first": first,
            "last": last,
            "digest": digest,
            "sellers": SELLERS,
            "departments": DEPARTMENTS,
            "application": APPLICATION_FORM.model_dump_json(),
            "project": PROJECT_FORM.model_dump_json(),
        }
        for statement in FILL:
            query = text(statement)
            await connection.execute(query, {name: values[name] for name in query.compile().params})
    async with autocommit(engine) as connection:
        await connection.execute(text("VACUUM ANALYZE"))


async def cost(connection: AsyncConnection, read: Read, scope: Scope) -> tuple[int, int]:
    """Rows that a list shows, and buffers that its statements read."""
    said: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append((statement, parameters))

    sync = connection.sync_connection
    event.listen(sync, "before_cursor_execute", note)
    try:
        rows = await read(connection, scope)
    finally:
        event.remove(sync, "before_cursor_execute", note)
    buffers = 0
    for statement, parameters in said:
        explained = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
        plan = explained.scalar_one()
        (top,) = json.loads(plan) if isinstance(plan, str) else plan
        buffers += top["Plan"]["Shared Hit Blocks"] + top["Plan"]["Shared Read Blocks"]
    return len(rows), buffers


def most(scope: Scope) -> int:
    """The newest disputes of each person whom a VP leads are walked by themselves, and merged."""
    return MOST_BUFFERS + len(scope.led) * 4 * PAGE


@pytest.mark.timeout(180)
async def test_x2_a_page_of_a_list_costs_what_it_shows(engine: AsyncEngine) -> None:
    first = 1
    for last in (FEW, MANY):
        await fill(engine, first, last)
        async with engine.connect() as connection:
            costs = {
                (name, who): await cost(connection, read, scope)
                for name, read in LISTS.items()
                for who, scope in WHO.items()
            }
        dear = {of: found for of, found in costs.items() if found[1] > most(WHO[of[1]])}
        assert not dear, f"among {last} rows"
        assert sum(rows == PAGE for rows, _ in costs.values()) > ENOUGH, "most have a page to show"
        first = last + 1


@pytest.mark.timeout(180)
async def test_x2_a_search_for_what_few_are_called_costs_what_it_finds(engine: AsyncEngine) -> None:
    """Among ten times as many rows no more are read: customers, names and numbers are found by pairs of characters."""
    everything = WHO["everything"]
    first = 1
    for last in (FEW, MANY):
        await fill(engine, first, last)
        async with engine.begin() as connection:
            for table in ("project", "application"):
                rare = "jsonb_set(form, '{customer,name}', to_jsonb('稀罕客户' || id))"
                named = f"UPDATE {table} SET form = {rare} WHERE id = :id"
                await connection.execute(text(named), {"id": f"{table[0]}{last // 2}"})
        async with engine.connect() as connection:
            for words in ("稀罕客户", "没有这个客户"):

                async def search(tx: AsyncConnection, scope: Scope, sought: str = words) -> Any:
                    return await inbox.search(tx, scope, scope, sought)

                found, buffers = await cost(connection, search, everything)
                assert found == (0 if words.startswith("没有") else 2 if last == FEW else 4)
                assert buffers < MOST_BUFFERS, (words, last)
        first = last + 1

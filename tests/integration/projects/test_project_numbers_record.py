"""Project numbers on the record: no gap and no duplicate, whoever fails (P9)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.connection.engine import make_engine
from db.projects import projects
from domain.projects.project import (
    ProjectStage,
)
from tests.integration.projects.test_projects_record import NOW, RULES, prepared, project

YEARS = (2026, 2027)
APPROVALS = 40


async def commits(tx: AsyncConnection) -> bool:
    await tx.commit()
    return True


async def rolls_back(tx: AsyncConnection) -> bool:
    await tx.rollback()
    return False


async def loses_its_connection(tx: AsyncConnection) -> bool:
    with pytest.raises(DBAPIError):
        await tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    return False


async def test_numbers_of_a_year_have_no_gap_and_no_duplicate_whoever_fails(database_url: str) -> None:
    """P9: forty approvals at once, over two years; those that fail after they took a number give it back."""
    engine = make_engine(database_url, process="test", pool_size=APPROVALS, pre_ping=False)
    endings: list[Callable[[AsyncConnection], Any]] = [commits, rolls_back, loses_its_connection]
    drawn = random.Random(9)
    plan = [(f"p{n}", YEARS[n % 2], drawn.choices(endings, (5, 3, 2))[0]) for n in range(APPROVALS)]
    assert {ending for _, _, ending in plan} == set(endings)
    try:
        await prepared(engine, *(project(project_id) for project_id, _, _ in plan))

        async def approve(project_id: str, year: int, ending: Callable[[AsyncConnection], Any]) -> bool:
            async with engine.connect() as tx:
                number = RULES.policy.projects.number(year, await projects.next_number(tx, year))
                await projects.change(tx, project_id, number=number, number_issued_at=NOW)
                return bool(await ending(tx))

        outcomes = await asyncio.gather(*(approve(*attempt) for attempt in plan))
        async with engine.connect() as tx:
            rows = {row.id: row for row in await projects.by_ids(tx, [project_id for project_id, _, _ in plan])}
            last = {year: await projects.next_number(tx, year) - 1 for year in YEARS}
    finally:
        await engine.dispose()
    approved = {project_id for (project_id, _, _), done in zip(plan, outcomes, strict=True) if done}
    assert {project_id for project_id, row in rows.items() if row.number} == approved
    for year in YEARS:
        issued = sorted(rows[p].number or "" for p, of, _ in plan if of == year and p in approved)
        assert issued == [RULES.policy.projects.number(year, n) for n in range(1, len(issued) + 1)]
        assert last[year] == len(issued) > 1


@pytest.mark.parametrize(
    "attempt",
    [
        "INSERT INTO project_number VALUES (2027, 2)",
        "UPDATE project_number SET last = last + 2",
        "UPDATE project_number SET last = last",
        "UPDATE project_number SET last = last - 1",
        "UPDATE project_number SET year = 2025, last = last + 1",
        "DELETE FROM project_number",
        "TRUNCATE project_number",
        "UPDATE project SET number = 'XM-2026-0002' WHERE id = 'p'",
        "UPDATE project SET number = NULL, number_issued_at = NULL WHERE id = 'p'",
        "DELETE FROM project WHERE id = 'p'",
        "UPDATE project SET number = 'XM-2026-0001', number_issued_at = now() WHERE id = 'q'",
        "UPDATE project SET number = 'XM-2026-0002' WHERE id = 'q'",
    ],
)
async def test_the_database_itself_refuses_what_would_leave_a_gap_or_use_a_number_twice(
    engine: AsyncEngine, attempt: str
) -> None:
    """P9: also by hand; a number goes with the moment it was issued at."""
    row = project("p", number="XM-2026-0001", number_issued_at=NOW)
    await prepared(engine, row, project("q"))
    async with engine.begin() as tx:
        assert await projects.next_number(tx, 2026) == 1
    with pytest.raises(DBAPIError, match=r"no gap and no second use|append-only|uq_project_number|with_its_moment"):
        async with engine.begin() as tx:
            await tx.execute(text(attempt))
    async with engine.begin() as tx:
        assert await projects.find(tx, "p") == row
        assert await projects.next_number(tx, 2026) == 2
        await projects.change(tx, "p", stage=ProjectStage.ENDED, number=row.number)

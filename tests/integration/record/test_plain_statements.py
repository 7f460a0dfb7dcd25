"""Statements handed to the driver as they stand belong to the transaction they are run in, and fail alike."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from db.connection import plain
from db.connection.engine import DatabaseUnavailable, autocommit, transaction
from db.tables import step

KEEP = "INSERT INTO step (workflow_id, key, result) VALUES ($1, $2, $3)"


async def kept(engine: AsyncEngine) -> set[str]:
    async with engine.begin() as tx:
        return {row[0] for row in await plain.run(tx, "SELECT key FROM step")}


@pytest.mark.parametrize("first", ["plain", "with SQLAlchemy"])
async def test_nothing_remains_of_a_transaction_that_failed_whoever_ran_its_first_statement(
    engine: AsyncEngine, first: str
) -> None:
    async def work() -> None:
        async with engine.begin() as tx:
            if first == "with SQLAlchemy":
                await tx.execute(select(step))
            await plain.run(tx, KEEP, "w", "one", "{}")
            await tx.execute(insert(step), {"workflow_id": "w", "key": "two", "result": {}})
            await plain.run(tx, KEEP, "w", "three", "{}")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert await kept(engine) == set()


async def test_json_and_moments_come_back_as_they_went(engine: AsyncEngine) -> None:
    told = {"客户": ['引号"', None, 1.5], "线": "a\\b\n"}
    async with engine.begin() as tx:
        await plain.run(tx, KEEP, "w", "one", plain.json_text(told))
        assert await plain.run(tx, "SELECT result FROM step") == [(told,)]
        assert await tx.scalar(select(step.c.result)) == told
    async with autocommit(engine) as tx:
        assert await plain.run(tx, "SELECT result, key FROM step WHERE key = $1", "one") == [(told, "one")]


@pytest.mark.parametrize("before", [0, 1])
async def test_what_fails_says_so_as_any_other_statement(engine: AsyncEngine, before: int) -> None:
    """Whether it is the first of its transaction or comes later."""

    async def work(sql: str, *values: str) -> None:
        async with engine.begin() as tx:
            for _ in range(before):
                await plain.run(tx, "SELECT 1")
            await plain.run(tx, sql, *values)

    await work(KEEP, "w", "one", "{}")
    with pytest.raises(IntegrityError):
        await work(KEEP, "w", "one", "{}")
    with pytest.raises(ProgrammingError):
        await work("SELECT nothing_of_the_kind")
    with pytest.raises(DBAPIError):
        await work(KEEP, "w", "two", "no JSON")
    assert await kept(engine) == {"one"}


async def test_a_connection_that_was_cut_is_not_used_again(engine: AsyncEngine, superuser: asyncpg.Connection) -> None:
    async def cut() -> None:
        async with transaction(engine) as tx:
            await plain.run(tx, KEEP, "w", "one", "{}")
            ((pid,),) = await plain.run(tx, "SELECT pg_backend_pid()")
            await superuser.execute("SELECT pg_terminate_backend($1, 5000)", pid)
            await plain.run(tx, KEEP, "w", "two", "{}")

    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await cut()
        assert await kept(engine) == set()


async def test_outside_a_transaction_too_a_connection_that_was_cut_is_not_used_again(
    engine: AsyncEngine, superuser: asyncpg.Connection
) -> None:
    async def cut() -> None:
        async with autocommit(engine) as tx:
            ((pid,),) = await plain.run(tx, "SELECT pg_backend_pid()")
            await superuser.execute("SELECT pg_terminate_backend($1, 5000)", pid)
            await plain.run(tx, KEEP, "w", "one", "{}")

    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await cut()
        async with autocommit(engine) as tx:
            assert await plain.run(tx, "SELECT key FROM step") == []


async def test_outside_a_transaction_every_statement_stands_for_itself(engine: AsyncEngine) -> None:
    async with autocommit(engine) as tx:
        await plain.run(tx, KEEP, "w", "one", "{}")
        with pytest.raises(IntegrityError):
            await plain.run(tx, KEEP, "w", "one", "{}")
        await plain.run(tx, KEEP, "w", "two", "{}")
    assert await kept(engine) == {"one", "two"}

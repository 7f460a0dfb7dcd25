"""A step that is broken off in the middle does all or nothing, and what it leaves behind is in nobody's way (X3)."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from db.connection import plain
from db.connection.engine import autocommit, make_engine, step_transaction

KEEP = "INSERT INTO step (workflow_id, key, result) VALUES ($1, $2, $3)"
A_WHILE = 30.0


async def kept(engine: AsyncEngine) -> set[str]:
    async with autocommit(engine) as connection:
        return {row[0] for row in await plain.run(connection, "SELECT key FROM step")}


async def keep(engine: AsyncEngine, key: str) -> None:
    async with step_transaction(engine) as connection:
        await plain.run(connection, KEEP, "w", key, "{}")


async def test_x3_a_step_broken_off_while_it_begins_leaves_no_transaction_open(database_url: str) -> None:
    engine = make_engine(database_url, process="test", pool_size=1)
    async with step_transaction(engine) as connection:
        ((pid,),) = await plain.run(connection, "SELECT pg_backend_pid()")
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await keep(engine, "broken off")
    finally:
        os.kill(pid, signal.SIGCONT)
    async with asyncio.timeout(A_WHILE), autocommit(engine) as connection:
        await plain.run(connection, KEEP, "w", "by itself", "{}")
    other = make_engine(database_url, process="test", pool_size=1)
    assert await kept(other) == {"by itself"}
    await other.dispose()
    await engine.dispose()


async def test_x3_a_step_broken_off_twice_undoes_nothing_of_the_next(database_url: str) -> None:
    engine = make_engine(database_url, process="test", pool_size=1)
    other = make_engine(database_url, process="test", pool_size=1)
    in_the_middle = asyncio.Event()
    pid = 0

    async def step() -> None:
        nonlocal pid
        async with step_transaction(engine) as connection:
            ((pid,),) = await plain.run(connection, "SELECT pg_backend_pid()")
            await plain.run(connection, KEEP, "w", "broken off", "{}")
            in_the_middle.set()
            await asyncio.Event().wait()

    broken_off = asyncio.create_task(step())
    async with asyncio.timeout(A_WHILE):
        await in_the_middle.wait()
        os.kill(pid, signal.SIGSTOP)
        try:
            broken_off.cancel()
            await asyncio.sleep(0)  # its turn: it begins to undo, which nobody answers
            broken_off.cancel()
            with pytest.raises(asyncio.CancelledError):
                await broken_off
        finally:
            os.kill(pid, signal.SIGCONT)
        await keep(engine, "next")
    assert await kept(other) == {"next"}
    await other.dispose()
    await engine.dispose()


async def test_x3_a_step_is_never_done_when_nothing_of_it_was_recorded(engine: AsyncEngine) -> None:
    async def step() -> None:
        async with step_transaction(engine) as connection:
            await plain.run(connection, KEEP, "w", "one", "{}")
            with pytest.raises(DBAPIError):
                await plain.run(connection, "SELECT 1 / 0")

    with pytest.raises(DBAPIError):
        await step()
    assert await kept(engine) == set()

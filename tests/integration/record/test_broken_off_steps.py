"""A step that is broken off in the middle does all or nothing, and what it leaves behind is in nobody's way (X3)."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.connection.engine import FailedTransaction, autocommit, make_engine, transaction
from db.tables.messages import step

PID = text("SELECT pg_backend_pid()")
A_WHILE = 30.0


async def kept(engine: AsyncEngine) -> set[str]:
    async with autocommit(engine) as connection:
        return set(await connection.scalars(select(step.c.key)))


async def add(connection: AsyncConnection, key: str) -> None:
    await connection.execute(insert(step), {"workflow_id": "w", "key": key, "result": {}})


async def keep(engine: AsyncEngine, key: str) -> None:
    async with transaction(engine) as connection:
        await add(connection, key)


async def test_x3_a_step_broken_off_while_it_begins_leaves_no_transaction_open(database_url: str) -> None:
    engine = make_engine(database_url, process="test", pool_size=1)
    async with transaction(engine) as connection:
        pid = await connection.scalar(PID)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await keep(engine, "broken off")
    finally:
        os.kill(pid, signal.SIGCONT)
    async with asyncio.timeout(A_WHILE), autocommit(engine) as connection:
        await add(connection, "alone")
    other = make_engine(database_url, process="test", pool_size=1)
    assert await kept(other) == {"alone"}
    await other.dispose()
    await engine.dispose()


async def test_x3_a_step_broken_off_twice_undoes_nothing_of_the_next(database_url: str) -> None:
    engine = make_engine(database_url, process="test", pool_size=1)
    other = make_engine(database_url, process="test", pool_size=1)
    in_the_middle = asyncio.Event()
    pid = 0

    async def do_step() -> None:
        nonlocal pid
        async with transaction(engine) as connection:
            pid = await connection.scalar(PID)
            await add(connection, "broken off")
            in_the_middle.set()
            await asyncio.Event().wait()

    broken_off = asyncio.create_task(do_step())
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


async def test_x3_a_connection_broken_off_while_it_commits_is_nobody_elses(database_url: str) -> None:
    engine = make_engine(database_url, process="test", pool_size=1)
    pid = 0

    async def do_step() -> None:
        nonlocal pid
        async with transaction(engine) as connection:
            pid = await connection.scalar(PID)
            await add(connection, "broken off")
            os.kill(pid, signal.SIGSTOP)

    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await do_step()
    finally:
        os.kill(pid, signal.SIGCONT)
    async with asyncio.timeout(A_WHILE), transaction(engine) as connection:
        assert await connection.scalar(PID) != pid
        await add(connection, "next")
    assert "next" in await kept(engine)
    await engine.dispose()


async def test_x3_a_step_is_never_done_when_nothing_of_it_was_recorded(engine: AsyncEngine) -> None:
    async def do_step() -> None:
        async with transaction(engine) as connection:
            await add(connection, "one")
            with pytest.raises(DBAPIError):
                await connection.execute(text("SELECT 1 / 0"))

    with pytest.raises(FailedTransaction):
        await do_step()
    assert await kept(engine) == set()
    async with transaction(engine) as connection:  # on the same connection
        await add(connection, "two")
    assert await kept(engine) == {"two"}


async def test_what_a_savepoint_undid_does_not_stand_in_the_way_of_the_rest(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await add(connection, "one")
        with pytest.raises(DBAPIError):
            async with connection.begin_nested():
                await connection.execute(text("SELECT 1 / 0"))
        await add(connection, "two")
    assert await kept(engine) == {"one", "two"}

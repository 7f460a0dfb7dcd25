"""The two kinds of connection: what a transaction leaves behind, what fails and how, and what is not used again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal

import asyncpg
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.connection.engine import DatabaseUnavailable, autocommit, make_engine, transaction
from db.tables.messages import step
from domain.base import Wire
from tests.eventually import eventually

PID = text("SELECT pg_backend_pid()")


Opening = Callable[[AsyncEngine], AbstractAsyncContextManager[AsyncConnection]]


class Told(Wire):
    """Something that a JSON column holds."""

    amount: Decimal
    names: tuple[str, ...]


async def kept(engine: AsyncEngine) -> set[str]:
    async with transaction(engine) as connection:
        return set(await connection.scalars(select(step.c.key)))


async def keep(connection: AsyncConnection, key: str, result: object = None) -> None:
    await connection.execute(insert(step), {"workflow_id": "w", "key": key, "result": result or {}})


async def test_nothing_remains_of_a_transaction_that_failed(engine: AsyncEngine) -> None:
    async def work() -> None:
        async with transaction(engine) as connection:
            await keep(connection, "one")
            await keep(connection, "two")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert await kept(engine) == set()


async def test_json_comes_back_as_it_went_and_models_are_written_as_json(engine: AsyncEngine) -> None:
    told = {"客户": ['引号"', None, 1.5], "线": "a\\b\n"}
    async with transaction(engine) as connection:
        await keep(connection, "one", told)
        await keep(connection, "two", {"said": Told(amount=Decimal("1.50"), names=("甲", "乙"))})
        found = {row.key: row.result for row in await connection.execute(select(step))}
        size = await connection.scalar(text("SELECT jsonb_typeof(result) FROM step WHERE key = 'two'"))
    assert found == {"one": told, "two": {"said": {"amount": "1.50", "names": ["甲", "乙"]}}}
    assert size == "object"


@pytest.mark.parametrize("before", [0, 1])
async def test_what_fails_says_so(engine: AsyncEngine, before: int) -> None:
    """Whether it is the first of its transaction or comes later."""

    async def work(sql: str) -> None:
        async with transaction(engine) as connection:
            for _ in range(before):
                await connection.execute(text("SELECT 1"))
            await connection.execute(text(sql))

    await work("INSERT INTO step VALUES ('w', 'one', '{}')")
    with pytest.raises(IntegrityError):
        await work("INSERT INTO step VALUES ('w', 'one', '{}')")
    with pytest.raises(ProgrammingError):
        await work("SELECT nothing_of_the_kind")
    assert await kept(engine) == {"one"}


@pytest.mark.parametrize("opening", [transaction, autocommit])
async def test_x3_a_connection_that_was_cut_is_not_used_again(
    engine: AsyncEngine, superuser: asyncpg.Connection, opening: Opening
) -> None:
    async def cut() -> None:
        async with opening(engine) as connection:
            pid = await connection.scalar(PID)
            await superuser.execute("SELECT pg_terminate_backend($1, 5000)", pid)
            await keep(connection, "one")

    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await cut()
        assert await kept(engine) == set()


async def test_with_autocommit_every_statement_stands_for_itself(engine: AsyncEngine) -> None:
    async with autocommit(engine) as connection:
        await keep(connection, "one")
        with pytest.raises(IntegrityError):
            await keep(connection, "one")
        await keep(connection, "two")
    assert await kept(engine) == {"one", "two"}


async def test_x3_a_server_lost_while_connecting_is_unavailable_whatever_the_driver_calls_it(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object, **__: object) -> None:
        raise asyncpg.InternalClientError("got result for unknown protocol state 3")

    monkeypatch.setattr(asyncpg, "connect", lost)
    with pytest.raises(DatabaseUnavailable):
        await kept(engine)


async def is_running(engine: AsyncEngine, sql: str) -> bool:
    async with autocommit(engine) as connection:
        active = text("SELECT count(*) FROM pg_stat_activity WHERE query = :sql AND state = 'active'")
        return bool(await connection.scalar(active, {"sql": sql}))


async def test_x3_a_server_lost_in_the_middle_of_a_statement_is_unavailable(
    engine: AsyncEngine, superuser: asyncpg.Connection
) -> None:
    async def ask() -> None:
        async with autocommit(engine) as connection:
            await connection.execute(text("SELECT pg_sleep(30)"))

    asked = asyncio.create_task(ask())
    await eventually(lambda: is_running(engine, "SELECT pg_sleep(30)"), "the statement under way")
    await superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)'"
    )
    with pytest.raises(DatabaseUnavailable):
        await asked
    assert await kept(engine) == set()


async def test_x3_who_leaves_in_the_middle_of_a_statement_leaves_their_place_to_others(
    database_url: str, engine: AsyncEngine
) -> None:
    """With half an answer on it, the connection is nobody's any more."""
    narrow = make_engine(database_url, process="test", pool_size=1)
    pids = []

    async def ask(sql: str) -> object:
        async with autocommit(narrow) as connection:
            pids.append(await connection.scalar(PID))
            return await connection.scalar(text(sql))

    asked = asyncio.create_task(ask("SELECT pg_sleep(31)"))
    await eventually(lambda: is_running(engine, "SELECT pg_sleep(31)"), "the statement under way")
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert list(await asyncio.gather(ask("SELECT 1"), ask("SELECT 2"))) == [1, 2]
    assert pids[0] not in pids[1:]
    await narrow.dispose()


async def test_x3_a_statement_given_up_is_unavailable_and_its_connection_not_used_again(database_url: str) -> None:
    narrow = make_engine(database_url, process="test", pool_size=1, command_timeout=0.3)
    pids = []

    async def ask(sql: str) -> None:
        async with autocommit(narrow) as connection:
            pids.append(await connection.scalar(PID))
            await connection.execute(text(sql))

    with pytest.raises(DatabaseUnavailable):
        await ask("SELECT pg_sleep(30)")
    await ask("SELECT 1")
    assert len(set(pids)) == 2
    await narrow.dispose()


async def test_a_session_is_in_utc_whatever_zone_the_server_is_in(
    superuser: asyncpg.Connection, database_url: str
) -> None:
    name = database_url.rpartition("/")[2]
    await superuser.execute(f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Shanghai'")
    engine = make_engine(database_url, process="test")
    async with autocommit(engine) as connection:
        assert await connection.scalar(text("SHOW timezone")) == "UTC"
    await engine.dispose()

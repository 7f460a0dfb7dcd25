"""One PostgreSQL for the whole session, and a fresh, migrated database for every test that asks for one."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from db.connection.engine import make_engine
from db.connection.migrate import upgrade
from domain.accounts.transitions import NotApproved
from embedded.processes.ports import free_row
from embedded.servers.postgres import PostgresServer
from tests.integration.tasks.race_ground import KEYS, ROUNDS, Ground
from tests.servers.scratch import scratch

MIGRATED = "migrated"
"""The database that every test's own is a copy of: copying takes a twentieth of the time of migrating."""

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[PostgresServer]:
    """A real server that forgets: no fsync, gone when the session ends."""
    with scratch("tests") as folder:
        async with PostgresServer(folder, free_row(1), durable=False) as server:
            yield server


@pytest.fixture(scope="session")
async def migrated(postgres: PostgresServer) -> str:
    """The name of a database at the newest schema, without a row. Nobody works in it."""
    await upgrade(await postgres.create_database(MIGRATED))
    return MIGRATED


@pytest.fixture
async def empty_database_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """A database of this test alone, before any migration."""
    name = f"test_{next(_numbers)}"
    yield await postgres.create_database(name)
    await postgres.drop_database(name)


@pytest.fixture
async def database_url(postgres: PostgresServer, migrated: str) -> AsyncIterator[str]:
    """A database of this test alone, at the newest schema; its role owns it and is no superuser."""
    name = f"test_{next(_numbers)}"
    yield await postgres.create_database(name, template=migrated)
    await postgres.drop_database(name)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Connections to `database_url`, as the processes make them."""
    made = make_engine(database_url, process="test")
    yield made
    await made.dispose()


@pytest.fixture
async def worker_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Connections to `database_url`, as the worker makes them: for many steps at once."""
    made = make_engine(database_url, process="test", pool_size=20, planned_once=True)
    yield made
    await made.dispose()


@pytest.fixture
async def superuser(postgres: PostgresServer, database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to `database_url` that may do anything: the database's owner gone bad."""
    connection = await as_superuser(postgres, database_url)
    yield connection
    await connection.close()


async def as_superuser(postgres: PostgresServer, database_url: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host="127.0.0.1",
        port=postgres.port,
        user="postgres",
        password=postgres.admin_password,
        database=database_url.rpartition("/")[2],
        timeout=5,
    )


@pytest.fixture
async def ground(worker_engine: AsyncEngine, superuser: asyncpg.Connection) -> AsyncIterator[Ground]:
    name = await superuser.fetchval("SELECT current_database()")
    # Two that wait for each other are found at once instead of after a second; what then happens is the same.
    await superuser.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '20ms'")
    made = Ground(worker_engine, KEYS)
    await made.prepare(sellers=2 * ROUNDS)
    yield made
    assert all(issubclass(error, DBAPIError | NotApproved) for error in made.retried), made.retried
    await made.record_holds()

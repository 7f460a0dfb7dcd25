"""The one way to PostgreSQL: SQLAlchemy engines, and the two kinds of connection that they give at an edge."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
from pydantic_core import from_json, to_json
from sqlalchemy import event
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    InvalidRequestError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

__all__ = [
    "AsyncConnection",
    "AsyncEngine",
    "DatabaseUnavailable",
    "autocommit",
    "is_unavailable",
    "make_engine",
    "transaction",
]

PLANNED_ONCE = {"plan_cache_mode": "force_generic_plan"}
"""For connections that run the same few statements with ever new values: each is planned once, whatever the values.

By default PostgreSQL plans the first five of every connection anew, and those that are given lists for ever. Not for
lists that people filter: where a condition is a value, the plan for all values has no use for an index of one of them.
"""
IDLE_SECONDS = 1.0
"""A connection unused for longer is pinged before it is used again."""
ROLLBACK_SECONDS = 5.0
"""A server that hangs is not waited for when a transaction is rolled back: closing the connection does it (X3)."""
_FAILED = "a statement of the transaction failed"


def make_engine(
    database_url: str,
    *,
    process: str,
    pool_size: int = 10,
    pre_ping: bool = True,
    command_timeout: float | None = None,
    pool_timeout: float = 30.0,
    planned_once: bool = False,
) -> AsyncEngine:
    """An engine whose sessions show up in PostgreSQL as `baobei-{process}`.

    JSON columns take pydantic models, and whatever else pydantic can serialize, as they are.

    `pre_ping` finds connections that died while nobody used them; do without it only where a failed statement is
    retried anyway. A ping costs three round trips (measured), so a recently used connection is not pinged: if it has
    died meanwhile, one request fails and the pool discards all older connections.

    A server that hangs refuses nothing: `command_timeout` (seconds a statement) gives up on it, `pool_timeout`
    (seconds) on waiting for a connection that others hold (X3). For `planned_once` see `PLANNED_ONCE`.
    """
    plans = PLANNED_ONCE if planned_once else {}
    engine = create_async_engine(
        database_url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=pool_timeout,
        pool_recycle=1800,
        pool_use_lifo=True,  # few connections with warm statements, rather than many with cold ones
        json_serializer=lambda value: to_json(value).decode(),
        json_deserializer=from_json,
        connect_args={
            "timeout": 5,
            "command_timeout": command_timeout,
            "prepared_statement_cache_size": 500,
            # UTC: JSON that PostgreSQL writes has its moments in the zone of the session.
            "server_settings": {"application_name": f"baobei-{process}", "timezone": "UTC", **plans},
        },
    )
    if pre_ping:
        _ping_after_idling(engine)
    _drop_after_timeout(engine)
    _never_commit_a_failure(engine)
    return engine


def _ping_after_idling(engine: AsyncEngine) -> None:
    dialect = engine.sync_engine.dialect

    @event.listens_for(engine.sync_engine, "checkin")
    def put_back(_connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def take_out(connection: Any, record: Any, _proxy: Any) -> None:
        used_at = record.info.get("used_at")
        if used_at is None or time.monotonic() - used_at < IDLE_SECONDS:
            return
        try:
            dialect.do_ping(connection)
        except Exception as error:  # whatever it says, this connection is not to be used
            raise DisconnectionError from error


def _drop_after_timeout(engine: AsyncEngine) -> None:
    """A statement that was given up may still be running: its connection is not used again."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def failed(context: Any) -> None:
        if isinstance(context.original_exception, TimeoutError):
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False


def _never_commit_a_failure(engine: AsyncEngine) -> None:
    """Raise `FailedTransaction` where PostgreSQL would answer COMMIT with ROLLBACK, which neither the driver nor
    SQLAlchemy reports."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def failed(context: Any) -> None:
        if context.connection is not None and not context.is_disconnect:
            context.connection.info[_FAILED] = True

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Any) -> None:
        connection.info.pop(_FAILED, None)

    @event.listens_for(engine.sync_engine, "rollback_savepoint")
    def undone(connection: Any, _name: Any, _context: Any) -> None:
        connection.info.pop(_FAILED, None)

    @event.listens_for(engine.sync_engine, "commit")
    def committed(connection: Any) -> None:
        if connection.info.pop(_FAILED, False):
            raise FailedTransaction(f"{_FAILED}: nothing of it is recorded")


class FailedTransaction(Exception):
    """A transaction was to be committed after one of its statements had failed, because somebody caught the error."""


class DatabaseUnavailable(Exception):
    """PostgreSQL cannot be reached or is not ready; nothing was done."""


def is_unavailable(error: BaseException) -> bool:
    """Whether `error` says that the database is unavailable, not that a statement was wrong."""
    if isinstance(error, IntegrityError | DataError | ProgrammingError):
        return False
    if isinstance(error, DBAPIError) and (
        _unencodable(error.orig) or _unencodable(error.orig and error.orig.__cause__)
    ):
        return False
    # Opening a connection raises the driver's own errors; one that died in the pool, InvalidRequestError.
    driver = (asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, asyncpg.OperatorInterventionError)
    crowded = (asyncpg.TooManyConnectionsError, asyncpg.InterfaceError)
    lost = (asyncpg.InternalClientError,)  # lost while it connects, the driver may meet a state it does not know
    pool = (DBAPIError, PoolTimeoutError, InvalidRequestError, DisconnectionError)
    return isinstance(error, (*driver, *crowded, *lost, *pool, OSError))


def _unencodable(error: BaseException | None) -> bool:
    """Whether the driver could not encode a value: it never reached the server."""
    return isinstance(error, ValueError | TypeError | OverflowError | asyncpg.DataError)


@contextlib.asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction: committed when the block ends, rolled back when it raises.

    Raises `DatabaseUnavailable` instead of the driver's error when the database is lost. A connection of which it is
    not known whether its transaction has ended is closed, which rolls it back, and never given to anybody else.
    """
    async with unavailable_reported(), engine.connect() as connection:
        opened = await connection.begin()
        try:
            yield connection
        except BaseException:
            await _roll_back(connection)
            raise
        await opened.commit()


async def _roll_back(connection: AsyncConnection) -> None:
    ended = False
    try:
        async with asyncio.timeout(ROLLBACK_SECONDS):
            await connection.rollback()
        ended = True
    except Exception:  # noqa: S110 - whatever it says, this connection is not to be used
        pass
    finally:
        under = connection.sync_connection
        if not ended and under is not None and not under.invalidated:
            under.invalidate()  # immediately, without waiting for the server


@contextlib.asynccontextmanager
async def autocommit(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection on which each statement stands for itself: for reading, and for changes of one statement.

    It saves BEGIN and COMMIT. Reading loses nothing by it: in a transaction, too, each statement sees what was
    committed when it began. Raises as `transaction` does.
    """
    async with unavailable_reported(), _without_transactions(engine).connect() as connection:
        yield connection


@functools.lru_cache(maxsize=16)
def _without_transactions(engine: AsyncEngine) -> AsyncEngine:
    """The same engine with the same connections. Kept, because making it costs as much as a statement."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


@contextlib.asynccontextmanager
async def unavailable_reported() -> AsyncIterator[None]:
    """Raises `DatabaseUnavailable` instead of the driver's error when the database is lost."""
    try:
        yield
    except Exception as error:
        if is_unavailable(error):
            raise DatabaseUnavailable from error
        raise

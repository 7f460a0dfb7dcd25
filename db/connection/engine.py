"""Connections to PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import asyncpg
from pydantic_core import from_json
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

from db.connection import plain

__all__ = [
    "AsyncConnection",
    "AsyncEngine",
    "DatabaseUnavailable",
    "autocommit",
    "away_told",
    "is_away",
    "make_engine",
    "step_transaction",
    "transaction",
]


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"cannot store {type(value).__name__} as JSON")


PLANNED_ONCE = {"plan_cache_mode": "force_generic_plan"}
"""For connections that run the same few statements with ever new values: each is planned once, whatever the values.

By default PostgreSQL plans the first five of every connection anew, and those that are given lists for ever. Not for
lists that people filter: where a condition is a value, the plan for all values has no use for an index of one of them.
"""
IDLE_SECONDS = 1.0
"""A connection unused for longer is asked whether it still lives before it is used again."""
UNDO_SECONDS = 5.0
"""A server that hangs is not waited for when a step is undone: ending the connection undoes it as well (X3)."""


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

    `pre_ping` finds connections that died while nobody used them; do without it only where a failed statement is
    retried anyway. Asking costs three round trips (ran), so one that was used a moment ago is trusted: when it has
    died since, one caller is told that the record is away, and the pool throws all its elders out.

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
        json_serializer=lambda value: json.dumps(value, ensure_ascii=False, default=_plain),
        json_deserializer=from_json,
        connect_args={
            "timeout": 5,
            "command_timeout": command_timeout,
            "prepared_statement_cache_size": 500,
            # UTC: what comes as JSON has its moments in the zone of the session.
            "server_settings": {"application_name": f"baobei-{process}", "timezone": "UTC", **plans},
        },
    )
    if pre_ping:
        _ask_after_idling(engine)
    return engine


def _ask_after_idling(engine: AsyncEngine) -> None:
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


class DatabaseUnavailable(Exception):
    """PostgreSQL cannot be reached or is not ready; nothing was done."""


def is_away(error: BaseException) -> bool:
    """Whether `error` says that the database is away, not that a statement was wrong."""
    if isinstance(error, IntegrityError | DataError | ProgrammingError):
        return False
    if isinstance(error, DBAPIError) and (
        _unencodable(error.orig) or _unencodable(error.orig and error.orig.__cause__)
    ):
        return False
    # Opening a connection raises what the driver says, as it is; one that died in the pool, InvalidRequestError.
    driver = (asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, asyncpg.OperatorInterventionError)
    crowded = (asyncpg.TooManyConnectionsError, asyncpg.InterfaceError)
    pool = (DBAPIError, PoolTimeoutError, InvalidRequestError, DisconnectionError)
    return isinstance(error, (*driver, *crowded, *pool, OSError))


def _unencodable(error: BaseException | None) -> bool:
    """Whether the driver could not write a value down: it never reached the server."""
    return isinstance(error, ValueError | TypeError | OverflowError | asyncpg.DataError)


@contextlib.asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction at the edge. Raises `DatabaseUnavailable` instead of what the driver says of a lost database."""
    async with away_told(), engine.begin() as tx:
        yield tx


@contextlib.asynccontextmanager
async def step_transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """The transaction of one step. Raises what SQLAlchemy raises.

    As `engine.begin()`, but BEGIN and COMMIT go straight to the driver, as most statements of a step do
    (`db/connection/plain.py`). Through the layers between, the two cost as much as several others (ran).
    """
    async with _without_transactions(engine).connect() as tx:
        try:
            await plain.run(tx, "BEGIN")  # in here, too: broken off, it may have begun all the same
            yield tx
            await plain.commit(tx)
        except BaseException:
            await _undo(tx)
            raise


async def _undo(tx: AsyncConnection) -> None:
    """Undo what was done since BEGIN; where that is not known to be so, end the connection, which undoes it.

    The pool trusts that nothing is open on what it gets back. Whoever is broken off here once more must not leave a
    ROLLBACK on its way, which would undo the beginning of the next step.
    """
    undone = False
    try:
        if not tx.invalidated:
            async with asyncio.timeout(UNDO_SECONDS):
                await plain.run(tx, "ROLLBACK")
        undone = True
    except Exception:  # noqa: S110 - whatever it says, this connection is not to be used
        pass
    finally:
        connection = tx.sync_connection
        if not undone and connection is not None and not connection.invalidated:
            connection.invalidate()  # at once, without waiting for the server


@contextlib.asynccontextmanager
async def autocommit(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """For reading at the edge, and for changes of one statement: each stands for itself, so BEGIN and COMMIT are saved.

    Reading loses nothing by it: in a transaction, too, each statement sees what was committed when it began. Raises
    as `transaction` does.
    """
    async with away_told(), _without_transactions(engine).connect() as tx:
        yield tx


@functools.lru_cache(maxsize=16)
def _without_transactions(engine: AsyncEngine) -> AsyncEngine:
    """The same engine with the same connections. Kept, because making it costs as much as a statement."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


@contextlib.asynccontextmanager
async def away_told() -> AsyncIterator[None]:
    """Raises `DatabaseUnavailable` instead of what the driver says of a lost database."""
    try:
        yield
    except Exception as error:
        if is_away(error):
            raise DatabaseUnavailable from error
        raise

"""Connections to PostgreSQL."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

__all__ = ["AsyncConnection", "AsyncEngine", "RecordAway", "is_away", "make_engine", "transaction"]


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"cannot store {type(value).__name__} as JSON")


def make_engine(database_url: str, *, process: str, pool_size: int = 10, pre_ping: bool = True) -> AsyncEngine:
    """An engine whose sessions show up in PostgreSQL as `baobei-{process}`.

    `pre_ping` costs a round trip each time; do without it only where a failed statement is retried anyway.
    """
    return create_async_engine(
        database_url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=pre_ping,
        pool_recycle=1800,
        json_serializer=lambda value: json.dumps(value, ensure_ascii=False, default=_plain),
        connect_args={"timeout": 5, "server_settings": {"application_name": f"baobei-{process}"}},
    )


class RecordAway(Exception):
    """PostgreSQL cannot be reached or is not ready; nothing was done."""


def is_away(error: BaseException) -> bool:
    """Whether `error` says that the database is away, not that a statement was wrong."""
    if isinstance(error, IntegrityError | DataError | ProgrammingError):
        return False
    return isinstance(error, DBAPIError | PoolTimeoutError | OSError)


@contextlib.asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction at the edge. Raises `RecordAway` instead of what the driver says of a lost database."""
    try:
        async with engine.begin() as tx:
            yield tx
    except (DBAPIError, PoolTimeoutError, OSError) as error:
        if is_away(error):
            raise RecordAway from error
        raise

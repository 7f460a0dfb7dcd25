"""Connections to PostgreSQL."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


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

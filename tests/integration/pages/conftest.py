"""The pages over a record that knows a few projects; a file may fill the record otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.integration.pages.page_door import Pages, pages_of
from tests.integration.projects.project_door import fill, filled


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with filled(engine) as connection:
        await fill(connection)
        yield connection


@pytest.fixture
async def pages(connection: AsyncConnection, engine: AsyncEngine, database_url: str) -> AsyncIterator[Pages]:
    assert not connection.closed, "filled before anybody looks"
    async with pages_of(engine, database_url) as opened:
        yield opened

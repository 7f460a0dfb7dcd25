"""A record that is ready for disputes over projects, and proves itself after every test (X1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.disputes.dispute_ground import DisputeGround
from tests.integration.tasks.race_ground import KEYS


@pytest.fixture
async def ground(worker_engine: AsyncEngine) -> AsyncIterator[DisputeGround]:
    made = DisputeGround(worker_engine, KEYS)
    await made.prepare(sellers=0)
    yield made
    await made.record_holds()

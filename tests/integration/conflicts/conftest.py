"""A record that is ready for registrations of projects, and proves itself after every test (X1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.projects.project_ground import ProjectGround
from tests.integration.tasks.race_ground import KEYS


@pytest.fixture
async def ground(worker_engine: AsyncEngine) -> AsyncIterator[ProjectGround]:
    made = ProjectGround(worker_engine, KEYS)
    await made.prepare(sellers=0)
    yield made
    await made.record_holds()

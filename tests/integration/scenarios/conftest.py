"""Every scenario twice: on the double that workflow tests use (no server), and on the record (PostgreSQL)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.scenarios.application_story import ApplicationStory
from tests.integration.scenarios.sides import COMPANY, DoubleSide, RecordSide, Side


@pytest.fixture(params=["double", "record"])
def side(request: pytest.FixtureRequest) -> Side:
    # Only the record has PostgreSQL started.
    return DoubleSide() if request.param == "double" else RecordSide(request.getfixturevalue("worker_engine"))


@pytest.fixture
async def application(side: Side) -> AsyncIterator[ApplicationStory]:
    await side.employs(COMPANY)
    yield ApplicationStory(side)
    await side.is_whole()

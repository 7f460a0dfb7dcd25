"""Every scenario twice: on the double that workflow tests use (no server), and on the record (PostgreSQL)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests import samples
from tests.integration.scenarios.application_story import ApplicationStory
from tests.integration.scenarios.dispute_story import DisputeStory
from tests.integration.scenarios.project_story import RegistrationStory
from tests.integration.scenarios.sides import DoubleSide, ProjectDoubleSide, RecordSide, Side

DOUBLE, RECORD = "double", "record"


def side_of(request: pytest.FixtureRequest, double: type[DoubleSide]) -> Side:
    # Only the record has PostgreSQL started.
    return double() if request.param == DOUBLE else RecordSide(request.getfixturevalue("worker_engine"))


@pytest.fixture(params=[DOUBLE, RECORD])
def side(request: pytest.FixtureRequest) -> Side:
    return side_of(request, DoubleSide)


@pytest.fixture(params=[DOUBLE, RECORD])
def project_side(request: pytest.FixtureRequest) -> Side:
    return side_of(request, ProjectDoubleSide)


@pytest.fixture
async def application(side: Side) -> AsyncIterator[ApplicationStory]:
    """An application that nobody has submitted yet."""
    await side.employs(samples.one_department())
    yield ApplicationStory(side)
    await side.is_whole()


@pytest.fixture
async def project(project_side: Side) -> AsyncIterator[RegistrationStory]:
    """A project that nobody has registered yet."""
    await project_side.employs(samples.two_departments())
    yield RegistrationStory(project_side)
    await project_side.is_whole()


@pytest.fixture
async def dispute(project: RegistrationStory) -> DisputeStory:
    """A dispute that nobody has opened yet, over a project that nobody has registered yet."""
    return DisputeStory(project)

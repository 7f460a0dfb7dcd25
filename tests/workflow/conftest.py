"""One time-skipping server and one story a test: the server's clock is shared by everything that runs on it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.servers.time_skipping import time_skipping
from tests.workflow.projects.project_story import ProjectStory
from tests.workflow.story import Story


@pytest.fixture(scope="session", autouse=True)
def _native_threads_end() -> Iterator[None]:
    """The SDK's native threads may still hold a call into Python when the interpreter ends (sdk-python #300)."""
    yield
    time.sleep(0.3)


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with time_skipping() as env:
        yield env


@pytest.fixture
async def story(env: WorkflowEnvironment) -> AsyncIterator[Story]:
    """An application not submitted yet, with a worker running."""
    story = Story(env)
    async with story.worker():
        yield story


@pytest.fixture
async def project(env: WorkflowEnvironment) -> AsyncIterator[ProjectStory]:
    """A project not registered yet, with a worker running."""
    story = ProjectStory(env)
    async with story.worker():
        yield story

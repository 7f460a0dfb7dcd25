"""Somebody with access to the engine ends a dispute. On the real server: the time-skipping one tells no parent."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.disputes.dispute import DisputeStage
from domain.projects.project import ProjectStage
from domain.tasks.task import TaskStatus
from tests.eventually import eventually
from tests.samples import SAM, SUE
from tests.servers.time_skipping import CONVERTER
from tests.workflow.projects.project_story import ProjectStory
from tests.workflow.projects.record_view import HALVES
from workflows.messages import SEARCH_ATTRIBUTES

TEMPORAL = Path(sys.executable).with_name("temporal")


@pytest.fixture
async def project() -> AsyncIterator[ProjectStory]:
    async with await WorkflowEnvironment.start_local(
        data_converter=CONVERTER,
        identity="tests",
        dev_server_existing_path=str(TEMPORAL),
        search_attributes=SEARCH_ATTRIBUTES,
    ) as env:
        story = ProjectStory(env)
        async with story.worker():
            yield story


@pytest.mark.parametrize("how", ["terminated", "cancelled"])
async def test_d1_d2_it_takes_nothing_with_it_but_itself(project: ProjectStory, how: str) -> None:
    """D1, D2, X3: the project opens another dispute, which asks both sides anew, and goes on."""
    await project.to_dispute()
    before, first = project.child.handle, project.task_of(SAM)
    await (before.terminate("by mistake") if how == "terminated" else before.cancel())
    await eventually(lambda: project.dispute.id == "B-1-2", "another dispute")
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SAM, SUE))
    assert project.record.disputes["B-1-1"].stage is DisputeStage.WITHDRAWN
    assert first.status is TaskStatus.WITHDRAWN
    await project.tells(SUE, "agree", **HALVES)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SAM,))
    await project.tells(SAM, "agree")
    await project.comes_to(ProjectStage.APPROVAL)

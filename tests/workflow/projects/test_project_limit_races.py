"""Updates at the very moment of the shelving (U4, U5), on a real engine, where timers and signals do race.

The server that skips time cannot: it loses a workflow task that cancels a timer just fired. So here two weeks, a month
and three months are seconds.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from db.projects.projects import ProjectRow
from domain.projects.project import ProjectStage
from domain.projects.silence import Silence, SilenceDue
from tests.eventually import eventually
from tests.samples import VERA
from tests.servers.time_skipping import CONVERTER
from tests.workflow.doubles.fake_record import ProjectRecord
from tests.workflow.projects.project_story import ProjectStory
from workflows.messages import SEARCH_ATTRIBUTES

TEMPORAL = Path(sys.executable).with_name("temporal")
AFTER = (1.0, 2.0, 4.0)
"""Seconds of silence until each of its consequences."""
PROJECTS = 24
STEPS = [silence.value for silence in Silence]


class HastyRecord(ProjectRecord):
    """A company in a hurry: its weeks and months are seconds."""

    def ahead(self, project: ProjectRow) -> tuple[SilenceDue, ...]:
        if project.updated_at is None:
            return ()
        moments = [project.updated_at + timedelta(seconds=seconds) for seconds in AFTER]
        due = [SilenceDue(at=at, silence=silence) for at, silence in zip(moments, Silence, strict=True)]
        return tuple(due[project.silences :])


@pytest.fixture
async def engine() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_local(
        data_converter=CONVERTER,
        identity="tests",
        dev_server_existing_path=str(TEMPORAL),
        search_attributes=SEARCH_ATTRIBUTES,
    ) as env:
        yield env


async def approved(story: ProjectStory) -> None:
    await story.to_approval()
    (task,) = story.record.tasks_of(story.project)
    await story.sends(story.answer(VERA, "approve", task=task))
    await eventually(lambda: story.project.stage is ProjectStage.ACTIVE, "active")


async def races(story: ProjectStory, offset: timedelta) -> ProjectStage:
    """An update so long before or after the shelving is due; the engine's timers are up to a second late.

    Returns where the project stands because of it.
    """
    limit = story.record.ahead(story.project)[-1].at
    await asyncio.sleep((limit + offset - datetime.now(UTC)).total_seconds())
    update = story.update()
    try:
        await story.signal(update)
    except RPCError:  # the process has closed
        assert story.project.stage is ProjectStage.SHELVED
        return ProjectStage.SHELVED
    await eventually(lambda: update.message_id in story.record.heard, "a receipt")
    if any(kept.message_id == update.message_id for kept in story.record.updates):
        assert story.project.stage is not ProjectStage.SHELVED or shelvings(story)[0] >= again(story)
        return ProjectStage.ACTIVE
    await eventually(lambda: story.project.stage is ProjectStage.SHELVED, "shelved")
    assert (update.message_id, "project_not_active") in story.record.refused
    return ProjectStage.SHELVED


def again(story: ProjectStory) -> datetime:
    """When three months have passed since the last update."""
    assert story.project.updated_at
    return story.project.updated_at + timedelta(seconds=AFTER[-1])


def happened(story: ProjectStory) -> list[str]:
    return [
        note.body.get("silence", Silence.THREE_MONTHS.value)
        for note in story.record.notes
        if note.body.get("subject") == story.id
        and (note.event == "silence" or note.body.get("stage") == ProjectStage.SHELVED.value)
    ]


def shelvings(story: ProjectStory) -> list[datetime]:
    return [
        note.at
        for note in story.record.notes
        if note.body.get("subject") == story.id and note.body.get("stage") == ProjectStage.SHELVED.value
    ]


async def test_u4_u5_x3_an_update_racing_the_shelving_has_one_legal_outcome(engine: WorkflowEnvironment) -> None:
    """Recorded, and the project lives on until it is silent again; or refused, and it is shelved. Never both."""
    record = HastyRecord()
    stories = [ProjectStory(engine, f"B-{number}", record) for number in range(PROJECTS)]
    async with stories[0].worker():
        for story in stories:
            story.activities = stories[0].activities
        await asyncio.gather(*map(approved, stories))
        offsets = [timedelta(milliseconds=60 * number - 60) for number in range(PROJECTS)]
        outcomes = await asyncio.gather(*map(races, stories, offsets))
        for story in stories:
            assert await story.result() == ProjectStage.SHELVED
    for story, outcome in zip(stories, outcomes, strict=True):
        assert len(shelvings(story)) == 1
        before = happened(story)[: -len(STEPS)]
        assert happened(story) == [*before, *STEPS], "each once and in order since the last update"
        assert before == (STEPS[: len(before)] if outcome is ProjectStage.ACTIVE else [])
    assert {ProjectStage.ACTIVE, ProjectStage.SHELVED} == set(outcomes), "both ways of the race were seen"

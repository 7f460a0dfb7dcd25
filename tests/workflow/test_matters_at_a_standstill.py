"""Held, disputed and returned matters that nobody takes further: warned of, and ended in order (U10), time skipped."""

from datetime import datetime, timedelta

from domain.accounts.application import Stage
from domain.disputes.dispute import DisputeStage
from domain.projects.project import ProjectStage
from domain.tasks.standstill import closes_at
from tests.eventually import eventually
from tests.samples import DORA, MONA, SAM, SUE, VERA
from tests.workflow.doubles.fake_record import FakeRecord, FakeTask
from tests.workflow.projects.project_story import ProjectStory
from tests.workflow.story import Story

SECOND = timedelta(seconds=1)


def ends_at(record: FakeRecord, task: FakeTask) -> datetime:
    end = closes_at(task.kind, task.opened_at, task.warned_at, record.policy, record.calendar)
    assert end is not None
    return end


def warned(record: FakeRecord) -> int:
    return sum(note.event == "warned" for note in record.notes)


async def test_u10_a_held_project_is_shelved_after_three_months_and_not_a_moment_before(project: ProjectStory) -> None:
    await project.to_held()
    (task,) = project.record.open
    end = ends_at(project.record, task)
    await project.waits_until(end - SECOND)
    assert (await project.status()).stage == ProjectStage.HELD
    assert warned(project.record) == 1
    await project.waits_until(end)
    assert await project.result() == ProjectStage.SHELVED
    assert set(project.told("shelved_standing")) >= {SAM, DORA, VERA}
    assert not project.project.stage.live, "P10"
    assert not project.record.open


async def test_u10_a_dispute_nobody_settles_ends_first_and_its_project_is_shelved_with_it(
    project: ProjectStory,
) -> None:
    await project.to_dispute(SUE)
    end = max(ends_at(project.record, task) for task in project.record.open)
    await project.waits_until(end - SECOND)
    assert (await project.child.status()).stage == DisputeStage.NEGOTIATION
    assert warned(project.record) == 1, "once, whoever is asked"
    await project.waits_until(end)
    assert await project.result() == ProjectStage.SHELVED
    assert (await project.child.status()).stage == DisputeStage.SHELVED
    assert not project.record.open


async def test_u10_an_application_sent_back_and_never_completed_is_closed(story: Story) -> None:
    await story.to_returned()
    (task,) = story.record.open
    end = ends_at(story.record, task)
    await story.waits_until(end - SECOND)
    assert (await story.status()).stage == Stage.RETURNED
    await story.waits_until(end)
    assert await story.result() == Stage.LAPSED
    assert set(story.told("lapsed")) >= {SAM, DORA, MONA}
    assert not story.record.open


async def test_u10_n12_what_is_answered_after_the_warning_goes_on(project: ProjectStory) -> None:
    await project.to_held()
    (task,) = project.record.open
    await project.waits_until(ends_at(project.record, task) - timedelta(days=1))
    await eventually(lambda: warned(project.record) == 1, "warned")
    await project.tells(SAM, "supply", project=project.project.form.model_dump(mode="json"))
    await project.comes_to(ProjectStage.APPROVAL)
    await project.waits_until(ends_at(project.record, task) + timedelta(days=1))
    assert (await project.status()).stage == ProjectStage.APPROVAL

"""What goes wrong around a dispute: floods, messages by hand, several disputes of one project (D1, X3)."""

from datetime import timedelta
from typing import Any

import pytest

from domain.disputes.dispute import DisputeStage, Origin
from domain.projects.project import ProjectStage
from domain.statements import AnswerTask, CallForMeeting
from domain.tasks.task import TaskStatus
from tests.eventually import eventually
from tests.samples import GINA, SAM, SUE, TESS, VIKTOR
from tests.workflow.accounts.test_named_account_rough import JUNK
from tests.workflow.projects.project_story import ProjectStory, project_form
from tests.workflow.projects.record_view import HALVES
from workflows.messages import HAND_BACK, TASK_QUEUE, StartDispute

SOON = timedelta(minutes=1)
THIRDS: dict[str, Any] = {
    "responsible": SAM,
    "cooperation": "each a third",
    "split": [
        {"person": SAM, "percent": "33.34"},
        {"person": SUE, "percent": "33.33"},
        {"person": TESS, "percent": "33.33"},
    ],
}


async def test_d1_the_dispute_goes_on_in_a_new_run_with_its_text_and_its_project_hears_the_outcome(
    project: ProjectStory,
) -> None:
    await project.to_dispute()
    await project.tells(SAM, "agree", **HALVES)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
    child = project.child
    await child.is_flooded()
    status = await child.status()
    assert (status.stage, status.waiting_for, status.round) == (DisputeStage.NEGOTIATION, (SUE,), 2)
    assert project.dispute.id in (await child.details()).replace("\\", "")
    await project.tells(SUE, "agree")
    await project.comes_to(ProjectStage.APPROVAL)
    assert (await project.status()).waiting_for == (VIKTOR,)


async def test_d1_x3_a_flooded_registration_goes_on_in_a_new_run_and_its_dispute_where_it_stood(
    project: ProjectStory,
) -> None:
    """Of ten thousand signals a run hears no more, so a registration must not wait for its dispute in one run."""
    await project.to_dispute()
    proposed = await project.tells(SAM, "agree", **HALVES)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
    dispute, tasks = project.dispute.id, [task.id for task in project.record.open]
    for _ in range(2):
        await project.is_flooded()
        assert (await project.status()).stage == ProjectStage.DISPUTED
    assert (project.dispute.id, [task.id for task in project.record.open]) == (dispute, tasks), "nobody is asked anew"
    assert proposed.message_id in project.record.settled

    async def goes_on() -> bool:
        status = await project.child.status()
        return (status.stage, status.waiting_for, status.round) == (DisputeStage.NEGOTIATION, (SUE,), 2)

    await eventually(goes_on, "the dispute where it stood")
    await project.tells(SUE, "agree")
    await project.comes_to(ProjectStage.APPROVAL)
    assert (await project.status()).waiting_for == (VIKTOR,)
    assert not await project.task_failures()


async def test_p10_x3_a_registration_flooded_in_its_dispute_is_withdrawn_with_it(project: ProjectStory) -> None:
    await project.to_dispute()
    await project.is_flooded()
    await project.signal(project.withdrawal())
    await project.comes_to(ProjectStage.WITHDRAWN)
    await eventually(lambda: project.dispute.stage is DisputeStage.WITHDRAWN, "the dispute's end")


async def test_x3_a_dispute_asked_back_by_hand_begins_again_where_it_stood(project: ProjectStory) -> None:
    await project.to_dispute()
    await project.tells(SAM, "agree", **HALVES)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
    child = project.child
    first = await child.run_id()
    await child.by_hand.signal(HAND_BACK)

    async def begun_again() -> bool:
        return await child.run_id() != first

    await eventually(begun_again, "a new run")
    await project.tells(SUE, "agree")
    await project.comes_to(ProjectStage.APPROVAL)


async def test_d1_of_three_sides_a_confirmation_made_in_an_earlier_run_is_settled_too(project: ProjectStory) -> None:
    await project.to_dispute(SUE, TESS)
    await project.tells(SAM, "agree", **THIRDS)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE, TESS))
    confirmed = await project.tells(SUE, "agree")
    await project.child.is_flooded()
    await project.tells(TESS, "agree")
    await project.comes_to(ProjectStage.APPROVAL)
    assert confirmed.message_id in project.record.settled, "whoever waits for its consequences hears of them"


@pytest.mark.parametrize("sent", JUNK.values(), ids=JUNK.keys())
async def test_x3_unreadable_signals_change_nothing_and_stop_nothing(project: ProjectStory, sent: list[Any]) -> None:
    await project.to_dispute()
    child = project.child
    before = await child.status()
    for name in ("answer_task", "call_for_meeting", "facts_changed", "decide_everything"):
        await child.by_hand.signal(name, args=sent)
    assert await child.status() == before
    await project.tells(SUE, "agree", **HALVES)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SAM,))
    assert not await child.task_failures()


async def test_x3_forged_statements_are_recorded_and_change_nothing(project: ProjectStory) -> None:
    await project.to_dispute()
    child = project.child
    task = project.task_of(SUE)
    real = project.answer(SUE, "agree", **HALVES)
    elsewhere = project.sealed(AnswerTask(person=SUE, task_id=task.id, choice="disagree", reason="no"))
    for name, said in (
        ("answer_task", AnswerTask(person=SUE, task_id=task.id, choice="agree", fields=HALVES)),
        ("answer_task", real.model_copy(update={"choice": "disagree", "reason": "no"})),
        ("answer_task", elsewhere),
        ("call_for_meeting", CallForMeeting(person=GINA)),
    ):
        await child.handle.signal(name, said)
    await eventually(lambda: len(project.record.refused) == 4, "every refusal on record")
    assert {why for _, why in project.record.refused} == {"unsealed"}
    assert (await child.status()).waiting_for == (SAM, SUE)
    await project.sends(real)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SAM,))


async def test_x3_a_dispute_started_by_hand_fails_and_touches_nothing(project: ProjectStory) -> None:
    await project.to_active()
    handle = await project.client.start_workflow(
        "ProjectDispute",
        StartDispute(dispute_id="B-1-1", project_id="B-1", origin=Origin.OTHER_ACCOUNT, claimants=(), state=None),
        id="dispute-B-1-1",
        task_queue=TASK_QUEUE,
    )
    with pytest.raises(Exception, match="failed"):
        await handle.result()
    assert not project.record.disputes
    assert (await project.status()).stage == ProjectStage.ACTIVE


async def test_p2_p3_a_project_sent_its_way_again_has_a_second_dispute_with_a_name_of_its_own(
    project: ProjectStory,
) -> None:
    await project.to_dispute()
    await project.tells(SAM, "agree", **HALVES)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
    await project.tells(SUE, "agree")
    await project.comes_to(ProjectStage.APPROVAL)
    await project.tells(VIKTOR, "hold", "which end user?")
    await project.comes_to(ProjectStage.HELD)
    await project.tells(SAM, "supply", project=project_form(end_user="Another").model_dump(mode="json"))
    await project.comes_to(ProjectStage.DISPUTED)
    await eventually(lambda: "B-1-2" in project.record.disputes, "the second dispute")
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SAM, SUE))
    assert project.record.disputes["B-1-1"].stage is DisputeStage.AGREED
    assert all(task.status is TaskStatus.OPEN for task in project.record.open)

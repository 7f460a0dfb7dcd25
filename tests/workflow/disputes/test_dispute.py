"""Disputes over a project (D1, D2): one text that every side confirms, or a coordination meeting that decides."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import CancelledError

from domain.disputes.dispute import DisputeStage, Origin
from domain.projects.project import ProjectStage
from domain.tasks.task import TaskKind
from tests.eventually import eventually
from tests.samples import CARL, CLARA, DIRK, DORA, GINA, MONA, SAM, SUE, TESS, VERA, VIKTOR, two_departments
from tests.servers.time_skipping import time_skipping
from tests.workflow.doubles.fake_record import FakeTask
from tests.workflow.projects.project_story import ProjectStory
from tests.workflow.projects.record_view import HALVES
from tests.workflow.story import CUSTOMER
from workflows.messages import FactsChanged

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


def other_text(sam: int) -> dict[str, Any]:
    """D1: another text with so many percent for sam."""
    split = [{"person": SAM, "percent": str(sam)}, {"person": SUE, "percent": str(100 - sam)}]
    return {"responsible": SAM, "cooperation": f"sam {sam}", "split": split}


def task_for(project: ProjectStory, person: str, kind: TaskKind) -> FakeTask:
    return next(
        task
        for task in project.record.open
        if task.kind is kind and any(assignee.person == person for assignee in task.asked)
    )


async def test_p3_d1_the_dispute_asks_both_salespeople_and_nobody_else(project: ProjectStory) -> None:
    await project.to_dispute()
    assert [(task.kind, task.slot) for task in project.record.open] == [
        (TaskKind.AGREE_SPLIT, SAM),
        (TaskKind.AGREE_SPLIT, SUE),
    ]
    assert (await project.child.status()).waiting_for == (SAM, SUE)
    assert project.dispute.id == "B-1-1"
    assert project.dispute.origin is Origin.OTHER_ACCOUNT
    stranger = project.answer(VERA, "agree", task=project.task_of(SUE), **HALVES)
    await project.sends(stranger)
    assert project.record.refused == [(stranger.message_id, "not_asked")]


async def test_d1_who_proposes_has_confirmed_and_the_other_confirms_the_same_text(project: ProjectStory) -> None:
    await project.to_dispute()
    empty = await project.tells(SUE, "agree")
    assert (empty.message_id, "missing") in project.record.refused, "no text is on the table yet"
    proposed = await project.tells(SUE, "agree", **HALVES)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SAM,))
    assert proposed.message_id in project.record.settled
    (task,) = project.record.open
    assert (task.slot, task.round) == (SAM, 2)
    await project.tells(SAM, "agree")
    await project.comes_to(ProjectStage.APPROVAL)
    assert project.confirmed == {SAM, SUE}
    assert project.text == HALVES
    assert project.told("agreed") == sorted({SAM, SUE, DORA, DIRK, VERA, VIKTOR, GINA})
    assert project.told("meeting_wanted") == []


async def test_d1_a_text_goes_back_and_forth_until_both_have_confirmed_the_same_one(project: ProjectStory) -> None:
    await project.to_dispute()
    for number, share in enumerate((70, 30, 60, 40, 50)):
        person, other = (SAM, SUE) if number % 2 == 0 else (SUE, SAM)
        await project.tells(person, "agree", **other_text(share))
        await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(other,))
        assert project.confirmed == {person}
        assert (await project.child.status()).round == number + 2
    await project.tells(SUE, "agree")
    await project.comes_to(ProjectStage.APPROVAL)
    assert project.text == other_text(50)


async def test_d1_agreeing_to_a_text_that_has_been_replaced_changes_nothing(project: ProjectStory) -> None:
    """Both propose in the same moment: the first stands, the second is told and asked again."""
    await project.to_dispute()
    first = project.answer(SAM, "agree", **other_text(60))
    second = project.answer(SUE, "agree", **other_text(40))
    project.while_recording("record:AnswerTask", second)
    await project.sends(first, second)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
    ((message, why),) = project.record.refused
    assert (message, why) in ((second.message_id, "agreement_outdated"), (second.message_id, "task_withdrawn"))
    assert project.text == other_text(60)
    await project.tells(SUE, "agree")
    await project.comes_to(ProjectStage.APPROVAL)


async def test_d1_both_propose_the_same_words_in_one_moment_and_the_second_is_asked_to_confirm(
    project: ProjectStory,
) -> None:
    await project.to_dispute()
    first, second = (project.answer(person, "agree", **HALVES) for person in (SAM, SUE))
    project.while_recording("record:AnswerTask", second)
    await project.sends(first, second)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
    assert project.record.refused == [(second.message_id, "task_withdrawn")]
    await project.tells(SUE, "agree", **HALVES)
    await project.comes_to(ProjectStage.APPROVAL)
    assert project.confirmed == {SAM, SUE}


async def test_d1_three_sides_have_all_to_confirm(project: ProjectStory) -> None:
    await project.to_dispute(SUE, TESS)
    assert (await project.child.status()).waiting_for == (SAM, SUE, TESS)
    await project.tells(SAM, "agree", **THIRDS)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE, TESS))
    await project.tells(SUE, "agree")
    assert project.dispute.stage is DisputeStage.NEGOTIATION
    assert (await project.child.status()).waiting_for == (TESS,)
    await project.tells(TESS, "agree")
    await project.comes_to(ProjectStage.APPROVAL)
    assert project.confirmed == {SAM, SUE, TESS}
    assert set(project.told("agreed")) >= {SAM, SUE, TESS}


async def test_d1_of_three_sides_a_new_text_by_the_last_asks_the_two_others_again(project: ProjectStory) -> None:
    await project.to_dispute(SUE, TESS)
    await project.tells(SAM, "agree", **THIRDS)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE, TESS))
    await project.tells(SUE, "agree")
    counter = {**THIRDS, "cooperation": "tess leads"}
    await project.tells(TESS, "agree", **counter)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SAM, SUE))
    assert project.confirmed == {TESS}
    await project.tells(SAM, "agree")
    await project.tells(SUE, "agree")
    await project.comes_to(ProjectStage.APPROVAL)
    assert project.text == counter


async def test_d2_one_side_disagrees_and_commerce_is_asked_to_call_the_meeting(project: ProjectStory) -> None:
    await project.to_dispute()
    silent = await project.tells(SUE, "disagree")
    assert (silent.message_id, "reason_required") in project.record.refused
    await project.tells(SUE, "disagree", "my customer")
    await project.dispute_comes_to(DisputeStage.CALLING_MEETING, asked=(MONA,))
    assert project.told("meeting_wanted") == sorted({SAM, SUE, DORA, DIRK, VERA, VIKTOR, GINA})
    assert project.told("task_withdrawn") == [SAM]


@pytest.mark.parametrize("person", [SAM, SUE, VERA, VIKTOR, GINA])
async def test_d2_a_side_a_vp_concerned_or_the_general_manager_calls_for_the_meeting(
    project: ProjectStory, person: str
) -> None:
    await project.to_dispute()
    await project.sends(project.wants_meeting(person))
    await project.dispute_comes_to(DisputeStage.CALLING_MEETING, asked=(MONA,))
    assert project.told("task_withdrawn") == [SAM, SUE]
    assert project.meeting_wanted_by == person


@pytest.mark.parametrize("person", [TESS, DORA, CARL, MONA])
async def test_d2_nobody_else_calls_for_it(project: ProjectStory, person: str) -> None:
    await project.to_dispute()
    said = project.wants_meeting(person)
    await project.sends(said)
    assert project.record.refused == [(said.message_id, "may_not_call_meeting")]
    assert (await project.child.status()).stage == DisputeStage.NEGOTIATION


async def test_d2_a_call_for_the_meeting_goes_before_a_confirmation_that_comes_with_it() -> None:
    async with time_skipping() as env:
        project = ProjectStory(env)
        async with project.worker(max_cached_workflows=0):
            await project.to_dispute()
            await project.tells(SAM, "agree", **HALVES)
            await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
            confirmation = project.answer(SUE, "agree")
        await project.signal(project.wants_meeting(GINA), confirmation)
        async with project.worker():
            await project.dispute_comes_to(DisputeStage.CALLING_MEETING)
            await eventually(lambda: bool(project.record.refused), "a refusal")
    assert project.record.refused == [(confirmation.message_id, "task_withdrawn")]


async def test_d4_a_call_for_the_meeting_behind_the_last_confirmation_lets_the_agreement_wait() -> None:
    """It reaches the dispute's process in its last moment; the registration takes it up and opens another dispute."""
    async with time_skipping() as env:
        project = ProjectStory(env)
        async with project.worker(max_cached_workflows=0):
            await project.to_dispute()
            await project.tells(SAM, "agree", **HALVES)
            await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
            confirmation = project.answer(SUE, "agree")
        wanted = project.wants_meeting(GINA)
        await project.signal(confirmation, wanted)
        async with project.worker():
            await project.dispute_comes_to(DisputeStage.CALLING_MEETING, asked=(MONA,))
    assert project.record.refused == []
    assert project.dispute.id == "B-1-2"
    assert project.meeting_wanted_by == GINA
    assert project.project.stage is ProjectStage.DISPUTED
    assert wanted.message_id in project.record.heard


@pytest.mark.parametrize("person", [VERA, VIKTOR, GINA])
async def test_d4_after_an_agreement_a_vp_or_the_general_manager_steps_in_and_the_meeting_decides(
    project: ProjectStory, person: str
) -> None:
    await project.to_agreement()
    await project.sends(project.steps_in(person))
    await project.dispute_comes_to(DisputeStage.CALLING_MEETING, asked=(MONA,))
    assert (project.dispute.id, project.meeting_wanted_by) == ("B-1-2", person)
    assert project.told("meeting_wanted") == sorted({SAM, SUE, DORA, DIRK, VERA, VIKTOR, GINA})
    assert project.project.stage is ProjectStage.DISPUTED
    await project.meeting_is_called()
    split = [{"person": SUE, "percent": "80"}, {"person": SAM, "percent": "20"}]
    await project.tells(VIKTOR, "record", responsible=SUE, split=split, summary="sue leads")
    await project.comes_to(ProjectStage.APPROVAL)
    await project.tells(VIKTOR, "approve")
    await project.comes_to(ProjectStage.ACTIVE)
    assert project.project.salesperson == SUE


async def test_d4_stepping_in_and_the_approval_in_one_moment_leave_the_one_that_came_first(
    project: ProjectStory,
) -> None:
    await project.to_agreement()
    approval, wanted = project.answer(VIKTOR, "approve"), project.steps_in(GINA)
    await project.signal(wanted, approval)
    await project.dispute_comes_to(DisputeStage.CALLING_MEETING)
    await eventually(lambda: bool(project.record.refused), "a refusal")
    assert project.record.refused == [(approval.message_id, "task_withdrawn")]
    assert project.record.issued == 0


async def test_d4_a_held_project_waits_for_the_meeting_as_well(project: ProjectStory) -> None:
    await project.to_agreement()
    await project.tells(VIKTOR, "hold", "who is the end user?")
    await project.comes_to(ProjectStage.HELD)
    await project.sends(project.steps_in(VERA))
    await project.dispute_comes_to(DisputeStage.CALLING_MEETING, asked=(MONA,))


async def test_d5_a_meeting_that_is_called_off_has_commerce_call_another(project: ProjectStory) -> None:
    await project.to_calling()
    await project.meeting_is_called()
    await project.sends(project.calls_off())
    await project.dispute_comes_to(DisputeStage.CALLING_MEETING, asked=(MONA,))
    await project.meeting_is_called()
    split = [{"person": SUE, "percent": "80"}, {"person": SAM, "percent": "20"}]
    await project.tells(VIKTOR, "record", responsible=SUE, split=split, summary="sue leads")
    await project.comes_to(ProjectStage.APPROVAL)


async def test_d6_a_process_whose_registration_was_merged_ends_when_it_hears_of_it(project: ProjectStory) -> None:
    """D6: the outcome of another registration's dispute has ended it on record; in a dispute of its own as well."""
    await project.to_dispute()
    project.record.change(project.project, stage=ProjectStage.MERGED)
    await project.handle.signal("facts_changed", FactsChanged(version="dispute outcome"))
    assert await project.result() == "merged"
    await eventually(lambda: project.dispute.stage is DisputeStage.WITHDRAWN, "its own dispute over")


async def test_d2_d3_the_meeting_is_called_recorded_and_decides(project: ProjectStory) -> None:
    await project.to_calling()
    await project.meeting_is_called()
    assert project.told("meeting_called") == sorted({VERA, VIKTOR, GINA, CARL, DORA, DIRK})
    assert (await project.child.status()).waiting_for == (VIKTOR,), "the VP of the account's salesperson"
    short = project.answer(
        VIKTOR,
        "record",
        responsible=SUE,
        split=[{"person": SUE, "percent": "99.99"}],
        summary="sue",
    )
    stranger = project.answer(
        VIKTOR, "record", responsible=DORA, split=[{"person": DORA, "percent": "100"}], summary="dora"
    )
    await project.sends(short, stranger)
    assert [why for _, why in project.record.refused] == ["split_not_100", "not_among_options"]
    split = [{"person": SUE, "percent": "80"}, {"person": SAM, "percent": "20"}]
    await project.tells(VIKTOR, "record", responsible=SUE, split=split, summary="sue leads")
    await project.comes_to(ProjectStage.APPROVAL)
    assert project.dispute.stage is DisputeStage.DECIDED
    everybody = {SAM, SUE, VERA, VIKTOR, GINA, CARL, DORA, DIRK}
    assert project.told("meeting_recorded") == sorted(everybody)
    assert project.project.salesperson == SUE
    assert (await project.status()).waiting_for == (VIKTOR,)
    await project.tells(VIKTOR, "approve")
    await project.comes_to(ProjectStage.ACTIVE)
    update = project.update(SUE)
    await project.sends(update)
    assert len(project.record.updates) == 1, "the responsible salesperson is who the meeting named"


async def test_d1_n12_silent_sides_are_reminded_by_working_days(project: ProjectStory) -> None:
    await project.to_dispute()
    task = project.task_of(SUE)
    await reminded(project, task, (3, 6, 11, 16), of_each=2)
    assert sorted(set(project.told("reminder"))) == [SAM, SUE]
    assert project.count("stand_in") == 0, "nobody agrees in their stead"


async def test_d2_n12_commerce_is_reminded_to_call_the_meeting_and_a_clerk_stands_in(project: ProjectStory) -> None:
    await project.to_calling()
    task = task_for(project, MONA, TaskKind.CALL_MEETING)
    await reminded(project, task, (2, 4), of_each=1)
    await project.waits_until(working_days(project, task, 5) + SOON)
    await project.comes("stand_in", 1)
    assert project.told("stand_in") == [CLARA]
    await project.meeting_is_called(CLARA)


async def test_d2_n12_the_vp_is_reminded_to_record_the_meeting_and_the_general_manager_stands_in(
    project: ProjectStory,
) -> None:
    await project.to_calling()
    await project.meeting_is_called()
    task = task_for(project, VIKTOR, TaskKind.RECORD_MEETING)
    await reminded(project, task, (5, 10), of_each=1)
    await project.waits_until(working_days(project, task, 15) + SOON)
    await project.comes("stand_in", 1)
    assert project.told("stand_in") == [GINA]


def working_days(project: ProjectStory, task: FakeTask, days: int) -> datetime:
    return project.record.calendar.add_working_days(task.opened_at, days).at


async def reminded(project: ProjectStory, task: FakeTask, days: tuple[int, ...], of_each: int) -> None:
    """N12: reminders after these working days and not a minute before."""
    for number, after in enumerate(days):
        await project.waits_until(working_days(project, task, after) - SOON)
        await project.child.status()
        assert project.count("reminder") == number * of_each
        await project.waits_until(working_days(project, task, after) + SOON)
        await project.comes("reminder", (number + 1) * of_each)


async def test_d1_an_answer_counts_once_and_a_later_one_is_told(project: ProjectStory) -> None:
    await project.to_dispute()
    first = project.answer(SUE, "disagree", "my customer")
    other = project.answer(SUE, "agree", **HALVES)
    project.while_recording("record:AnswerTask", first, other)
    await project.signal(first)
    await project.dispute_comes_to(DisputeStage.CALLING_MEETING)
    await eventually(lambda: bool(project.record.refused), "a refusal")
    ((message, why),) = project.record.refused
    assert message == other.message_id
    assert why in ("already_answered", "task_withdrawn")


async def test_d1_a_salesperson_who_leaves_is_followed_by_their_superior(project: ProjectStory) -> None:
    await project.to_dispute()
    project.record.organisation = two_departments(gone=(SUE,))
    child = project.child
    await child.handle.signal("facts_changed", FactsChanged(version="2"))
    await project.comes("refreshed", 1)
    assert (await child.status()).waiting_for == (DIRK, SAM)


async def test_x2_operators_see_where_a_dispute_stands_and_never_the_customer(project: ProjectStory) -> None:
    async def shows(stage: DisputeStage, *people: str) -> None:
        await project.dispute_comes_to(stage, asked=people)
        child = project.child
        found, text = await child.search_attributes(), await child.details()
        assert (found["Stage"], found["WaitingFor"]) == (stage.value, sorted(people))
        assert found["DueAt"]
        assert all(project.record.organisation.name_of(person) in text for person in people)
        assert CUSTOMER not in text + str(found)

    await project.to_dispute()
    await shows(DisputeStage.NEGOTIATION, SAM, SUE)
    await project.tells(SUE, "disagree", "my customer")
    await shows(DisputeStage.CALLING_MEETING, MONA)
    await project.meeting_is_called()
    await shows(DisputeStage.MEETING, VIKTOR)


async def test_what_reaches_a_dispute_together_with_the_withdrawal_is_answered_as_well(project: ProjectStory) -> None:
    """X3: whoever answers at that moment is told that there is nothing to settle any more; no receipt stays open."""
    await project.to_dispute()
    busy, go_on = asyncio.Event(), asyncio.Event()

    async def held_up(key: str) -> None:
        if key.startswith("record:CallForMeeting"):
            busy.set()
            await go_on.wait()

    project.activities.before_result = held_up
    answer = project.answer(SUE, "agree", **HALVES)
    dispute = project.child
    await project.signal(project.wants_meeting(TESS))
    await busy.wait()
    await project.signal(project.withdrawal())
    await project.comes_to(ProjectStage.WITHDRAWN)
    await project.signal(answer)
    go_on.set()
    await eventually(lambda: project.dispute.stage is DisputeStage.WITHDRAWN, "the dispute over")
    await eventually(lambda: answer.message_id in project.record.settled, "a receipt")
    with pytest.raises(WorkflowFailureError) as ended:
        await dispute.handle.result()
    assert isinstance(ended.value.cause, CancelledError)

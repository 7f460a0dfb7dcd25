"""Silence, and people who change, while somebody is asked (N12); what operators see meanwhile."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.accounts.application import Stage
from domain.calendar import DayKind
from domain.organisation import Delegation
from domain.tasks.task import AssigneeCapacity
from tests.eventually import eventually
from tests.samples import CLARA, GINA, MONA, SAM, VERA, VIKTOR, one_department
from tests.workflow.doubles.fake_record import FakeTask
from tests.workflow.story import CUSTOMER, Story, capacity_of

SOON = timedelta(minutes=1)


def working_days(story: Story, task: FakeTask, days: int) -> datetime:
    return story.record.calendar.add_working_days(task.opened_at, days).at


async def in_silence(story: Story, task: FakeTask, days: int, event: str, times: int) -> None:
    """`event` has not happened a minute before `days` working days, and has once they are over."""
    moment = working_days(story, task, days)
    await story.waits_until(moment - SOON)
    await story.status()
    assert story.count(event) == times - 1
    await story.waits_until(moment + SOON)
    await story.comes(event, times)
    await story.status()
    assert story.count(event) == times


async def test_n12_silent_commerce_is_reminded_twice_then_the_manager_is_asked_and_reminders_go_on(
    story: Story,
) -> None:
    await story.to_check()
    task = story.task_of(CLARA)
    await in_silence(story, task, 2, "reminder", 1)
    await in_silence(story, task, 4, "reminder", 2)
    assert story.told("reminder") == [CLARA, CLARA]
    await in_silence(story, task, 5, "stand_in", 1)
    assert story.told("stand_in") == [MONA]
    await in_silence(story, task, 10, "reminder", 3)
    await in_silence(story, task, 15, "reminder", 4)
    assert story.told("reminder") == sorted([CLARA] * 4 + [MONA] * 2)
    assert (await story.status()).waiting_for == (CLARA, MONA)
    await story.says(MONA, "pass", then=Stage.VP_REVIEW)


async def test_n12_silent_vps_are_each_reminded_and_the_general_manager_decides_in_their_stead(story: Story) -> None:
    await story.to_review()
    task = story.task_of(VERA)
    await story.waits_until(working_days(story, task, 5) + SOON)
    await story.comes("stand_in", 2)
    assert story.count("reminder") == 4, "two VPs, two reminders each"
    assert capacity_of(story.record, GINA) is AssigneeCapacity.STAND_IN
    await story.says(GINA, "approve")
    await story.says(VIKTOR, "approve")
    assert await story.result() == Stage.ACTIVE
    stood_in = [d for _, d in story.record.decisions if d.person == GINA]
    assert [(d.capacity, d.on_behalf_of) for d in stood_in] == [(AssigneeCapacity.STAND_IN, VERA)]


async def test_n12_who_has_answered_is_not_reminded(story: Story) -> None:
    await story.to_review()
    answered, silent = story.task_of(VERA), story.task_of(VIKTOR)
    await story.says(VERA, "approve")
    await story.waits_until(working_days(story, silent, 4) + SOON)
    await story.comes("reminder", 2)
    assert {note.body["task"] for note in story.record.notes if note.event == "reminder"} == {silent.id}
    assert answered.chased == 0


@pytest.mark.parametrize("there", [Story.to_general_manager, Story.to_appeal], ids=["gm_approval", "gm_appeal"])
async def test_n12_the_general_manager_is_only_reminded(story: Story, there: object) -> None:
    assert callable(there)
    await there(story)
    task = story.task_of(GINA)
    await in_silence(story, task, 2, "reminder", 1)
    await in_silence(story, task, 4, "reminder", 2)
    await in_silence(story, task, 9, "reminder", 3)
    assert story.count("stand_in") == 0
    assert (await story.status()).waiting_for == (GINA,)


async def test_n12_a_salesperson_who_supplies_nothing_is_reminded(story: Story) -> None:
    await story.to_check()
    await story.says(CLARA, "return", "no related parties given", then=Stage.RETURNED)
    task = story.task_of(SAM)
    await in_silence(story, task, 5, "reminder", 1)
    await in_silence(story, task, 10, "reminder", 2)
    await in_silence(story, task, 20, "reminder", 3)
    await story.says(SAM, "supply", then=Stage.COMMERCE_CHECK)


async def test_n12_a_year_of_silence_loses_no_reminder_and_repeats_none(story: Story) -> None:
    await story.to_check()
    task = story.task_of(CLARA)
    moments = [working_days(story, task, days) for days in (2, 4, *range(10, 245, 5))]
    await story.waits_until(moments[-1] + SOON)
    await story.comes("reminder", len(moments))
    sent = [note.at for note in story.record.notes if note.event == "reminder"]
    assert len(sent) == len(moments)
    late = [at - moment for at, moment in zip(sent, moments, strict=True)]
    assert all(timedelta(0) <= delay < SOON for delay in late), late


async def test_n12_days_off_that_nobody_announced_to_the_process_put_a_reminder_off(story: Story) -> None:
    await story.to_check()
    task = story.task_of(CLARA)
    before = working_days(story, task, 2)
    story.record.calendar = story.record.calendar.model_copy(update={"overrides": {before.date(): DayKind.OFF}})
    await in_silence(story, task, 2, "reminder", 1)
    assert working_days(story, task, 2) > before
    await in_silence(story, task, 4, "reminder", 2)


async def test_n12_a_changed_calendar_moves_the_deadline(story: Story) -> None:
    await story.to_check()
    task = story.task_of(CLARA)
    before = working_days(story, task, 2)
    story.record.calendar = story.record.calendar.model_copy(update={"overrides": {before.date(): DayKind.OFF}})
    await story.facts_changed()
    assert (await story.status()).next_event_at == working_days(story, task, 2)
    await in_silence(story, task, 2, "reminder", 1)


async def test_n6_a_vp_who_leaves_is_followed_by_the_new_one(story: Story) -> None:
    await story.to_review()
    await story.says(VIKTOR, "approve")
    story.record.organisation = one_department(gone=(VERA,))
    await story.facts_changed()
    assert (await story.status()).waiting_for == ("victor",)
    assert VERA in story.told("task_withdrawn")
    await story.says("victor", "approve")
    assert await story.result() == Stage.ACTIVE


async def test_n6_a_vp_who_leaves_after_the_first_has_approved_is_followed_by_the_new_one_and_not_by_the_first(
    story: Story,
) -> None:
    await story.to_review()
    await story.says(VERA, "approve")
    story.record.organisation = one_department(gone=(VIKTOR,))
    await story.facts_changed()
    assert (await story.status()).waiting_for == ("victor",)
    await story.says("victor", "approve")
    assert await story.result() == Stage.ACTIVE


async def test_facts_that_change_while_nobody_is_asked_change_nothing(story: Story) -> None:
    await story.to_rejected()
    until = (await story.status()).next_event_at
    await story.facts_changed()
    status = await story.status()
    assert (status.stage, status.waiting_for, status.next_event_at) == (Stage.REJECTED, (), until)


async def test_a_delegation_that_starts_and_ends_is_followed_on_time(story: Story) -> None:
    now = await story.env.get_current_time()
    away = Delegation(person=VERA, delegate="carl", start=now + timedelta(hours=1), end=now + timedelta(hours=3))
    story.record.organisation = one_department(delegations=(away,))
    await story.to_review()
    assert (await story.status()).waiting_for == (VERA, VIKTOR)
    await story.waits_until(away.start + SOON)
    await story.comes("refreshed", 1)
    assert (await story.status()).waiting_for == ("carl", VERA, VIKTOR)
    assert capacity_of(story.record, "carl") is AssigneeCapacity.DELEGATE
    stale = story.answer("carl", "approve")
    await story.waits_until(away.end + SOON)
    await story.comes("refreshed", 2)
    assert (await story.status()).waiting_for == (VERA, VIKTOR)
    await story.sends(stale)
    assert (stale.message_id, "not_asked") in story.record.refused


async def test_a_delegate_decides_on_behalf(story: Story) -> None:
    now = await story.env.get_current_time()
    away = Delegation(person=VERA, delegate="carl", start=now - SOON, end=now + timedelta(days=30))
    story.record.organisation = one_department(delegations=(away,))
    await story.to_review()
    await story.says("carl", "approve")
    await story.says(VIKTOR, "approve")
    assert await story.result() == Stage.ACTIVE
    (decision,) = [d for _, d in story.record.decisions if d.person == "carl"]
    assert (decision.capacity, decision.on_behalf_of) == (AssigneeCapacity.DELEGATE, VERA)


async def shows(story: Story, stage: Stage, *people: str, due: datetime | None) -> None:
    """Search attributes and current details say the same as the record, and name no customer."""
    expected = {"Stage": stage.value, "WaitingFor": list(people) or None, "DueAt": due and due.replace(microsecond=0)}
    found: dict[str, Any] = {}
    for _ in range(200):
        found = await story.search_attributes()
        at = found.get("DueAt")
        found["DueAt"] = datetime.fromisoformat(at).replace(microsecond=0) if at else None
        if expected.items() <= found.items():
            break
        await story.status()
    assert expected.items() <= found.items(), found
    assert (found["Applicant"], found["Department"]) == (SAM, "north")
    text = await story.details()
    assert all(story.record.organisation.name_of(person) in text for person in people)
    assert CUSTOMER not in text
    assert CUSTOMER not in str(found)
    assert CUSTOMER not in story.workflow_id


async def test_x2_operators_see_stage_people_and_due_date_at_every_stage_and_never_the_customer(story: Story) -> None:
    def due() -> datetime:
        return min(task.due_at for task in story.record.open)

    story.record.outside = True
    await story.submits()
    await eventually(lambda: len(story.record.gathered) == 2, "gathering")
    await shows(story, Stage.EVIDENCE, due=None)
    story.activities.outside_answers.set()
    await story.waits(minutes=2)
    await story.reaches(Stage.COMMERCE_CHECK)
    await shows(story, Stage.COMMERCE_CHECK, CLARA, due=due())
    await story.says(CLARA, "return", "no related parties given", then=Stage.RETURNED)
    await shows(story, Stage.RETURNED, SAM, due=due())
    story.activities.outside_answers.clear()
    await story.says(SAM, "supply", then=Stage.EVIDENCE)
    await eventually(lambda: len(story.record.gathered) == 5, "gathering again")
    await shows(story, Stage.EVIDENCE, due=None)
    story.activities.outside_answers.set()
    await story.waits(minutes=2)
    await story.reaches(Stage.COMMERCE_CHECK)
    await story.says(CLARA, "pass", then=Stage.VP_REVIEW)
    await shows(story, Stage.VP_REVIEW, VERA, VIKTOR, due=due())
    await story.says(VIKTOR, "approve")
    await shows(story, Stage.VP_REVIEW, VERA, due=due())
    await story.says(VERA, "reject", "margins too thin", then=Stage.REJECTED)
    assert story.record.application
    await shows(story, Stage.REJECTED, due=story.record.appeal_until)
    await story.sends(story.objection())
    await story.reaches(Stage.GM_APPEAL)
    await shows(story, Stage.GM_APPEAL, GINA, due=due())
    await story.says(GINA, "approve")
    assert await story.result() == Stage.ACTIVE
    await shows(story, Stage.ACTIVE, due=None)


async def test_the_status_query_says_what_happens_next_and_when(story: Story) -> None:
    await story.to_check()
    task = story.task_of(CLARA)
    status = await story.status()
    assert (status.stage, status.round, status.waiting_for) == (Stage.COMMERCE_CHECK, 1, (CLARA,))
    assert status.next_event_at == working_days(story, task, 2)
    await in_silence(story, task, 2, "reminder", 1)
    assert (await story.status()).next_event_at == working_days(story, task, 4)

"""A task of the workflow that fails after its steps were recorded is done again, and nothing happens twice (X3)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from domain.accounts.application import Stage
from domain.organisation import Delegation
from domain.statements import AnswerTask
from tests.eventually import eventually
from tests.samples import CLARA, GINA, VERA, VIKTOR, one_department
from tests.workflow.story import Story
from workflows.desk import Desk
from workflows.messages import FactsChanged


async def test_x3_a_flooded_process_goes_on_in_a_new_run_with_everything_it_had(story: Story) -> None:
    await story.to_review()
    approved = await story.says(VERA, "approve")
    silent = story.task_of(VIKTOR)
    await story.is_flooded()
    status = await story.status()
    assert (status.stage, status.waiting_for, status.round) == (Stage.VP_REVIEW, (VIKTOR,), 1)
    assert status.next_event_at == story.record.known(silent, silent.opened_at).next_step.at
    found = await story.search_attributes()
    assert (found["Stage"], found["WaitingFor"]) == ("vp_review", [VIKTOR])
    assert VIKTOR.title() in await story.details()
    assert story.id in (await story.details()).replace("\\", "")
    await story.waits_until(silent.due_at + timedelta(minutes=1))
    await story.comes("stand_in", 1)
    assert (story.count("reminder"), silent.chased) == (2, 3)
    await story.signal(approved)
    await story.says(GINA, "approve")
    assert await story.result() == Stage.ACTIVE
    assert story.count("answer_accepted") == 3


async def test_x3_no_signal_is_lost_while_runs_follow_each_other(story: Story) -> None:
    """450 and more events of junk, sent without pause across the moments at which a new run begins."""
    await story.to_review()
    first_run = await story.run_id()
    number = 600
    for start in range(0, number, 4):
        junk = [AnswerTask(message_id=f"junk{n}") for n in range(start, start + 4)]
        await asyncio.gather(*(story.signal(answer) for answer in junk))
    await story.says(VERA, "approve")
    await eventually(lambda: len(set(story.record.refused)) == number, "every refusal")

    async def renewed() -> bool:
        return await story.run_id() != first_run

    await eventually(renewed, "a new run")
    await story.says(VIKTOR, "approve")
    assert await story.result() == Stage.ACTIVE


async def test_n10_the_month_of_an_appeal_goes_on_in_a_new_run(story: Story) -> None:
    await story.to_rejected()
    assert story.record.application
    until = story.record.appeal_until
    assert until
    await story.is_flooded()
    assert (await story.status()).stage == Stage.REJECTED
    await story.waits_until(until - timedelta(minutes=1))
    await story.sends(story.objection())
    await story.reaches(Stage.GM_APPEAL)


def fail_once_in(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The workflow task that calls this method of the desk fails once, after what the call did was recorded."""
    real = getattr(Desk, name)
    failed: list[str] = []

    async def fails(desk: Desk[Stage], *args: Any, **options: Any) -> Any:
        done = await real(desk, *args, **options)
        if not failed:
            failed.append(name)
            raise RuntimeError(f"the worker broke behind {name}")
        return done

    monkeypatch.setattr(Desk, name, fails)


async def test_a_step_of_a_task_that_failed_is_not_taken_twice(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_once_in(monkeypatch, "move")
    await story.to_check()
    await story.says(CLARA, "pass", then=Stage.VP_REVIEW)
    assert await story.task_failures() == ["Encoded failure"]
    moves = [key for key in story.record.keys if key.startswith("move:")]
    assert len(moves) == 3
    assert len(set(moves)) == 2, "the move was asked for again under its key"
    assert story.count("moved") == 2
    assert story.told("task").count(CLARA) == 1


async def test_n13_a_withdrawal_behind_a_move_that_has_to_be_done_again_withdraws(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record has moved on; the task is done again and reads the withdrawal first, so it goes another way."""
    fail_once_in(monkeypatch, "move")
    story.record.outside = True
    story.activities.outside_answers.set()
    story.while_recording("move:", story.withdrawal())
    await story.submits()
    assert await story.result() == Stage.WITHDRAWN
    assert await story.task_failures()
    assert story.record.application
    assert story.record.application.stage is Stage.WITHDRAWN
    assert not story.record.open


async def test_x3_an_answer_recorded_by_a_task_that_failed_counts_once(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once_in(monkeypatch, "_record")
    await story.to_check()
    second = story.answer(CLARA, "return", "no related parties given")
    story.while_recording("record:", second)
    await story.says(CLARA, "pass", then=Stage.VP_REVIEW)
    await eventually(lambda: bool(story.record.refused), "a refusal")
    assert story.record.refused == [(second.message_id, "already_answered")]
    assert story.count("answer_accepted") == 1
    assert await story.task_failures()


async def test_n12_a_reminder_of_a_task_that_failed_is_sent_once_also_when_an_answer_came_meanwhile(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once_in(monkeypatch, "_chase")
    await story.to_check()
    story.while_recording("chase:", story.answer(CLARA, "pass"))
    first = (await story.status()).next_event_at
    assert first
    await story.waits_until(first + timedelta(seconds=1))
    await story.reaches(Stage.VP_REVIEW)
    assert story.told("reminder") == [CLARA]
    assert await story.task_failures()


async def test_facts_that_changed_behind_a_refresh_that_has_to_be_done_again_are_followed(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = await story.env.get_current_time()
    away = Delegation(person=VERA, delegate="carl", start=now + timedelta(hours=1), end=now + timedelta(hours=3))
    story.record.organisation = one_department(delegations=(away,))
    await story.to_review()
    fail_once_in(monkeypatch, "_refresh")
    sent: list[str] = []

    async def import_organisation(key: str) -> None:
        if key.startswith("refresh:") and not sent:
            sent.append(key)
            story.record.organisation = one_department(gone=(VERA,))
            await story.handle.signal("facts_changed", FactsChanged(version="2"))

    story.activities.before_result = import_organisation
    await story.waits_until(away.start + timedelta(seconds=1))
    await story.comes("refreshed", 2)

    async def followed() -> bool:
        return (await story.status()).waiting_for == ("victor", VIKTOR)

    await eventually(followed, "the new VP")
    assert await story.task_failures()


async def test_n10_an_appeal_behind_a_closing_that_has_to_be_done_again_is_too_late(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    await story.to_rejected()
    fail_once_in(monkeypatch, "move")
    appeal = story.objection()
    story.while_recording("move:closed", appeal)
    assert story.record.application
    assert story.record.appeal_until
    await story.waits_until(story.record.appeal_until)
    assert await story.result() == Stage.CLOSED_REJECTED
    assert story.record.refused == [(appeal.message_id, "stage_does_not_allow")]
    assert await story.task_failures()

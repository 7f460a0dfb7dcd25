"""The paths of an application through the process (N2, N5 to N10, N13, N14), with the activities faked."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta

import pytest
from temporalio import activity

from activities.accounts.evidence import EvidenceGathering
from activities.accounts.steps import AccountSteps
from activities.tasks.records import Records
from activities.tasks.reminders import Reminders
from domain.accounts.application import Stage
from domain.tasks.task import TaskKind
from runtime.sandbox import Sandbox
from tests.eventually import eventually
from tests.samples import CLARA, DORA, GINA, MONA, SAM, VERA, VIKTOR
from tests.servers.time_skipping import time_skipping
from tests.workflow.story import Story

SPECIAL = "a key account of the region"


@pytest.mark.parametrize("sandboxed", [True, False])
async def test_n2_n5_n6_n7_an_application_passes_commerce_and_both_vps_and_becomes_an_account(sandboxed: bool) -> None:
    async with time_skipping() as env:
        story = Story(env)
        async with story.worker(Sandbox() if sandboxed else None):
            await story.to_check()
            assert {task.kind for task in story.record.open} == {TaskKind.COMMERCE_CHECK}
            await story.says(CLARA, "pass", then=Stage.VP_REVIEW)
            assert sorted(task.slot for task in story.record.open) == [VERA, VIKTOR]
            await story.says(VIKTOR, "approve")
            await story.says(VERA, "approve")
            assert await story.result() == Stage.ACTIVE
    assert story.record.application
    assert story.record.application.stage is Stage.ACTIVE
    assert [name for name, _ in story.record.gathered] == ["gather_registrations", "gather_background"]
    assert story.told("activated") == sorted({SAM, DORA, VERA, VIKTOR, MONA})
    assert len(story.record.keys) == len(set(story.record.keys)), "no step was taken twice"


async def test_n5_a_returned_application_is_supplied_and_checked_again_in_a_new_round(story: Story) -> None:
    await story.to_check()
    await story.says(CLARA, "return", "no related parties given", then=Stage.RETURNED)
    assert (await story.status()).waiting_for == (SAM,)
    supplied = await story.says(SAM, "supply", then=Stage.COMMERCE_CHECK)
    assert (await story.status()).round == 2
    assert {number for _, number in story.record.gathered} == {1, 2}
    assert len(story.record.gathered) == 4, "gathering was repeated for the corrected form"
    assert supplied.message_id in story.record.settled
    await story.says(CLARA, "return", "still none", then=Stage.RETURNED)
    await story.says(SAM, "supply", then=Stage.COMMERCE_CHECK)
    assert (await story.status()).round == 3
    await story.says(CLARA, "pass", then=Stage.VP_REVIEW)
    await story.says(VERA, "approve")
    await story.says(VIKTOR, "approve")
    assert await story.result() == Stage.ACTIVE


async def test_n5_an_answer_to_a_task_of_an_earlier_round_changes_nothing(story: Story) -> None:
    await story.to_check()
    stale = story.task_of(CLARA)
    await story.says(CLARA, "return", "no related parties given", then=Stage.RETURNED)
    await story.says(SAM, "supply", then=Stage.COMMERCE_CHECK)
    late = story.answer(CLARA, "pass", task=stale)
    await story.sends(late)
    assert (late.message_id, "already_answered") in story.record.refused
    assert (await story.status()).stage == Stage.COMMERCE_CHECK


async def test_n9_one_rejection_is_enough_and_the_other_request_is_withdrawn(story: Story) -> None:
    await story.to_review()
    other = story.task_of(VIKTOR)
    await story.says(VERA, "reject", "margins too thin", then=Stage.REJECTED)
    assert story.told("task_withdrawn") == [VIKTOR]
    assert story.told("rejected") == sorted({SAM, DORA, MONA})
    late = story.answer(VIKTOR, "approve", task=other)
    await story.sends(late)
    assert (late.message_id, "task_withdrawn") in story.record.refused
    assert (await story.status()).stage == Stage.REJECTED


async def test_n9_an_approval_before_a_rejection_does_not_save_the_application(story: Story) -> None:
    await story.to_review()
    await story.says(VIKTOR, "approve")
    await story.says(VERA, "reject", "margins too thin", then=Stage.REJECTED)


async def test_n9_a_rejection_without_a_reason_is_not_taken(story: Story) -> None:
    await story.to_review()
    said = await story.says(VERA, "reject")
    assert (said.message_id, "reason_required") in story.record.refused
    assert (await story.status()).waiting_for == (VERA, VIKTOR)


async def test_n10_an_appeal_reaches_the_general_manager_who_accepts(story: Story) -> None:
    await story.to_appeal()
    assert story.told("appeal_filed") == sorted({MONA, VERA, VIKTOR})
    assert (await story.status()).waiting_for == (GINA,)
    await story.says(GINA, "approve")
    assert await story.result() == Stage.ACTIVE


async def test_n10_the_general_managers_rejection_of_an_appeal_is_final(story: Story) -> None:
    await story.to_appeal()
    await story.says(GINA, "reject", "the VP is right")
    assert await story.result() == Stage.CLOSED_REJECTED
    assert story.told("closed_rejected") == sorted({SAM, DORA, VERA, VIKTOR, MONA})


async def test_n10_there_is_one_appeal(story: Story) -> None:
    await story.to_appeal()
    again = story.objection()
    await story.sends(again)
    assert (again.message_id, "appeal_used") in story.record.refused
    assert (await story.status()).stage == Stage.GM_APPEAL


async def test_n10_the_same_appeal_delivered_twice_counts_once(story: Story) -> None:
    await story.to_rejected()
    appeal = story.objection()
    await story.signal(appeal, appeal)
    await story.reaches(Stage.GM_APPEAL)
    await story.says(GINA, "reject", "the VP is right")
    assert await story.result() == Stage.CLOSED_REJECTED
    assert story.told("appeal_filed") == sorted({MONA, VERA, VIKTOR})


async def test_n10_only_the_applicant_appeals_and_only_a_rejection(story: Story) -> None:
    await story.to_review()
    early, foreign = story.objection(), story.objection(DORA)
    await story.sends(early, foreign)
    assert story.record.refused == [(early.message_id, "stage_does_not_allow"), (foreign.message_id, "not_applicant")]
    await story.says(VERA, "reject", "margins too thin", then=Stage.REJECTED)
    assert (await story.status()).stage == Stage.REJECTED


async def test_n10_a_rejection_stands_once_the_month_is_over(story: Story) -> None:
    await story.to_rejected()
    assert story.record.application
    until = story.record.appeal_until
    assert until
    await story.waits_until(until)
    assert await story.result() == Stage.CLOSED_REJECTED
    (closed,) = [note for note in story.record.notes if note.body.get("stage") == "closed_rejected"]
    assert 0 <= (closed.at - until).total_seconds() < 60


async def test_n10_an_appeal_in_the_last_minute_is_in_time(story: Story) -> None:
    await story.to_rejected()
    assert story.record.application
    assert story.record.appeal_until
    await story.waits_until(story.record.appeal_until - timedelta(minutes=1))
    await story.sends(story.objection())
    await story.reaches(Stage.GM_APPEAL)


async def test_n10_an_appeal_that_comes_while_the_rejection_is_being_closed_is_too_late_and_told_so(
    story: Story,
) -> None:
    await story.to_rejected()
    story.record.away = {"move"}
    assert story.record.application
    assert story.record.appeal_until
    await story.waits_until(story.record.appeal_until)
    await eventually(lambda: story.record.refused_calls > 0, "the attempt to close")
    appeal = story.objection()
    await story.signal(appeal)
    story.record.away = set()
    assert await story.result() == Stage.CLOSED_REJECTED
    assert story.record.refused == [(appeal.message_id, "stage_does_not_allow")]


async def test_n10_a_rejection_by_the_general_manager_leaves_no_appeal(story: Story) -> None:
    await story.to_general_manager()
    await story.says(GINA, "reject", "enough accounts")
    assert await story.result() == Stage.CLOSED_REJECTED


async def test_n8_above_the_limit_special_reasons_are_owed_and_the_general_manager_approves(story: Story) -> None:
    await story.to_general_manager()
    assert (await story.status()).waiting_for == (GINA,)
    await story.says(GINA, "approve")
    assert await story.result() == Stage.ACTIVE


async def test_n8_a_limit_reached_meanwhile_asks_those_again_who_gave_no_special_reason(story: Story) -> None:
    await story.to_review()
    await story.says(VERA, "approve")
    story.record.held = story.record.policy.accounts.limit
    second = await story.says(VIKTOR, "approve", SPECIAL)
    await eventually(lambda: [task.slot for task in story.record.open] == [VERA], "only vera is asked again")
    assert (await story.status()).waiting_for == (VERA,)
    assert second.message_id in story.record.settled, "nobody is left waiting for what became of their answer"
    silent = await story.says(VERA, "approve")
    assert (silent.message_id, "special_reason_required") in story.record.refused
    await story.says(VERA, "approve", SPECIAL, then=Stage.GM_APPROVAL)
    await story.says(GINA, "approve")
    assert await story.result() == Stage.ACTIVE


async def test_n8_n9_a_vp_asked_again_may_reject(story: Story) -> None:
    await story.to_review()
    await story.says(VERA, "approve")
    story.record.held = story.record.policy.accounts.limit
    await story.says(VIKTOR, "approve", SPECIAL)
    await eventually(lambda: [task.slot for task in story.record.open] == [VERA], "only vera is asked again")
    await story.status()
    await story.says(VERA, "reject", "not above the limit", then=Stage.REJECTED)


@pytest.mark.parametrize("obstacle", ["conflict_with_account", "conflict_with_application"])
async def test_n14_whoever_comes_second_is_refused(story: Story, obstacle: str) -> None:
    await story.to_review()
    await story.says(VERA, "approve")
    story.record.taken = obstacle
    said = await story.says(VIKTOR, "approve")
    assert await story.result() == Stage.REFUSED
    assert story.record.application
    assert (story.record.application.end_reason or {}).get("code") == obstacle
    assert story.record.application.stage is not Stage.ACTIVE
    assert said.message_id in story.record.settled
    assert SAM in story.told("refused")


@pytest.mark.parametrize(
    "there",
    [Story.to_check, Story.to_returned, Story.to_review, Story.to_general_manager, Story.to_appeal],
    ids=["commerce_check", "returned", "vp_review", "gm_approval", "gm_appeal"],
)
async def test_n13_the_applicant_withdraws(story: Story, there: Callable[[Story], Awaitable[None]]) -> None:
    await there(story)
    foreign = story.withdrawal(DORA)
    await story.sends(foreign)
    assert (foreign.message_id, "not_applicant") in story.record.refused
    withdrawal = story.withdrawal()
    await story.signal(withdrawal, withdrawal)
    assert await story.result() == Stage.WITHDRAWN
    assert not story.record.open
    assert withdrawal.message_id in story.record.settled
    assert SAM in story.told("withdrawn")
    assert story.told("withdrawn").count(SAM) == 1


async def test_n13_a_rejected_application_can_still_be_withdrawn(story: Story) -> None:
    await story.to_rejected()
    await story.sends(story.withdrawal())
    assert await story.result() == Stage.WITHDRAWN
    assert story.record.refused == []


async def test_n13_the_applicant_withdraws_while_an_outside_source_is_asked(story: Story) -> None:
    story.record.outside = True
    await story.submits()
    await eventually(lambda: len(story.record.gathered) == 2, "gathering")
    await story.sends(story.withdrawal())
    assert await story.result() == Stage.WITHDRAWN
    assert not story.record.tasks


async def test_n4_n5_a_silent_outside_source_is_marked_and_people_go_on(story: Story) -> None:
    story.record.outside = True
    await story.submits()
    await eventually(lambda: len(story.record.gathered) == 2, "gathering")
    started = await story.env.get_current_time()
    minutes = story.record.policy.evidence.give_up_after_minutes
    assert (await story.status()).stage == Stage.EVIDENCE
    await story.waits(minutes=minutes + 1)
    await story.reaches(Stage.COMMERCE_CHECK)
    assert story.record.gathered[-1] == ("mark_outside_sources_unavailable", 1)
    (moved,) = [note for note in story.record.notes if note.event == "moved"]
    assert minutes - 1 <= (moved.at - started).total_seconds() / 60 <= minutes + 1


async def test_n4_an_outside_source_that_answers_late_is_heard(story: Story) -> None:
    story.record.outside = True
    await story.submits()
    await eventually(lambda: len(story.record.gathered) == 2, "gathering")
    story.activities.outside_answers.set()
    await story.waits(minutes=2)
    await story.reaches(Stage.COMMERCE_CHECK)
    assert story.record.gathered[-1] == ("ask_outside_sources", 1)


async def test_n15_evidence_gathered_again_for_commerce_moves_nothing_and_the_process_goes_on(story: Story) -> None:
    await story.to_review()
    before = await story.status()
    await story.sends(story.gathering(), story.gathering(VERA))
    assert story.record.gathered[-1] == ("gather_evidence", 1)
    assert [why for _, why in story.record.refused] == ["only_commerce_gathers"]
    assert await story.status() == before
    await story.says(VERA, "approve")
    await story.says(VIKTOR, "approve")
    assert await story.result() == Stage.ACTIVE


async def test_the_first_answer_counts_and_the_second_is_told(story: Story) -> None:
    await story.to_check()
    asked = story.task_of(CLARA)
    first, second = story.answer(CLARA, "pass", task=asked), story.answer(CLARA, "return", "no", task=asked)
    await story.sends(first, second)
    await story.reaches(Stage.VP_REVIEW)
    assert story.record.refused == [(second.message_id, "already_answered")]


async def test_an_answer_sent_again_under_its_message_id_changes_nothing(story: Story) -> None:
    await story.to_review()
    said = await story.says(VERA, "approve")
    await story.signal(said, said)
    await story.says(VIKTOR, "approve")
    assert await story.result() == Stage.ACTIVE
    assert story.count("answer_accepted") == 3
    assert story.record.refused == []


WAITS = {
    "N5 commerce_check": (Story.to_check, CLARA, "pass", Stage.VP_REVIEW),
    "N5 returned": (Story.to_returned, SAM, "supply", Stage.COMMERCE_CHECK),
    "N9 vp_review": (Story.to_review, VERA, "reject", Stage.REJECTED),
    "N8 gm_approval": (Story.to_general_manager, GINA, "approve", Stage.ACTIVE),
    "N10 gm_appeal": (Story.to_appeal, GINA, "reject", Stage.CLOSED_REJECTED),
}


@pytest.mark.parametrize(("there", "person", "choice", "then"), WAITS.values(), ids=WAITS.keys())
async def test_x3_an_answer_counts_once_however_often_it_comes_and_a_later_one_is_told(
    story: Story, there: Callable[[Story], Awaitable[None]], person: str, choice: str, then: Stage
) -> None:
    await there(story)
    decided = story.count("answer_accepted")
    first, other = story.answer(person, choice, "stated"), story.answer(person, choice, "stated again")
    same_person_again = first.model_copy(update={"said_at": first.said_at})
    story.while_recording("record:", first, other, same_person_again, other)
    await story.signal(first)
    await story.reaches(then)
    await eventually(lambda: bool(story.record.refused), "a refusal")
    assert story.record.refused == [(other.message_id, "already_answered")]
    assert story.count("answer_accepted") == decided + 1
    assert first.message_id in story.record.settled


async def test_x3_what_arrives_together_with_the_last_decision_is_answered_too() -> None:
    async with time_skipping() as env:
        story = Story(env)
        async with story.worker(max_cached_workflows=0):
            await story.to_appeal()
            decision = story.answer(GINA, "reject", "the VP is right")
            second = story.answer(GINA, "approve", task=story.task_of(GINA))
        late = story.withdrawal()
        await story.signal(decision, second, late, late)
        async with story.worker():
            assert await story.result() == Stage.CLOSED_REJECTED
    assert story.record.refused == [
        (second.message_id, "already_answered"),
        (late.message_id, "stage_does_not_allow"),
    ]


async def test_x3_what_arrives_behind_a_withdrawal_is_answered_too() -> None:
    async with time_skipping() as env:
        story = Story(env)
        async with story.worker(max_cached_workflows=0):
            await story.to_review()
            approval = story.answer(VERA, "approve")
        await story.signal(story.withdrawal(), approval)
        async with story.worker():
            assert await story.result() == Stage.WITHDRAWN
    assert story.record.refused == [(approval.message_id, "task_withdrawn")]


def test_the_fakes_stand_in_for_every_activity_with_the_same_messages(story: Story) -> None:
    def signatures(activities: Iterable[Callable[..., object]]) -> dict[str | None, object]:
        found = [activity._Definition.must_from_callable(function) for function in activities]
        return {definition.name: (definition.arg_types, definition.ret_type) for definition in found}

    real = [
        found
        for holder in (AccountSteps, Records, Reminders, EvidenceGathering)
        for found in vars(holder).values()
        if hasattr(found, "__temporal_activity_definition")
    ]
    assert signatures(real) == signatures(story.activities.all)

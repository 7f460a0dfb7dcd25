"""What goes wrong around the process: messages by hand, outages, floods, tasks that fail half-way (X3, design 3)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretBytes
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from crypto.codec import data_converter
from crypto.keyring import Keyring
from domain.accounts.application import Stage
from domain.statements import AnswerTask, AppealRejection, SubmitApplication, Withdraw
from runtime.sandbox import Sandbox
from tests.eventually import eventually
from tests.samples import CLARA, GINA, SAM, VERA, VIKTOR, application_form
from tests.servers.time_skipping import CONVERTER, PAYLOAD_KEYS, time_skipping
from tests.workflow.story import CUSTOMER, Story
from workflows.messages import TASK_QUEUE, StartApplication, bundle
from workflows.named_account import NamedAccountApplication

FOREIGN = RawValue(
    Payload(metadata={"encoding": b"binary/encrypted", "encryption-key-id": b"of-another-ring"}, data=b"\x00" * 60)
)
"""Encrypted with a key that is not configured here."""

JUNK: dict[str, list[Any]] = {
    "a word": ["approve"],
    "nothing": [],
    "null": [None],
    "two things": [{"choice": "approve"}, {"choice": "approve"}],
    "a list": [["approve", 1, None]],
    "wrong types": [{"task_id": 7, "choice": ["approve"], "said_at": "yesterday", "fields": 3}],
    "an unknown shape": [{"decision": "approve", "by": "vera"}],
    "unknown encoding": [RawValue(Payload(metadata={"encoding": b"binary/nonsense"}, data=b"\x00\xff"))],
    "no JSON": [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{"))],
    "a lone surrogate": [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b'"\\ud800"'))],
    "under a key we do not have": [FOREIGN],
    "two under a key we do not have": [FOREIGN, FOREIGN],
    "garbage as ours": [
        RawValue(
            Payload(
                metadata={"encoding": b"binary/encrypted", "encryption-key-id": b"published-test-key"},
                data=b"\x00" * 60,
            )
        )
    ],
}


@pytest.mark.parametrize("sent", JUNK.values(), ids=JUNK.keys())
async def test_signals_by_hand_change_nothing_and_stop_nothing(story: Story, sent: list[Any]) -> None:
    """Design 3; N6: neither approved nor withdrawn by a signal from the command line."""
    await story.to_review()
    before = await story.status()
    for name in ("answer_task", "withdraw", "appeal", "gather_evidence", "facts_changed", "approve_everything"):
        await story.by_hand.signal(name, args=sent)
    assert await story.status() == before
    assert not story.record.heard & {""}
    await eventually(lambda: len(story.record.refused) >= 3, "one refusal for each thing that people can say")
    assert {why for _, why in story.record.refused} == {"unsealed"}
    await story.says(VERA, "approve")
    await story.says(VIKTOR, "approve")
    assert await story.result() == Stage.ACTIVE
    assert not await story.task_failures()


async def test_x3_what_a_missing_key_hid_from_a_process_may_come_to_light_later(story: Story) -> None:
    """A signal under a key that is not configured is recorded and over. With the key, the history replays all the
    same; and whatever else is under a key that is missing waits for it."""
    newer = Keyring((*PAYLOAD_KEYS.keys, ("rotated-early", SecretBytes(b"\x01" * 32))))
    early = Client(story.client.service_client, data_converter=data_converter(newer))
    await story.to_review()
    said = story.answer(VERA, "approve")
    await early.get_workflow_handle(story.workflow_id).signal("answer_task", said)
    await eventually(lambda: bool(story.record.refused), "a refusal")
    assert said.message_id not in story.record.heard
    await story.says(VERA, "approve")
    await story.says(VIKTOR, "approve")
    assert await story.result() == Stage.ACTIVE
    assert not await story.task_failures()
    history = await story.history()
    for ring in (PAYLOAD_KEYS, newer):
        replayer = Replayer(workflows=[NamedAccountApplication], data_converter=data_converter(ring), build_id="test")
        await replayer.replay_workflow(history)
    others = Replayer(
        workflows=[NamedAccountApplication],
        data_converter=data_converter(Keyring(newer.keys[-1:])),
        workflow_runner=UnsandboxedWorkflowRunner(),
        build_id="test",
    )
    with pytest.raises(RuntimeError, match="UnknownKey"):
        await others.replay_workflow(history)


@pytest.mark.parametrize("sandboxed", [True, False], ids=["sandboxed", "unsandboxed"])
async def test_x3_a_flood_is_sifted_in_one_step_and_what_was_sealed_is_read_in_its_order(sandboxed: bool) -> None:
    """All of it waits when the worker comes: one workflow task, which must not take two seconds."""
    async with time_skipping() as env:
        story = Story(env)
        async with story.worker(max_cached_workflows=0):
            await story.to_review()
            first, second = story.answer(VIKTOR, "approve"), story.answer(VERA, "reject", "margins too thin")
        forged = [AnswerTask(message_id=f"junk{number}", person=VERA, choice="approve") for number in range(240)]
        await asyncio.gather(*(story.signal(answer) for answer in forged[:120]))
        await story.signal(first, first)
        for sent in ([], [FOREIGN], [RawValue(Payload(metadata={"encoding": b"binary/nonsense"}))], ["x", "y"]):
            await story.by_hand.signal("withdraw", args=sent)
        await asyncio.gather(*(story.by_hand.signal("facts_changed") for _ in range(20)))
        await story.signal(second)
        await asyncio.gather(*(story.signal(answer) for answer in forged[120:]))
        inside = None if sandboxed else UnsandboxedWorkflowRunner()
        async with story.worker(Sandbox(inside), max_cached_workflows=0):
            await story.reaches(Stage.REJECTED)
            assert not await story.task_failures()
            recorded = [key for key in story.record.keys if key.startswith("record:")]
            assert len(recorded) == 3, "the clerk's answer before, and the two that were sealed"
            assert story.count("statements_unsealed") == 1
            assert len(story.record.refused) == len(forged) + 4
            assert story.count("refreshed") == 1
        history = await story.history()
        for runner in (Sandbox(), UnsandboxedWorkflowRunner()):
            replayer = Replayer(
                workflows=[NamedAccountApplication],
                data_converter=CONVERTER,
                workflow_runner=runner,
                build_id="test",
            )
            await replayer.replay_workflow(history)


async def test_x3_a_bundle_of_signals_cannot_be_sent(story: Story) -> None:
    await story.to_review()
    packed = bundle([("withdraw", [Payload(metadata={"encoding": b"json/plain"}, data=b"{}")])] * 3)
    for name in ("bundle", "bundle-", "hear"):
        await story.by_hand.signal(name, args=[RawValue(payload) for payload in packed])
    await story.says(VERA, "approve")
    assert not story.record.refused


async def test_statements_without_a_seal_are_recorded_and_change_nothing(story: Story) -> None:
    await story.to_review()
    asked = story.task_of(VERA)
    forged = AnswerTask(message_id="f1", workflow_id=story.workflow_id, person=VERA, task_id=asked.id, choice="approve")
    stolen = story.answer(VERA, "approve").model_copy(update={"choice": "reject", "reason": "no", "message_id": "f2"})
    elsewhere = story.answer(VERA, "approve").model_copy(update={"workflow_id": "application-B", "message_id": "f3"})
    await story.signal(forged, stolen, elsewhere, Withdraw(person=SAM), AppealRejection(person=SAM))
    await eventually(lambda: len(story.record.refused) == 5, "five refusals on record")
    assert {why for _, why in story.record.refused} == {"unsealed"}
    assert (await story.status()).waiting_for == (VERA, VIKTOR)
    await story.says(VERA, "approve")
    await story.says(VIKTOR, "approve")
    assert await story.result() == Stage.ACTIVE


async def test_a_forged_statement_under_a_borrowed_message_id_does_not_shadow_the_real_one(story: Story) -> None:
    await story.to_check()
    real = story.answer(CLARA, "pass")
    await story.signal(real.model_copy(update={"seal": "forged"}), real)
    await story.reaches(Stage.VP_REVIEW)


STARTS: dict[str, list[Any]] = {
    "a word": ["approve"],
    "nothing": [],
    "null": [None],
    "an empty form": [StartApplication()],
    "no seal": [
        StartApplication(
            submission=SubmitApplication(person=SAM, application_id="A-1", form=application_form(CUSTOMER))
        )
    ],
}


@pytest.mark.parametrize("sent", STARTS.values(), ids=STARTS.keys())
async def test_a_process_started_by_hand_ends_without_effect(story: Story, sent: list[Any]) -> None:
    story.handle = await story.client.start_workflow(
        "NamedAccountApplication", args=sent, id=story.workflow_id, task_queue=TASK_QUEUE, result_type=str
    )
    assert await story.result() == Stage.REFUSED
    assert story.record.application is None
    assert not story.record.tasks
    assert story.count("statement_unsealed") == 1


async def test_x3_a_state_of_a_newer_worker_waits_for_one_and_ends_nothing(story: Story) -> None:
    story.handle = await story.client.start_workflow(
        "NamedAccountApplication",
        args=[{"state": {"stage": "of a later version"}}],
        id=story.workflow_id,
        task_queue=TASK_QUEUE,
        result_type=str,
    )

    async def failed() -> bool:
        return bool(await story.task_failures())

    await eventually(failed, "a failed task")
    assert story.record.application is None
    assert not story.record.tasks


async def test_a_sealed_submission_does_not_start_another_process(story: Story) -> None:
    submission = story.sealed(SubmitApplication(person=SAM, application_id="A-1", form=application_form(CUSTOMER)))
    story.handle = await story.client.start_workflow(
        "NamedAccountApplication",
        StartApplication(submission=submission),
        id="application-A-2",
        task_queue=TASK_QUEUE,
        result_type=str,
    )
    assert await story.result() == Stage.REFUSED
    assert story.record.application is None


async def test_x3_a_record_that_is_away_at_submission_delays_it_and_no_more(story: Story) -> None:
    story.record.away = {"*"}
    await story.submits()
    await eventually(lambda: story.record.refused_calls >= 2, "attempts")
    assert story.record.application is None
    story.record.away = set()
    await story.reaches(Stage.COMMERCE_CHECK)
    assert len(story.record.keys) == len(set(story.record.keys))


@pytest.mark.parametrize("activity", ["gather_background", "record_statement", "move", "activate_account"])
async def test_x3_a_step_that_fails_for_a_while_is_taken_once_it_works(story: Story, activity: str) -> None:
    async def until_it_works() -> None:
        await eventually(lambda: story.record.refused_calls >= 2, "attempts")
        story.record.away = set()

    story.record.away = {activity}
    waiting = asyncio.create_task(until_it_works())
    if activity == "activate_account":
        await story.to_review()
        await story.signal(story.answer(VERA, "approve"), story.answer(VIKTOR, "approve"))
    else:
        await story.submits()
        if activity == "record_statement":
            await story.reaches(Stage.COMMERCE_CHECK)
            await story.signal(story.answer(CLARA, "pass"))
    await waiting
    if activity == "activate_account":
        assert await story.result() == Stage.ACTIVE
        assert story.count("activated") == 1
    else:
        await story.reaches(Stage.VP_REVIEW if activity == "record_statement" else Stage.COMMERCE_CHECK)
    assert len(story.record.keys) == len(set(story.record.keys))


async def test_x3_a_chase_that_finds_the_record_away_is_late_and_not_lost(story: Story) -> None:
    await story.to_check()
    story.record.away = {"chase_task"}
    first = (await story.status()).next_event_at
    assert first
    await story.waits_until(first + timedelta(seconds=1))
    await eventually(lambda: story.record.refused_calls >= 2, "attempts")
    story.record.away = set()
    await story.comes("reminder", 1)
    assert story.told("reminder") == [CLARA]


async def test_x3_statements_that_arrive_while_no_worker_runs_are_taken_in_their_order() -> None:
    async with time_skipping() as env:
        story = Story(env)
        async with story.worker(max_cached_workflows=0):
            await story.to_review()
            first, second = story.answer(VIKTOR, "approve"), story.answer(VERA, "reject", "margins too thin")
        await story.signal(first, second, story.objection())
        async with story.worker():
            await story.reaches(Stage.GM_APPEAL)
            await story.says(GINA, "approve")
            assert await story.result() == Stage.ACTIVE


async def test_x3_an_hour_of_outage_is_waited_out_on_durable_timers_and_fill_no_history(story: Story) -> None:
    await story.to_check()
    story.record.away = {"record_statement"}
    await story.signal(story.answer(CLARA, "pass"))
    await eventually(lambda: story.record.refused_calls > 5, "the first attempts")
    await story.waits(hours=1)
    story.record.away = set()
    await story.waits(minutes=3)
    await story.reaches(Stage.VP_REVIEW)
    events = (await story.history()).events
    timers = [event for event in events if event.HasField("timer_started_event_attributes")]
    assert 25 <= len(timers) <= 45, "every two minutes, after a few quick ones"
    assert len(events) < 51_200 / 24 / 5, "five days of it stay below the engine's limit"

"""A project that lives for years: what an update costs the engine, and that no hand-over loses anything (U1, X3)."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from domain.disputes.dispute import DisputeStage
from domain.projects.project import ProjectStage
from domain.statements import AnswerTask, UpdateProject
from tests.eventually import eventually
from tests.samples import DORA, SAM, SUE, TESS, VERA, VIKTOR, registration_of
from tests.servers.time_skipping import time_skipping
from tests.workflow.projects.project_story import ProjectStory
from tests.workflow.projects.record_view import HALVES
from tests.workflow.story import CUSTOMER
from workflows.inbox import FLOODED_HISTORY
from workflows.messages import FactsChanged
from workflows.project import LIFE_HISTORY

UPDATES = 250
EVENTS_OF_AN_UPDATE = 14
EVENTS_OF_A_RUN = 500


def events(histories: list[WorkflowHistory]) -> list[int]:
    return [len(history.events) for history in histories]


def written(history: WorkflowHistory) -> int:
    """Events of a run but for the signals, which arrive as their senders like and cannot be turned away."""
    return sum(event.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED for event in history.events)


def has_heard(project: ProjectStory, message_ids: set[str]) -> bool:
    return message_ids <= project.record.heard


async def bursts(project: ProjectStory, number: int, size: int) -> list[UpdateProject]:
    """So many updates, `size` at a time within one moment."""
    sent = [project.update() for _ in range(number)]
    for start in range(0, number, size):
        burst = sent[start : start + size]
        await asyncio.gather(*(project.signal(statement) for statement in burst))
        await eventually(partial(has_heard, project, {statement.message_id for statement in burst}), "receipts")
    return sent


async def test_u1_x3_250_weekly_updates_cross_many_runs_and_each_is_taken_once_in_its_order(
    project: ProjectStory,
) -> None:
    """Five years, an update a week: at most 14 events each, no run above 500, nothing lost between two runs."""
    await project.to_active()
    number = project.project.number
    sent = []
    for _ in range(UPDATES):
        await project.waits(days=7)
        update = project.update()
        await project.signal(update)
        await eventually(partial(has_heard, project, {update.message_id}), "a receipt")
        sent.append(update.message_id)
    await eventually(project.shows_last_update, "the last update shown")
    assert [update.message_id for update in project.record.updates] == sent
    assert project.record.refused == []
    assert project.count("silence") == 0, "U5: no clock ran out"
    histories = await project.histories()
    lengths = events(histories)
    assert len(lengths) >= UPDATES * 5 / EVENTS_OF_A_RUN, "it did go on in new runs"
    assert max(lengths) <= EVENTS_OF_A_RUN
    assert max(lengths[1:]) <= LIFE_HISTORY + 2 * EVENTS_OF_AN_UPDATE
    assert sum(lengths) / UPDATES <= EVENTS_OF_AN_UPDATE, lengths
    late = lengths[len(lengths) // 2 : -1]
    assert max(late) - min(late) <= EVENTS_OF_AN_UPDATE, "a late run is no longer than an early one"
    assert (project.project.number, project.project.stage) == (number, ProjectStage.ACTIVE)
    ahead = project.record.ahead(project.project)
    await project.waits_until(ahead[-1].at)
    assert await project.result() == ProjectStage.SHELVED
    assert project.told("silent_two_weeks") == sorted({SAM, DORA})
    assert project.told("shelved") == sorted({SAM, DORA, VERA})


@pytest.mark.parametrize("cached", [True, False], ids=["kept by the worker", "forgotten each time"])
async def test_x3_updates_that_arrive_in_bursts_across_the_hand_overs_are_all_taken(cached: bool) -> None:
    async with time_skipping() as env:
        project = ProjectStory(env)
        async with project.worker(**({} if cached else {"max_cached_workflows": 0})):
            await project.to_active()
            sent = await bursts(project, 200, 8)
            await project.status()
            histories = await project.histories()
    assert sorted(update.message_id for update in project.record.updates) == sorted(
        statement.message_id for statement in sent
    )
    assert len(project.record.updates) == len(sent)
    assert project.record.refused == []
    assert len(histories) >= 2
    assert max(events(histories)) <= EVENTS_OF_A_RUN


async def test_x3_updates_that_arrive_while_the_run_hands_over_are_taken_by_the_next(project: ProjectStory) -> None:
    """Each time an update is being recorded three more arrive, and the run hands over under their hands."""
    await project.to_active()
    first_run = await project.run_id()
    sent: list[UpdateProject] = []

    async def three_more(key: str) -> None:
        if key.startswith("record:UpdateProject") and len(sent) < 120:
            more = [project.update() for _ in range(3)]
            sent.extend(more)
            await project.signal(*more)

    project.activities.before_result = three_more
    first = project.update()
    sent.append(first)
    await project.signal(first)
    await eventually(
        lambda: len(sent) >= 120 and has_heard(project, {statement.message_id for statement in sent}), "receipts"
    )
    assert [update.message_id for update in project.record.updates] == [statement.message_id for statement in sent], (
        "in their order"
    )

    async def renewed() -> bool:
        return await project.run_id() != first_run

    await eventually(renewed, "a new run as soon as nothing more arrives")
    assert max(events(await project.histories())) <= EVENTS_OF_A_RUN
    await project.sends(project.update())
    assert len(project.record.updates) == len(sent) + 1


async def test_x3_a_flood_of_updates_without_pause_crosses_several_runs(project: ProjectStory) -> None:
    """450 at once: the run they arrive in holds them; what it has not read goes along to the next."""
    await project.to_active()
    sent = [project.update() for _ in range(450)]
    await asyncio.gather(*(project.signal(statement) for statement in sent))
    await eventually(partial(has_heard, project, {statement.message_id for statement in sent}), "receipts")
    await project.status()
    assert sorted(update.message_id for update in project.record.updates) == sorted(
        statement.message_id for statement in sent
    )
    assert project.record.refused == []
    histories = await project.histories()
    assert len(histories) >= 3
    assert max(map(written, histories)) <= FLOODED_HISTORY + EVENTS_OF_AN_UPDATE, (
        events(histories),
        [*map(written, histories)],
    )


async def test_x3_what_a_dispute_has_not_read_goes_along_to_its_next_run(project: ProjectStory) -> None:
    """D1: answers to a task that there is not, all of them sealed, and a text behind them, all at once."""
    await project.to_dispute()
    child = project.child
    first = await child.run_id()
    stray = AnswerTask(person=SAM, task_id="none", choice="agree")
    junk = [project.sealed(stray, workflow_id=child.workflow_id) for _ in range(230)]
    proposed = project.answer(SAM, "agree", **HALVES)
    await asyncio.gather(*(project.signal(message) for message in junk))
    await project.signal(proposed)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
    assert len(project.record.refused) == len(junk)
    assert await child.run_id() != first
    assert max(events(await child.histories())) <= EVENTS_OF_A_RUN
    await project.tells(SUE, "agree")
    await project.comes_to(ProjectStage.APPROVAL)


async def to_many_runs(project: ProjectStory, runs: int) -> None:
    """Weekly updates until the project goes on in its run number `runs`."""
    first = await project.run_id()
    seen = {first}
    while len(seen) < runs:
        await project.waits(days=7)
        await project.updates()
        seen.add(await project.run_id())


async def test_u1_x2_what_operators_see_survives_the_hand_over(project: ProjectStory) -> None:
    await project.to_active()
    await to_many_runs(project, 3)
    found, text = await project.search_attributes(), await project.details()
    assert (found["Stage"], found["Applicant"], found["Department"]) == (ProjectStage.ACTIVE, SAM, "north")
    ahead, updated = project.record.ahead(project.project), project.project.updated_at
    assert updated
    assert found["LastUpdateAt"][:19] == f"{updated:%Y-%m-%dT%H:%M:%S}"
    assert f"{ahead[0].at:%Y-%m-%d}" in text
    assert project.id in text.replace("\\", "")
    assert CUSTOMER not in text + str(found)
    status = await project.status()
    assert (status.stage, status.round) == (ProjectStage.ACTIVE, 1)


async def test_u2_u3_u4_the_clocks_go_on_in_the_next_run(project: ProjectStory) -> None:
    await project.to_active()
    await to_many_runs(project, 2)
    ahead = project.record.ahead(project.project)
    for number, due in enumerate(ahead[:2]):
        await project.waits_until(due.at - timedelta(seconds=1))
        assert project.count("silence") == number
        await project.waits_until(due.at)
        await project.comes("silence", number + 1)
    await project.waits_until(ahead[-1].at)
    assert await project.result() == ProjectStage.SHELVED


async def test_x3_an_update_sent_again_into_a_later_run_counts_once(project: ProjectStory) -> None:
    await project.to_active()
    first = project.update()
    await project.sends(first)
    await to_many_runs(project, 2)
    taken = len(project.record.updates)
    await project.signal(first)
    await project.sends(project.update())
    assert len(project.record.updates) == taken + 1
    assert project.record.refused == []


async def test_a6_a_reassignment_and_its_successor_survive_the_hand_over(project: ProjectStory) -> None:
    await project.to_active()
    await project.sends(project.reassignment(SUE))
    first = await project.run_id()

    async def renewed() -> bool:
        await project.sends(project.update(SUE))
        await project.status()
        return await project.run_id() != first

    await eventually(renewed, "a new run")
    assert project.project.salesperson == SUE
    foreign = project.update(SAM)
    await project.sends(foreign)
    assert project.record.refused == [(foreign.message_id, "not_salesperson_of_project")]


async def test_x3_the_last_word_in_the_moment_of_a_hand_over_ends_the_project() -> None:
    """A loss that arrives with the updates that fill the run, while no worker runs."""
    async with time_skipping() as env:
        project = ProjectStory(env)
        async with project.worker(max_cached_workflows=0):
            await project.to_active()
        sent = [project.update() for _ in range(30)]
        await project.signal(*sent)
        loss = project.loss()
        await project.signal(loss)
        async with project.worker():
            assert await project.result() == ProjectStage.ENDED
    assert len(project.record.updates) == len(sent)
    assert loss.message_id in project.record.settled


async def test_x3_junk_by_hand_between_updates_fills_no_run_beyond_its_limit(project: ProjectStory) -> None:
    await project.to_active()
    for _ in range(40):
        await project.across_runs(partial(project.by_hand.signal, "update", "nonsense"))
        await project.across_runs(partial(project.handle.signal, "facts_changed", FactsChanged(version="2")))
        await project.sends(project.update())
    assert len(project.record.updates) == 40
    histories = await project.histories()
    assert len(histories) >= 2
    assert max(events(histories)) <= EVENTS_OF_A_RUN


async def test_p5_decisions_of_one_round_survive_the_hand_over(project: ProjectStory) -> None:
    """One VP has said that there is no conflict; the other says so in the next run."""
    await project.to_confirmation(registration_of(SUE), registration_of(TESS))
    await project.tells(VIKTOR, "no_conflict")
    await project.is_flooded()
    assert (await project.status()).waiting_for == (VERA,)
    await project.tells(VERA, "no_conflict")
    await project.comes_to(ProjectStage.APPROVAL)


async def test_p8_the_month_of_an_objection_goes_on_in_a_new_run(project: ProjectStory) -> None:
    await project.to_refused()
    until = project.objection_until
    assert until
    await project.is_flooded()
    assert (await project.status()).stage == ProjectStage.REFUSED
    await project.waits_until(until - timedelta(seconds=1))
    await project.sends(project.objects())
    await project.comes_to(ProjectStage.OBJECTION)
    await project.tells(VERA, "call_meeting")
    await project.dispute_comes_to(DisputeStage.CALLING_MEETING)
    assert [claimant.person for claimant in project.dispute.claimants] == [SAM, SUE], "who the sides are survived too"

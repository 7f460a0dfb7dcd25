"""The life of an active project: silence, updates, loss, contract (U1–U5, U7, U8), with time skipped."""

from datetime import datetime, timedelta

import pytest
from temporalio.service import RPCError, RPCStatusCode

from domain.projects.project import ProjectStage, SalesStage
from domain.projects.silence import Silence, SilenceDue
from domain.tasks.task import TaskKind, TaskStatus
from tests.eventually import eventually
from tests.samples import CLARA, DORA, MONA, OPERATOR, PAT, SAM, SUE, TESS, VERA
from tests.servers.time_skipping import time_skipping
from tests.workflow.accounts.test_named_account_replayed import fail_once_in
from tests.workflow.projects.project_story import ProjectStory
from workflows.project import ProjectRegistration

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
STEPS = list(Silence)


async def approved_on(project: ProjectStory, month: int, day: int, leap: bool) -> tuple[SilenceDue, ...]:
    """Approve a project on such a day; what follows from silence since then."""
    await project.goes_to(month, day, before_leap_day=leap)
    await project.to_active()
    return project.record.ahead(project.project)


def happened(project: ProjectStory) -> list[tuple[str, datetime]]:
    """What silence has brought about so far, in order."""
    return [
        (note.body.get("silence", Silence.THREE_MONTHS.value), note.at)
        for note in project.record.notes
        if note.event == "silence" or note.body.get("stage") == ProjectStage.SHELVED.value
    ]


DAYS = {
    "30 November before a leap year": (11, 30, True, ["12-14", "12-30", "02-29"]),
    "30 November before another year": (11, 30, False, ["12-14", "12-30", "02-28"]),
    "29 November before another year": (11, 29, False, ["12-13", "12-29", "02-28"]),
    "31 December before a leap year": (12, 31, True, ["01-14", "01-31", "03-31"]),
    "31 August": (8, 31, False, ["09-14", "09-30", "11-30"]),
    "15 October": (10, 15, False, ["10-29", "11-15", "01-15"]),
}


@pytest.mark.parametrize(("month", "day", "leap", "dates"), DAYS.values(), ids=DAYS.keys())
async def test_u2_u3_u4_u5_silence_reminds_twice_and_shelves_on_the_right_day(
    project: ProjectStory, month: int, day: int, leap: bool, dates: list[str]
) -> None:
    """U5: weeks are days x 7, months end on their last day when they are too short."""
    ahead = await approved_on(project, month, day, leap)
    assert [f"{due.at:%m-%d %H:%M}" for due in ahead] == [f"{date} 14:05" for date in dates]
    for number, due in enumerate(ahead):
        await project.waits_until(due.at - SECOND)
        status = await project.status()
        assert (len(happened(project)), status.stage) == (number, ProjectStage.ACTIVE)
        await project.waits_until(due.at)
        await eventually(lambda: len(happened(project)) > number, due.silence.value)  # noqa: B023 - awaited here
        what, at = happened(project)[-1]
        assert what == due.silence
        assert timedelta(0) <= at - due.at < SECOND
    assert await project.result() == ProjectStage.SHELVED
    assert project.told("silent_two_weeks") == sorted({SAM, DORA})
    assert project.told("silent_one_month") == sorted({SAM, DORA, VERA})
    assert project.told("shelved") == sorted({SAM, DORA, VERA})
    assert not project.project.stage.live, "P10"


async def test_u5_the_end_of_february_of_a_leap_year(project: ProjectStory) -> None:
    """An update of 31 January: the month ends on 29 February, three months on 30 April."""
    await approved_on(project, 12, 31, True)
    assert project.project.updated_at
    updated = project.record.calendar.add_months(project.project.updated_at, 1)
    assert f"{updated:%m-%d}" == "01-31"
    await project.waits_until(updated - SECOND)
    await project.updates()
    ahead = project.record.ahead(project.project)
    assert [f"{due.at:%m-%d}" for due in ahead] == ["02-14", "02-29", "04-30"]
    await project.waits_until(ahead[-1].at)
    assert await project.result() == ProjectStage.SHELVED
    assert [what for what, _ in happened(project)] == ["two_weeks", *STEPS]


@pytest.mark.parametrize("silence", STEPS, ids=lambda silence: silence.value)
async def test_u5_an_update_one_second_before_a_limit_restarts_all_three(
    project: ProjectStory, silence: Silence
) -> None:
    ahead = await approved_on(project, 11, 30, True)
    number = STEPS.index(silence)
    await project.waits_until(ahead[number].at - SECOND)
    await project.updates()
    assert [what for what, _ in happened(project)] == STEPS[:number]
    again = project.record.ahead(project.project)
    assert again[0].at > ahead[number].at
    await project.waits_until(again[0].at - SECOND)
    assert (await project.status()).stage == ProjectStage.ACTIVE
    assert [what for what, _ in happened(project)] == STEPS[:number], "nothing of the old clocks is left"
    await project.waits_until(again[-1].at)
    assert await project.result() == ProjectStage.SHELVED
    assert [what for what, _ in happened(project)] == [*STEPS[:number], *STEPS]


@pytest.mark.parametrize("silence", STEPS[:2], ids=lambda silence: silence.value)
async def test_u5_an_update_one_second_after_a_reminder_restarts_all_three(
    project: ProjectStory, silence: Silence
) -> None:
    ahead = await approved_on(project, 11, 30, False)
    number = STEPS.index(silence)
    await project.waits_until(ahead[number].at + SECOND)
    await eventually(lambda: len(happened(project)) == number + 1, silence.value)
    await project.updates()
    assert project.project.silences == 0
    again = project.record.ahead(project.project)
    await project.waits_until(again[-1].at)
    assert await project.result() == ProjectStage.SHELVED
    assert [what for what, _ in happened(project)] == [*STEPS[: number + 1], *STEPS]


async def test_u4_an_update_one_second_after_the_shelving_changes_nothing(project: ProjectStory) -> None:
    """The front door refuses it; one that reaches the engine finds the process closed."""
    ahead = await approved_on(project, 11, 30, False)
    await project.waits_until(ahead[-1].at + SECOND)
    assert await project.result() == ProjectStage.SHELVED
    with pytest.raises(RPCError) as refusal:
        await project.signal(project.update())
    assert refusal.value.status is RPCStatusCode.NOT_FOUND
    assert project.project.stage is ProjectStage.SHELVED
    assert not project.record.updates


@pytest.mark.parametrize(("passed", "days"), [(1, 15), (2, 40), (3, 100)], ids=["one", "two", "all three"])
async def test_u2_u3_u4_limits_passed_while_no_worker_ran_are_made_up_for_once_each_and_in_order(
    passed: int, days: int
) -> None:
    async with time_skipping() as env:
        project = ProjectStory(env)
        async with project.worker(max_cached_workflows=0):
            await project.to_active()
        ahead = project.record.ahead(project.project)
        back = ahead[0].at + timedelta(days=days - 14)
        await project.nobody_works_until(back)
        assert happened(project) == []
        async with project.worker():
            await project.comes_to(ProjectStage.SHELVED if passed == 3 else ProjectStage.ACTIVE)
            await eventually(lambda: len(happened(project)) == passed, "what was due")
            assert [what for what, _ in happened(project)] == STEPS[:passed]
            assert all(back <= at < back + timedelta(minutes=1) for _, at in happened(project))
            assert len(project.record.keys) == len(set(project.record.keys))
            if passed < 3:  # what is still ahead keeps its date
                await project.waits_until(ahead[-1].at)
            assert await project.result() == ProjectStage.SHELVED
            assert [what for what, _ in happened(project)] == STEPS
    assert len(project.told("shelved")) == len({SAM, DORA, VERA})


@pytest.mark.parametrize("days", [15, 40, 100])
async def test_u5_an_update_that_waited_for_a_worker_comes_before_what_silence_would_have_brought(days: int) -> None:
    """Several limits have passed, and then an update has arrived: the project is not silent, and is not shelved."""
    async with time_skipping() as env:
        project = ProjectStory(env)
        async with project.worker(max_cached_workflows=0):
            await project.to_active()
        await project.nobody_works_until(project.record.ahead(project.project)[0].at + timedelta(days=days - 14))
        update = project.update()
        await project.signal(update)
        async with project.worker():
            await eventually(lambda: update.message_id in project.record.heard, "the update")
            assert (await project.status()).stage == ProjectStage.ACTIVE
            assert happened(project) == []
            ahead = project.record.ahead(project.project)
            await project.waits_until(ahead[-1].at)
            assert await project.result() == ProjectStage.SHELVED
    assert [what for what, _ in happened(project)] == STEPS


async def test_u4_u5_an_update_that_arrives_while_the_shelving_is_recorded_is_refused(project: ProjectStory) -> None:
    ahead = await approved_on(project, 10, 15, False)
    await project.waits_until(ahead[-1].at - timedelta(hours=1))
    update = project.update()
    project.while_recording("move:shelved", update)
    await project.waits_until(ahead[-1].at)
    assert await project.result() == ProjectStage.SHELVED
    assert project.record.refused == [(update.message_id, "project_not_active")]
    assert not project.record.updates
    assert update.message_id in project.record.settled, "whoever sent it is told"


async def test_u4_u5_an_update_behind_a_shelving_that_has_to_be_done_again_is_refused(
    project: ProjectStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record has shelved it; the task is done again and reads the update first: still one legal outcome."""
    ahead = await approved_on(project, 10, 15, False)
    fail_once_in(monkeypatch, "move")
    update = project.update()
    project.while_recording("move:shelved", update)
    await project.waits_until(ahead[-1].at)
    assert await project.result() == ProjectStage.SHELVED
    assert project.record.refused == [(update.message_id, "project_not_active")]
    assert [what for what, _ in happened(project)] == STEPS
    assert await project.task_failures()


async def test_u2_a_reminder_that_finds_the_record_away_is_late_and_not_lost(project: ProjectStory) -> None:
    ahead = await approved_on(project, 10, 15, False)
    project.record.away = {"remind_of_silence"}
    await project.waits_until(ahead[0].at + SECOND)
    await eventually(lambda: project.record.refused_calls >= 2, "attempts")
    project.record.away = set()
    await eventually(lambda: len(happened(project)) == 1, "the reminder")
    assert project.told("silent_two_weeks") == sorted({SAM, DORA})


async def test_u2_an_update_behind_a_reminder_that_has_to_be_done_again_leaves_one_reminder(
    project: ProjectStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = await approved_on(project, 10, 15, False)
    project.while_recording("silence:", project.update())
    remind = ProjectRegistration._remind
    failed: list[SilenceDue] = []

    async def fails(self: ProjectRegistration, due: SilenceDue) -> None:
        await remind(self, due)
        if not failed:
            failed.append(due)
            raise RuntimeError("the worker broke behind the reminder")

    monkeypatch.setattr(ProjectRegistration, "_remind", fails)
    await project.waits_until(ahead[0].at + SECOND)
    await eventually(lambda: bool(project.record.updates), "the update")
    await project.status()
    assert [what for what, _ in happened(project)] == [Silence.TWO_WEEKS]
    again = project.record.ahead(project.project)
    await project.waits_until(again[-1].at)
    assert await project.result() == ProjectStage.SHELVED
    assert [what for what, _ in happened(project)] == [Silence.TWO_WEEKS, *STEPS]


async def test_u1_an_update_changes_what_it_names_and_counts_once_however_often_it_comes(project: ProjectStory) -> None:
    await project.to_active()
    update = project.update(stage=SalesStage.TENDER)
    await project.signal(update, update, update)
    await project.sends(project.update(amount="900000"))
    await project.status()
    assert project.record.updates[0].message_id == update.message_id
    assert len(project.record.updates) == 2
    assert project.record.refused == []


async def test_u1_only_the_responsible_salesperson_updates(project: ProjectStory) -> None:
    await project.to_active()
    foreign = project.update(SUE)
    await project.sends(foreign)
    assert project.record.refused == [(foreign.message_id, "not_salesperson_of_project")]


@pytest.mark.parametrize("reader", ["status", "attributes"])
async def test_u1_operators_see_the_last_update_and_what_comes_next(project: ProjectStory, reader: str) -> None:
    await project.to_active()
    await project.waits(days=9)
    await project.updates()
    updated, ahead = project.project.updated_at, project.record.ahead(project.project)
    assert updated
    if reader == "status":
        text = await project.details()
        assert f"{ahead[0].at:%Y-%m-%d}" in text
        return
    found = await project.search_attributes()
    seen = datetime.fromisoformat(found["LastUpdateAt"])
    assert abs(seen - updated) < SECOND
    assert abs(datetime.fromisoformat(found["DueAt"]) - ahead[0].at) < SECOND
    assert found["Stage"] == ProjectStage.ACTIVE


async def test_u8_a_loss_with_its_reason_ends_the_project_and_tells_its_gm_and_product_managers(
    project: ProjectStory,
) -> None:
    await project.to_active()
    foreign = project.loss(SUE)
    await project.sends(foreign)
    assert (foreign.message_id, "not_salesperson_of_project") in project.record.refused
    loss = project.loss()
    await project.sends(loss)
    assert await project.result() == ProjectStage.ENDED
    assert project.told("lost") == sorted({DORA, PAT})
    assert loss.message_id in project.record.settled


@pytest.mark.parametrize("person", [MONA, CLARA])
async def test_u7_a_contract_that_commerce_has_received_on_paper_ends_the_project(
    project: ProjectStory, person: str
) -> None:
    await project.to_active()
    foreign = project.contract(VERA)
    await project.sends(foreign)
    assert (foreign.message_id, "not_commerce_or_salesperson") in project.record.refused
    await project.sends(project.contract(person))
    assert await project.result() == ProjectStage.CONTRACT_SIGNED
    assert project.told("contract_signed") == sorted({SAM, DORA, MONA})
    assert project.contract_amount == "1150000.00"


async def test_u7_what_the_salesperson_hands_in_ends_nothing_before_commerce_has_received_it(
    project: ProjectStory,
) -> None:
    await project.to_active()
    handed_in = project.contract(SAM)
    await project.sends(handed_in)
    await project.is_asked(TaskKind.CONTRACT_REVIEW, CLARA)
    assert (project.project.stage, project.contract_amount) == (ProjectStage.ACTIVE, "")
    assert handed_in.message_id in project.record.settled
    again = project.contract(SAM)
    await project.sends(again)
    assert (again.message_id, "contract_review_open") in project.record.refused
    await project.sends(project.update())  # the project goes on meanwhile
    assert len(project.record.updates) == 1
    await project.tells(CLARA, "received", number="HT-1", amount="1149000.00")
    assert await project.result() == ProjectStage.CONTRACT_SIGNED
    assert project.contract_amount == "1149000.00"
    assert project.told("contract_signed") == sorted({SAM, DORA, MONA})


async def test_u7_sent_back_the_project_goes_on_and_its_clocks_begin_anew(project: ProjectStory) -> None:
    """U7, U5: nobody is reminded or shelved while commerce has the application; afterwards everything counts from
    the moment it came back."""
    await project.to_active()
    await project.waits(days=10)
    await project.sends(project.contract(SAM))
    await project.is_asked(TaskKind.CONTRACT_REVIEW, CLARA)
    assert project.record.ahead(project.project) == ()
    await project.waits(days=120)
    await project.comes("stand_in", 1)  # N12: commerce is reminded all the while
    assert project.project.stage is ProjectStage.ACTIVE
    assert happened(project) == []
    await project.tells(MONA, "send_back", "the number is missing")
    await eventually(lambda: bool(project.told("contract_sent_back")), "the salesperson told")
    assert project.told("contract_sent_back") == [SAM]
    ahead = project.record.ahead(project.project)
    assert ahead[0].silence is Silence.TWO_WEEKS
    await project.waits_until(ahead[0].at - HOUR)
    assert happened(project) == []
    await project.waits_until(ahead[0].at + SECOND)
    await eventually(lambda: len(happened(project)) == 1, "the reminder")
    await project.sends(project.contract(SAM))
    await project.is_asked(TaskKind.CONTRACT_REVIEW, CLARA)
    await project.sends(project.contract(MONA))
    assert await project.result() == ProjectStage.CONTRACT_SIGNED


async def test_u8_a_loss_closes_the_contract_review(project: ProjectStory) -> None:
    await project.to_active()
    await project.sends(project.contract(SAM))
    await project.is_asked(TaskKind.CONTRACT_REVIEW, CLARA)
    asked = project.task_of(CLARA)
    await project.sends(project.loss())
    assert await project.result() == ProjectStage.ENDED
    assert asked.status is TaskStatus.WITHDRAWN
    assert CLARA in project.told("task_withdrawn")


async def test_u7_a_contract_review_goes_on_in_the_next_run(project: ProjectStory) -> None:
    """U7: the run hands over while commerce has the application, as it does after many updates."""
    await project.to_active()
    await project.sends(project.contract(SAM))
    await project.is_asked(TaskKind.CONTRACT_REVIEW, CLARA)
    first = await project.run_id()
    while await project.run_id() == first:
        await project.waits(days=7)
        await project.updates()
    await project.tells(CLARA, "received", number="HT-1", amount="1149000.00")
    assert await project.result() == ProjectStage.CONTRACT_SIGNED


async def test_u7_u8_contract_and_loss_together_end_it_once() -> None:
    async with time_skipping() as env:
        project = ProjectStory(env)
        async with project.worker(max_cached_workflows=0):
            await project.to_active()
        contract, loss, update = project.contract(), project.loss(), project.update()
        await project.signal(contract, loss, update)
        async with project.worker():
            assert await project.result() == ProjectStage.CONTRACT_SIGNED
    assert project.record.refused == [
        (loss.message_id, "project_not_active"),
        (update.message_id, "project_not_active"),
    ]
    assert project.told("lost") == []


@pytest.mark.parametrize("silent", [False, True], ids=["before the limit", "with the limit passed meanwhile"])
async def test_u7_a_contract_that_waited_for_a_worker_is_not_lost_to_the_shelf(silent: bool) -> None:
    async with time_skipping() as env:
        project = ProjectStory(env)
        async with project.worker(max_cached_workflows=0):
            await project.to_active()
        if silent:
            await project.nobody_works_until(project.record.ahead(project.project)[-1].at + SECOND)
        await project.signal(project.contract())
        async with project.worker():
            assert await project.result() == ProjectStage.CONTRACT_SIGNED
    assert happened(project) == []


async def test_a6_an_active_project_goes_on_with_the_successor_and_its_clocks(project: ProjectStory) -> None:
    await project.to_active()
    ahead = project.record.ahead(project.project)
    await project.sends(project.reassignment(TESS, OPERATOR))
    old = project.update()
    await project.sends(old)
    assert (old.message_id, "not_salesperson_of_project") in project.record.refused
    await project.waits_until(ahead[0].at)
    await eventually(lambda: len(happened(project)) == 1, "the reminder")
    assert TESS in project.told("silent_two_weeks")
    assert SAM not in project.told("silent_two_weeks")
    await project.sends(project.update(TESS))
    assert len(project.record.updates) == 1

"""The paths of a registration through the process (P1–P9, D1, U6), with the activities faked."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity

from activities.projects.steps import ProjectSteps
from activities.tasks.records import Records
from activities.tasks.reminders import Reminders
from domain.disputes.dispute import DisputeStage
from domain.organisation import Delegation
from domain.projects.project import ProjectStage
from domain.tasks.task import AssigneeCapacity, TaskKind
from runtime.sandbox import Sandbox
from tests.samples import (
    CARL,
    CLARA,
    DIRK,
    DORA,
    GINA,
    MONA,
    SAM,
    SUE,
    TESS,
    VERA,
    VIKTOR,
    account_of,
    registration_of,
    two_departments,
)
from tests.servers.time_skipping import time_skipping
from tests.workflow.doubles.fake_projects import FakeProjectActivities
from tests.workflow.projects.project_story import ProjectStory, project_form
from tests.workflow.projects.record_view import HALVES
from tests.workflow.story import CUSTOMER, capacity_of

SIGNALS = (
    "answer_task",
    "withdraw",
    "update",
    "report_loss",
    "receive_contract",
    "object_to_refusal",
    "reassign",
    "facts_changed",
    "approve_everything",
)


@pytest.mark.parametrize("sandboxed", [True, False])
async def test_p1_p2_p9_under_the_own_account_the_vp_approves_and_a_number_is_issued(sandboxed: bool) -> None:
    async with time_skipping() as env:
        project = ProjectStory(env)
        async with project.worker(Sandbox() if sandboxed else None):
            await project.to_approval()
            assert [(task.kind, task.slot) for task in project.record.open] == [(TaskKind.PROJECT_APPROVAL, SAM)]
            assert (await project.status()).waiting_for == (VERA,)
            approval = await project.tells(VERA, "approve")
            await project.comes_to(ProjectStage.ACTIVE)
    assert str(project.project.number).endswith("-00001")
    assert project.told("project_approved") == sorted({SAM, DORA, MONA})
    assert approval.message_id in project.record.settled
    assert len(project.record.keys) == len(set(project.record.keys)), "no step was taken twice"
    assert not project.record.disputes


async def test_p2_held_the_salesperson_supplies_and_the_project_goes_back_to_the_vp(project: ProjectStory) -> None:
    await project.to_held()
    assert [(task.kind, task.asked[0].person) for task in project.record.open] == [(TaskKind.SUPPLY_INFORMATION, SAM)]
    supplied = await project.tells(SAM, "supply", project=project_form(name="Another name").model_dump(mode="json"))
    await project.comes_to(ProjectStage.APPROVAL)
    assert supplied.message_id in project.record.settled
    status = await project.status()
    assert (status.round, status.waiting_for) == (2, (VERA,))
    assert project.count("routed") == 1, "the companies are the same"
    await project.tells(VERA, "approve")
    await project.comes_to(ProjectStage.ACTIVE)


async def test_p2_p3_another_company_supplied_sends_the_project_its_way_again(project: ProjectStory) -> None:
    await project.to_held()
    project.record.accounts = (account_of(SUE),)
    await project.tells(SAM, "supply", project=project_form(end_user="Sue's customer").model_dump(mode="json"))
    await project.comes_to(ProjectStage.DISPUTED)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SAM, SUE))
    assert project.count("routed") == 2
    assert project.told("registered_under_account") == sorted({SUE, DORA, DIRK, VERA, VIKTOR, GINA})


async def test_p2_rejected_is_the_end_and_the_salesperson_is_told(project: ProjectStory) -> None:
    await project.to_approval()
    silent = await project.tells(VERA, "reject")
    assert (silent.message_id, "reason_required") in project.record.refused
    await project.tells(VERA, "reject", "no margin")
    assert await project.result() == ProjectStage.REJECTED
    assert project.told("project_rejected") == [SAM]
    assert not project.project.number


async def test_p2_a_silent_vp_is_reminded_and_the_general_manager_stands_in(project: ProjectStory) -> None:
    """N12 for projects: reminders after 2 and 4 working days, a stand-in after 5."""
    await project.to_approval()
    task = project.task_of(VERA)
    await project.waits_until(task.due_at + timedelta(seconds=1))
    await project.comes("stand_in", 1)
    assert project.told("reminder") == [VERA, VERA]
    assert project.told("stand_in") == [GINA]
    assert capacity_of(project.record, GINA) is AssigneeCapacity.STAND_IN
    await project.tells(GINA, "approve")
    await project.comes_to(ProjectStage.ACTIVE)


async def test_p3_d1_under_anothers_account_all_are_told_both_agree_and_the_account_holders_vp_decides(
    project: ProjectStory,
) -> None:
    await project.to_dispute()
    assert project.told("registered_under_account") == sorted({SUE, DORA, DIRK, VERA, VIKTOR, GINA})
    assert (await project.status()).stage == ProjectStage.DISPUTED
    await project.tells(SAM, "agree", **HALVES)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
    await project.tells(SUE, "agree")
    await project.comes_to(ProjectStage.APPROVAL)
    assert project.dispute.stage is DisputeStage.AGREED
    assert (await project.status()).waiting_for == (VIKTOR,)
    assert project.told("agreed") == sorted({SAM, SUE, DORA, DIRK, VERA, VIKTOR, GINA})
    await project.tells(VIKTOR, "approve")
    await project.comes_to(ProjectStage.ACTIVE)
    assert project.told("project_approved") == sorted({SAM, SUE, DORA, MONA})
    assert project.project.salesperson == SAM


async def test_p4_p6_commerce_assigns_a_clerk_who_finds_no_conflict(project: ProjectStory) -> None:
    await project.to_assignment()
    assert (await project.status()).waiting_for == (MONA,)
    wrong = await project.tells(MONA, "assign", clerk=VERA)
    assert (wrong.message_id, "not_among_options") in project.record.refused
    await project.tells(MONA, "assign", clerk=CLARA)
    await project.comes_to(ProjectStage.CONFLICT_CHECK)
    assert [(task.kind, task.slot) for task in project.record.open] == [(TaskKind.CONFLICT_CHECK, CLARA)]
    assert (await project.status()).waiting_for == (CLARA,)
    await project.tells(CLARA, "clear")
    await project.comes_to(ProjectStage.APPROVAL)
    assert (await project.status()).waiting_for == (VERA,)
    await project.tells(VERA, "approve")
    await project.comes_to(ProjectStage.ACTIVE)


async def test_p4_the_commerce_manager_takes_the_check_themselves(project: ProjectStory) -> None:
    await project.to_assignment()
    await project.tells(MONA, "assign", clerk=MONA)
    await project.comes_to(ProjectStage.CONFLICT_CHECK)
    assert (await project.status()).waiting_for == (MONA,)


async def test_p5_p6_every_vp_concerned_sees_no_conflict_and_the_applicants_vp_decides(project: ProjectStory) -> None:
    await project.to_confirmation(registration_of(SUE), registration_of(TESS))
    assert (await project.status()).waiting_for == (VERA, VIKTOR)
    first = await project.tells(VIKTOR, "no_conflict")
    assert (await project.status()).stage == ProjectStage.CONFLICT_CONFIRMATION
    assert first.message_id in project.record.settled, "nobody waits for what the other VP says"
    await project.tells(VERA, "no_conflict")
    await project.comes_to(ProjectStage.APPROVAL)
    assert (await project.status()).waiting_for == (VERA,)


async def test_p5_p7_one_confirmed_conflict_refuses_with_a_notice_to_the_applicant_and_the_vps_concerned(
    project: ProjectStory,
) -> None:
    await project.to_confirmation(registration_of(SUE), registration_of(TESS))
    await project.tells(VIKTOR, "conflict", "the same tender")
    await project.comes_to(ProjectStage.REFUSED)
    assert project.told("conflict_refused") == sorted({SAM, VERA, VIKTOR})
    assert project.told("task_withdrawn") == [VERA]
    status = await project.status()
    assert (status.waiting_for, project.record.open) == ((), [])
    assert not project.project.stage.live, "P10: it takes part in no conflict detection"


async def test_p5_the_vp_of_two_registrations_of_one_salesperson_is_asked_once(project: ProjectStory) -> None:
    await project.to_confirmation(registration_of(SUE, "B-8"), registration_of(SUE, "B-9"))
    assert [(task.kind, task.slot) for task in project.record.open] == [(TaskKind.CONFLICT_CONFIRMATION, SUE)]
    await project.tells(VIKTOR, "no_conflict")
    await project.comes_to(ProjectStage.APPROVAL)


async def test_p8_an_objection_that_the_vp_upholds_the_refusal_against_is_the_end(project: ProjectStory) -> None:
    await project.to_objection()
    assert (await project.status()).waiting_for == (VERA,)
    again = project.objects()
    await project.sends(again)
    assert (again.message_id, "objection_used") in project.record.refused
    await project.tells(VERA, "uphold_refusal", "the same tender indeed")
    assert await project.result() == ProjectStage.CLOSED_REFUSED
    assert project.told("refusal_upheld") == [SAM]


async def test_p8_d2_an_objection_leads_to_the_meeting_and_the_applicants_vp_decides(project: ProjectStory) -> None:
    await project.to_objection()
    await project.tells(VERA, "call_meeting")
    await project.comes_to(ProjectStage.DISPUTED)
    await project.dispute_comes_to(DisputeStage.CALLING_MEETING, asked=(MONA,))
    assert not [task for task in project.record.tasks.values() if task.kind is TaskKind.AGREE_SPLIT]
    await project.meeting_is_called()
    assert (await project.child.status()).waiting_for == (VERA,), "the applicant's VP"
    split = [{"person": SUE, "percent": "70"}, {"person": SAM, "percent": "30"}]
    await project.tells(VERA, "record", responsible=SUE, split=split, summary="sue was first")
    await project.comes_to(ProjectStage.APPROVAL)
    assert (await project.status()).waiting_for == (VERA,)
    assert project.record.bound == ["B-1", "P-sue"], "the outcome binds both registrations"
    assert project.project.salesperson == SUE
    await project.tells(VERA, "approve")
    await project.comes_to(ProjectStage.ACTIVE)
    assert {SAM, SUE} <= set(project.told("project_approved")), "whoever registered it is told as well"


async def test_p8_a_refusal_that_nobody_objects_to_stands_once_the_month_is_over(project: ProjectStory) -> None:
    await project.to_refused()
    until = project.objection_until
    assert until
    assert until == project.record.calendar.add_months(moved(project, ProjectStage.REFUSED), 1)
    await project.waits_until(until - timedelta(seconds=1))
    assert (await project.status()).stage == ProjectStage.REFUSED
    await project.waits_until(until)
    assert await project.result() == ProjectStage.CLOSED_REFUSED
    assert 0 <= (moved(project, ProjectStage.CLOSED_REFUSED) - until).total_seconds() < 60
    assert project.told("objection_lapsed") == [SAM]


async def test_p8_an_objection_one_second_before_the_month_is_over_counts(project: ProjectStory) -> None:
    await project.to_refused()
    assert project.objection_until
    await project.waits_until(project.objection_until - timedelta(seconds=1))
    await project.sends(project.objects())
    await project.comes_to(ProjectStage.OBJECTION)


@pytest.mark.parametrize("late", [timedelta(seconds=-1), timedelta(seconds=1)], ids=["in time", "too late"])
async def test_p8_an_objection_that_waited_for_a_worker_counts_if_it_was_said_in_time(late: timedelta) -> None:
    async with time_skipping() as env:
        project = ProjectStory(env)
        async with project.worker(max_cached_workflows=0):
            await project.to_refused()
        until = project.objection_until
        assert until
        await project.nobody_works_until(until + timedelta(hours=1))
        objection = project.objects(said_at=until + late)
        await project.signal(objection)
        async with project.worker():
            await project.comes_to(ProjectStage.OBJECTION if late < timedelta(0) else ProjectStage.CLOSED_REFUSED)
    refused = [(objection.message_id, "objection_too_late")] if late > timedelta(0) else []
    assert project.record.refused == refused


async def test_p8_only_the_applicant_objects_and_only_to_a_refusal(project: ProjectStory) -> None:
    await project.to_confirmation()
    early = project.objects()
    await project.sends(early)
    await project.tells(VIKTOR, "conflict", "the same tender")
    await project.comes_to(ProjectStage.REFUSED)
    stranger = project.objects(SUE)
    await project.sends(stranger)
    assert project.record.refused == [
        (early.message_id, "project_stage_does_not_allow"),
        (stranger.message_id, "not_salesperson_of_project"),
    ]
    assert (await project.status()).stage == ProjectStage.REFUSED


async def test_u6_a_shelved_project_is_resumed_as_a_new_registration_with_its_own_date(project: ProjectStory) -> None:
    await project.to_shelved()
    assert await project.result() == ProjectStage.SHELVED
    new = ProjectStory(project.env, "B-2", project.record)
    new.activities = project.activities
    await project.waits(days=3)
    await new.registers(resumes="B-1")
    await new.comes_to(ProjectStage.RESUME_REVIEW)
    begun = new.project.registered_at
    assert (await new.status()).waiting_for == (CLARA,)
    assert not new.project.stage.live, "P10: not before commerce has accepted"
    await project.waits(days=1)
    await new.tells(CLARA, "accept")
    await new.comes_to(ProjectStage.APPROVAL)
    assert new.project.registered_at - begun >= timedelta(days=1), "its place in time begins with the acceptance"
    assert new.project.resumes == "B-1"
    await new.tells(VERA, "approve")
    await new.comes_to(ProjectStage.ACTIVE)
    assert new.project.number != project.project.number
    assert project.project.stage is ProjectStage.SHELVED


async def test_u6_commerce_rejects_a_resumption_with_a_reason(project: ProjectStory) -> None:
    await project.to_shelved()
    new = ProjectStory(project.env, "B-2", project.record)
    await new.registers(resumes="B-1")
    await new.comes_to(ProjectStage.RESUME_REVIEW)
    await new.tells(CLARA, "reject", "the budget is gone")
    assert await new.result() == ProjectStage.REJECTED
    assert new.told("resume_rejected") == [SAM]
    assert new.count("routed") == 1, "only the old registration ever looked for its way"


async def test_u6_a_project_that_is_not_shelved_is_not_resumed(project: ProjectStory) -> None:
    await project.to_active()
    new = ProjectStory(project.env, "B-2", project.record)
    await new.registers(resumes="B-1")
    assert await new.result() == ProjectStage.CLOSED_REFUSED
    assert "B-2" not in project.record.projects


async def test_x2_operators_see_stage_people_and_due_date_and_never_the_customer(project: ProjectStory) -> None:
    async def shows(stage: ProjectStage, *people: str) -> None:
        await project.comes_to(stage)
        found = await project.search_attributes()
        due = min((task.due_at for task in project.record.open), default=project.objection_until)
        assert (found["Stage"], found.get("WaitingFor")) == (stage.value, list(people) or None)
        assert bool(found.get("DueAt")) == bool(due)
        assert (found["Applicant"], found["Department"]) == (SAM, "north")
        text = await project.details()
        assert all(project.record.organisation.name_of(person) in text for person in people)
        assert CUSTOMER not in text + str(found) + project.workflow_id

    await project.to_assignment()
    await shows(ProjectStage.ASSIGNMENT, MONA)
    project.record.registered = (registration_of(SUE),)
    await project.tells(MONA, "assign", clerk=CLARA)
    await shows(ProjectStage.CONFLICT_CHECK, CLARA)
    await project.tells(CLARA, "suspect", "the same tender", suspects=["P-sue"])
    await shows(ProjectStage.CONFLICT_CONFIRMATION, VIKTOR)
    await project.tells(VIKTOR, "conflict", "the same tender")
    await shows(ProjectStage.REFUSED)
    await project.sends(project.objects())
    await shows(ProjectStage.OBJECTION, VERA)


async def test_p2_a_delegate_of_the_vp_decides_on_behalf(project: ProjectStory) -> None:
    now = await project.env.get_current_time()
    away = Delegation(person=VERA, delegate=CARL, start=now - timedelta(minutes=1), end=now + timedelta(days=30))
    project.record.organisation = two_departments(delegations=(away,))
    await project.to_approval()
    assert (await project.status()).waiting_for == (CARL, VERA)
    await project.tells(CARL, "approve")
    await project.comes_to(ProjectStage.ACTIVE)
    (decision,) = [d for _, d in project.record.decisions if d.person == CARL]
    assert (decision.capacity, decision.on_behalf_of) == (AssigneeCapacity.DELEGATE, VERA)


def test_the_fakes_stand_in_for_every_activity_with_the_same_messages(project: ProjectStory) -> None:
    def signatures(activities: Iterable[Callable[..., object]]) -> dict[str | None, object]:
        found = [activity._Definition.must_from_callable(step) for step in activities]
        return {definition.name: (definition.arg_types, definition.ret_type) for definition in found}

    real = [
        found
        for holder in (ProjectSteps, Records, Reminders)
        for found in vars(holder).values()
        if hasattr(found, "__temporal_activity_definition")
    ]
    ours = signatures(project.activities.all)
    theirs = signatures(real)
    assert isinstance(project.activities, FakeProjectActivities)
    assert {name: theirs[name] for name in ours} == ours
    assert theirs.keys() - ours.keys() <= {"submit_application", "activate_account", "mark_outside_sources_unavailable"}


def moved(project: ProjectStory, stage: ProjectStage) -> Any:
    """When the registration last moved to `stage`."""
    return [note.at for note in project.record.notes if note.body.get("stage") == stage.value][-1]

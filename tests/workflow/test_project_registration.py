"""The paths of a registration through the process (P1–P9, D1, U6), with the activities faked."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.chasing import Chasing
from activities.project_steps import ProjectSteps
from activities.records import Records
from domain.dispute import DisputeStage
from domain.organisation import Delegation
from domain.project import ProjectStage
from domain.statements import (
    AnswerTask,
    ObjectToRefusal,
    Reassign,
    ReceiveContract,
    RegisterProject,
    ReportLoss,
    Statement,
    UpdateProject,
    Withdraw,
)
from domain.tasks import AskedAs, TaskKind
from tests.workflow.fake_activities import capacity_of
from tests.workflow.fake_project_record import (
    CARL,
    SUE,
    TESS,
    account_of,
    company,
    registration_of,
)
from tests.workflow.fake_projects import FakeProjectActivities
from tests.workflow.fake_record import CLARA, DORA, GINA, MONA, SAM, VERA, VIKTOR
from tests.workflow.project_story import HALVES, ProjectStory, project_form
from tests.workflow.story import CUSTOMER, eventually, time_skipping
from tests.workflow.test_named_account_rough import JUNK
from workflows.messages import TASK_QUEUE, StartProject

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
        async with project.worker(SandboxedWorkflowRunner() if sandboxed else None):
            await project.to_approval()
            assert [(task.kind, task.slot) for task in project.record.open] == [(TaskKind.PROJECT_APPROVAL, SAM)]
            assert (await project.status()).waiting_for == (VERA,)
            approval = await project.tells(VERA, "approve")
            await project.comes_to(ProjectStage.ACTIVE)
    assert project.project.number.endswith("-00001")
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
    assert project.told("registered_under_account") == sorted({SUE, VERA, VIKTOR, GINA})


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
    assert capacity_of(project.record, GINA) is AskedAs.STAND_IN
    await project.tells(GINA, "approve")
    await project.comes_to(ProjectStage.ACTIVE)


async def test_p3_d1_under_anothers_account_all_are_told_both_agree_and_the_account_holders_vp_decides(
    project: ProjectStory,
) -> None:
    await project.to_dispute()
    assert project.told("registered_under_account") == sorted({SUE, VERA, VIKTOR, GINA})
    assert (await project.status()).stage == ProjectStage.DISPUTED
    await project.tells(SAM, "agree", **HALVES)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
    await project.tells(SUE, "agree")
    await project.comes_to(ProjectStage.APPROVAL)
    assert project.dispute.stage is DisputeStage.AGREED
    assert (await project.status()).waiting_for == (VIKTOR,)
    assert project.told("agreed") == sorted({SAM, SUE, VERA, VIKTOR, GINA})
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
    assert (await project.seen(project.dispute.workflow_id).status()).waiting_for == (VERA,), "the applicant's VP"
    split = [{"person": SUE, "percent": "70"}, {"person": SAM, "percent": "30"}]
    await project.tells(VERA, "record", responsible=SUE, split=split, summary="sue was first")
    await project.comes_to(ProjectStage.APPROVAL)
    assert (await project.status()).waiting_for == (VERA,)
    assert project.record.bound == ["B-1", "P-sue"], "the outcome binds both registrations"
    assert project.project.salesperson == SUE
    await project.tells(VERA, "approve")
    await project.comes_to(ProjectStage.ACTIVE)
    assert SUE in project.told("project_approved")


async def test_p8_a_refusal_that_nobody_objects_to_stands_once_the_month_is_over(project: ProjectStory) -> None:
    await project.to_refused()
    until = project.project.objection_until
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
    assert project.project.objection_until
    await project.waits_until(project.project.objection_until - timedelta(seconds=1))
    await project.sends(project.objects())
    await project.comes_to(ProjectStage.OBJECTION)


@pytest.mark.parametrize("late", [timedelta(seconds=-1), timedelta(seconds=1)], ids=["in time", "too late"])
async def test_p8_an_objection_that_waited_for_a_worker_counts_if_it_was_said_in_time(late: timedelta) -> None:
    async with time_skipping() as env:
        project = ProjectStory(env)
        async with project.worker(max_cached_workflows=0):
            await project.to_refused()
        until = project.project.objection_until
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


THERE: dict[str, Callable[[ProjectStory], Awaitable[None]]] = {
    "approval": ProjectStory.to_approval,
    "held": ProjectStory.to_held,
    "assignment": ProjectStory.to_assignment,
    "conflict_check": ProjectStory.to_check,
    "conflict_confirmation": ProjectStory.to_confirmation,
    "refused": ProjectStory.to_refused,
    "objection": ProjectStory.to_objection,
}


@pytest.mark.parametrize("there", THERE.values(), ids=THERE.keys())
async def test_n13_the_applicant_withdraws_at_every_stage_before_the_approval(
    project: ProjectStory, there: Callable[[ProjectStory], Awaitable[None]]
) -> None:
    await there(project)
    foreign = project.withdrawal(DORA)
    await project.sends(foreign)
    assert (foreign.message_id, "not_salesperson_of_project") in project.record.refused
    asked = {one.person for task in project.record.open for one in task.asked}
    withdrawal = project.withdrawal()
    await project.signal(withdrawal, withdrawal)
    assert await project.result() == ProjectStage.WITHDRAWN
    assert not project.record.open
    assert withdrawal.message_id in project.record.settled
    told = project.told("project_withdrawn")
    assert {SAM, *asked} <= set(told)
    assert len(told) == len(set(told)), "each is told once"


async def test_n13_an_active_project_is_not_withdrawn(project: ProjectStory) -> None:
    await project.to_active()
    withdrawal = project.withdrawal()
    await project.sends(withdrawal)
    assert project.record.refused == [(withdrawal.message_id, "project_stage_does_not_allow")]
    assert (await project.status()).stage == ProjectStage.ACTIVE


async def to_a_text(project: ProjectStory) -> None:
    await project.to_dispute()
    await project.tells(SAM, "agree", **HALVES)
    await project.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))


async def to_meeting(project: ProjectStory) -> None:
    await project.to_calling()
    await project.meeting_is_called()


DISPUTED: dict[str, Callable[[ProjectStory], Awaitable[None]]] = {
    "negotiation": ProjectStory.to_dispute,
    "a text on the table": to_a_text,
    "calling_meeting": ProjectStory.to_calling,
    "meeting": to_meeting,
}


@pytest.mark.parametrize("there", DISPUTED.values(), ids=DISPUTED.keys())
async def test_n13_d1_a_withdrawal_during_a_dispute_ends_the_dispute_too(
    project: ProjectStory, there: Callable[[ProjectStory], Awaitable[None]]
) -> None:
    await there(project)
    child = project.dispute.workflow_id
    asked = project.record.open[0]
    await project.sends(project.withdrawal())
    assert await project.result() == ProjectStage.WITHDRAWN
    await eventually(lambda: project.dispute.stage is DisputeStage.WITHDRAWN, "the dispute's end")

    async def cancelled() -> bool:
        return await status_of(project, child) is WorkflowExecutionStatus.CANCELED

    await eventually(cancelled, "the dispute's process closed")
    assert not project.record.open
    assert asked.status == "withdrawn"
    assert project.told("project_withdrawn").count(SUE) == 1


async def test_n13_d1_a_withdrawal_while_the_dispute_records_an_answer_ends_both(project: ProjectStory) -> None:
    await project.to_dispute()
    child = project.dispute.workflow_id
    agreed = project.answer(SUE, "agree", **HALVES)
    project.while_recording("record:AnswerTask", project.withdrawal())
    await project.signal(agreed)
    assert await project.result() == ProjectStage.WITHDRAWN
    await eventually(lambda: project.dispute.stage is DisputeStage.WITHDRAWN, "the dispute's end")

    async def cancelled() -> bool:
        return await status_of(project, child) is WorkflowExecutionStatus.CANCELED

    await eventually(cancelled, "the dispute's process closed")
    assert not project.record.open


async def test_n13_d1_a_withdrawal_behind_the_last_confirmation_leaves_one_legal_outcome(
    project: ProjectStory,
) -> None:
    await to_a_text(project)
    project.while_recording("move:agreed", project.withdrawal())
    await project.tells(SUE, "agree")
    assert await project.result() == ProjectStage.WITHDRAWN
    assert not project.record.open
    assert not project.project.number


async def status_of(project: ProjectStory, workflow_id: str) -> WorkflowExecutionStatus | None:
    found = await project.seen(workflow_id)._description()
    return WorkflowExecutionStatus(found.workflow_execution_info.status)


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


async def test_a6_a_salesperson_leaves_and_the_open_tasks_and_the_project_go_to_the_successor(
    project: ProjectStory,
) -> None:
    await project.to_held()
    project.record.organisation = company(gone=(SAM,))
    await project.sends(project.reassignment(TESS))
    await eventually(lambda: project.record.open[0].asked[0].person == TESS, "the successor is asked")
    assert (await project.status()).waiting_for == (TESS,)
    stranger = project.reassignment(SUE, person=VERA)
    await project.sends(stranger)
    assert (stranger.message_id, "not_operator") in project.record.refused
    await project.tells(TESS, "supply")
    await project.comes_to(ProjectStage.APPROVAL)
    assert [task.slot for task in project.record.open] == [TESS]


async def test_a6_d2_a_project_reassigned_during_its_dispute_is_decided_by_the_vp_whom_the_meeting_named(
    project: ProjectStory,
) -> None:
    """What was reassigned before the outcome does not undo the outcome: viktor decides, as the account is sue's."""
    await to_meeting(project)
    await project.sends(project.reassignment(TESS))
    split = [{"person": SUE, "percent": "100"}]
    await project.tells(VIKTOR, "record", responsible=SUE, split=split, summary="her account")
    await project.comes_to(ProjectStage.APPROVAL)
    assert project.project.salesperson == SUE
    assert [task.slot for task in project.record.open] == [SUE]
    assert (await project.status()).waiting_for == (VIKTOR,)


async def test_a6_a_reassignment_is_remembered_across_runs(project: ProjectStory) -> None:
    await project.to_approval()
    await project.sends(project.reassignment(SUE))
    await eventually(lambda: [task.slot for task in project.record.open] == [SUE], "the task moved")
    await project.is_flooded()
    await project.tells(VIKTOR, "hold", "who is the end user?")
    await project.comes_to(ProjectStage.HELD)
    await project.tells(SUE, "supply")
    await project.comes_to(ProjectStage.APPROVAL)
    assert [task.slot for task in project.record.open] == [SUE]


@pytest.mark.parametrize("sent", JUNK.values(), ids=JUNK.keys())
async def test_x3_unreadable_signals_change_nothing_and_stop_nothing(project: ProjectStory, sent: list[Any]) -> None:
    """Design 3; P2: nothing is approved by a signal from the command line."""
    await project.to_approval()
    before = await project.status()
    for name in SIGNALS:
        await project.by_hand.signal(name, args=sent)
    assert await project.status() == before
    assert not project.record.heard & {""}
    await project.tells(VERA, "approve")
    await project.comes_to(ProjectStage.ACTIVE)
    for name in SIGNALS:
        await project.by_hand.signal(name, args=sent)
    assert (await project.status()).stage == ProjectStage.ACTIVE
    assert not await project.task_failures()


async def test_x3_forged_statements_are_recorded_and_change_nothing(project: ProjectStory) -> None:
    await project.to_approval()
    task = project.task_of(VERA)
    forged: list[Statement] = [
        AnswerTask(message_id="f1", person=VERA, task_id=task.id, choice="approve"),
        project.answer(VERA, "approve").model_copy(update={"choice": "reject", "reason": "no", "message_id": "f2"}),
        project.answer(VERA, "approve").model_copy(update={"workflow_id": "project-B-9", "message_id": "f3"}),
        Withdraw(person=SAM),
        UpdateProject(person=SAM),
        ReportLoss(person=SAM),
        ReceiveContract(person=MONA),
        ObjectToRefusal(person=SAM),
        Reassign(person="operator:root", to=SUE),
    ]
    for said in forged:
        await project.handle.signal(
            {
                AnswerTask: "answer_task",
                Withdraw: "withdraw",
                UpdateProject: "update",
                ReportLoss: "report_loss",
                ReceiveContract: "receive_contract",
                ObjectToRefusal: "object_to_refusal",
                Reassign: "reassign",
            }[type(said)],
            said,
        )
    await eventually(lambda: len(project.record.refused) == len(forged), "every refusal on record")
    assert {why for _, why in project.record.refused} == {"unsealed"}
    status = await project.status()
    assert (status.stage, status.waiting_for) == (ProjectStage.APPROVAL, (VERA,))
    assert project.project.salesperson == SAM


STARTS: dict[str, list[Any]] = {
    "a word": ["approve"],
    "nothing": [],
    "null": [None],
    "an empty form": [StartProject()],
    "no seal": [StartProject(registration=RegisterProject(person=SAM, project_id="B-1", form=project_form()))],
}


@pytest.mark.parametrize("sent", STARTS.values(), ids=STARTS.keys())
async def test_x3_a_process_started_by_hand_ends_in_a_recorded_refusal(project: ProjectStory, sent: list[Any]) -> None:
    project.handle = await project.client.start_workflow(
        "ProjectRegistration", args=sent, id=project.workflow_id, task_queue=TASK_QUEUE, result_type=str
    )
    assert await project.result() == ProjectStage.CLOSED_REFUSED
    assert not project.record.projects
    assert not project.record.tasks
    assert project.count("statement_unsealed") == 1


async def test_x3_a_state_of_a_newer_worker_waits_for_one_and_ends_nothing(project: ProjectStory) -> None:
    project.handle = await project.client.start_workflow(
        "ProjectRegistration",
        args=[{"state": {"stage": "of a later version"}}],
        id=project.workflow_id,
        task_queue=TASK_QUEUE,
        result_type=str,
    )

    async def failed() -> bool:
        return bool(await project.task_failures())

    await eventually(failed, "a failed task")
    assert not project.record.projects
    assert not project.record.tasks


async def test_x2_operators_see_stage_people_and_due_date_and_never_the_customer(project: ProjectStory) -> None:
    async def shows(stage: ProjectStage, *people: str) -> None:
        await project.comes_to(stage)
        found = await project.search_attributes()
        due = min((task.due_at for task in project.record.open), default=project.project.objection_until)
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
    project.record.organisation = company(delegations=(away,))
    await project.to_approval()
    assert (await project.status()).waiting_for == (CARL, VERA)
    await project.tells(CARL, "approve")
    await project.comes_to(ProjectStage.ACTIVE)
    (decision,) = [d for _, d in project.record.decisions if d.person == CARL]
    assert (decision.capacity, decision.on_behalf_of) == (AskedAs.DELEGATE, VERA)


def test_the_fakes_stand_in_for_every_activity_with_the_same_messages(project: ProjectStory) -> None:
    def signatures(activities: Iterable[Callable[..., object]]) -> dict[str | None, object]:
        found = [activity._Definition.must_from_callable(one) for one in activities]
        return {one.name: (one.arg_types, one.ret_type) for one in found}

    real = [
        found
        for holder in (ProjectSteps, Records, Chasing)
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

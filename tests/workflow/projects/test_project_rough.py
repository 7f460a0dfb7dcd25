"""What goes wrong around a registration: withdrawals, messages by hand, people who leave (N13, A6, X3)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from domain.disputes.dispute import DisputeStage
from domain.projects.project import ProjectStage
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
from tests.eventually import eventually
from tests.samples import DORA, MONA, SAM, SUE, TESS, VERA, VIKTOR, two_departments
from tests.workflow.accounts.test_named_account_rough import JUNK
from tests.workflow.projects.project_story import ProjectStory, project_form
from tests.workflow.projects.record_view import HALVES
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
    asked = {person.person for task in project.record.open for person in task.asked}
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


async def test_a6_a_salesperson_leaves_and_the_open_tasks_and_the_project_go_to_the_successor(
    project: ProjectStory,
) -> None:
    await project.to_held()
    project.record.organisation = two_departments(gone=(SAM,))
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

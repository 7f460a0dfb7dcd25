"""What registrations and disputes go through in the recorded histories; `record.py` runs these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio.client import WorkflowHistory

from domain.disputes.dispute import DisputeStage
from domain.projects.project import ProjectStage
from domain.statements import RegisterProject
from domain.tasks.standstill import closes_at
from domain.tasks.task import TaskKind
from tests.eventually import eventually
from tests.samples import CLARA, GINA, MONA, SAM, SUE, TESS, VERA, VIKTOR, account_of, registration_of, two_departments
from tests.workflow.projects.project_story import ProjectStory, project_form
from tests.workflow.projects.record_view import HALVES
from workflows.messages import FactsChanged

SECOND = timedelta(seconds=1)
SUES = [{"person": SUE, "percent": "80"}, {"person": SAM, "percent": "20"}]


async def _latest(story: ProjectStory) -> WorkflowHistory:
    return await story.history()


async def _of_dispute(story: ProjectStory) -> WorkflowHistory:
    return await story.child.history()


async def lost(story: ProjectStory) -> WorkflowHistory:
    await story.to_active()
    await story.waits(days=7)
    await story.updates()
    await story.sends(story.loss())
    await story.result()
    return await _latest(story)


async def contract_signed(story: ProjectStory) -> WorkflowHistory:
    """Held, supplied, approved; then the contract."""
    await story.to_held()
    await story.tells(SAM, "supply")
    await story.comes_to(ProjectStage.APPROVAL)
    await story.tells(VERA, "approve")
    await story.comes_to(ProjectStage.ACTIVE)
    await story.sends(story.contract())
    await story.result()
    return await _latest(story)


async def contract_received(story: ProjectStory) -> WorkflowHistory:
    """U7: handed in and sent back, updated, handed in again and received by commerce."""
    await open_contract_review(story)
    await story.tells(CLARA, "send_back", "the number is missing")
    await eventually(lambda: bool(story.told("contract_sent_back")), "the salesperson told")
    await story.waits(days=3)
    await story.updates()
    await story.sends(story.contract(SAM))
    await story.is_asked(TaskKind.CONTRACT_REVIEW, CLARA)
    await story.tells(CLARA, "received", number="HT-1", amount="1149000.00")
    await story.result()
    return await _latest(story)


async def open_contract_review(story: ProjectStory) -> WorkflowHistory:
    """Open, U7: handed in after a week; commerce is asked and reminded, and the clocks of silence stand still."""
    await story.to_active()
    await story.waits(days=7)
    await story.sends(story.contract(SAM))
    await story.is_asked(TaskKind.CONTRACT_REVIEW, CLARA)
    await story.waits(days=30)
    await story.comes("stand_in", 1)
    await story.status()
    return await _latest(story)


async def corrected(story: ProjectStory) -> WorkflowHistory:
    """U7: the process of the correction, after that of the project has ended."""
    await story.to_active()
    await story.sends(story.contract())
    await story.result()
    return await story.corrects(CLARA, "1200000.00")


async def unsealed_correction(story: ProjectStory) -> WorkflowHistory:
    await story.to_active()
    return await story.corrects(CLARA, "1200000.00", sealed=False)


async def shelved(story: ProjectStory) -> WorkflowHistory:
    """Updated once; then both reminders and the shelf."""
    await story.to_active()
    await story.waits(days=10)
    await story.updates()
    await story.waits_until(story.record.ahead(story.project)[-1].at + SECOND)
    await story.result()
    return await _latest(story)


async def rejected(story: ProjectStory) -> WorkflowHistory:
    await story.to_check()
    await story.tells(CLARA, "clear")
    await story.comes_to(ProjectStage.APPROVAL)
    await story.tells(VERA, "reject", "no margin")
    await story.result()
    return await _latest(story)


async def refusal_upheld(story: ProjectStory) -> WorkflowHistory:
    await story.to_objection()
    await story.tells(VERA, "uphold_refusal", "the same tender indeed")
    await story.result()
    return await _latest(story)


async def objection_lapsed(story: ProjectStory) -> WorkflowHistory:
    await story.to_refused()
    assert story.objection_until
    await story.waits_until(story.objection_until + SECOND)
    await story.result()
    return await _latest(story)


async def withdrawn_in_dispute(story: ProjectStory) -> WorkflowHistory:
    await story.to_dispute()
    await story.sends(story.withdrawal())
    await story.result()
    return await _latest(story)


async def dispute_asked_back(story: ProjectStory) -> WorkflowHistory:
    """The run of a disputed registration that has grown long, and asks its dispute back to go on in a new one."""
    await story.to_dispute()
    await story.is_flooded()
    return (await story.histories())[0]


async def dispute_begun_again(story: ProjectStory) -> WorkflowHistory:
    """The next run: the dispute goes on where it stood, and both agree."""
    await dispute_asked_back(story)
    await story.tells(SAM, "agree", **HALVES)
    await story.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
    await story.tells(SUE, "agree")
    await story.comes_to(ProjectStage.APPROVAL)
    return await _latest(story)


async def dispute_handed_back(story: ProjectStory) -> WorkflowHistory:
    await story.to_dispute()
    first = await story.child.run_id()
    await story.is_flooded()
    return await story.client.get_workflow_handle(story.dispute.workflow_id, run_id=first).fetch_history()


async def unsealed_start(story: ProjectStory) -> WorkflowHistory:
    await story.registers(RegisterProject(person=SAM, project_id=story.id, form=project_form()))
    await story.result()
    return await _latest(story)


async def resumed(story: ProjectStory) -> WorkflowHistory:
    """U6: the history of the new registration, rejected by commerce."""
    await story.to_shelved()
    new = ProjectStory(story.env, "B-2", story.record)
    await new.registers(resumes=story.id)
    await new.comes_to(ProjectStage.RESUME_REVIEW)
    await new.tells(CLARA, "reject", "the budget is gone")
    await new.result()
    return await _latest(new)


async def handed_over(story: ProjectStory) -> WorkflowHistory:
    """The first run of an active project, which has ended by going on in a new one."""
    await _to_second_run(story)
    return (await story.histories())[0]


async def second_run(story: ProjectStory) -> WorkflowHistory:
    """Open, in its second run: one more update, and the first reminder."""
    await _to_second_run(story)
    await story.updates()
    await story.waits_until(story.record.ahead(story.project)[0].at + SECOND)
    await story.comes("silence", 1)
    await story.status()
    return await _latest(story)


async def _to_second_run(story: ProjectStory) -> None:
    await story.to_active()
    first = await story.run_id()
    while await story.run_id() == first:
        await story.waits(days=7)
        await story.updates()


async def active(story: ProjectStory) -> WorkflowHistory:
    """Open: reminded, handed to a successor, updated, with a signal by hand that changed nothing."""
    await story.to_active()
    await story.waits_until(story.record.ahead(story.project)[0].at + SECOND)
    await story.comes("silence", 1)
    await story.by_hand.signal("update", "nonsense")
    await story.sends(story.reassignment(TESS))
    await story.sends(story.update(TESS))
    await story.status()
    return await _latest(story)


async def confirmation(story: ProjectStory) -> WorkflowHistory:
    """Open: one of two VPs sees no conflict, the other is silent and reminded."""
    await story.to_confirmation(registration_of(SUE), registration_of(TESS))
    await story.tells(VIKTOR, "no_conflict")
    await story.waits_until(story.task_of(VERA).due_at + SECOND)
    await story.comes("stand_in", 1)
    await story.status()
    return await _latest(story)


async def approval_after_agreement(story: ProjectStory) -> WorkflowHistory:
    """Open: the dispute is settled, the VP is asked."""
    await agreement(story)
    return await _latest(story)


async def approval_after_meeting(story: ProjectStory) -> WorkflowHistory:
    """Open: an objection has led to the meeting, and the meeting has decided."""
    await meeting_after_objection(story)
    return await _latest(story)


async def agreement(story: ProjectStory) -> WorkflowHistory:
    """A text, another in its place, both confirm it."""
    await story.to_dispute()
    await story.tells(SAM, "agree", **HALVES)
    await story.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE,))
    await story.tells(SUE, "agree", responsible=SUE, cooperation="sue leads", split=SUES)
    await story.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SAM,))
    await story.tells(SAM, "agree")
    await story.comes_to(ProjectStage.APPROVAL)
    return await _of_dispute(story)


async def meeting_after_objection(story: ProjectStory) -> WorkflowHistory:
    await story.to_objection()
    await story.tells(VERA, "call_meeting")
    await story.dispute_comes_to(DisputeStage.CALLING_MEETING)
    await story.meeting_is_called()
    await story.tells(VERA, "record", responsible=SUE, split=SUES, summary="sue leads")
    await story.comes_to(ProjectStage.APPROVAL)
    return await _of_dispute(story)


async def meeting_wanted(story: ProjectStory) -> WorkflowHistory:
    """The general manager steps in; the meeting decides."""
    await story.to_dispute()
    await story.sends(story.wants_meeting(GINA))
    await story.dispute_comes_to(DisputeStage.CALLING_MEETING, asked=(MONA,))
    await story.meeting_is_called()
    await story.tells(VIKTOR, "record", responsible=SUE, split=SUES, summary="sue leads")
    await story.comes_to(ProjectStage.APPROVAL)
    return await _of_dispute(story)


async def dispute_withdrawn(story: ProjectStory) -> WorkflowHistory:
    await story.to_calling()
    await story.sends(story.withdrawal())
    await story.result()
    await eventually(lambda: story.dispute.stage is DisputeStage.WITHDRAWN, "the dispute's end")
    await eventually(lambda: _over(story), "the dispute's process closed")
    return await _of_dispute(story)


async def _over(story: ProjectStory) -> bool:
    (*_, last) = (await _of_dispute(story)).events
    return last.HasField("workflow_execution_canceled_event_attributes")


async def three_sides(story: ProjectStory) -> WorkflowHistory:
    """Open: one has proposed, one has confirmed, the third is reminded; the organisation has changed."""
    await story.to_dispute(SUE, TESS)
    split = [{"person": SAM, "percent": "40"}, {"person": SUE, "percent": "30"}, {"person": TESS, "percent": "30"}]
    await story.tells(SAM, "agree", cooperation="together", split=split)
    await story.dispute_comes_to(DisputeStage.NEGOTIATION, asked=(SUE, TESS))
    await story.tells(SUE, "agree")
    await story.waits_until(story.task_of(TESS).due_at + SECOND)
    await story.comes("reminder", 2)
    story.record.organisation = two_departments(gone=(TESS,))
    child = story.child
    await child.handle.signal("facts_changed", FactsChanged(version="2"))
    await story.comes("refreshed", 1)
    await child.status()
    return await _of_dispute(story)


async def meeting_called(story: ProjectStory) -> WorkflowHistory:
    """Open: the meeting is called, its outcome is not recorded yet."""
    await story.to_calling()
    await story.meeting_is_called()
    return await _of_dispute(story)


async def rerouted(story: ProjectStory) -> WorkflowHistory:
    """Open: another company was supplied, and the project is in dispute."""
    await story.to_held()
    story.record.accounts = (account_of(SUE),)
    await story.tells(SAM, "supply", project=project_form(end_user="Another").model_dump(mode="json"))
    await story.comes_to(ProjectStage.DISPUTED)
    await story.dispute_comes_to(DisputeStage.NEGOTIATION)
    return await _latest(story)


async def stepped_in(story: ProjectStory) -> WorkflowHistory:
    """Open: both had agreed, the general manager steps in, and the project waits for the meeting (D4)."""
    await _to_the_meeting_after_all(story)
    return await _latest(story)


async def meeting_after_agreement(story: ProjectStory) -> WorkflowHistory:
    """The dispute opened by whoever stepped in after an agreement: its meeting is called off, called anew, decides."""
    await _to_the_meeting_after_all(story)
    await story.meeting_is_called()
    await story.sends(story.calls_off())
    await story.dispute_comes_to(DisputeStage.CALLING_MEETING, asked=(MONA,))
    await story.meeting_is_called()
    await story.tells(VIKTOR, "record", responsible=SUE, split=SUES, summary="sue leads")
    await story.comes_to(ProjectStage.APPROVAL)
    return await _of_dispute(story)


async def _to_the_meeting_after_all(story: ProjectStory) -> None:
    await story.to_agreement()
    await story.sends(story.steps_in(GINA))
    await story.dispute_comes_to(DisputeStage.CALLING_MEETING, asked=(MONA,))


async def merged(story: ProjectStory) -> WorkflowHistory:
    """Ended on record by the outcome of another registration's dispute (D6)."""
    await story.to_active()
    story.record.change(story.project, stage=ProjectStage.MERGED)
    await story.handle.signal("facts_changed", FactsChanged(version="dispute outcome"))
    await story.result()
    return await _latest(story)


async def _stands_still(story: ProjectStory) -> None:
    """U10: nobody answers what is asked, until it is over."""
    task, record = story.record.open[0], story.record
    end = closes_at(task.kind, task.opened_at, task.warned_at, record.policy, record.calendar)
    assert end is not None
    await story.waits_until(end + SECOND)


async def held_and_shelved(story: ProjectStory) -> WorkflowHistory:
    await story.to_held()
    await _stands_still(story)
    await story.result()
    return await _latest(story)


async def disputed_and_shelved(story: ProjectStory) -> WorkflowHistory:
    await story.to_dispute()
    await _stands_still(story)
    await story.result()
    return await _latest(story)


async def dispute_stands_still(story: ProjectStory) -> WorkflowHistory:
    await disputed_and_shelved(story)
    return await _of_dispute(story)


async def held_and_warned(story: ProjectStory) -> WorkflowHistory:
    """Open: the warning has been given."""
    await story.to_held()
    warning = story.record.calendar.add_months(story.record.open[0].opened_at, 2)
    await story.waits_until(warning + SECOND)
    await story.status()
    return await _latest(story)


PROJECTS: dict[str, Callable[[ProjectStory], Awaitable[WorkflowHistory]]] = {
    "closed-lost": lost,
    "closed-contract-signed": contract_signed,
    "closed-contract-received": contract_received,
    "open-contract-review": open_contract_review,
    "closed-shelved": shelved,
    "closed-held-too-long": held_and_shelved,
    "closed-disputed-too-long": disputed_and_shelved,
    "closed-rejected": rejected,
    "closed-refusal-upheld": refusal_upheld,
    "closed-objection-lapsed": objection_lapsed,
    "closed-withdrawn-in-dispute": withdrawn_in_dispute,
    "closed-unsealed-start": unsealed_start,
    "closed-resumption-rejected": resumed,
    "closed-handed-over": handed_over,
    "open-second-run": second_run,
    "open-active": active,
    "open-held-and-warned": held_and_warned,
    "open-conflict-confirmation": confirmation,
    "open-approval-after-agreement": approval_after_agreement,
    "open-approval-after-meeting": approval_after_meeting,
    "open-rerouted": rerouted,
    "open-stepped-in": stepped_in,
    "closed-merged": merged,
    "closed-dispute-asked-back": dispute_asked_back,
    "open-dispute-begun-again": dispute_begun_again,
}
CORRECTIONS: dict[str, Callable[[ProjectStory], Awaitable[WorkflowHistory]]] = {
    "closed-corrected": corrected,
    "closed-unsealed": unsealed_correction,
}
DISPUTES: dict[str, Callable[[ProjectStory], Awaitable[WorkflowHistory]]] = {
    "closed-agreed": agreement,
    "closed-meeting-after-objection": meeting_after_objection,
    "closed-meeting-wanted": meeting_wanted,
    "closed-withdrawn": dispute_withdrawn,
    "closed-standstill": dispute_stands_still,
    "open-three-sides": three_sides,
    "open-meeting-called": meeting_called,
    "closed-meeting-after-agreement": meeting_after_agreement,
    "closed-handed-back": dispute_handed_back,
}

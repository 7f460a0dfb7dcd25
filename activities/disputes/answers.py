"""Statements in a dispute: texts proposed and confirmed, calls for the meeting, and its outcome (D1–D3)."""

from __future__ import annotations

from typing import Any

from activities.disputes.meetings import call, call_off_meeting, check_call, move_meeting
from activities.disputes.record import DisputeRecord
from activities.disputes.stepping_in import note_wanted, step_in
from activities.projects.reassigning import reassign_tasks
from activities.steps import Recorded
from activities.tasks.context import Answered
from activities.tasks.receipts import accept
from db.disputes.disputes import DisputeRow
from db.projects import projects
from db.tasks.tasks import DecisionRow, TaskRow
from domain.disputes.dispute import Agreement, DisputeStage, MeetingCall, MeetingOutcome
from domain.disputes.handing_on import hand_on_side
from domain.disputes.judgements import (
    AgreementEffect,
    agreement_effect,
    judge_agreement,
    judge_call_for_meeting,
    judge_outcome,
    judge_side_reassignment,
    judge_task_open,
    meeting_wanted,
    read_fields,
)
from domain.refusals import RefusalCode, Refused
from domain.statements import AnswerTask, CallForMeeting, CallOffMeeting, MoveMeeting, Reassign, Statement
from domain.tasks.task import AnswerChoice, AnswerOutcome, TaskKind


async def check(dispute: DisputeRecord, task: TaskRow, said: AnswerTask) -> None:
    """What the form of an answer does not show. Raises `Refused`."""
    facts = dispute.facts
    judge_task_open(facts, said, slot=task.slot)
    match task.kind:
        case TaskKind.AGREE_SPLIT:
            judge_agreement(facts, said, round=task.round)
        case TaskKind.CALL_MEETING:
            check_call(dispute, read_fields(MeetingCall, said), prefix="fields.")
        case _:
            outcome = read_fields(MeetingOutcome, said)
            over = await _survivor_over(dispute, outcome.goes_on)
            judge_outcome(facts, outcome, dispute.organisation, survivor_over=over)


async def _survivor_over(dispute: DisputeRecord, goes_on: str) -> bool:
    """D6: whether the other registration that is to go on has ended without a contract."""
    if goes_on not in dispute.registrations[1:]:
        return False
    row = await projects.find(dispute.uow.connection, goes_on)
    return row is None or (not row.contract and bool(row.loss or row.end_reason or row.stage.ended))


async def answered(dispute: DisputeRecord, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
    """What an accepted answer brings with it."""
    match task.kind:
        case TaskKind.AGREE_SPLIT if decision.choice == AnswerChoice.DISAGREE:
            await _want_meeting(dispute, decision.person, decision.reason)
            dispute.uow.note("agreement_refused", decision.person, dispute=dispute.row.id, rule="D2")
            return Answered()
        case TaskKind.AGREE_SPLIT:
            return await _agree(dispute, task, decision, said)
        case TaskKind.CALL_MEETING:
            await call(dispute, decision.person, read_fields(MeetingCall, said))
            return Answered()
        case _:
            await _record_outcome(dispute, decision, read_fields(MeetingOutcome, said))
            return Answered()


async def _agree(dispute: DisputeRecord, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
    """D1: agreeing with the text on the table confirms it; another text takes its place."""
    uow, row, facts = dispute.uow, dispute.row, dispute.facts
    text = judge_agreement(facts, said, round=task.round)
    effect = agreement_effect(facts, task.slot, text)
    proposal = proposal_after(row, effect, text, slot=task.slot, task_id=task.id, reason=decision.reason)
    await dispute.change(proposal=proposal)
    if effect.confirms:
        if effect.outcome is AnswerOutcome.AGREED:
            sides = list(proposal["confirmed"])
            uow.note("agreement_confirmed", decision.person, dispute=row.id, sides=sides, rule="D1")
        return Answered(outcome=effect.outcome)
    number = int(proposal["round"])
    uow.note("agreement_proposed", decision.person, dispute=row.id, round=number, rule="D1")
    return Answered(round=number, outcome=effect.outcome, names=effect.ask)


def proposal_after(
    row: DisputeRow, effect: AgreementEffect, text: Agreement | None, *, slot: str, task_id: str, reason: str
) -> dict[str, Any]:
    """D1: the text on the table once the side of `slot` has agreed in the task `task_id`."""
    if effect.confirms:
        assert row.proposal is not None
        return {**row.proposal, "confirmed": {**row.proposal["confirmed"], slot: task_id}}
    assert text is not None  # else there was one on the table to confirm
    begun = {"by": slot, "round": row.round + 1, "reason": reason, "confirmed": {slot: task_id}}
    return {**text.model_dump(mode="json"), **begun}


async def _want_meeting(dispute: DisputeRecord, person: str, reason: str) -> None:
    """D2: the notice names whoever wants it first."""
    if dispute.row.wanted is None:
        sides = (*dispute.sides, dispute.project.salesperson)
        wanted = meeting_wanted(dispute.organisation, sides, person=person, reason=reason, now=dispute.uow.now)
        await dispute.change(meeting={"wanted": wanted})


async def _record_outcome(dispute: DisputeRecord, decision: DecisionRow, outcome: MeetingOutcome) -> None:
    recorded = {"how": "decided", "by": decision.person, "at": dispute.uow.now.isoformat()}
    await dispute.change(outcome={**outcome.model_dump(mode="json"), **recorded})
    dispute.uow.note(
        "meeting_recorded", decision.person, dispute=dispute.row.id, responsible=outcome.responsible, rule="D2"
    )


async def record_statement(dispute: DisputeRecord, said: Statement) -> Recorded:
    """Judge a statement that is not an answer, and apply it. Raises `Refused`."""
    match said:
        case Reassign():
            return await _reassign_side(dispute, said)
        case MoveMeeting():
            return await move_meeting(dispute, said)
        case CallOffMeeting():
            return await call_off_meeting(dispute, said)
        case CallForMeeting() if dispute.row.stage is DisputeStage.AGREED:  # D4: its process was just about to end
            return await step_in(dispute, dispute.project, said, settled=True)
        case CallForMeeting():
            return await _call_for_meeting(dispute, said)
        case _:
            raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW, stage=dispute.row.stage.value)


async def _call_for_meeting(dispute: DisputeRecord, said: CallForMeeting) -> Recorded:
    """D2: a side, a VP concerned or the general manager wants the meeting."""
    judge_call_for_meeting(dispute.facts, said, dispute.organisation, dispute.uow.now)
    await _want_meeting(dispute, said.person, said.reason)
    note_wanted(dispute, dispute.row.id, dispute.row.wanted or {}, channel=said.channel, rule="D2")
    await accept(dispute.uow, said)
    return Recorded(accepted=True)


async def _reassign_side(dispute: DisputeRecord, said: Reassign) -> Recorded:
    """A6, D1: an account holder leaves, and another salesperson speaks for their side.

    The account itself stays where an approved application has put it (A2).
    """
    row, uow = dispute.row, dispute.uow
    successor = judge_side_reassignment(dispute.facts, said, dispute.organisation)
    claimants, proposal = hand_on_side(row.claimants, row.proposal, before=said.was, successor=successor.id)
    await dispute.change(claimants=claimants, proposal=proposal)
    uow.note(
        "side_handed_on", said.person, dispute=row.id, was=said.was, now=successor.id, reason=said.reason, rule="D1"
    )
    moved = await reassign_tasks(dispute, uow.workflow_id, {said.was: successor.id})
    await accept(uow, said, settled=True, salesperson=successor.id)
    return Recorded(accepted=True, settled=True, tasks=moved)

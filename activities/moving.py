"""What a move from stage to stage takes with it: tasks closed, people told, approvals read back from the record."""

from __future__ import annotations

from temporalio.exceptions import ApplicationError

from activities.asking import Context
from activities.steps import MoveStep
from activities.transaction import Work
from db import applications, tasks
from db.applications import ApplicationRow
from domain.application import Stage
from domain.asking import vp_slots
from domain.deadlines import appeal_until
from domain.named_account import Notice, Rejection, may_be_appealed, told
from domain.tasks import APPROVE, PASS, REJECT, RETURN, TaskKind, TaskStatus
from texts.mail import MailKind


class ForeignStep(ApplicationError):
    """A process tries a step on an application that is not its own, or moves one that is over.

    Only a process started by hand does that. No retry helps, and the process fails for everyone to see.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, type="ForeignStep", non_retryable=True)


class NotApproved(Exception):
    """The record does not hold the approvals that an activation needs, whatever the process believes."""


async def own_application(work: Work, application_id: str, *, lock: bool = True) -> ApplicationRow:
    """The row of the process's own application, locked unless it is only read. Raises `ForeignStep`."""
    row = await applications.find(work.tx, application_id, lock=lock)
    if row is None or row.workflow_id != work.workflow_id:
        raise ForeignStep(f"{work.workflow_id} has no application {application_id}")
    work.subject_id = row.id
    return row


async def own_running_application(work: Work, application_id: str) -> ApplicationRow:
    """The locked row of the process's own application, which is not over. Raises `ForeignStep`."""
    row = await own_application(work, application_id)
    if row.stage.ended:
        raise ForeignStep(f"{application_id} is over: {row.stage.value}")
    return row


async def entitled(work: Work, context: Context, stage: Stage) -> None:
    """Whether the record holds what leads to `stage`. Raises `ForeignStep`.

    Whoever can write to the engine can start a process by hand with an invented state; what was decided is read here.
    """
    row = context.row
    this_round = [d for number, d in await tasks.decisions_of(work.tx, row.id) if number == row.round]
    reviews = {d.slot for d in this_round if d.kind is TaskKind.VP_REVIEW and d.choice == APPROVE and d.special}
    held = {
        Stage.RETURNED: any(d.choice == RETURN for d in this_round),
        Stage.VP_REVIEW: any(d.choice == PASS for d in this_round),
        Stage.GM_APPROVAL: len(reviews) >= len(vp_slots(context.organisation)),
        Stage.REJECTED: any(d.choice == REJECT for d in this_round),
        Stage.GM_APPEAL: row.appeal is not None,
        Stage.CLOSED_REJECTED: row.rejection is not None,
        Stage.WITHDRAWN: row.end_reason is not None,
    }
    if not held.get(stage, True):
        raise ForeignStep(f"{row.id}: the record holds nothing that leads to {stage.value}")


async def close_open_tasks(work: Work, context: Context, stage: Stage) -> tuple[str, ...]:
    """Withdraw what is still open and tell who was asked (N9). Returns everyone asked or heard in this round."""
    everything = await tasks.of_subject(work.tx, context.row.id)
    this_round = [task for task in everything if task.round == context.row.round]
    asked = await tasks.asked_by(work.tx, [task.id for task in this_round])
    still_open = [task for task in this_round if task.status is TaskStatus.OPEN]
    await tasks.close(work.tx, [task.id for task in still_open], TaskStatus.WITHDRAWN, at=work.now, because=stage.value)
    letters = context.letters(work, stage)
    for task in still_open:
        people = [person for person in asked[task.id] if person.removed_at is None]
        if stage is not Stage.WITHDRAWN:  # a withdrawal has a notice of its own
            await letters.to_asked(MailKind.TASK_WITHDRAWN, task, people)
        work.note("task_withdrawn", task=task.id, because=stage.value)
    return tuple(dict.fromkeys(person.person for people in asked.values() for person in people))


async def approvals_on_record(work: Work, context: Context, gm_decision: str | None) -> list[str]:
    """The decisions that make this application an approved one (N7, N8, N10), read from the record.

    The engine's state is not believed: whoever can write there can invent approvals, but not decisions under seal.
    Nor is its memory of the order of things: what was withdrawn meanwhile (N13) stays withdrawn. Raises `NotApproved`.
    """
    if context.row.stage.ended or context.row.end_reason:
        raise NotApproved(f"{context.row.id}: withdrawn or over")
    decided = [
        decision for number, decision in await tasks.decisions_of(work.tx, context.row.id)
        if number == context.row.round and decision.choice == APPROVE
    ]  # fmt: skip
    general = [d for d in decided if d.task_id == gm_decision]
    if gm_decision and not general:
        raise NotApproved(f"{context.row.id}: no approval by the general manager on record")
    appealed = any(d.kind is TaskKind.GM_APPEAL for d in general)
    # Above the limit only approvals with a special reason count (N8).
    above = bool(general) and not appealed
    reviews = {d.slot: d for d in decided if d.kind is TaskKind.VP_REVIEW and (d.special or not above)}
    if not appealed and len(reviews) < len(vp_slots(context.organisation)):
        raise NotApproved(f"{context.row.id}: not both VPs have approved as the rules ask")
    return [d.task_id for d in (*reviews.values(), *general)]


async def rejection_on_record(work: Work, context: Context) -> Rejection:
    """N9: the latest rejection, and until when it may be appealed (N10)."""
    decided = [d for _, d in await tasks.decisions_of(work.tx, context.row.id) if d.choice == REJECT]
    if not decided:
        raise NotApproved(f"{context.row.id}: no rejection on record")
    decision = decided[-1]
    until = None
    if may_be_appealed(decision, context.organisation):
        until = appeal_until(work.now, context.policy, context.calendar)
    return Rejection(
        task_id=decision.task_id,
        kind=decision.kind,
        person=decision.person,
        on_behalf_of=decision.on_behalf_of,
        capacity=decision.capacity,
        reason=decision.reason,
        at=work.now,
        appeal_until=until,
    )


async def tell(work: Work, context: Context, notice: Notice, step: MoveStep, involved: tuple[str, ...]) -> None:
    """Queue the mails of one notice, with the reason that belongs to it."""
    row = context.row
    people = told(notice, context.organisation, applicant=row.applicant, department=row.department, involved=involved)
    reason, by = "", ""
    appealable = None
    if notice in (Notice.REJECTED, Notice.CLOSED_REJECTED) and row.rejection:
        decided = [d for _, d in await tasks.decisions_of(work.tx, row.id) if d.choice == REJECT]
        reason, by = decided[-1].reason, decided[-1].person
        appealable = row.rejection.appeal_until if notice is Notice.REJECTED else None
    elif notice is Notice.APPEAL_FILED and row.appeal:
        reason, by = str(row.appeal["reason"]), row.applicant
    elif notice is Notice.WITHDRAWN and row.end_reason:
        reason, by = str(row.end_reason.get("reason", "")), row.applicant
    await context.letters(work).notice(
        MailKind(notice.value), people, key=step.key, reason=reason, by=by, appeal_until=appealable
    )

"""What the people of a dispute say: texts they propose and confirm, calls for the meeting, and its outcome (D1–D3)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from activities.disputes.meetings import call, check_call, judge_called_off_meeting, judge_moved_meeting
from activities.disputes.stepping_in import already_wanted, note_wanted, step_in, wanted_by
from activities.projects.reassigning import judge_side_reassignment
from activities.steps import Recorded
from activities.tasks.context import Answered
from activities.tasks.receipts import accept
from db.projects import projects
from db.tasks.tasks import DecisionRow, TaskRow
from domain.access import may_call_meeting
from domain.base import Frozen
from domain.disputes.dispute import Agreement, DisputeStage, MeetingCall, MeetingOutcome
from domain.disputes.split import Split
from domain.refusals import RefusalCode, Refused
from domain.statements import AnswerTask, CallForMeeting, CallOffMeeting, MoveMeeting, Reassign, Statement
from domain.tasks.task import AnswerChoice, AnswerOutcome, Problem, TaskKind

if TYPE_CHECKING:
    from activities.disputes.disputes import DisputeContext

M = TypeVar("M", bound=Frozen)


async def check(context: DisputeContext, task: TaskRow, said: AnswerTask) -> None:
    """What the form of an answer does not show. Raises `Refused`."""
    if context.project_is_over or context.row.stage.ended:
        raise Refused(RefusalCode.TASK_WITHDRAWN, closed_because=context.project.stage.value)
    if said.person in context.sides and said.person != task.slot:
        raise Refused(RefusalCode.OWN_APPLICATION)
    match task.kind:
        case TaskKind.AGREE_SPLIT:
            _check_agreement(context, task, said)
        case TaskKind.CALL_MEETING:
            check_call(context, _read(MeetingCall, said), field="fields.")
        case _:
            if context.row.called is None:  # D5: called off in that moment
                raise Refused(RefusalCode.TASK_WITHDRAWN, closed_because=DisputeStage.CALLING_MEETING.value)
            outcome = _read(MeetingOutcome, said)
            if outcome.responsible not in context.sides:
                raise _wrong("responsible", "D2", "not_among_options", value=outcome.responsible)
            people = {person.id for person in context.organisation.people if person.active}
            _check_names(outcome.split, people | set(context.sides))
            await _check_goes_on(context, outcome.goes_on)


async def _check_goes_on(context: DisputeContext, goes_on: str) -> None:
    """D6: nothing is merged into a registration that is over, unless its contract is signed. Raises `Refused`."""
    if goes_on not in context.registrations[1:]:
        return
    row = await projects.find(context.uow.connection, goes_on)
    over = row is None or row.loss or row.end_reason or row.stage.ended
    if over and not (row and row.contract):
        raise _wrong("goes_on", "D6", "registration_is_over")


def _check_agreement(context: DisputeContext, task: TaskRow, said: AnswerTask) -> None:
    """D1: both confirm one text, the one they have before them, for as long as nobody wants the meeting."""
    row = context.row
    if row.wanted is not None or row.all_confirmed:
        raise Refused(RefusalCode.TASK_WITHDRAWN, closed_because=row.stage.value)
    if said.choice != AnswerChoice.AGREE:
        return
    text, table = _text(said), _on_the_table(context)
    if text is not None:
        if text.responsible not in context.sides:
            raise _wrong("responsible", "D1", "not_among_options", value=text.responsible)
        _check_names(text.split, context.sides)
    elif table is None:
        raise _wrong("cooperation", "D1", "missing")
    unseen = row.proposal is not None and row.proposal["round"] != task.round
    # Whoever was asked before this text came onto the table has not seen it; but the very same words need no reading.
    if unseen and (text is None or table is None or not _same(text, table)):
        raise Refused(RefusalCode.AGREEMENT_OUTDATED)


async def answered(context: DisputeContext, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
    """What an accepted answer brings with it."""
    match task.kind:
        case TaskKind.AGREE_SPLIT if decision.choice == AnswerChoice.DISAGREE:
            await _want_meeting(context, decision.person, decision.reason)
            context.uow.note("agreement_refused", decision.person, dispute=context.row.id, rule="D2")
            return Answered()
        case TaskKind.AGREE_SPLIT:
            return await _agrees(context, task, decision, said)
        case TaskKind.CALL_MEETING:
            await call(context, decision.person, _read(MeetingCall, said))
            return Answered()
        case _:
            await _record(context, decision, _read(MeetingOutcome, said))
            return Answered()


async def _agrees(context: DisputeContext, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
    """D1: agreeing with the text on the table confirms it; another text takes its place."""
    uow, row = context.uow, context.row
    text, table = _text(said), _on_the_table(context)
    if row.proposal is not None and (text is None or (table is not None and _same(text, table))):
        confirmed = {**row.proposal["confirmed"], task.slot: task.id}
        await context.change(proposal={**row.proposal, "confirmed": confirmed})
        if not context.row.all_confirmed:
            return Answered(outcome=AnswerOutcome.CONFIRMED)
        uow.note("agreement_confirmed", decision.person, dispute=row.id, sides=list(confirmed), rule="D1")
        return Answered(outcome=AnswerOutcome.AGREED)
    assert text is not None  # `check` has seen to it
    number = row.round + 1
    proposal = {
        **text.model_dump(mode="json"),
        "by": task.slot,
        "round": number,
        "reason": decision.reason,
        "confirmed": {task.slot: task.id},
    }
    await context.change(proposal=proposal)
    uow.note("agreement_proposed", decision.person, dispute=row.id, round=number, rule="D1")
    others = tuple(person for person in context.sides if person != task.slot)
    return Answered(round=number, outcome=AnswerOutcome.PROPOSED if others else AnswerOutcome.AGREED, names=others)


async def _want_meeting(context: DisputeContext, person: str, reason: str) -> None:
    """D2: whoever wants it first is who the others are told of."""
    if context.row.wanted is None:
        sides = (*context.sides, context.project.salesperson)
        await context.change(meeting={"wanted": wanted_by(context, sides, person, reason)})


async def _record(context: DisputeContext, decision: DecisionRow, outcome: MeetingOutcome) -> None:
    recorded = {"how": "decided", "by": decision.person, "at": context.uow.now.isoformat()}
    await context.change(outcome={**outcome.model_dump(mode="json"), **recorded})
    context.uow.note(
        "meeting_recorded", decision.person, dispute=context.row.id, responsible=outcome.responsible, rule="D2"
    )


async def judge(context: DisputeContext, said: Statement) -> Recorded:
    """D2: a side, a VP concerned or the general manager wants the meeting. D5: commerce moves it or calls it off. Or a
    side is handed on. Raises `Refused`."""
    row, uow = context.row, context.uow
    match said:
        case Reassign():
            return await judge_side_reassignment(context, said)
        case MoveMeeting():
            return await judge_moved_meeting(context, said)
        case CallOffMeeting():
            return await judge_called_off_meeting(context, said)
        case _:
            pass
    if not isinstance(said, CallForMeeting):
        raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW, stage=row.stage.value)
    if row.stage is DisputeStage.AGREED:  # D4: its process was just about to end
        return await step_in(context, context.project, said, settled=True)
    person, sides = context.organisation.person(said.person), (*context.sides, context.project.salesperson)
    if person is None or not person.active or not may_call_meeting(person, context.organisation, sides, uow.now):
        raise Refused(RefusalCode.MAY_NOT_CALL_MEETING)
    if row.wanted and not row.stage.ended and not context.project_is_over and row.stage is not DisputeStage.NEGOTIATION:
        raise already_wanted(row.wanted)
    if row.stage is not DisputeStage.NEGOTIATION or context.project_is_over or row.all_confirmed:
        raise Refused(RefusalCode.DISPUTE_NOT_OPEN, stage=row.stage.value)
    await _want_meeting(context, said.person, said.reason)
    note_wanted(context, row.id, context.row.wanted or {}, channel=said.channel, rule="D2")
    await accept(uow, said)
    return Recorded(accepted=True)


def _read(model: type[M], said: AnswerTask) -> M:
    """The fields of an answer as what they are meant to be. Raises `Refused`."""
    given = {name: value for name, value in said.fields.items() if value is not None}
    try:
        return model.model_validate(given)
    except ValidationError:
        raise Refused(RefusalCode.UNREADABLE) from None


def _text(said: AnswerTask) -> Agreement | None:
    """The text that an answer puts on the table, if it brings one."""
    given = [value for value in said.fields.values() if value is not None and str(value).strip()]
    return _read(Agreement, said) if given else None


def _on_the_table(context: DisputeContext) -> Agreement | None:
    proposal = context.row.proposal
    if proposal is None:
        return None
    named = {name: proposal[name] for name in Agreement.model_fields if name in proposal}
    return Agreement.model_validate({"responsible": context.project.salesperson, **named})  # not named before 0.2


def _same(one: Agreement, other: Agreement) -> bool:
    """The same person, the same words and the same shares, in whatever order these are written."""
    words = one.responsible == other.responsible and one.cooperation == other.cooperation
    return words and set(one.split) == set(other.split)


def _check_names(split: Split, known: Collection[str]) -> None:
    """D3: everybody whom a split names is one of `known`. Raises `Refused`."""
    if any(share.person not in known for share in split):
        raise _wrong("split", "D3", "split_names_stranger")


def _wrong(field: str, rule: str, key: str, **params: str) -> Refused:
    return Refused(key, problems=(Problem(field=f"fields.{field}", rule=rule, key=key, params=params),))

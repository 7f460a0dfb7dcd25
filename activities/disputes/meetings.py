"""The coordination meeting of a dispute: called, moved, called off, and everybody told (D2, D5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from activities.disputes import notes
from activities.steps import Recorded
from activities.tasks.mail_outbox import MailOutbox
from activities.tasks.receipts import accept
from domain.access import SEES_EVERYTHING, may_move_meeting
from domain.disputes.dispute import DisputeStage, MeetingCall
from domain.disputes.meetings import empty_seats, may_be_invited
from domain.notices import Notice
from domain.organisation import LANGUAGES
from domain.refusals import RefusalCode, Refused
from domain.statements import CallOffMeeting, MoveMeeting
from domain.tasks.task import Problem, TaskKind
from texts.catalogue import Texts

if TYPE_CHECKING:
    from activities.disputes.disputes import DisputeContext


def invitable(context: DisputeContext, starts_at: datetime | None = None) -> tuple[str, ...]:
    """D5: who may be invited: whoever belongs in the meeting or may see the case anyway. Without a moment, the
    delegates of any day to come are among them."""
    organisation, project = context.organisation, context.project
    offices = [office for office in organisation.departments if office.id == project.department]
    seen_by = [
        project.applicant,
        project.salesperson,
        *(person for office in offices for person in (office.gm, office.vp) if person),
        *(person.id for person in organisation.people if person.roles & SEES_EVERYTHING),
        *(one.person for task in context.docket.tasks for one in context.docket.asked_before(task.id)),
    ]
    coming = [delegation.start for delegation in organisation.delegations if delegation.start > context.uow.now]
    moments = _moments(context, starts_at) if starts_at else (context.uow.now, *coming)
    return may_be_invited(organisation, context.sides, seen_by, moments)


def check_call(context: DisputeContext, meeting: MeetingCall, *, field: str = "") -> None:
    """D5: it is to come, whoever belongs in it is there or said to be missing with a reason, and nobody else is who may
    not see the case. Raises `Refused`. `field`: what stands before the names of the fields."""
    organisation, moments = context.organisation, _moments(context, meeting.starts_at)
    problems = []
    if meeting.starts_at <= context.uow.now:
        problems.append(Problem(field=f"{field}starts_at", rule="D2", key="meeting_in_the_past"))
    may = invitable(context, meeting.starts_at)
    for stranger in (person for person in dict.fromkeys(meeting.participants) if person not in may):
        params = {"person": organisation.name_of(stranger)}
        problems.append(Problem(field=f"{field}participants", rule="D5", key="may_not_see_case", params=params))
    missing = empty_seats(organisation, context.sides, meeting.participants, moments)
    if missing and not meeting.missing_because.strip():
        names = "、".join(organisation.name_of(person) for person in missing)
        key = "missing_without_reason"
        problems.append(Problem(field=f"{field}missing_because", rule="D5", key=key, params={"people": names}))
    if problems:
        raise Refused(problems[0].key, problems=tuple(problems))


async def call(context: DisputeContext, person: str, meeting: MeetingCall) -> None:
    """D2: the meeting as commerce has called it is on record. One called anew after it was called off, or moved, moves
    the same entry in everybody's calendar."""
    before = context.row.meeting or {}
    people = list(dict.fromkeys(meeting.participants))
    moments = _moments(context, meeting.starts_at)
    called = {
        "participants": people,
        "missing": list(empty_seats(context.organisation, context.sides, people, moments)),
        "called_by": person,
        "called_at": context.uow.now.isoformat(),
        "sequence": int(before.get("sequence", -1)) + 1,
        "called_off": None,
    }
    await context.change(meeting={**before, **meeting.model_dump(mode="json"), **called})
    context.uow.note(
        "meeting_called",
        person,
        dispute=context.row.id,
        starts_at=meeting.starts_at.isoformat(),
        participants=people,
        missing=called["missing"],
        rule="D2",
    )


async def judge_moved_meeting(context: DisputeContext, said: MoveMeeting) -> Recorded:
    """D5: another time, place or company; who was invited and is not any more is told that as well."""
    row, uow = _open_meeting(context, said.person), context.uow
    if said.meeting is None:
        raise Refused(RefusalCode.UNREADABLE)
    check_call(context, said.meeting)
    await call(context, said.person, said.meeting)
    await _show_in_task(context)
    now = set(said.meeting.participants)
    left_out = [person for person in (row.called or {})["participants"] if person not in now]
    key = f"{row.id}:{said.message_id}"
    await notify(context, Notice.MEETING_MOVED, said.meeting.participants, key=key, reason=said.reason, by=said.person)
    await notify(
        context,
        Notice.MEETING_CALLED_OFF,
        left_out,
        key=key,
        reason=said.reason,
        by=said.person,
        meeting={**(row.meeting or {}), "sequence": (context.row.meeting or {})["sequence"]},
    )
    uow.note("meeting_moved", said.person, dispute=row.id, reason=said.reason, channel=said.channel, rule="D5")
    await accept(uow, said, settled=True)
    return Recorded(accepted=True, settled=True)


async def judge_called_off_meeting(context: DisputeContext, said: CallOffMeeting) -> Recorded:
    """D5: it does not take place; the process then asks commerce to call another."""
    row, uow = _open_meeting(context, said.person), context.uow
    await context.change(meeting=called_off(row.meeting or {}, by=said.person, reason=said.reason, at=uow.now))
    await notify(
        context,
        Notice.MEETING_CALLED_OFF,
        (row.called or {})["participants"],
        key=f"{row.id}:{said.message_id}",
        reason=said.reason,
        by=said.person,
    )
    uow.note("meeting_called_off", said.person, dispute=row.id, reason=said.reason, channel=said.channel, rule="D5")
    await accept(uow, said)
    return Recorded(accepted=True)


async def notify(
    context: DisputeContext,
    kind: Notice,
    people: Iterable[str],
    *,
    key: str,
    reason: str,
    by: str,
    meeting: Mapping[str, Any] | None = None,
) -> None:
    """D5: tell those who were invited, each in their language and with what their calendar needs. `meeting`: the one
    that is told of, where it is not the one on record."""
    told = dict.fromkeys(people)
    for language in LANGUAGES:
        readers = [p for p in told if (known := context.organisation.person(p)) and known.language == language]
        if readers:
            shown = notes.shown_with(context, kind, Texts(language), meeting)
            await MailOutbox(context).notice(kind, readers, key=key, reason=reason, by=by, **shown)


async def end_with_the_dispute(context: DisputeContext, *, key: str, but: Collection[str] = ()) -> None:
    """D5: a dispute that ends otherwise calls its meeting off; everybody who was invited is told, `but` those whom
    another mail tells."""
    row = context.row
    if row.called is None:
        return
    people = [person for person in row.called["participants"] if person not in but]
    by, ended = str(row.called["called_by"]), context.project.end_reason or {}
    reason = str(ended.get("reason", ""))
    await context.change(meeting=called_off(row.meeting or {}, by=by, reason=reason, at=context.uow.now))
    await notify(context, Notice.MEETING_CALLED_OFF, people, key=key, reason=reason, by=str(ended.get("by", by)))
    context.uow.note("meeting_called_off", dispute=row.id, rule="D5")


def called_off(meeting: dict[str, Any], *, by: str, reason: str, at: datetime) -> dict[str, Any]:
    """The meeting of a dispute once it is called off: what was called stays readable."""
    sequence = int(meeting.get("sequence", 0)) + 1
    return {**meeting, "sequence": sequence, "called_off": {"by": by, "reason": reason, "at": at.isoformat()}}


def _open_meeting(context: DisputeContext, person: str) -> Any:
    """The dispute, with a meeting that was called and whose outcome nobody has recorded. Raises `Refused`."""
    known, row = context.organisation.person(person), context.row
    if known is None or not known.active or not may_move_meeting(known):
        raise Refused(RefusalCode.ONLY_COMMERCE_MOVES_MEETING)
    if person in context.sides:
        raise Refused(RefusalCode.OWN_APPLICATION)
    held = row.stage is DisputeStage.MEETING and row.called is not None and row.outcome is None
    if not held or context.project_is_over:
        raise Refused(RefusalCode.MEETING_NOT_CALLED, stage=row.stage.value)
    return row


async def _show_in_task(context: DisputeContext) -> None:
    """Whoever records the outcome reads when and where the meeting is now."""
    for task in context.docket.open_tasks:
        if task.kind is TaskKind.RECORD_MEETING and task.workflow_id == context.row.workflow_id:
            await context.docket.change(task, note=await notes.note_for(context, task.kind))


def _moments(context: DisputeContext, starts_at: datetime | None) -> Sequence[datetime]:
    return (context.uow.now, starts_at) if starts_at else (context.uow.now,)

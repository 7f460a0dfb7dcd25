"""The coordination meeting of a dispute: called, moved, called off, and everybody notified (D2, D5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from activities.disputes import notes
from activities.disputes.record import DisputeRecord
from activities.steps import Recorded
from activities.tasks.mail_outbox import MailOutbox
from activities.tasks.receipts import accept
from domain.access import SEES_EVERYTHING
from domain.disputes.dispute import MeetingCall
from domain.disputes.judgements import judge_called_off_meeting, judge_meeting, judge_moved_meeting
from domain.disputes.meetings import empty_seats, may_be_invited
from domain.notices import Notice
from domain.organisation import LANGUAGES
from domain.statements import CallOffMeeting, MoveMeeting
from domain.tasks.task import TaskKind
from texts.catalogue import Texts


def invitable(dispute: DisputeRecord, starts_at: datetime | None = None) -> tuple[str, ...]:
    """D5: who may be invited: whoever belongs in the meeting or may see the case anyway. Without a moment, the
    delegates of any day to come are among them."""
    organisation, project = dispute.organisation, dispute.project
    offices = [office for office in organisation.departments if office.id == project.department]
    seen_by = [
        project.applicant,
        project.salesperson,
        *(person for office in offices for person in (office.gm, office.vp) if person),
        *(person.id for person in organisation.people if person.roles & SEES_EVERYTHING),
        *(asked.person for task in dispute.docket.tasks for asked in dispute.docket.asked_before(task.id)),
    ]
    coming = [delegation.start for delegation in organisation.delegations if delegation.start > dispute.uow.now]
    moments = _moments(dispute, starts_at) if starts_at else (dispute.uow.now, *coming)
    return may_be_invited(organisation, dispute.sides, seen_by, moments)


def check_call(dispute: DisputeRecord, meeting: MeetingCall, *, prefix: str = "") -> None:
    """D2, D5: judge the meeting as it is to be called or moved. Raises `Refused`. `prefix`: of the fields' names."""
    judge_meeting(
        meeting,
        dispute.organisation,
        sides=dispute.sides,
        invitable=invitable(dispute, meeting.starts_at),
        now=dispute.uow.now,
        prefix=prefix,
    )


async def call(dispute: DisputeRecord, person: str, meeting: MeetingCall) -> None:
    """D2: the meeting as commerce has called it is on record. One called anew after it was called off, or moved, moves
    the same entry in everybody's calendar."""
    before = dispute.row.meeting or {}
    people = list(dict.fromkeys(meeting.participants))
    moments = _moments(dispute, meeting.starts_at)
    called = {
        "participants": people,
        "missing": list(empty_seats(dispute.organisation, dispute.sides, people, moments)),
        "called_by": person,
        "called_at": dispute.uow.now.isoformat(),
        "sequence": int(before.get("sequence", -1)) + 1,
        "called_off": None,
    }
    await dispute.change(meeting={**before, **meeting.model_dump(mode="json"), **called})
    dispute.uow.note(
        "meeting_called",
        person,
        dispute=dispute.row.id,
        starts_at=meeting.starts_at.isoformat(),
        participants=people,
        missing=called["missing"],
        rule="D2",
    )


async def move_meeting(dispute: DisputeRecord, said: MoveMeeting) -> Recorded:
    """D5: another time, place or participants; who was invited and is not any more is notified of that as well."""
    row, uow = dispute.row, dispute.uow
    meeting = judge_moved_meeting(dispute.facts, said, dispute.organisation.person(said.person))
    check_call(dispute, meeting)
    await call(dispute, said.person, meeting)
    await _show_in_task(dispute)
    left_out = [person for person in (row.called or {})["participants"] if person not in meeting.participants]
    key = f"{row.id}:{said.message_id}"
    await notify(dispute, Notice.MEETING_MOVED, meeting.participants, key=key, reason=said.reason, by=said.person)
    await notify(
        dispute,
        Notice.MEETING_CALLED_OFF,
        left_out,
        key=key,
        reason=said.reason,
        by=said.person,
        meeting={**(row.meeting or {}), "sequence": (dispute.row.meeting or {})["sequence"]},
    )
    uow.note("meeting_moved", said.person, dispute=row.id, reason=said.reason, channel=said.channel, rule="D5")
    await accept(uow, said, settled=True)
    return Recorded(accepted=True, settled=True)


async def call_off_meeting(dispute: DisputeRecord, said: CallOffMeeting) -> Recorded:
    """D5: it does not take place; the process then asks commerce to call another."""
    row, uow = dispute.row, dispute.uow
    judge_called_off_meeting(dispute.facts, dispute.organisation.person(said.person))
    await dispute.change(meeting=called_off(row.meeting or {}, by=said.person, reason=said.reason, at=uow.now))
    await notify(
        dispute,
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
    dispute: DisputeRecord,
    kind: Notice,
    people: Iterable[str],
    *,
    key: str,
    reason: str,
    by: str,
    meeting: Mapping[str, Any] | None = None,
) -> None:
    """D5: notify those who were invited, each in their language and with what their calendar needs. `meeting`: the
    one the notice is about, where it is not the one on record."""
    recipients = dict.fromkeys(people)
    for language in LANGUAGES:
        readers = [
            person
            for person in recipients
            if (known := dispute.organisation.person(person)) and known.language == language
        ]
        if readers:
            shown = notes.shown_with(dispute, kind, Texts(language), meeting)
            await MailOutbox(dispute).notice(kind, readers, key=key, reason=reason, by=by, **shown)


async def end_with_the_dispute(dispute: DisputeRecord, *, key: str, but: Collection[str] = ()) -> None:
    """D5: a dispute that ends otherwise calls its meeting off; everybody who was invited is notified, `but` those
    whom another mail notifies."""
    row = dispute.row
    if row.called is None:
        return
    people = [person for person in row.called["participants"] if person not in but]
    ended = dispute.project.end_reason or {}
    reason, by = str(ended.get("reason", "")), str(ended.get("by", row.called["called_by"]))
    await dispute.change(meeting=called_off(row.meeting or {}, by=by, reason=reason, at=dispute.uow.now))
    await notify(dispute, Notice.MEETING_CALLED_OFF, people, key=key, reason=reason, by=by)
    dispute.uow.note("meeting_called_off", dispute=row.id, rule="D5")


def called_off(meeting: dict[str, Any], *, by: str, reason: str, at: datetime) -> dict[str, Any]:
    """The meeting of a dispute once it is called off: what was called stays readable."""
    sequence = int(meeting.get("sequence", 0)) + 1
    return {**meeting, "sequence": sequence, "called_off": {"by": by, "reason": reason, "at": at.isoformat()}}


async def _show_in_task(dispute: DisputeRecord) -> None:
    """Whoever records the outcome reads when and where the meeting is now."""
    for task in dispute.docket.open_tasks:
        if task.kind is TaskKind.RECORD_MEETING and task.workflow_id == dispute.row.workflow_id:
            await dispute.docket.change(task, note=await notes.note_for(dispute, task.kind))


def _moments(dispute: DisputeRecord, starts_at: datetime | None) -> Sequence[datetime]:
    return (dispute.uow.now, starts_at) if starts_at else (dispute.uow.now,)

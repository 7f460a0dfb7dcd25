"""What becomes of statements about registrations and disputes on the in-memory record, by the rules of the domain."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from activities.disputes import record as dispute_record
from activities.disputes.stepping_in import agreement_facts
from activities.projects import record as project_record
from activities.steps import Recorded
from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from domain.disputes.dispute import WAITS, DisputeStage, MeetingCall, MeetingOutcome
from domain.disputes.judgements import (
    agreement_effect,
    judge_agreement,
    judge_call_for_meeting,
    judge_called_off_meeting,
    judge_meeting,
    judge_outcome,
    judge_stepping_in,
    judge_task_open,
    meeting_wanted,
    read_fields,
)
from domain.notices import Notice
from domain.projects.contract_review import received
from domain.projects.judgements import (
    judge_answer,
    judge_contract,
    judge_loss,
    judge_objection,
    judge_reassignment,
    judge_update,
    judge_withdrawal,
    not_at_this_stage,
    supplied_form,
)
from domain.projects.project import ProjectForm
from domain.projects.rules import CLERK_FIELD, named_suspects, recipients_of_project
from domain.refusals import RefusalCode, Refused
from domain.statements import (
    AnswerTask,
    CallForMeeting,
    CallOffMeeting,
    ObjectToRefusal,
    Reassign,
    ReceiveContract,
    ReportLoss,
    Said,
    UpdateProject,
    Withdraw,
)
from domain.tasks.task import AnswerChoice, AnswerOutcome, TaskKind
from tests.workflow.doubles.fake_project_record import Own, ProjectRecord, Update
from tests.workflow.doubles.fake_record import FakeTask


def judged(record: ProjectRecord, own: Own, said: Said, now: datetime) -> Recorded:
    """What becomes of a sealed statement. Raises `Refused`."""
    if isinstance(own, DisputeRow):
        return _of_dispute(record, own, said, now)
    facts = project_record.facts_of(own)
    match said:
        case CallForMeeting():
            return _stepped_in(record, own, said, now)
        case UpdateProject():
            record.updates.append(Update(said.message_id, now, judge_update(facts, said)))
            own = record.change(own, updated_at=now, silences=0)
            record.note("project_updated", now, message=said.message_id)
            record.settled.add(said.message_id)
            return Recorded(accepted=True, settled=True, ahead=record.ahead(own), updated_at=now)
        case ReportLoss():
            record.change(own, loss=judge_loss(facts, said).model_dump())
        case ReceiveContract():
            person = record.organisation.person(said.person)
            contract, handed_in = judge_contract(facts, said, person, today=_today(record, now))
            given = contract.model_dump(mode="json")
            record.change(own, **{"contract_application" if handed_in else "contract": given})
            return Recorded(accepted=True, asks_commerce=handed_in)
        case ObjectToRefusal():
            judge_objection(facts, said, now=now)
            record.change(own, objection={"reason": said.reason})
        case Withdraw():
            judge_withdrawal(facts, said)
            record.change(own, end_reason={"reason": said.reason, "by": said.person})
        case Reassign():
            return _reassignment(record, own, said, now)
        case _:
            raise not_at_this_stage(own.stage)
    return Recorded(accepted=True)


def _today(record: ProjectRecord, now: datetime) -> date:
    return now.astimezone(record.policy.zone).date()


def answered(record: ProjectRecord, own: Own, task: FakeTask, said: AnswerTask, now: datetime) -> dict[str, Any]:
    """What follows from an answer that fits its form. Raises `Refused`."""
    if isinstance(own, DisputeRow):
        return _dispute_answered(record, own, task, said, now)
    judge_answer(project_record.facts_of(own), task.kind, said, today=_today(record, now))
    return _project_answered(record, own, said)


def _project_answered(record: ProjectRecord, own: ProjectRow, said: AnswerTask) -> dict[str, Any]:
    match said.choice:
        case AnswerChoice.ASSIGN:
            return {"names": (str(said.fields[CLERK_FIELD]),)}
        case AnswerChoice.SUSPECT:
            record.suspected[own.id] = tuple(named_suspects(said.fields))
        case AnswerChoice.SUPPLY:
            form, number = supplied_form(said), own.round + 1
            reroute = _companies(form) != _companies(own.form)
            anew = {"track": None, "agreement": None, "refusal": None, "objection": None} if reroute else {}
            record.change(own, form=form, round=number, **anew)
            return {"round": number, "outcome": AnswerOutcome.REROUTE if reroute else ""}
        case AnswerChoice.RECEIVED:
            record.change(own, contract=received(said.fields).model_dump(mode="json"))
        case AnswerChoice.SEND_BACK:
            record.change(own, contract_application={**(own.contract_application or {}), "sent_back": said.reason})
    return {}


def _companies(form: ProjectForm) -> list[str]:
    return [company.name if company else "" for company in (form.customer, form.end_user, form.channel)]


def _dispute_answered(
    record: ProjectRecord, own: DisputeRow, task: FakeTask, said: AnswerTask, now: datetime
) -> dict[str, Any]:
    organisation, facts = record.organisation, dispute_record.facts_of(own, record.project_of(own))
    judge_task_open(facts, said, slot=task.slot)
    match task.kind:
        case TaskKind.CALL_MEETING:
            meeting, everybody = read_fields(MeetingCall, said), [person.id for person in organisation.people]
            judge_meeting(meeting, organisation, sides=own.sides, invitable=everybody, now=now, prefix="fields.")
            called = {**meeting.model_dump(mode="json"), "called_off": None}
            record.change(own, meeting={**(own.meeting or {}), **called})
            return {}
        case TaskKind.RECORD_MEETING:
            outcome = read_fields(MeetingOutcome, said)
            judge_outcome(facts, outcome, organisation, survivor_over=False)
            record.change(own, outcome=outcome.model_dump(mode="json"))
            return {}
    text = judge_agreement(facts, said, round=task.round)
    if said.choice == AnswerChoice.DISAGREE:
        _want_meeting(record, own, said.person, said.reason, now)
        return {}
    effect = agreement_effect(facts, task.slot, text)
    if effect.confirms and own.proposal:  # D1
        confirmed = {**own.proposal["confirmed"], task.slot: task.id}
        record.change(own, proposal={**own.proposal, "confirmed": confirmed})
        return {"outcome": effect.outcome}
    assert text is not None
    number, confirmed = own.round + 1, {task.slot: task.id}
    proposal = {**text.model_dump(mode="json"), "by": task.slot, "round": number, "confirmed": confirmed}
    record.change(own, proposal=proposal)
    return {"round": number, "outcome": effect.outcome, "names": effect.ask}


def _want_meeting(record: ProjectRecord, own: DisputeRow, person: str, reason: str, now: datetime) -> None:
    if own.wanted is None:  # D2
        wanted = meeting_wanted(record.organisation, own.sides, person=person, reason=reason, now=now)
        record.change(own, meeting={"wanted": wanted})


def _of_dispute(record: ProjectRecord, own: DisputeRow, said: Said, now: datetime) -> Recorded:
    facts = dispute_record.facts_of(own, record.project_of(own))
    match said:
        case CallForMeeting() if own.stage is DisputeStage.AGREED:
            return _stepped_in(record, record.project_of(own), said, now).model_copy(update={"settled": True})
        case CallForMeeting():
            judge_call_for_meeting(facts, said, record.organisation, now)
            _want_meeting(record, own, said.person, said.reason, now)
        case CallOffMeeting():
            judge_called_off_meeting(facts, record.organisation.person(said.person))
            meeting = own.meeting or {}
            record.mail("meeting_called_off", tuple(meeting["participants"]), said.said_at)
            record.change(own, meeting={**meeting, "called_off": {"by": said.person}})
        case _:
            raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW, stage=own.stage.value)
    return Recorded(accepted=True)


def _stepped_in(record: ProjectRecord, own: ProjectRow, said: CallForMeeting, now: datetime) -> Recorded:
    """D4."""
    decisions = (AnswerChoice.APPROVE, AnswerChoice.REJECT)
    decided = any(decision.choice in decisions for decision in record.decided_by(own))
    facts = agreement_facts(own, record.disputes_over(own), decided=decided)
    agreed, first = judge_stepping_in(facts, said, record.organisation, now)
    if first:
        wanted = meeting_wanted(record.organisation, agreed.sides, person=said.person, reason=said.reason, now=now)
        record.change(own, agreement={**(own.agreement or {}), WAITS: wanted})
    return Recorded(accepted=True, settled=not first)


def _reassignment(record: ProjectRecord, own: ProjectRow, said: Reassign, now: datetime) -> Recorded:
    """A6: an operator hands the project to a successor, and with it the open tasks."""
    successor = judge_reassignment(project_record.facts_of(own), said, record.organisation)
    before = own.salesperson
    record.change(own, salesperson=successor.id)
    still_open = record.tasks_of(own.workflow_id, open_only=True)
    for task in still_open:
        task.slot = successor.id if task.slot == before else task.slot
        record.refresh(task, now)
    people = recipients_of_project(Notice.REASSIGNED, record.organisation, salesperson=successor.id, involved=[before])
    record.mail(Notice.REASSIGNED.value, people, now)
    record.settled.add(said.message_id)
    return Recorded(accepted=True, settled=True, tasks=tuple(record.known(task, now) for task in still_open))

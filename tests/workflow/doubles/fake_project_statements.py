"""What becomes of statements about registrations and disputes on the in-memory record, by the rules of the domain."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from activities.steps import Recorded
from domain.disputes.dispute import WAITS, DisputeStage, MeetingCall, MeetingOutcome
from domain.disputes.judgements import (
    AgreementFacts,
    DisputeSummary,
    agreement_effect,
    judge_agreement,
    judge_call_for_meeting,
    judge_called_off_meeting,
    judge_meeting,
    judge_outcome,
    judge_stepping_in,
    judge_task_open,
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
from domain.tasks.answer_fields import answer_problems
from domain.tasks.deadlines import due_at
from domain.tasks.task import AnswerChoice, AnswerOutcome, RecordedDecision, TaskKind, TaskStatus
from tests.workflow.doubles.fake_project_record import FakeDispute, FakeProject, ProjectRecord, Update, wanted_by
from tests.workflow.doubles.fake_record import FakeTask

Own = FakeProject | FakeDispute


def judged(record: ProjectRecord, own: Own, said: Said, now: datetime) -> Recorded:
    """What becomes of a sealed statement. Raises `Refused`."""
    if isinstance(said, AnswerTask):
        return _answer(record, own, said, now)
    if isinstance(own, FakeDispute):
        return _of_dispute(record, own, said, now)
    match said:
        case CallForMeeting():
            return _stepped_in(record, own, said, now)
        case UpdateProject():
            update = judge_update(own.facts, said)
            own.updated_at, own.silences = now, 0
            record.updates.append(Update(said.message_id, now, update))
            record.note("project_updated", now, message=said.message_id)
            record.settled.add(said.message_id)
            return Recorded(accepted=True, settled=True, ahead=record.ahead(own), updated_at=now)
        case ReportLoss():
            own.loss = judge_loss(own.facts, said).reason
        case ReceiveContract():
            person = record.organisation.person(said.person)
            contract, handed_in = judge_contract(own.facts, said, person, today=_today(record, now))
            if handed_in:
                own.application, own.with_commerce = str(contract.amount), True
                return Recorded(accepted=True, asks_commerce=True)
            own.contract = str(contract.amount)
        case ObjectToRefusal():
            judge_objection(own.facts, said, now=now)
            own.objection = said.reason
        case Withdraw():
            judge_withdrawal(own.facts, said)
            own.withdrawn = said.person
        case Reassign():
            return _reassignment(record, own, said, now)
        case _:
            raise not_at_this_stage(own.stage)
    return Recorded(accepted=True)


def _today(record: ProjectRecord, now: datetime) -> date:
    return now.astimezone(record.policy.zone).date()


def _answer(record: ProjectRecord, own: Own, said: AnswerTask, now: datetime) -> Recorded:
    task = record.tasks.get(said.task_id)
    if task is None or record.workflow_of[task.id] != own.workflow_id:
        raise Refused(RefusalCode.UNKNOWN_TASK)
    if task.status is not TaskStatus.OPEN:
        raise Refused(RefusalCode.ALREADY_ANSWERED if task.status is TaskStatus.ANSWERED else "task_withdrawn")
    mine = next((asked for asked in record.people(task, now) if asked.person == said.person), None)
    if mine is None:
        raise Refused(RefusalCode.NOT_ASKED)
    problems = answer_problems(record.offered(task), choice=said.choice, reason=said.reason, fields=said.fields)
    if problems:
        raise Refused(problems[0].key)
    if isinstance(own, FakeDispute):
        _check_dispute(record, own, task, said, now)
    else:
        judge_answer(own.facts, task.kind, said, today=_today(record, now))
    before = own.round
    brought = _dispute_answered(own, task, said) if isinstance(own, FakeDispute) else _project_answered(own, said)
    decision = RecordedDecision(
        task_id=task.id,
        kind=task.kind,
        slot=task.slot,
        choice=said.choice,
        reason=said.reason,
        person=said.person,
        on_behalf_of=mine.on_behalf_of,
        capacity=mine.capacity,
        decided_at=now,
        **{name: value for name, value in brought.items() if name != "round"},
    )
    task.status = TaskStatus.ANSWERED
    record.decisions.append((before, decision))
    record.note("answer_accepted", now, choice=said.choice, person=said.person, task=task.id)
    if record.tasks_of(own.workflow_id, open_only=True) and said.choice in (
        AnswerChoice.APPROVE,
        AnswerChoice.NO_CONFLICT,
    ):
        record.settled.add(said.message_id)
    return Recorded(accepted=True, decision=decision, round=brought.get("round"))


def _project_answered(own: FakeProject, said: AnswerTask) -> dict[str, Any]:
    match said.choice:
        case AnswerChoice.ASSIGN:
            return {"names": (str(said.fields[CLERK_FIELD]),)}
        case AnswerChoice.SUSPECT:
            own.suspects = tuple(named_suspects(said.fields))
        case AnswerChoice.SUPPLY:
            form = supplied_form(said)
            reroute = _companies(form) != _companies(own.form)
            own.form, own.round = form, own.round + 1
            if reroute:
                own.track, own.agreement, own.objection = None, None, ""
            return {"round": own.round, "outcome": AnswerOutcome.REROUTE if reroute else ""}
        case AnswerChoice.RECEIVED:
            own.contract = str(received(said.fields).amount)
        case AnswerChoice.SEND_BACK:
            own.with_commerce = False
    return {}


def _companies(form: ProjectForm) -> list[str]:
    return [company.name if company else "" for company in (form.customer, form.end_user, form.channel)]


def _check_dispute(record: ProjectRecord, own: FakeDispute, task: FakeTask, said: AnswerTask, now: datetime) -> None:
    judge_task_open(own.facts, said, slot=task.slot)
    organisation = record.organisation
    match task.kind:
        case TaskKind.AGREE_SPLIT:
            judge_agreement(own.facts, said, round=task.round)
        case TaskKind.CALL_MEETING:
            everybody = [person.id for person in organisation.people]
            meeting = read_fields(MeetingCall, said)
            judge_meeting(meeting, organisation, sides=own.sides, invitable=everybody, now=now, prefix="fields.")
        case _:
            judge_outcome(own.facts, read_fields(MeetingOutcome, said), organisation, survivor_over=False)


def _dispute_answered(own: FakeDispute, task: FakeTask, said: AnswerTask) -> dict[str, Any]:
    match said.choice:
        case AnswerChoice.DISAGREE:
            own.wanted = own.wanted or said.person
        case AnswerChoice.AGREE:
            return _agreed(own, task, said)
        case AnswerChoice.CALLED:
            own.participants = read_fields(MeetingCall, said).participants
        case AnswerChoice.RECORD:
            own.responsible = read_fields(MeetingOutcome, said).responsible
    return {}


def _agreed(own: FakeDispute, task: FakeTask, said: AnswerTask) -> dict[str, Any]:
    """D1: the same text is confirmed, another takes its place."""
    text = judge_agreement(own.facts, said, round=task.round)
    effect = agreement_effect(own.facts, task.slot, text)
    if effect.confirms and own.proposal:
        own.proposal["confirmed"][task.slot] = task.id
        return {"outcome": effect.outcome}
    assert text is not None
    confirmed = {task.slot: task.id}
    own.proposal = {**text.model_dump(mode="json"), "round": own.round + 1, "confirmed": confirmed}
    return {"round": own.round + 1, "outcome": effect.outcome, "names": effect.ask}


def _of_dispute(record: ProjectRecord, own: FakeDispute, said: Said, now: datetime) -> Recorded:
    match said:
        case CallForMeeting() if own.stage is DisputeStage.AGREED:
            return _stepped_in(record, own.project, said, now).model_copy(update={"settled": True})
        case CallForMeeting():
            judge_call_for_meeting(own.facts, said, record.organisation, now)
            own.wanted = own.wanted or said.person
        case CallOffMeeting():
            judge_called_off_meeting(own.facts, record.organisation.person(said.person))
            record.mail("meeting_called_off", own.participants, said.said_at)
            own.participants = ()
        case _:
            raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW, stage=own.stage.value)
    return Recorded(accepted=True)


def _stepped_in(record: ProjectRecord, own: FakeProject, said: CallForMeeting, now: datetime) -> Recorded:
    """D4."""
    decisions = (AnswerChoice.APPROVE, AnswerChoice.REJECT)
    facts = AgreementFacts(
        stage=own.stage,
        disputes=[
            DisputeSummary(id=over.id, stage=over.stage, sides=over.sides, wanted=wanted_by(over.wanted))
            for over in record.disputes_over(own)
        ],
        agreement=own.agreement,
        withdrawn=bool(own.withdrawn),
        decided=any(decision.choice in decisions for decision in record.decided_by(own)),
    )
    _, first = judge_stepping_in(facts, said, record.organisation, now)
    if first:
        own.agreement = {**(own.agreement or {}), WAITS: wanted_by(said.person)}
    return Recorded(accepted=True, settled=not first)


def _reassignment(record: ProjectRecord, own: FakeProject, said: Reassign, now: datetime) -> Recorded:
    """A6: an operator hands the project to a successor, and with it the open tasks."""
    successor = judge_reassignment(own.facts, said, record.organisation)
    before, own.salesperson = own.salesperson, successor.id
    still_open = record.tasks_of(own.workflow_id, open_only=True)
    for task in still_open:
        task.slot = successor.id if task.slot == before else task.slot
        refresh(record, task, now)
    people = recipients_of_project(Notice.REASSIGNED, record.organisation, salesperson=successor.id, involved=[before])
    record.mail(Notice.REASSIGNED.value, people, now)
    record.settled.add(said.message_id)
    return Recorded(accepted=True, settled=True, tasks=tuple(record.known(task, now) for task in still_open))


def refresh(record: ProjectRecord, task: FakeTask, now: datetime) -> None:
    """Work out again who is asked and until when; tell who is new and who is off."""
    before = {asked.person for asked in task.asked}
    task.due_at = due_at(task.kind, task.opened_at, record.policy, record.calendar)
    task.asked = record.people(task, now)
    now_asked = {asked.person for asked in task.asked}
    record.mail("task", tuple(sorted(now_asked - before)), now, task.id)
    record.mail("task_withdrawn", tuple(sorted(before - now_asked)), now, task.id)

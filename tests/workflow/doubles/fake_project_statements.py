"""What becomes of statements about registrations and disputes on the in-memory record: the rules of the real one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from activities.steps import Recorded
from domain.access import may_receive_contract
from domain.accounts.named_account import appeal_in_time
from domain.disputes.dispute import DisputeStage
from domain.notices import Notice
from domain.organisation import Role
from domain.projects.contract_review import received
from domain.projects.project import ProjectForm, ProjectStage
from domain.projects.rules import CLERK_FIELD, PROJECT_FORM_FIELD, SUSPECTS_FIELD, recipients_of_project
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
from domain.tasks.judgements import closed_code
from domain.tasks.task import AnswerChoice, AnswerOutcome, RecordedDecision, TaskKind, TaskStatus
from tests.workflow.doubles.fake_project_record import FakeDispute, FakeProject, ProjectRecord, Update
from tests.workflow.doubles.fake_record import FakeTask

Own = FakeProject | FakeDispute


def judged(record: ProjectRecord, own: Own, said: Said, now: datetime) -> Recorded:
    """What becomes of a sealed statement. Raises `Refused`."""
    if isinstance(said, AnswerTask):
        return _answer(record, own, said, now)
    if isinstance(own, FakeDispute):
        return _of_dispute(record, own, said)
    match said:
        case CallForMeeting():
            return _stepped_in(record, own, said)
        case UpdateProject():
            return _update(record, own, said, now)
        case ReportLoss():
            return _loss(own, said)
        case ReceiveContract():
            return _contract(record, own, said)
        case ObjectToRefusal():
            return _objection(own, said, now)
        case Withdraw():
            return _withdrawal(own, said)
        case Reassign():
            return _reassignment(record, own, said, now)
        case _:
            raise Refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW)


def _answer(record: ProjectRecord, own: Own, said: AnswerTask, now: datetime) -> Recorded:
    task = record.tasks.get(said.task_id)
    if task is None or record.workflow_of[task.id] != own.workflow_id:
        raise Refused(RefusalCode.UNKNOWN_TASK)
    if task.status is not TaskStatus.OPEN:
        raise Refused(closed_code(task.status))
    mine = next((one for one in record.people(task, now) if one.person == said.person), None)
    if mine is None:
        raise Refused(RefusalCode.NOT_ASKED)
    problems = answer_problems(record.offered(task), choice=said.choice, reason=said.reason, fields=said.fields)
    if problems:
        raise Refused(problems[0].key)
    if isinstance(own, FakeDispute):
        _check_dispute(own, task, said)
    elif own.waits:
        raise Refused(RefusalCode.TASK_WITHDRAWN)
    elif task.kind is TaskKind.CONTRACT_REVIEW:
        _active(own, own.salesperson)
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
            own.suspects = tuple(str(one) for one in said.fields[SUSPECTS_FIELD])  # type: ignore[union-attr]
        case AnswerChoice.SUPPLY:
            form = ProjectForm.model_validate(said.fields[PROJECT_FORM_FIELD])
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
    return [one.name if one else "" for one in (form.customer, form.end_user, form.channel)]


def _check_dispute(own: FakeDispute, task: FakeTask, said: AnswerTask) -> None:
    if own.project_is_over or own.stage.ended:
        raise Refused(RefusalCode.TASK_WITHDRAWN)
    if said.choice in (AnswerChoice.AGREE, AnswerChoice.DISAGREE) and (own.wanted or own.confirmed >= set(own.sides)):
        raise Refused(RefusalCode.TASK_WITHDRAWN)
    if said.choice == AnswerChoice.AGREE:
        if not said.fields and own.text is None:
            raise Refused("missing")
        unseen = own.text is not None and own.text_round != task.round
        if unseen and said.fields != own.text:
            raise Refused(RefusalCode.AGREEMENT_OUTDATED)
    if said.choice == AnswerChoice.RECORD and said.fields["responsible"] not in own.sides:
        raise Refused("not_among_options")
    if said.choice == AnswerChoice.RECORD and own.called_off:
        raise Refused(RefusalCode.TASK_WITHDRAWN)


def _dispute_answered(own: FakeDispute, task: FakeTask, said: AnswerTask) -> dict[str, Any]:
    match said.choice:
        case AnswerChoice.DISAGREE:
            own.wanted = own.wanted or said.person
        case AnswerChoice.AGREE:
            return _agreed(own, task, said)
        case AnswerChoice.CALLED:
            own.participants = tuple(said.fields["participants"])  # type: ignore[arg-type]
            own.called_off = False
        case AnswerChoice.RECORD:
            own.responsible = str(said.fields["responsible"])
    return {}


def _agreed(own: FakeDispute, task: FakeTask, said: AnswerTask) -> dict[str, Any]:
    """D1: the same text is confirmed, another takes its place."""
    if own.text is not None and (not said.fields or said.fields == own.text):
        own.confirmed.add(task.slot)
        return {"outcome": AnswerOutcome.AGREED if own.confirmed >= set(own.sides) else AnswerOutcome.CONFIRMED}
    own.text, own.text_round, own.confirmed = dict(said.fields), own.round + 1, {task.slot}
    others = tuple(person for person in own.sides if person != task.slot)
    return {
        "round": own.text_round,
        "outcome": AnswerOutcome.PROPOSED if others else AnswerOutcome.AGREED,
        "names": others,
    }


def _of_dispute(record: ProjectRecord, own: FakeDispute, said: Said) -> Recorded:
    match said:
        case CallForMeeting() if own.stage is DisputeStage.AGREED:
            return _stepped_in(record, own.project, said).model_copy(update={"settled": True})
        case CallForMeeting():
            return _meeting_wanted(record, own, said)
        case CallOffMeeting() if own.stage is DisputeStage.MEETING and not own.responsible and not own.called_off:
            own.called_off = True
            record.mail("meeting_called_off", own.participants, said.said_at)
            return Recorded(accepted=True)
        case _:
            raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW)


def _stepped_in(record: ProjectRecord, own: FakeProject, said: CallForMeeting) -> Recorded:
    """D4: a VP concerned or the general manager, after the agreement and before the decision."""
    over = [one for one in record.disputes.values() if one.project is own]
    stages = (ProjectStage.DISPUTED, ProjectStage.APPROVAL, ProjectStage.HELD)
    decided = any(decision.choice in (AnswerChoice.APPROVE, AnswerChoice.REJECT) for decision in record.decided_by(own))
    if not over or over[-1].stage is not DisputeStage.AGREED or own.stage not in stages or own.withdrawn or decided:
        raise Refused(RefusalCode.DISPUTE_NOT_OPEN)
    vps = {record.organisation.vp_of(side) for side in over[-1].sides}
    if said.person not in vps | {person.id for person in record.organisation.holders(Role.GENERAL_MANAGER)}:
        raise Refused(RefusalCode.MAY_NOT_CALL_MEETING)
    own.waits = own.waits or said.person
    return Recorded(accepted=True)


def _meeting_wanted(record: ProjectRecord, own: FakeDispute, said: CallForMeeting) -> Recorded:
    """D2: by a side, a VP concerned or the general manager."""
    sides = {*own.sides, own.project.salesperson}
    vps = {record.organisation.vp_of(side) for side in sides}
    managers = {person.id for person in record.organisation.holders(Role.GENERAL_MANAGER)}
    if said.person not in sides | vps | managers:
        raise Refused(RefusalCode.MAY_NOT_CALL_MEETING)
    if own.stage is not DisputeStage.NEGOTIATION or own.project_is_over or own.confirmed >= set(own.sides):
        raise Refused(RefusalCode.DISPUTE_NOT_OPEN)
    own.wanted = own.wanted or said.person
    return Recorded(accepted=True)


def _active(own: FakeProject, person: str) -> None:
    if person != own.salesperson:
        raise Refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT)
    if own.stage is not ProjectStage.ACTIVE or own.loss or own.contract:
        raise Refused(RefusalCode.PROJECT_NOT_ACTIVE)


def _update(record: ProjectRecord, own: FakeProject, said: UpdateProject, now: datetime) -> Recorded:
    _active(own, said.person)
    if said.update is None:
        raise Refused(RefusalCode.UNREADABLE)
    own.updated_at, own.silences = now, 0
    record.updates.append(Update(said.message_id, now, said.update))
    record.note("project_updated", now, message=said.message_id)
    record.settled.add(said.message_id)
    return Recorded(accepted=True, settled=True, ahead=record.ahead(own), updated_at=now)


def _loss(own: FakeProject, said: ReportLoss) -> Recorded:
    _active(own, said.person)
    if said.loss is None:
        raise Refused(RefusalCode.UNREADABLE)
    own.loss = said.loss.reason
    return Recorded(accepted=True)


def _contract(record: ProjectRecord, own: FakeProject, said: ReceiveContract) -> Recorded:
    """U7: handed in by its salesperson, received by commerce."""
    person, handed_in = record.organisation.person(said.person), said.person == own.salesperson
    own_people = frozenset({own.applicant, own.salesperson})
    if person is None or not (handed_in or may_receive_contract(person, own=own_people)):
        raise Refused(RefusalCode.NOT_COMMERCE_OR_SALESPERSON)
    _active(own, own.salesperson)
    if said.contract is None:
        raise Refused(RefusalCode.UNREADABLE)
    if not handed_in:
        own.contract = str(said.contract.amount)
        return Recorded(accepted=True)
    if own.with_commerce:
        raise Refused(RefusalCode.CONTRACT_REVIEW_OPEN)
    own.with_commerce = True
    return Recorded(accepted=True, asks_commerce=True)


def _objection(own: FakeProject, said: ObjectToRefusal, now: datetime) -> Recorded:
    if said.person != own.salesperson:
        raise Refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT)
    if own.objection:
        raise Refused(RefusalCode.OBJECTION_USED)
    if own.stage is not ProjectStage.REFUSED or own.objection_until is None:
        raise Refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW)
    if not appeal_in_time(said.said_at, now, own.objection_until):
        raise Refused(RefusalCode.OBJECTION_TOO_LATE)
    own.objection = said.reason
    return Recorded(accepted=True)


def _withdrawal(own: FakeProject, said: Withdraw) -> Recorded:
    if said.person != own.salesperson:
        raise Refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT)
    if own.stage.ended or own.stage is ProjectStage.ACTIVE or own.withdrawn:
        raise Refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW)
    own.withdrawn = said.person
    return Recorded(accepted=True)


def _reassignment(record: ProjectRecord, own: FakeProject, said: Reassign, now: datetime) -> Recorded:
    """A6: an operator hands the project to a successor, and with it the open tasks."""
    successor = record.organisation.person(said.to)
    if not said.person.startswith("operator:"):
        raise Refused(RefusalCode.NOT_OPERATOR)
    if successor is None or not successor.active or Role.SALESPERSON not in successor.roles:
        raise Refused(RefusalCode.REASSIGN_UNKNOWN)
    if own.stage.ended:
        raise Refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW)
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
    before = {one.person for one in task.asked}
    task.due_at = due_at(task.kind, task.opened_at, record.policy, record.calendar)
    task.asked = record.people(task, now)
    asked = {one.person for one in task.asked}
    record.mail("task", tuple(sorted(asked - before)), now, task.id)
    record.mail("task_withdrawn", tuple(sorted(before - asked)), now, task.id)

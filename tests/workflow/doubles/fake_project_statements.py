"""What becomes of statements about registrations and disputes on the in-memory record, by the rules of the domain."""

from __future__ import annotations

from datetime import datetime

from activities.disputes import record as dispute_record
from activities.disputes.answers import proposal_after
from activities.disputes.stepping_in import agreement_facts
from activities.projects import record as project_record
from activities.steps import Recorded
from activities.tasks.context import Answered
from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from domain import statements
from domain.disputes import judgements as disputes
from domain.disputes.dispute import WAITS, DisputeStage, MeetingCall, MeetingOutcome
from domain.notices import Notice
from domain.projects import judgements as projects
from domain.projects.contract_review import received
from domain.projects.project import ProjectForm
from domain.projects.rules import CLERK_FIELD, named_suspects
from domain.refusals import RefusalCode, Refused
from domain.tasks.task import AnswerChoice, AnswerOutcome, TaskKind
from tests.workflow.doubles.fake_activities import FakeSteps
from tests.workflow.doubles.fake_project_record import Own, ProjectRecord
from tests.workflow.doubles.fake_record import FakeTask


class FakeProjectStatements(FakeSteps):
    """What becomes of statements about registrations and disputes."""

    record: ProjectRecord

    def judged(self, own: Own, said: statements.Said, now: datetime) -> Recorded:
        """What becomes of a sealed statement. Raises `Refused`."""
        if isinstance(own, DisputeRow):
            return self._of_dispute(own, said, now)
        facts = project_record.facts_of(own)
        match said:
            case statements.CallForMeeting():
                return self._stepped_in(own, said, now)
            case statements.UpdateProject():
                projects.judge_update(facts, said)
                self.record.updates.append(said)
                own = self.record.change(own, updated_at=now, silences=0)
                return Recorded(accepted=True, settled=True, ahead=self.record.ahead(own), updated_at=now)
            case statements.ReportLoss():
                self.record.change(own, loss=projects.judge_loss(facts, said).model_dump())
            case statements.ReceiveContract():
                person = self.record.organisation.person(said.person)
                contract, handed_in = projects.judge_contract(facts, said, person, today=self.record.today(now))
                given = contract.model_dump(mode="json")
                self.record.change(own, **{"contract_application" if handed_in else "contract": given})
                return Recorded(accepted=True, asks_commerce=handed_in)
            case statements.ObjectToRefusal():
                projects.judge_objection(facts, said, now=now)
                self.record.change(own, objection={"reason": said.reason})
            case statements.Withdraw():
                projects.judge_withdrawal(facts, said)
                self.record.change(own, end_reason={"reason": said.reason, "by": said.person})
            case statements.Reassign():
                return self._reassignment(own, said, now)
            case _:
                raise projects.not_at_this_stage(own.stage)
        return Recorded(accepted=True)

    def answered(self, own: Own, task: FakeTask, said: statements.AnswerTask, now: datetime) -> Answered:
        """What follows from an answer that fits its form. Raises `Refused`."""
        if isinstance(own, DisputeRow):
            return self._dispute_answered(own, task, said, now)
        projects.judge_answer(project_record.facts_of(own), task.kind, said, today=self.record.today(now))
        return self._project_answered(own, said)

    def _project_answered(self, own: ProjectRow, said: statements.AnswerTask) -> Answered:
        match said.choice:
            case AnswerChoice.ASSIGN:
                return Answered(names=(str(said.fields[CLERK_FIELD]),))
            case AnswerChoice.SUSPECT:
                self.record.suspected[own.id] = tuple(named_suspects(said.fields))
            case AnswerChoice.SUPPLY:
                form, number = projects.supplied_form(said), own.round + 1
                reroute = _companies(form) != _companies(own.form)
                anew = {"track": None, "agreement": None, "refusal": None, "objection": None} if reroute else {}
                self.record.change(own, form=form, round=number, **anew)
                return Answered(number, AnswerOutcome.REROUTE if reroute else "")
            case AnswerChoice.RECEIVED:
                self.record.change(own, contract=received(said.fields).model_dump(mode="json"))
            case AnswerChoice.SEND_BACK:
                self.record.change(
                    own, contract_application={**(own.contract_application or {}), "sent_back": said.reason}
                )
        return Answered()

    def _dispute_answered(
        self, own: DisputeRow, task: FakeTask, said: statements.AnswerTask, now: datetime
    ) -> Answered:
        organisation, facts = self.record.organisation, dispute_record.facts_of(own, self.record.project_of(own))
        disputes.judge_task_open(facts, said, slot=task.slot)
        match task.kind:
            case TaskKind.CALL_MEETING:
                meeting = disputes.read_fields(MeetingCall, said)
                everybody = [person.id for person in organisation.people]
                disputes.judge_meeting(
                    meeting, organisation, sides=own.sides, invitable=everybody, now=now, prefix="fields."
                )
                called = {**meeting.model_dump(mode="json"), "called_off": None}
                self.record.change(own, meeting={**(own.meeting or {}), **called})
                return Answered()
            case TaskKind.RECORD_MEETING:
                outcome = disputes.read_fields(MeetingOutcome, said)
                disputes.judge_outcome(facts, outcome, organisation, survivor_over=False)
                self.record.change(own, outcome=outcome.model_dump(mode="json"))
                return Answered()
        text = disputes.judge_agreement(facts, said, round=task.round)
        if said.choice == AnswerChoice.DISAGREE:
            self._want_meeting(own, said.person, said.reason, now)
            return Answered()
        effect = disputes.agreement_effect(facts, task.slot, text)
        proposal = proposal_after(own, effect, text, slot=task.slot, task_id=task.id, reason=said.reason)
        self.record.change(own, proposal=proposal)
        return Answered(None if effect.confirms else proposal["round"], effect.outcome, effect.ask)

    def _want_meeting(self, own: DisputeRow, person: str, reason: str, now: datetime) -> None:
        if own.wanted is None:  # D2
            wanted = disputes.meeting_wanted(self.record.organisation, own.sides, person=person, reason=reason, now=now)
            self.record.change(own, meeting={"wanted": wanted})

    def _of_dispute(self, own: DisputeRow, said: statements.Said, now: datetime) -> Recorded:
        facts = dispute_record.facts_of(own, self.record.project_of(own))
        match said:
            case statements.CallForMeeting() if own.stage is DisputeStage.AGREED:
                return self._stepped_in(self.record.project_of(own), said, now).model_copy(update={"settled": True})
            case statements.CallForMeeting():
                disputes.judge_call_for_meeting(facts, said, self.record.organisation, now)
                self._want_meeting(own, said.person, said.reason, now)
            case statements.CallOffMeeting():
                disputes.judge_called_off_meeting(facts, self.record.organisation.person(said.person))
                meeting = own.meeting or {}
                self.record.mail("meeting_called_off", meeting["participants"])
                self.record.change(own, meeting={**meeting, "called_off": {"by": said.person}})
            case _:
                raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW, stage=own.stage.value)
        return Recorded(accepted=True)

    def _stepped_in(self, own: ProjectRow, said: statements.CallForMeeting, now: datetime) -> Recorded:
        """D4."""
        decisions = (AnswerChoice.APPROVE, AnswerChoice.REJECT)
        decided = any(decision.choice in decisions for decision in self.record.decided_by(own))
        facts = agreement_facts(own, self.record.disputes_over(own), decided=decided)
        agreed, first = disputes.judge_stepping_in(facts, said, self.record.organisation, now)
        if first:
            wanted = disputes.meeting_wanted(
                self.record.organisation, agreed.sides, person=said.person, reason=said.reason, now=now
            )
            self.record.change(own, agreement={**(own.agreement or {}), WAITS: wanted})
        return Recorded(accepted=True, settled=not first)

    def _reassignment(self, own: ProjectRow, said: statements.Reassign, now: datetime) -> Recorded:
        """A6: an operator hands the project to a successor, and with it the open tasks."""
        successor = projects.judge_reassignment(project_record.facts_of(own), said, self.record.organisation)
        handed_on = self.record.change(own, salesperson=successor.id)
        still_open = self.record.open_of(own)
        for task in still_open:
            task.slot = successor.id if task.slot == own.salesperson else task.slot
            self.record.refresh(task, now)
        self.notify(handed_on, Notice.REASSIGNED, [own.salesperson])
        return Recorded(accepted=True, settled=True, tasks=tuple(self.record.known(task, now) for task in still_open))


def _companies(form: ProjectForm) -> list[str]:
    return [company.name if company else "" for company in (form.customer, form.end_user, form.channel)]

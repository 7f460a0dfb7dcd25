"""The activities of registrations and disputes on an in-memory record: same names, same messages, same rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import partial
from typing import Any

from activities import steps
from activities.conflicts.collisions import keyed_parties
from activities.disputes import record as dispute_record
from activities.disputes.answers import proposal_after
from activities.disputes.opening import row_of
from activities.disputes.record import outcome_on_record, project_is_over, shelved
from activities.disputes.stepping_in import agreement_facts
from activities.projects import record as project_record
from activities.tasks.context import Answered, IllegalTransition
from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from domain import statements
from domain.disputes import judgements as disputes
from domain.disputes import transitions as dispute_transitions
from domain.disputes.dispute import WAITS, Claimant, DisputeStage, MeetingCall, MeetingOutcome, Origin, agreement_waits
from domain.notices import Notice
from domain.projects import judgements as projects
from domain.projects import transitions as project_transitions
from domain.projects.contract_review import corrected, received
from domain.projects.project import ProjectStage
from domain.projects.rules import CLERK_FIELD, named_suspects, recipients_of_project, track_of
from domain.projects.silence import Silence, reminder_problem
from domain.refusals import RefusalCode, Refused
from domain.tasks.deadlines import objection_until
from domain.tasks.task import AnswerChoice, AnswerOutcome, TaskKind, TaskStatus
from tests.workflow.doubles.fake_activities import FakeSteps, require, step_of, workflow_id
from tests.workflow.doubles.fake_record import FakeTask, Own, ProjectRecord

_REMINDERS = {Silence.TWO_WEEKS: Notice.SILENT_TWO_WEEKS, Silence.ONE_MONTH: Notice.SILENT_ONE_MONTH}


class FakeProjectActivities(FakeSteps):
    """What a worker runs in place of the real activities, for registrations and disputes."""

    record: ProjectRecord

    @step_of("register_project")
    def register_project(self, step: steps.RegisterStep) -> steps.Registered:
        record, said = self.record, step.statement
        refused = steps.Registered(accepted=False, project_id=said.project_id)
        if not self.begins(said, step.now, form=said.form):
            return refused
        old = record.projects.get(said.resumes or "")
        record.heard.add(said.message_id)
        record.settled.add(said.message_id)
        person, resumed = record.organisation.person(said.person), (old.stage, old.salesperson) if old else None
        try:
            projects.judge_registration(said, person, resumed=resumed)
        except Refused as refusal:
            record.refused.append((said.message_id, refusal.code))
            return refused
        assert said.form is not None
        record.rows[said.project_id] = project_record.row_of(
            said, said.form, workflow_id=workflow_id(), department=None, policy_digest="", now=step.now
        )
        return steps.Registered(
            accepted=True,
            project_id=said.project_id,
            title=f"{said.project_id} · {said.person.title()}",
            salesperson=said.person,
            resumes=said.resumes is not None,
        )

    @step_of("route_project")
    def route_project(self, step: steps.RouteStep) -> steps.Routed:
        project = self.own
        require("it is not looking for its way" if project.stage is not ProjectStage.ROUTING else None)
        track = track_of(project.salesperson, [account.person for account in self.record.accounts])
        project = self.record.change(project, track=track)
        self.record.note("routed", step.now, track=track.value)
        return steps.Routed(track=track, claimants=self.record.account_holders(project))

    @step_of("find_suspects")
    def find_suspects(self, step: steps.SuspectsStep) -> steps.Suspects:
        project = self.own
        suspected = (step.task_id, AnswerChoice.SUSPECT)
        decided = [(decision.task_id, decision.choice) for decision in self.record.decided_by(project)]
        require("nobody has suspected a conflict" if suspected not in decided else None)
        return steps.Suspects(claimants=self.record.suspects(project))

    @step_of("approve_project")
    def approve_project(self, step: steps.ApproveProjectStep) -> steps.ApprovedProject:
        record, project = self.record, self.own
        approved = any(decision.choice == AnswerChoice.APPROVE for decision in record.decided_by(project))
        withdrawn = bool(project.end_reason)
        require(project_transitions.approval_problem(project.stage, approved=approved, withdrawn=withdrawn))
        record.issued += 1
        number = record.policy.projects.number(record.today(step.now).year, record.issued)
        project = record.change(project, number=number, stage=ProjectStage.ACTIVE, updated_at=step.now, silences=0)
        self.notify(project, Notice.PROJECT_APPROVED)
        record.settled.update(step.settles)
        return steps.ApprovedProject(number=number, ahead=record.ahead(project), updated_at=step.now)

    @step_of("remind_of_silence")
    def remind_of_silence(self, step: steps.SilenceStep) -> steps.Reminded:
        project, ahead = self.own, self.record.ahead(self.own)
        require("it is not active" if project.stage is not ProjectStage.ACTIVE else None)
        require(reminder_problem(ahead, step.silence, step.now))
        self.record.change(project, silences=project.silences + 1)
        self.notify(project, _REMINDERS[step.silence])
        self.record.note("silence", step.now, subject=project.id, silence=step.silence.value)
        return steps.Reminded(ahead=ahead[1:])

    @step_of("open_dispute")
    def open_dispute(self, step: steps.OpenDisputeStep) -> steps.DisputeOpened:
        record, project = self.record, self.record.projects.get(step.project_id)
        if project is None or project.stage is not ProjectStage.DISPUTED or not step.claimants:
            raise IllegalTransition(f"{workflow_id()} has no disputed project {step.project_id}")
        since = project.registered_at
        own = Claimant(person=project.salesperson, subject_type="project", subject_id=project.id, since=since)
        claimants, wanted = (own, *step.claimants), agreement_waits(project.agreement)
        if wanted:  # D4: between those who have agreed
            claimants = record.disputes_over(project)[-1].claimants
        elif step.origin is Origin.OBJECTION:
            wanted = next(
                {"by": decision.person, "at": step.now.isoformat()}
                for decision in record.decided_by(project)
                if decision.choice == AnswerChoice.CALL_MEETING
            )
        meeting = {"wanted": wanted} if wanted else None
        dispute = record.rows[step.dispute_id] = row_of(step, claimants, meeting, workflow_id=workflow_id())
        names = "、".join(record.organisation.name_of(person) for person in dispute.sides)
        return steps.DisputeOpened(
            title=f"{dispute.id} · {names}",
            applicant=project.applicant,
            sides=dispute.sides,
            meeting_wanted=dispute.wanted is not None,
        )

    @step_of("end_broken_dispute")
    def end_broken_dispute(self, step: steps.BrokenDisputeStep) -> steps.BrokenDispute:
        record, project, own = self.record, self.own, self.record.disputes.get(step.dispute_id)
        if own is None:
            return steps.BrokenDispute()
        require("the dispute is over another project" if own.project_id != project.id else None)
        if own.stage in (DisputeStage.AGREED, DisputeStage.DECIDED):
            return steps.BrokenDispute(outcome=outcome_on_record(own, project))
        record.change(own, stage=DisputeStage.WITHDRAWN)
        for task in record.open_of(own):
            task.status = TaskStatus.WITHDRAWN
        return steps.BrokenDispute()

    @step_of("correct_contract")
    def correct_contract(self, step: steps.CorrectContractStep) -> steps.ContractCorrected:
        said = step.statement
        if not self.begins(said, step.now, form=said.correction):
            return steps.ContractCorrected(accepted=False)
        project = self.record.projects[said.project_id]
        person = self.record.organisation.person(said.person)
        try:
            signed = projects.signed_amount(project.stage, project.contract)
            own = project.statement_facts.own_people
            correction = projects.judge_correction(said, person, signed=signed, own=own)
        except Refused:
            return steps.ContractCorrected(accepted=False)
        at = step.now.isoformat()
        self.record.change(project, contract=corrected(project.contract or {}, correction, by=said.person, at=at))
        return steps.ContractCorrected(accepted=True)

    def enter(self, own: Own, step: steps.MoveStep) -> steps.Moved:
        if isinstance(own, ProjectRow):
            return self._project_enters(own, ProjectStage(step.stage), step.now)
        return self._dispute_enters(own, DisputeStage(step.stage), step.now)

    def _project_enters(self, own: ProjectRow, stage: ProjectStage, now: datetime) -> steps.Moved:
        record, until = self.record, None
        facts = project_record.transition_facts(
            own,
            now=now,
            choices={decision.choice for decision in record.decided_by(own)},
            still_open={task.kind for task in record.open_of(own)},
            disputes=[dispute.stage for dispute in record.disputes_over(own)],
            ahead=record.ahead(own),
            stands_still=record.stands_still(own, now),
        )
        require(project_transitions.transition_problem(facts, stage))
        if stage is own.stage is ProjectStage.ACTIVE:
            own = record.change(own, updated_at=now, silences=0)
            return steps.Moved(ahead=record.ahead(own), updated_at=now)
        values: dict[str, Any] = {"stage": stage}
        if own.stage is ProjectStage.RESUME_REVIEW and stage is ProjectStage.ROUTING:
            values["registered_at"] = now
        if stage is ProjectStage.REFUSED:
            until = objection_until(now, record.policy, record.calendar)
            values["refusal"] = {"objection_until": until.isoformat()}
        record.change(own, **values)
        return steps.Moved(until=until)

    def _dispute_enters(self, own: DisputeRow, stage: DisputeStage, now: datetime) -> steps.Moved:
        record, project, outcome = self.record, self.record.project_of(own), None
        facts = dispute_record.transition_facts(
            own, project, agreed=own.all_confirmed, stands_still=record.stands_still(own, now)
        )
        require(dispute_transitions.transition_problem(facts, stage))
        if own.stage.ended:
            return steps.Moved()
        values: dict[str, Any] = {"stage": stage}
        match stage:
            case DisputeStage.NEGOTIATION if own.proposal:
                values["round"] = own.proposal["round"]
            case DisputeStage.AGREED | DisputeStage.DECIDED:
                own = record.change(own, outcome=own.outcome or own.proposal, stage=stage)
                outcome = outcome_on_record(own, project)
                if not project_is_over(project):  # D1, D2: it stands in every registration that is a side
                    agreement = {**(own.outcome or {}), "dispute": own.id}
                    record.change(project, salesperson=outcome.responsible, agreement=agreement)
                    sides = [side.subject_id for side in own.claimants if side.subject_type == "project"]
                    record.bound += dict.fromkeys([project.id, *sides])
            case DisputeStage.WITHDRAWN:
                by = (project.end_reason or {}).get("by")
                record.mail(Notice.PROJECT_WITHDRAWN.value, [side for side in own.sides if side != by])
            case DisputeStage.SHELVED:
                outcome = shelved(project)
        record.change(own, **values)
        return steps.Moved(outcome=outcome)

    def recipients(self, own: Own, notice: Notice, involved: Iterable[str]) -> tuple[str, ...]:
        record, told = self.record, partial(recipients_of_project, notice, self.record.organisation)
        if isinstance(own, DisputeRow):
            invited = (own.called or {}).get("participants", ())
            over = project_is_over(record.project_of(own))
            return () if over else told(salesperson=own.sides[0], claimants=own.claimants, involved=invited)
        claimants: tuple[Claimant, ...] = ()
        match notice:
            case Notice.REGISTERED_UNDER_ACCOUNT | Notice.PROJECT_APPROVED | Notice.PROJECT_REJECTED:
                claimants, involved = record.account_holders(own), (own.applicant,)
            case Notice.CONFLICT_REFUSED:
                claimants = record.suspects(own)
            case Notice.CONTRACT_SIGNED:
                involved = ()
        return told(salesperson=own.salesperson, claimants=claimants, involved=involved)

    # Statements and answers.

    def judged(self, own: Own, said: statements.Said, now: datetime) -> steps.Recorded:
        """What becomes of a sealed statement. Raises `Refused`."""
        if isinstance(own, DisputeRow):
            return self._of_dispute(own, said, now)
        facts = own.statement_facts
        match said:
            case statements.CallForMeeting():
                return self._stepped_in(own, said, now)
            case statements.UpdateProject():
                projects.judge_update(facts, said)
                self.record.updates.append(said)
                own = self.record.change(own, updated_at=now, silences=0)
                return steps.Recorded(accepted=True, settled=True, ahead=self.record.ahead(own), updated_at=now)
            case statements.ReportLoss():
                self.record.change(own, loss=projects.judge_loss(facts, said).model_dump())
            case statements.ReceiveContract():
                person = self.record.organisation.person(said.person)
                contract, handed_in = projects.judge_contract(facts, said, person, today=self.record.today(now))
                given = contract.model_dump(mode="json")
                self.record.change(own, **{"contract_application" if handed_in else "contract": given})
                return steps.Recorded(accepted=True, asks_commerce=handed_in)
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
        return steps.Recorded(accepted=True)

    def answered(self, own: Own, task: FakeTask, said: statements.AnswerTask, now: datetime) -> Answered:
        """What follows from an answer that fits its form. Raises `Refused`."""
        if isinstance(own, DisputeRow):
            return self._dispute_answered(own, task, said, now)
        projects.judge_answer(own.statement_facts, task.kind, said, today=self.record.today(now))
        match said.choice:
            case AnswerChoice.ASSIGN:
                return Answered(names=(str(said.fields[CLERK_FIELD]),))
            case AnswerChoice.SUSPECT:
                self.record.suspected[own.id] = tuple(named_suspects(said.fields))
            case AnswerChoice.SUPPLY:
                form, number = projects.supplied_form(said), own.round + 1
                reroute = keyed_parties(form) != keyed_parties(own.form)
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

    def _wanted(self, sides: Collection[str], **said: Any) -> dict[str, str]:
        return disputes.meeting_wanted(self.record.organisation, sides, **said)

    def _want_meeting(self, own: DisputeRow, person: str, reason: str, now: datetime) -> None:
        if own.wanted is None:  # D2
            self.record.change(own, meeting={"wanted": self._wanted(own.sides, person=person, reason=reason, now=now)})

    def _of_dispute(self, own: DisputeRow, said: statements.Said, now: datetime) -> steps.Recorded:
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
        return steps.Recorded(accepted=True)

    def _stepped_in(self, own: ProjectRow, said: statements.CallForMeeting, now: datetime) -> steps.Recorded:
        """D4."""
        decisions = (AnswerChoice.APPROVE, AnswerChoice.REJECT)
        decided = any(decision.choice in decisions for decision in self.record.decided_by(own))
        facts = agreement_facts(own, self.record.disputes_over(own), decided=decided)
        agreed, first = disputes.judge_stepping_in(facts, said, self.record.organisation, now)
        if first:
            wanted = self._wanted(agreed.sides, person=said.person, reason=said.reason, now=now)
            self.record.change(own, agreement={**(own.agreement or {}), WAITS: wanted})
        return steps.Recorded(accepted=True, settled=not first)

    def _reassignment(self, own: ProjectRow, said: statements.Reassign, now: datetime) -> steps.Recorded:
        """A6: an operator hands the project to a successor, and with it the open tasks."""
        successor = projects.judge_reassignment(own.statement_facts, said, self.record.organisation)
        handed_on = self.record.change(own, salesperson=successor.id)
        still_open = self.record.open_of(own)
        for task in still_open:
            task.slot = successor.id if task.slot == own.salesperson else task.slot
        self.notify(handed_on, Notice.REASSIGNED, [own.salesperson])
        return steps.Recorded(
            accepted=True, settled=True, tasks=tuple(self.record.refresh(task, now) for task in still_open)
        )

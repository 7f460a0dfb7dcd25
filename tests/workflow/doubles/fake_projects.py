"""The activities of registrations and disputes on an in-memory record: same names, same messages, same rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from activities import steps
from activities.disputes import record as dispute_record
from activities.disputes.opening import row_of
from activities.disputes.record import outcome_on_record, project_is_over, shelved
from activities.projects import record as project_record
from activities.tasks.context import IllegalTransition
from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from domain.disputes import transitions as dispute_transitions
from domain.disputes.dispute import Claimant, DisputeOutcome, DisputeStage, Origin, agreement_waits
from domain.notices import Notice
from domain.projects import transitions as project_transitions
from domain.projects.contract_review import corrected
from domain.projects.judgements import judge_correction, judge_registration, signed_amount
from domain.projects.project import ProjectStage
from domain.projects.rules import recipients_of_project, track_of
from domain.projects.silence import Silence, reminder_problem
from domain.refusals import Refused
from domain.tasks.deadlines import objection_until
from domain.tasks.task import AnswerChoice, TaskStatus
from tests.workflow.doubles.fake_activities import require, step_of, workflow_id
from tests.workflow.doubles.fake_project_record import Own
from tests.workflow.doubles.fake_project_statements import FakeProjectStatements

_REMINDERS = {Silence.TWO_WEEKS: Notice.SILENT_TWO_WEEKS, Silence.ONE_MONTH: Notice.SILENT_ONE_MONTH}


class FakeProjectActivities(FakeProjectStatements):
    """What a worker runs in place of the real activities, for registrations and disputes."""

    @step_of("register_project")
    def register_project(self, step: steps.RegisterStep) -> steps.Registered:
        record, said = self.record, step.statement
        refused = steps.Registered(accepted=False, project_id=said.project_id)
        if not self.begins(said, step.now, form=said.form):
            return refused
        if said.project_id in record.rows:
            raise LookupError("this project exists")
        old = record.projects.get(said.resumes or "")
        record.heard.add(said.message_id)
        record.settled.add(said.message_id)
        person, resumed = record.organisation.person(said.person), (old.stage, old.salesperson) if old else None
        try:
            judge_registration(said, person, resumed=resumed)
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
        if project.stage is not ProjectStage.ROUTING:
            raise IllegalTransition(f"{project.id} is not looking for its way")
        track = track_of(project.salesperson, [account.person for account in self.record.accounts])
        project = self.record.change(project, track=track)
        self.record.note("routed", step.now, track=track.value)
        return steps.Routed(track=track, claimants=self.record.account_holders(project))

    @step_of("find_suspects")
    def find_suspects(self, step: steps.SuspectsStep) -> steps.Suspects:
        project = self.own
        suspected = (step.task_id, AnswerChoice.SUSPECT)
        if suspected not in [(decision.task_id, decision.choice) for decision in self.record.decided_by(project)]:
            raise IllegalTransition(f"{project.id}: nobody has suspected a conflict")
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
        problem = reminder_problem(ahead, step.silence, step.now)
        if project.stage is not ProjectStage.ACTIVE or problem:
            raise IllegalTransition(f"{project.id}: {problem or project.stage.value}")
        self.record.change(project, silences=project.silences + 1)
        self.notify(project, _REMINDERS[step.silence])
        self.record.note("silence", step.now, subject=project.id, silence=step.silence.value)
        return steps.Reminded(ahead=ahead[1:])

    @step_of("open_dispute")
    def open_dispute(self, step: steps.OpenDisputeStep) -> steps.DisputeOpened:
        record = self.record
        project = record.projects.get(step.project_id)
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
        record = self.record
        project, own = self.own, record.disputes.get(step.dispute_id)
        if own is None:
            return steps.BrokenDispute()
        if own.project_id != project.id:
            raise IllegalTransition(f"{project.id} has no dispute {own.id}")
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
            signed = signed_amount(project.stage, project.contract)
            own = project_record.facts_of(project).own_people
            correction = judge_correction(said, person, signed=signed, own=own)
        except Refused:
            return steps.ContractCorrected(accepted=False)
        contract = corrected(project.contract or {}, correction, by=said.person, at=step.now.isoformat())
        self.record.change(project, contract=contract)
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
                outcome = self._bound(own, project)
            case DisputeStage.WITHDRAWN:
                by = (project.end_reason or {}).get("by")
                record.mail(Notice.PROJECT_WITHDRAWN.value, [side for side in own.sides if side != by])
            case DisputeStage.SHELVED:
                outcome = shelved(project)
        record.change(own, **values)
        return steps.Moved(outcome=outcome)

    def _bound(self, own: DisputeRow, project: ProjectRow) -> DisputeOutcome:
        """D1, D2: the outcome stands in every registration that is a side."""
        outcome = outcome_on_record(own, project)
        if not project_is_over(project):
            agreement = {**(own.outcome or {}), "dispute": own.id}
            self.record.change(project, salesperson=outcome.responsible, agreement=agreement)
            sides = [side.subject_id for side in own.claimants if side.subject_type == "project"]
            self.record.bound += dict.fromkeys([project.id, *sides])
        return outcome

    def recipients(self, own: Own, notice: Notice, involved: Iterable[str]) -> tuple[str, ...]:
        salesperson, claimants = self._sides(own, notice)
        if isinstance(own, DisputeRow):
            involved = (own.called or {}).get("participants", ())
        elif notice in (Notice.PROJECT_APPROVED, Notice.PROJECT_REJECTED):
            involved = (own.applicant,)
        elif notice is Notice.CONTRACT_SIGNED:
            involved = ()
        return recipients_of_project(
            notice, self.record.organisation, salesperson=salesperson, claimants=claimants, involved=involved
        )

    def _sides(self, own: Own, notice: Notice) -> tuple[str, tuple[Claimant, ...]]:
        if isinstance(own, DisputeRow):
            return own.sides[0], own.claimants
        if notice in (Notice.REGISTERED_UNDER_ACCOUNT, Notice.PROJECT_APPROVED, Notice.PROJECT_REJECTED):
            return own.salesperson, self.record.account_holders(own)
        return own.salesperson, self.record.suspects(own) if notice is Notice.CONFLICT_REFUSED else ()

    def notify(self, own: Own, notice: Notice, involved: Iterable[str] = ()) -> None:
        if isinstance(own, ProjectRow) or not project_is_over(self.record.project_of(own)):
            super().notify(own, notice, involved)

"""The activities of registrations on an in-memory record: same names, same messages, same rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from activities import steps
from activities.conflicts.collisions import keyed_parties
from activities.disputes.record import project_is_over
from activities.projects import record as project_record
from activities.tasks.context import Answered
from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from domain import statements
from domain.disputes.dispute import Claimant, DisputeStage
from domain.notices import Notice
from domain.projects import judgements as projects
from domain.projects import transitions as project_transitions
from domain.projects.contract_review import corrected, on_record, received
from domain.projects.project import ContractReview, ProjectStage
from domain.projects.rules import CLERK_FIELD, named_suspects, recipients_of_project, track_of
from domain.projects.silence import Silence, reminder_problem
from domain.refusals import RefusalCode, Refused
from domain.tasks.deadlines import objection_until
from domain.tasks.task import AnswerChoice, AnswerOutcome
from tests.workflow.doubles.fake_activities import goes_on, require, step_of, workflow_id
from tests.workflow.doubles.fake_disputes import FakeDisputeActivities
from tests.workflow.doubles.fake_record import FakeTask, Own, ProjectRecord

_REMINDERS = {Silence.TWO_WEEKS: Notice.SILENT_TWO_WEEKS, Silence.ONE_MONTH: Notice.SILENT_ONE_MONTH}


class FakeProjectActivities(FakeDisputeActivities):
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
            judged = projects.judge_registration(said, person, resumed=resumed)
            if said.resumes and any(
                row.resumes == said.resumes and not _given_up(row) for row in record.projects.values()
            ):
                raise Refused(RefusalCode.RESUME_RUNNING)
        except Refused as refusal:
            record.refused.append((said.message_id, refusal.code))
            return refused
        assert said.form is not None
        record.rows[said.project_id] = project_record.row_of(
            said, said.form, workflow_id=workflow_id(), department=judged.department, policy_digest="", now=step.now
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
        goes_on(project)
        require("it is not looking for its way" if project.stage is not ProjectStage.ROUTING else None)
        track = track_of(project.salesperson, [account.person for account in self.record.accounts])
        project = self.record.change(project, track=track)
        self.record.note("routed", step.now, track=track.value)
        return steps.Routed(track=track, claimants=self.record.account_holders(project))

    @step_of("find_suspects")
    def find_suspects(self, step: steps.SuspectsStep) -> steps.Suspects:
        project = self.own
        goes_on(project)
        suspected = (step.task_id, AnswerChoice.SUSPECT)
        decided = [(decision.task_id, decision.choice) for decision in self.record.decided_by(project)]
        require("nobody has suspected a conflict" if suspected not in decided else None)
        return steps.Suspects(claimants=self.record.suspects(project))

    @step_of("approve_project")
    def approve_project(self, step: steps.ApproveProjectStep) -> steps.ApprovedProject:
        record, project = self.record, self.own
        goes_on(project)
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
        goes_on(project)
        require("it is not active" if project.stage is not ProjectStage.ACTIVE else None)
        require(reminder_problem(ahead, step.silence, step.now))
        self.record.change(project, silences=project.silences + 1)
        self.notify(project, _REMINDERS[step.silence])
        self.record.note("silence", step.now, subject=project.id, silence=step.silence.value)
        return steps.Reminded(ahead=ahead[1:])

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
        except Refused as refusal:
            self.record.refused.append((said.message_id, refusal.code))
            return steps.ContractCorrected(accepted=False)
        at = step.now.isoformat()
        self.record.change(project, contract=corrected(project.contract or {}, correction, by=said.person, at=at))
        return steps.ContractCorrected(accepted=True)

    def enter(self, own: Own, step: steps.MoveStep) -> steps.Moved:
        if isinstance(own, ProjectRow):
            return self._project_enters(own, ProjectStage(step.stage), step.now)
        return self.dispute_enters(own, DisputeStage(step.stage), step.now)

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
            return self.of_dispute(own, said, now)
        facts = own.statement_facts
        match said:
            case statements.CallForMeeting():
                return self.stepped_in(own, said, now)
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
                if handed_in:
                    kept = {**contract.model_dump(mode="json"), "by": said.person, "at": now.isoformat()}
                    self.record.change(own, contract_application=kept)
                else:
                    self._receives(own, contract, said.person, now)
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
            return self.dispute_answered(own, task, said, now)
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
                self._receives(own, received(said.fields), said.person, now)
            case AnswerChoice.SEND_BACK:
                why = {"reason": said.reason, "by": said.person, "at": now.isoformat()}
                self.record.change(own, contract_application={**(own.contract_application or {}), "sent_back": why})
        return Answered()

    def _receives(self, own: ProjectRow, contract: ContractReview, by: str, now: datetime) -> None:
        """U7."""
        kept = on_record(contract, today=self.record.today(now), by=by, at=now.isoformat())
        self.record.change(own, contract=kept)

    def _reassignment(self, own: ProjectRow, said: statements.Reassign, now: datetime) -> steps.Recorded:
        """A6: an operator hands the project to a successor, and with it the open tasks."""
        successor = projects.judge_reassignment(own.statement_facts, said, self.record.organisation)
        handed_on = self.record.change(own, salesperson=successor.id, department=successor.department)
        self.record.hand_on(own, own.salesperson, successor.id)
        self.hand_on_sides(own.id, own.salesperson, successor.id)
        still_open = self.record.open_of(own)
        self.notify(handed_on, Notice.REASSIGNED, [own.salesperson])
        return steps.Recorded(
            accepted=True, settled=True, tasks=tuple(self.record.refresh(task, now) for task in still_open)
        )


def _given_up(row: ProjectRow) -> bool:
    """U6: a resumption that came to nothing; what it was to resume may be resumed again."""
    return row.stage in (ProjectStage.REJECTED, ProjectStage.CLOSED_REFUSED, ProjectStage.WITHDRAWN)

"""The activities of registrations and disputes on an in-memory record: same names, same messages, same rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from activities.disputes import record as dispute_record
from activities.disputes.record import outcome_on_record, project_is_over, shelved
from activities.projects import record as project_record
from activities.projects.record import facts_of
from activities.steps import (
    ApprovedProject,
    ApproveProjectStep,
    BrokenDispute,
    BrokenDisputeStep,
    ContractCorrected,
    CorrectContractStep,
    DisputeOpened,
    Moved,
    MoveStep,
    OpenDisputeStep,
    Recorded,
    Refreshed,
    RefreshStep,
    Registered,
    RegisterStep,
    Reminded,
    Routed,
    RouteStep,
    SilenceStep,
    Suspects,
    SuspectsStep,
)
from activities.tasks.context import IllegalTransition, SubjectOver
from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from domain.disputes import transitions as dispute_transitions
from domain.disputes.dispute import Claimant, DisputeOutcome, DisputeStage, Origin, agreement_waits
from domain.notices import Notice
from domain.projects import transitions as project_transitions
from domain.projects.contract_review import corrected
from domain.projects.judgements import judge_correction, judge_registration, signed_amount
from domain.projects.project import ProjectStage, Track
from domain.projects.rules import recipients_of_project, track_of
from domain.projects.silence import Silence, reminder_problem
from domain.refusals import Refused
from domain.statements import AnswerTask, Said
from domain.tasks.deadlines import objection_until
from domain.tasks.task import AnswerChoice, TaskStatus
from tests.workflow.doubles.fake_activities import FakeActivities, is_sealed, step_of, workflow_id
from tests.workflow.doubles.fake_project_record import Own, ProjectRecord
from tests.workflow.doubles.fake_project_statements import answered, judged
from tests.workflow.doubles.fake_record import FakeTask

_REMINDERS = {
    Silence.TWO_WEEKS: Notice.SILENT_TWO_WEEKS,
    Silence.ONE_MONTH: Notice.SILENT_ONE_MONTH,
}
_OF_BOTH_SIDES = (
    Notice.REGISTERED_UNDER_ACCOUNT,
    Notice.PROJECT_APPROVED,
    Notice.PROJECT_REJECTED,
)


class FakeProjectActivities(FakeActivities):
    """What a worker runs in place of the real activities, for registrations and disputes."""

    record: ProjectRecord

    record_statement = FakeActivities.record_statement
    remind_or_escalate = FakeActivities.remind_or_escalate
    sift_messages = FakeActivities.sift_messages

    def _own(self, step: Any) -> Own:
        return self.record.subject(step.subject, workflow_id())

    def _judged(self, own: Own, said: Said, now: datetime) -> Recorded:
        return self._answer(own, said, now) if isinstance(said, AnswerTask) else judged(self.record, own, said, now)

    def _answered(self, own: Own, task: FakeTask, answer: AnswerTask, now: datetime) -> dict[str, Any]:
        return answered(self.record, own, task, answer, now)

    @step_of("register_project")
    def register_project(self, step: RegisterStep) -> Registered:
        record, said = self.record, step.statement
        refused = Registered(accepted=False, project_id=said.project_id)
        if not is_sealed(said) or said.form is None:
            record.note("statement_unsealed", step.now)
            return refused
        if said.project_id in record.projects:
            raise LookupError("this project exists")
        old = record.projects.get(said.resumes or "")
        record.heard.add(said.message_id)
        record.settled.add(said.message_id)
        try:
            judge_registration(
                said,
                record.organisation.person(said.person),
                resumed=(old.stage, old.salesperson) if old else None,
            )
        except Refused as refusal:
            record.refused.append((said.message_id, refusal.code))
            return refused
        record.projects[said.project_id] = ProjectRow(
            id=said.project_id,
            workflow_id=said.workflow_id,
            applicant=said.person,
            salesperson=said.person,
            department=None,
            stage=ProjectStage.RESUME_REVIEW if said.resumes else ProjectStage.ROUTING,
            round=1,
            form=said.form,
            policy_digest="",
            registered_at=step.now,
            stage_since=step.now,
            resumes=said.resumes,
        )
        return Registered(
            accepted=True,
            project_id=said.project_id,
            title=f"{said.project_id} · {said.person.title()}",
            salesperson=said.person,
            resumes=said.resumes is not None,
        )

    @step_of("route_project")
    def route_project(self, step: RouteStep) -> Routed:
        project = self.record.project(step.subject, workflow_id())
        if project.stage is not ProjectStage.ROUTING:
            raise IllegalTransition(f"{project.id} is not looking for its way")
        track = track_of(project.salesperson, [account.person for account in self.record.accounts])
        self.record.change(project, track=track)
        self.record.note("routed", step.now, track=track.value)
        others = self._accounts_of_others(project) if track is Track.OTHER_ACCOUNT else ()
        return Routed(track=track, claimants=others)

    def _accounts_of_others(self, project: ProjectRow) -> tuple[Claimant, ...]:
        return tuple(account for account in self.record.accounts if account.person != project.salesperson)

    @step_of("find_suspects")
    def find_suspects(self, step: SuspectsStep) -> Suspects:
        project = self.record.project(step.subject, workflow_id())
        if not any(
            decision.task_id == step.task_id and decision.choice == AnswerChoice.SUSPECT
            for decision in self.record.decided_by(project)
        ):
            raise IllegalTransition(f"{project.id}: nobody has suspected a conflict")
        return Suspects(claimants=self._suspected(project))

    def _suspected(self, project: ProjectRow) -> tuple[Claimant, ...]:
        suspected = self.record.suspected.get(project.id, ())
        return tuple(claim for claim in self.record.registered if claim.subject_id in suspected)

    @step_of("approve_project")
    def approve_project(self, step: ApproveProjectStep) -> ApprovedProject:
        record = self.record
        project = record.project(step.subject, workflow_id())
        approved = any(decision.choice == AnswerChoice.APPROVE for decision in record.decided_by(project))
        withdrawn = bool(project.end_reason)
        self._require(
            project_transitions.approval_problem(project.stage, approved=approved, withdrawn=withdrawn), project
        )
        record.issued += 1
        year = step.now.astimezone(ZoneInfo(record.policy.time_zone)).year
        number = record.policy.projects.number(year, record.issued)
        project = record.change(project, number=number, stage=ProjectStage.ACTIVE, updated_at=step.now, silences=0)
        self._tell_of_project(project, Notice.PROJECT_APPROVED, step.now, ())
        record.settled.update(step.settles)
        record.note("approved", step.now, number=number)
        return ApprovedProject(number=number, ahead=record.ahead(project), updated_at=step.now)

    @step_of("remind_of_silence")
    def remind_of_silence(self, step: SilenceStep) -> Reminded:
        project = self.record.project(step.subject, workflow_id())
        ahead = self.record.ahead(project)
        problem = reminder_problem(ahead, step.silence, step.now)
        if project.stage is not ProjectStage.ACTIVE or problem:
            raise IllegalTransition(f"{project.id}: {problem or project.stage.value}")
        self.record.change(project, silences=project.silences + 1)
        self._tell_of_project(project, _REMINDERS[step.silence], step.now, ())
        self.record.note("silence", step.now, subject=project.id, silence=step.silence.value)
        return Reminded(ahead=ahead[1:])

    @step_of("open_dispute")
    def open_dispute(self, step: OpenDisputeStep) -> DisputeOpened:
        record = self.record
        project = record.projects.get(step.project_id)
        if project is None or project.stage is not ProjectStage.DISPUTED or not step.claimants:
            raise IllegalTransition(f"{workflow_id()} has no disputed project {step.project_id}")
        own = Claimant(
            person=project.salesperson,
            subject_type="project",
            subject_id=project.id,
            since=project.registered_at,
        )
        claimants, wanted = (own, *step.claimants), agreement_waits(project.agreement)
        if wanted:  # D4: between those who have agreed
            claimants = record.disputes_over(project)[-1].claimants
        elif step.origin is Origin.OBJECTION:
            wanted = next(
                {"by": decision.person, "at": step.now.isoformat()}
                for decision in record.decided_by(project)
                if decision.choice == AnswerChoice.CALL_MEETING
            )
        dispute = record.disputes[step.dispute_id] = DisputeRow(
            id=step.dispute_id,
            project_id=project.id,
            workflow_id=workflow_id(),
            origin=step.origin,
            stage=DisputeStage.NEGOTIATION,
            round=1,
            opened_at=step.now,
            stage_since=step.now,
            claimants=claimants,
            meeting={"wanted": wanted} if wanted else None,
        )
        record.note("dispute_opened", step.now, dispute=dispute.id, origin=step.origin.value)
        names = "、".join(record.organisation.name_of(person) for person in dispute.sides)
        return DisputeOpened(
            title=f"{dispute.id} · {names}",
            applicant=project.applicant,
            sides=dispute.sides,
            meeting_wanted=dispute.wanted is not None,
        )

    @step_of("end_broken_dispute")
    def end_broken_dispute(self, step: BrokenDisputeStep) -> BrokenDispute:
        record = self.record
        project, own = record.project(step.subject, workflow_id()), record.disputes.get(step.dispute_id)
        if own is None:
            return BrokenDispute()
        if own.project_id != project.id:
            raise IllegalTransition(f"{project.id} has no dispute {own.id}")
        if own.stage in (DisputeStage.AGREED, DisputeStage.DECIDED):
            return BrokenDispute(outcome=outcome_on_record(own, project))
        record.change(own, stage=DisputeStage.WITHDRAWN)
        for task in record.tasks_of(own.workflow_id, open_only=True):
            task.status = TaskStatus.WITHDRAWN
        return BrokenDispute()

    @step_of("correct_contract")
    def correct_contract(self, step: CorrectContractStep) -> ContractCorrected:
        said = step.statement
        if not is_sealed(said) or said.correction is None:
            self.record.note("statement_unsealed", step.now)
            return ContractCorrected(accepted=False)
        project = self.record.projects[said.project_id]
        person = self.record.organisation.person(said.person)
        try:
            signed = signed_amount(project.stage, project.contract)
            own = facts_of(project).own_people
            correction = judge_correction(said, person, signed=signed, own=own)
        except Refused:
            return ContractCorrected(accepted=False)
        contract = corrected(project.contract or {}, correction, by=said.person, at=step.now.isoformat())
        self.record.change(project, contract=contract)
        return ContractCorrected(accepted=True)

    @step_of("move")
    def move(self, step: MoveStep) -> Moved:
        record = self.record
        own = record.subject(step.subject, workflow_id())
        settled = isinstance(own, DisputeRow) and not project_is_over(record.project_of(own))
        if own.stage.ended and (settled or isinstance(own, ProjectRow)):
            raise IllegalTransition(f"{step.subject.id} is over: {own.stage}")
        this_round = [task for task in record.tasks_of(own.workflow_id) if task.round == own.round]
        involved = tuple(asked.person for task in this_round for asked in task.asked)
        entered = self._entered(own, step)
        own = record.subject(step.subject, workflow_id())
        for task in this_round:
            if task.status is TaskStatus.OPEN:
                task.status = TaskStatus.WITHDRAWN
                if step.stage not in ("withdrawn", entered[0]):
                    people = tuple(asked.person for asked in task.asked)
                    record.mail("task_withdrawn", people, step.now, task.id)
        opened = [record.ask(own, ask, number, step.now) for number, ask in enumerate(step.asks)]
        for notice in step.notices:
            if isinstance(own, ProjectRow):
                self._tell_of_project(own, notice, step.now, involved)
            else:
                self._tell_of_dispute(own, notice, step.now)
        record.settled.update(step.settles)
        record.note("moved", step.now, subject=step.subject.id, stage=step.stage)
        return entered[1].model_copy(update={"tasks": tuple(record.known(task, step.now) for task in opened)})

    def _entered(self, own: Own, step: MoveStep) -> tuple[str, Moved]:
        """The stage before, and what the process goes on with."""
        before = own.stage.value
        if isinstance(own, ProjectRow):
            return before, self._project_enters(own, ProjectStage(step.stage), step.now)
        return before, self._dispute_enters(own, DisputeStage(step.stage), step.now)

    def _project_enters(self, own: ProjectRow, stage: ProjectStage, now: datetime) -> Moved:
        record, until = self.record, None
        facts = project_record.transition_facts(
            own,
            now=now,
            choices={decision.choice for decision in record.decided_by(own)},
            still_open={task.kind for task in record.tasks_of(own.workflow_id, open_only=True)},
            disputes=[dispute.stage for dispute in record.disputes_over(own)],
            ahead=record.ahead(own),
            stands_still=record.stands_still(own, now),
        )
        self._require(project_transitions.transition_problem(facts, stage), own)
        if stage is own.stage is ProjectStage.ACTIVE:
            own = record.change(own, updated_at=now, silences=0)
            return Moved(ahead=record.ahead(own), updated_at=now)
        values: dict[str, Any] = {"stage": stage}
        if own.stage is ProjectStage.RESUME_REVIEW and stage is ProjectStage.ROUTING:
            values["registered_at"] = now
        if stage is ProjectStage.REFUSED:
            until = objection_until(now, record.policy, record.calendar)
            values["refusal"] = {"objection_until": until.isoformat()}
        record.change(own, **values)
        return Moved(until=until)

    def _dispute_enters(self, own: DisputeRow, stage: DisputeStage, now: datetime) -> Moved:
        record, project, outcome = self.record, self.record.project_of(own), None
        facts = dispute_record.transition_facts(
            own, project, agreed=own.all_confirmed, stands_still=record.stands_still(own, now)
        )
        self._require(dispute_transitions.transition_problem(facts, stage), own)
        if own.stage.ended:
            return Moved()
        values: dict[str, Any] = {"stage": stage}
        match stage:
            case DisputeStage.NEGOTIATION if own.proposal:
                values["round"] = own.proposal["round"]
            case DisputeStage.AGREED | DisputeStage.DECIDED:
                own = record.change(own, outcome=own.outcome or own.proposal, stage=stage)
                outcome = self._bound(own, project)
            case DisputeStage.WITHDRAWN:
                by = (project.end_reason or {}).get("by")
                record.mail(Notice.PROJECT_WITHDRAWN.value, tuple(side for side in own.sides if side != by), now)
            case DisputeStage.SHELVED:
                outcome = shelved(project)
        record.change(own, **values)
        return Moved(outcome=outcome)

    def _require(self, problem: str | None, own: Own) -> None:
        if problem:
            raise IllegalTransition(f"{own.id}: {problem}")

    def _bound(self, own: DisputeRow, project: ProjectRow) -> DisputeOutcome:
        """D1, D2: the outcome stands in every registration that is a side."""
        outcome = outcome_on_record(own, project)
        if not project_is_over(project):
            agreement = {**(own.outcome or {}), "dispute": own.id}
            self.record.change(project, salesperson=outcome.responsible, agreement=agreement)
            sides = [side.subject_id for side in own.claimants if side.subject_type == "project"]
            self.record.bound += dict.fromkeys([project.id, *sides])
        return outcome

    def _tell_of_project(self, own: ProjectRow, notice: Notice, now: datetime, involved: tuple[str, ...]) -> None:
        claimants: tuple[Claimant, ...] = ()
        if notice in (Notice.PROJECT_APPROVED, Notice.PROJECT_REJECTED):
            involved = (own.applicant,)
        elif notice in (Notice.CONTRACT_SIGNED, Notice.CONTRACT_CORRECTED):
            involved = (own.salesperson,)
        if notice in _OF_BOTH_SIDES:
            claimants = self._accounts_of_others(own) if own.track is Track.OTHER_ACCOUNT else ()
        elif notice is Notice.CONFLICT_REFUSED:
            claimants = self._suspected(own)
        people = recipients_of_project(
            notice, self.record.organisation, salesperson=own.salesperson, claimants=claimants, involved=involved
        )
        self.record.mail(notice.value, people, now)

    def _tell_of_dispute(self, own: DisputeRow, notice: Notice, now: datetime) -> None:
        if project_is_over(self.record.project_of(own)):
            return
        people = recipients_of_project(
            notice,
            self.record.organisation,
            salesperson=own.sides[0],
            claimants=own.claimants,
            involved=(own.called or {}).get("participants", ()),
        )
        self.record.mail(notice.value, people, now)

    @step_of("refresh_tasks")
    def refresh_tasks(self, step: RefreshStep) -> Refreshed:
        record = self.record
        own = record.subject(step.subject, workflow_id())
        if own.stage is ProjectStage.MERGED:  # D6
            raise SubjectOver(own.stage.value)
        still_open = record.tasks_of(own.workflow_id, open_only=True)
        for task in still_open:
            record.refresh(task, step.now)
        record.note("refreshed", step.now)
        return Refreshed(tasks=tuple(record.known(task, step.now) for task in still_open))

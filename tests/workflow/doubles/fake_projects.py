"""The activities of registrations and disputes on an in-memory record: same names, same messages, same rules."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from temporalio import activity

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
    RecordStep,
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
from crypto.seal import seal_holds
from domain.disputes.dispute import Claimant, DisputeOutcome, DisputeStage, Origin, deciding_salesperson
from domain.notices import Notice
from domain.projects.project import ProjectStage, Track
from domain.projects.rules import recipients_of_project, track_of
from domain.projects.silence import Silence
from domain.refusals import RefusalCode, Refused
from domain.tasks.deadlines import objection_until
from domain.tasks.standstill import closes_at
from domain.tasks.task import AnswerChoice, TaskStatus
from tests.workflow.doubles.fake_activities import FakeActivities
from tests.workflow.doubles.fake_project_record import FakeDispute, FakeProject, ProjectRecord
from tests.workflow.doubles.fake_project_statements import judged, refresh
from tests.workflow.doubles.fake_record import SEAL_KEYS

_REMINDERS = {
    Silence.TWO_WEEKS: Notice.SILENT_TWO_WEEKS,
    Silence.ONE_MONTH: Notice.SILENT_ONE_MONTH,
}
_OF_BOTH_SIDES = (
    Notice.REGISTERED_UNDER_ACCOUNT,
    Notice.PROJECT_APPROVED,
    Notice.PROJECT_REJECTED,
)


def _workflow_id() -> str:
    return activity.info().workflow_id or ""


class FakeProjectActivities(FakeActivities):
    """What a worker runs in place of the real activities, for registrations and disputes."""

    record: ProjectRecord

    remind_or_escalate = FakeActivities.remind_or_escalate

    @activity.defn(name="register_project")
    async def register_project(self, step: RegisterStep) -> Registered:
        def work() -> Registered:
            record, said = self.record, step.statement
            refused = Registered(accepted=False, project_id=said.project_id)
            if not seal_holds(said, SEAL_KEYS) or said.workflow_id != _workflow_id() or said.form is None:
                record.note("statement_unsealed", step.now)
                return refused
            if said.project_id in record.projects:
                raise LookupError("this project exists")
            old = record.projects.get(said.resumes or "")
            record.heard.add(said.message_id)
            record.settled.add(said.message_id)
            if said.resumes and (old is None or old.stage is not ProjectStage.SHELVED or said.resumption is None):
                record.refused.append((said.message_id, "project_not_shelved"))
                return refused
            record.projects[said.project_id] = FakeProject(
                id=said.project_id,
                workflow_id=said.workflow_id,
                applicant=said.person,
                salesperson=said.person,
                form=said.form,
                registered_at=step.now,
                stage=ProjectStage.RESUME_REVIEW if said.resumes else ProjectStage.ROUTING,
                resumes=said.resumes,
            )
            return Registered(
                accepted=True,
                project_id=said.project_id,
                title=f"{said.project_id} · {said.person.title()}",
                salesperson=said.person,
                resumes=said.resumes is not None,
            )

        return await self._once(step, work)

    @activity.defn(name="route_project")
    async def route_project(self, step: RouteStep) -> Routed:
        def work() -> Routed:
            project = self.record.project(step.subject, _workflow_id())
            if project.stage is not ProjectStage.ROUTING:
                raise IllegalTransition(f"{project.id} is not looking for its way")
            project.track = track_of(project.salesperson, [one.person for one in self.record.accounts])
            self.record.note("routed", step.now, track=project.track.value)
            others = self._accounts_of_others(project) if project.track is Track.OTHER_ACCOUNT else ()
            return Routed(track=project.track, claimants=others)

        return await self._once(step, work)

    def _accounts_of_others(self, project: FakeProject) -> tuple[Claimant, ...]:
        return tuple(one for one in self.record.accounts if one.person != project.salesperson)

    @activity.defn(name="find_suspects")
    async def find_suspects(self, step: SuspectsStep) -> Suspects:
        def work() -> Suspects:
            project = self.record.project(step.subject, _workflow_id())
            if not any(
                d.task_id == step.task_id and d.choice == AnswerChoice.SUSPECT for d in self.record.decided_by(project)
            ):
                raise IllegalTransition(f"{project.id}: nobody has suspected a conflict")
            return Suspects(claimants=self._suspected(project))

        return await self._once(step, work)

    def _suspected(self, project: FakeProject) -> tuple[Claimant, ...]:
        return tuple(one for one in self.record.registered if one.subject_id in project.suspects)

    @activity.defn(name="approve_project")
    async def approve_project(self, step: ApproveProjectStep) -> ApprovedProject:
        def work() -> ApprovedProject:
            record = self.record
            project = record.project(step.subject, _workflow_id())
            approved = [d for d in record.decided_by(project) if d.choice == AnswerChoice.APPROVE]
            if project.stage is not ProjectStage.APPROVAL or not approved or project.withdrawn:
                raise IllegalTransition(f"{project.id}: no approval on record")
            record.issued += 1
            year = step.now.astimezone(ZoneInfo(record.policy.time_zone)).year
            project.number = record.policy.projects.number(year, record.issued)
            project.stage, project.updated_at, project.silences = ProjectStage.ACTIVE, step.now, 0
            self._tell_of_project(project, Notice.PROJECT_APPROVED, step.now, ())
            record.settled.update(step.settles)
            record.note("approved", step.now, number=project.number)
            return ApprovedProject(number=project.number, ahead=record.ahead(project), updated_at=step.now)

        return await self._once(step, work)

    @activity.defn(name="remind_of_silence")
    async def remind_of_silence(self, step: SilenceStep) -> Reminded:
        def work() -> Reminded:
            project = self.record.project(step.subject, _workflow_id())
            ahead = self.record.ahead(project)
            due = project.stage is ProjectStage.ACTIVE and ahead and ahead[0].silence is step.silence
            if not due or ahead[0].at > step.now:
                raise IllegalTransition(f"{project.id}: {step.silence.value} is not due")
            project.silences += 1
            self._tell_of_project(project, _REMINDERS[step.silence], step.now, ())
            self.record.note("silence", step.now, subject=project.id, silence=step.silence.value)
            return Reminded()

        return await self._once(step, work)

    @activity.defn(name="open_dispute")
    async def open_dispute(self, step: OpenDisputeStep) -> DisputeOpened:
        def work() -> DisputeOpened:
            record, workflow_id = self.record, _workflow_id()
            project = record.projects.get(step.project_id)
            if project is None or project.stage is not ProjectStage.DISPUTED or not step.claimants:
                raise IllegalTransition(f"{workflow_id} has no disputed project {step.project_id}")
            own = Claimant(
                person=project.salesperson,
                subject_type="project",
                subject_id=project.id,
                since=project.registered_at,
            )
            dispute = FakeDispute(
                id=step.dispute_id,
                project=project,
                workflow_id=workflow_id,
                origin=step.origin,
                claimants=(own, *step.claimants),
            )
            if project.waits:  # D4: between those who have agreed
                agreed = [one for one in record.disputes.values() if one.project is project]
                dispute.claimants, dispute.wanted = agreed[-1].claimants, project.waits
            elif step.origin is Origin.OBJECTION:
                dispute.wanted = next(
                    d.person for d in record.decided_by(project) if d.choice == AnswerChoice.CALL_MEETING
                )
            record.disputes[dispute.id] = dispute
            record.note("dispute_opened", step.now, dispute=dispute.id, origin=step.origin.value)
            names = "、".join(record.organisation.name_of(person) for person in dispute.sides)
            return DisputeOpened(
                title=f"{dispute.id} · {names}",
                applicant=project.applicant,
                sides=dispute.sides,
                meeting_wanted=bool(dispute.wanted),
            )

        return await self._once(step, work)

    @activity.defn(name="end_broken_dispute")
    async def end_broken_dispute(self, step: BrokenDisputeStep) -> BrokenDispute:
        def work() -> BrokenDispute:
            record = self.record
            project, own = record.project(step.subject, _workflow_id()), record.disputes.get(step.dispute_id)
            if own is None:
                return BrokenDispute()
            if own.project is not project:
                raise IllegalTransition(f"{project.id} has no dispute {own.id}")
            if own.stage in (DisputeStage.AGREED, DisputeStage.DECIDED):
                return BrokenDispute(outcome=self._bound(own))
            own.stage = DisputeStage.WITHDRAWN
            for task in record.tasks_of(own.workflow_id, open_only=True):
                task.status = TaskStatus.WITHDRAWN
            return BrokenDispute()

        return await self._once(step, work)

    sift_messages = FakeActivities.sift_messages

    @activity.defn(name="correct_contract")
    async def correct_contract(self, step: CorrectContractStep) -> ContractCorrected:
        def work() -> ContractCorrected:
            said = step.statement
            if not seal_holds(said, SEAL_KEYS) or said.workflow_id != _workflow_id() or said.correction is None:
                self.record.note("statement_unsealed", step.now)
                return ContractCorrected(accepted=False)
            project = self.record.projects[said.project_id]
            if project.stage is not ProjectStage.CONTRACT_SIGNED:
                return ContractCorrected(accepted=False)
            project.contract = str(said.correction.amount)
            return ContractCorrected(accepted=True)

        return await self._once(step, work)

    @activity.defn(name="record_statement")
    async def record_statement(self, step: RecordStep) -> Recorded:
        def work() -> Recorded:
            record, said = self.record, step.statement
            own = record.subject(step.subject, _workflow_id())
            if said.message_id in record.heard:
                return Recorded(accepted=False, code="duplicate")
            sealed = seal_holds(said, SEAL_KEYS) and said.workflow_id == own.workflow_id
            try:
                if not sealed:
                    raise Refused(RefusalCode.UNSEALED)
                recorded = judged(record, own, said, step.now)
            except Refused as refusal:
                record.refused.append((said.message_id, str(refusal)))
                record.note("statement_refused", step.now, code=str(refusal))
                if sealed:
                    record.heard.add(said.message_id)
                    record.settled.add(said.message_id)
                return Recorded(accepted=False, code=str(refusal))
            record.heard.add(said.message_id)
            return recorded

        return await self._once(step, work)

    @activity.defn(name="move")
    async def move(self, step: MoveStep) -> Moved:
        def work() -> Moved:
            record = self.record
            own = record.subject(step.subject, _workflow_id())
            if own.over:
                raise IllegalTransition(f"{step.subject.id} is over: {own.stage}")
            this_round = [task for task in record.tasks_of(own.workflow_id) if task.round == own.round]
            involved = tuple(one.person for task in this_round for one in task.asked)
            entered = self._entered(own, step)
            for task in this_round:
                if task.status is TaskStatus.OPEN:
                    task.status = TaskStatus.WITHDRAWN
                    if step.stage not in ("withdrawn", entered[0]):
                        record.mail("task_withdrawn", tuple(one.person for one in task.asked), step.now, task.id)
            opened = [record.ask(own, ask, number, step.now) for number, ask in enumerate(step.asks)]
            for notice in step.notices:
                if isinstance(own, FakeProject):
                    self._tell_of_project(own, notice, step.now, involved)
                else:
                    self._tell_of_dispute(own, notice, step.now)
            record.settled.update(step.settles)
            record.note("moved", step.now, subject=step.subject.id, stage=step.stage)
            return entered[1].model_copy(update={"tasks": tuple(record.known(task, step.now) for task in opened)})

        return await self._once(step, work)

    def _entered(self, own: FakeProject | FakeDispute, step: MoveStep) -> tuple[str, Moved]:
        """The stage before, and what the process goes on with."""
        before = own.stage.value
        if isinstance(own, FakeProject):
            return before, self._project_enters(own, ProjectStage(step.stage), step.now)
        return before, self._dispute_enters(own, DisputeStage(step.stage), step.now)

    def _project_enters(self, own: FakeProject, stage: ProjectStage, now: datetime) -> Moved:
        if not self._leads(own, stage, now):
            raise IllegalTransition(f"{own.id}: nothing leads from {own.stage} to {stage}")
        if own.stage is ProjectStage.RESUME_REVIEW and stage is ProjectStage.ROUTING:
            own.registered_at = now
        if stage is own.stage is ProjectStage.ACTIVE:
            own.updated_at, own.silences = now, 0
            return Moved(ahead=self.record.ahead(own), updated_at=now)
        own.stage = stage
        if stage is ProjectStage.REFUSED:
            own.objection_until = objection_until(now, self.record.policy, self.record.calendar)
            return Moved(until=own.objection_until)
        return Moved()

    def _leads(self, own: FakeProject, stage: ProjectStage, now: datetime) -> bool:
        """Whether what is on record leads from where the project stands to `stage`."""
        at, stages = own.stage, ProjectStage
        decided = self.record.decided_by(own)
        last = decided[-1].choice if decided else ""
        supplied = not decided
        ways = {
            (stages.RESUME_REVIEW, stages.RESUME_REVIEW): own.resumes is not None,
            (stages.RESUME_REVIEW, stages.ROUTING): last == AnswerChoice.ACCEPT,
            (stages.RESUME_REVIEW, stages.REJECTED): last == AnswerChoice.REJECT,
            (stages.ROUTING, stages.APPROVAL): own.track is Track.OWN_ACCOUNT,
            (stages.ROUTING, stages.DISPUTED): own.track is Track.OTHER_ACCOUNT,
            (stages.ROUTING, stages.ASSIGNMENT): own.track is Track.NON_NAMED,
            (stages.ASSIGNMENT, stages.CONFLICT_CHECK): last == AnswerChoice.ASSIGN,
            (stages.CONFLICT_CHECK, stages.APPROVAL): last == AnswerChoice.CLEAR,
            (stages.CONFLICT_CHECK, stages.CONFLICT_CONFIRMATION): last == AnswerChoice.SUSPECT,
            (stages.CONFLICT_CONFIRMATION, stages.APPROVAL): last == AnswerChoice.NO_CONFLICT
            and not self.record.tasks_of(own.workflow_id, open_only=True),
            (stages.CONFLICT_CONFIRMATION, stages.REFUSED): any(d.choice == AnswerChoice.CONFLICT for d in decided),
            (stages.DISPUTED, stages.APPROVAL): own.agreement is not None and not own.waits,
            (stages.APPROVAL, stages.DISPUTED): bool(own.waits),
            (stages.HELD, stages.DISPUTED): bool(own.waits),
            (stages.APPROVAL, stages.HELD): last == AnswerChoice.HOLD,
            (stages.APPROVAL, stages.REJECTED): last == AnswerChoice.REJECT,
            (stages.HELD, stages.APPROVAL): supplied and own.track is not None,
            (stages.HELD, stages.ROUTING): supplied and own.track is None,
            (stages.REFUSED, stages.OBJECTION): bool(own.objection),
            (stages.REFUSED, stages.CLOSED_REFUSED): own.objection_until is not None and own.objection_until <= now,
            (stages.OBJECTION, stages.DISPUTED): last == AnswerChoice.CALL_MEETING,
            (stages.OBJECTION, stages.CLOSED_REFUSED): last == AnswerChoice.UPHOLD_REFUSAL,
            (stages.ACTIVE, stages.ENDED): bool(own.loss),
            (stages.ACTIVE, stages.CONTRACT_SIGNED): bool(own.contract),
            (stages.ACTIVE, stages.ACTIVE): not own.loss and (own.with_commerce or last == AnswerChoice.SEND_BACK),
            (stages.ACTIVE, stages.SHELVED): self._silent_for_long(own, now),
            (stages.HELD, stages.SHELVED): self._stands_still(own, now),
            (stages.DISPUTED, stages.SHELVED): any(
                one.project is own and one.stage is DisputeStage.SHELVED for one in self.record.disputes.values()
            ),
        }
        return bool(own.withdrawn) if stage is stages.WITHDRAWN else ways.get((at, stage), False)

    def _stands_still(self, own: FakeProject | FakeDispute, now: datetime) -> bool:
        """U10; the tasks have been closed by the move that asks."""
        asked = self.record.tasks_of(own.workflow_id)
        ends = [closes_at(t.kind, t.opened_at, t.warned_at, self.record.policy, self.record.calendar) for t in asked]
        return any(end is not None and task.warned_at and end <= now for task, end in zip(asked, ends, strict=True))

    def _silent_for_long(self, own: FakeProject, now: datetime) -> bool:
        ahead = self.record.ahead(own)
        return bool(ahead) and ahead[-1].at <= now

    def _dispute_enters(self, own: FakeDispute, stage: DisputeStage, now: datetime) -> Moved:
        negotiating, stages = own.stage is DisputeStage.NEGOTIATION, DisputeStage
        led = {
            stages.NEGOTIATION: negotiating and own.origin is Origin.OTHER_ACCOUNT and not own.wanted,
            stages.CALLING_MEETING: (negotiating and bool(own.wanted)) or own.called_off,
            stages.MEETING: own.stage is stages.CALLING_MEETING and bool(own.participants),
            stages.AGREED: negotiating and not own.wanted and own.confirmed >= set(own.sides),
            stages.DECIDED: own.stage is stages.MEETING and bool(own.responsible),
            stages.WITHDRAWN: own.project_is_over,
            stages.SHELVED: self._stands_still(own, now),
        }
        if not led[stage]:
            raise IllegalTransition(f"{own.id}: nothing leads from {own.stage} to {stage}")
        if own.stage.ended:
            return Moved()
        own.stage = stage
        if stage is DisputeStage.NEGOTIATION and own.text is not None:
            own.round = own.text_round
        if stage is DisputeStage.WITHDRAWN:
            others = tuple(person for person in own.sides if person != own.project.withdrawn)
            self.record.mail(Notice.PROJECT_WITHDRAWN.value, others, now)
        if stage is DisputeStage.SHELVED:
            by = own.project.salesperson
            return Moved(outcome=DisputeOutcome(stage=stage, responsible=by, decided_by_vp_of=by))
        if stage not in (DisputeStage.AGREED, DisputeStage.DECIDED):
            return Moved()
        return Moved(outcome=self._bound(own))

    def _bound(self, own: FakeDispute) -> DisputeOutcome:
        """D1, D2: the outcome stands in every registration that is a side."""
        project = own.project
        responsible = own.responsible or str((own.text or {}).get("responsible") or project.salesperson)
        others = tuple(one for one in own.claimants if one.subject_id != project.id)
        if not own.project_is_over:
            project.salesperson, project.agreement = responsible, {"dispute": own.id, "text": own.text}
            project.waits = ""
            self.record.bound += [project.id, *(one.subject_id for one in others if one.subject_type == "project")]
        return DisputeOutcome(
            stage=own.stage,
            responsible=responsible,
            decided_by_vp_of=deciding_salesperson(own.origin, project.applicant, others),
        )

    def _tell_of_project(self, own: FakeProject, notice: Notice, now: datetime, involved: tuple[str, ...]) -> None:
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

    def _tell_of_dispute(self, own: FakeDispute, notice: Notice, now: datetime) -> None:
        if own.project_is_over:
            return
        people = recipients_of_project(
            notice,
            self.record.organisation,
            salesperson=own.sides[0],
            claimants=own.claimants,
            involved=own.participants,
        )
        self.record.mail(notice.value, people, now)

    @activity.defn(name="refresh_tasks")
    async def refresh_tasks(self, step: RefreshStep) -> Refreshed:
        def work() -> Refreshed:
            record = self.record
            own = record.subject(step.subject, _workflow_id())
            if own.stage is ProjectStage.MERGED:  # D6
                raise SubjectOver(own.stage.value)
            still_open = record.tasks_of(own.workflow_id, open_only=True)
            for task in still_open:
                refresh(record, task, step.now)
            record.note("refreshed", step.now)
            return Refreshed(tasks=tuple(record.known(task, step.now) for task in still_open))

        return await self._once(step, work)

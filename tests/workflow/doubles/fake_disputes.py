"""The activities of disputes on an in-memory record: same names, same messages, same rules (D1–D6, A6)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from activities import steps
from activities.disputes import record as dispute_record
from activities.disputes.answers import proposal_after
from activities.disputes.opening import row_of
from activities.disputes.record import outcome_on_record, project_is_over, shelved
from activities.disputes.stepping_in import agreement_facts
from activities.tasks.context import Answered, IllegalTransition
from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from domain import statements
from domain.disputes import judgements as disputes
from domain.disputes import transitions as dispute_transitions
from domain.disputes.dispute import (
    TWO_PROJECTS,
    WAITS,
    Claimant,
    DisputeOutcome,
    DisputeStage,
    MeetingCall,
    MeetingOutcome,
    Origin,
    agreement_waits,
    merged_reason,
)
from domain.disputes.handing_on import hand_on_side
from domain.notices import Notice
from domain.projects.project import ProjectStage
from domain.projects.rules import BOUND_BY_AN_OUTCOME
from domain.refusals import RefusalCode, Refused
from domain.tasks.task import AnswerChoice, TaskKind, TaskStatus
from tests.workflow.doubles import dispute_rows
from tests.workflow.doubles.fake_activities import FakeSteps, require, step_of, workflow_id
from tests.workflow.doubles.fake_record import FakeTask, ProjectRecord


class FakeDisputeActivities(FakeSteps):
    """What the processes of disputes do, and what their outcomes do to registrations."""

    record: ProjectRecord

    @step_of("open_dispute")
    def open_dispute(self, step: steps.OpenDisputeStep) -> steps.DisputeOpened:
        record, project = self.record, self.record.projects.get(step.project_id)
        if project is None:
            raise IllegalTransition(f"{workflow_id()} has no project {step.project_id}")
        before = record.disputes_over(project)
        found = (*record.accounts, *record.suspects(project))
        facts = dispute_transitions.OpeningFacts(
            project_id=project.id,
            project_stage=project.stage,
            track=project.track,
            found=_named(found),
            dispute_open=any(not dispute.stage.ended for dispute in before),
        )
        require(
            dispute_transitions.opening_problem(
                facts,
                dispute_id=step.dispute_id,
                workflow_id=workflow_id(),
                origin=step.origin,
                claimed=_named(step.claimants),
            )
        )
        waits = agreement_waits(project.agreement)
        claimants = self._claimants(step, project, before)
        wanted = dict(waits) if waits else self._wanted_by_objection(step, project)
        meeting = {"wanted": wanted} if wanted else None
        dispute = record.rows[step.dispute_id] = row_of(step, claimants, meeting, workflow_id=workflow_id())
        names = "、".join(record.organisation.name_of(person) for person in dispute.sides)
        return steps.DisputeOpened(
            title=f"{dispute.id} · {names}",
            applicant=project.applicant,
            sides=dispute.sides,
            meeting_wanted=dispute.wanted is not None,
        )

    def _claimants(
        self, step: steps.OpenDisputeStep, project: ProjectRow, before: list[DisputeRow]
    ) -> tuple[Claimant, ...]:
        """D1: the project's own side first. P5: of registrations, those whose conflict was confirmed. D4: where an
        agreement waits, those who have agreed."""
        if agreement_waits(project.agreement):
            return next(dispute.claimants for dispute in reversed(before) if dispute.stage is DisputeStage.AGREED)
        since = project.registered_at
        own = Claimant(person=project.salesperson, subject_type="project", subject_id=project.id, since=since)
        if step.origin is not Origin.OBJECTION:
            return (own, *step.claimants)
        confirmed = {claimant.subject_id for claimant in self.record.confirmed_conflicts(project)}
        return (own, *(claimant for claimant in step.claimants if claimant.subject_id in confirmed))

    def _wanted_by_objection(self, step: steps.OpenDisputeStep, project: ProjectRow) -> dict[str, Any] | None:
        """P8: the VP who reviewed the objection has the meeting called."""
        if step.origin is not Origin.OBJECTION:
            return None
        decided = self.record.decided_by(project)
        reviewed = [decision for decision in decided if decision.choice == AnswerChoice.CALL_MEETING]
        if not reviewed or project.objection is None:
            raise IllegalTransition(f"{project.id}: nobody has the meeting called")
        reason = "\n".join(text for text in (str(project.objection["reason"]), reviewed[-1].reason) if text)
        return {"by": reviewed[-1].person, "reason": reason, "at": step.now.isoformat()}

    @step_of("end_broken_dispute")
    def end_broken_dispute(self, step: steps.BrokenDisputeStep) -> steps.BrokenDispute:
        record, project, own = self.record, self.own, self.record.disputes.get(step.dispute_id)
        if own is None:
            return steps.BrokenDispute()
        disputed = own.project_id == project.id and project.stage is ProjectStage.DISPUTED
        require(None if disputed else f"{project.id} has no dispute {own.id}")
        if own.stage in (DisputeStage.AGREED, DisputeStage.DECIDED):
            return steps.BrokenDispute(outcome=outcome_on_record(own, project))
        if own.stage is DisputeStage.SHELVED:
            return steps.BrokenDispute(outcome=shelved(project))
        self._calls_off(own, str((own.called or {}).get("called_by", "")))
        record.change(record.disputes[own.id], stage=DisputeStage.WITHDRAWN)
        for task in record.open_of(own):
            task.status = TaskStatus.WITHDRAWN
        return steps.BrokenDispute()

    def dispute_enters(self, own: DisputeRow, stage: DisputeStage, now: datetime) -> steps.Moved:
        """Raises `IllegalTransition`."""
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
            case DisputeStage.AGREED:
                values["outcome"] = dispute_rows.agreed_outcome(own, now)
                outcome = self._bind(own.model_copy(update=values), project)
            case DisputeStage.DECIDED:
                values["outcome"] = dispute_rows.decided_outcome(own)
                outcome = self._bind(own.model_copy(update=values), project)
            case DisputeStage.WITHDRAWN:
                by, invited = (project.end_reason or {}).get("by"), (own.called or {}).get("participants", ())
                self._calls_off(own, str((own.called or {}).get("called_by", "")))
                readers = [side for side in own.sides if side != by and side not in invited]
                record.mail(Notice.PROJECT_WITHDRAWN.value, readers)
            case DisputeStage.SHELVED:
                outcome = shelved(project)
        record.change(record.disputes[own.id], **values)
        return steps.Moved(outcome=outcome)

    # What an outcome does to registrations.

    def _bind(self, dispute: DisputeRow, project: ProjectRow) -> DisputeOutcome:
        """D1, D2, D6: it stands in the project and in every other registration that is a side, unless the meeting says
        that they are two projects. A project withdrawn meanwhile binds nobody."""
        outcome = outcome_on_record(dispute, project)
        if not project_is_over(project):
            agreement = {**(dispute.outcome or {}), "dispute": dispute.id}
            self._makes_responsible(project, outcome.responsible, agreement)
            self.hand_on_sides(project.id, project.salesperson, outcome.responsible, but=dispute.id, only=project.id)
            others = dispute_rows.registrations(dispute)[1:]
            others = () if agreement.get("goes_on") == TWO_PROJECTS else others
            for other in others:
                self._bind_other(other, agreement, but=dispute.id)
            self.record.bound += [project.id, *others]
        return outcome

    def _makes_responsible(self, project: ProjectRow, person: str, agreement: dict[str, Any]) -> None:
        values: dict[str, Any] = {"agreement": agreement}
        if person != project.salesperson:
            office = self.record.organisation.department_of(person)
            values |= {"salesperson": person, "department": office.id if office else project.department}
        self.record.change(project, **values)

    def _bind_other(self, project_id: str, agreement: dict[str, Any], *, but: str) -> None:
        """D6: and it ends if it is to; one that is over keeps its salesperson."""
        record, other = self.record, self.record.projects.get(project_id)
        if other is None:
            return
        if other.stage.ended or other.loss or other.contract or other.end_reason:
            record.change(other, agreement=agreement)
            return
        still_open, responsible = record.open_of(other), str(agreement["responsible"])
        self._makes_responsible(other, responsible, agreement)
        if project_id in agreement.get("ends", ()):
            ended = {"stage": ProjectStage.MERGED, "end_reason": merged_reason(agreement)}
            record.change(record.projects[project_id], **ended)
            for task in still_open:
                task.status = TaskStatus.WITHDRAWN
            return
        for task in still_open:
            task.slot = responsible if task.kind in BOUND_BY_AN_OUTCOME else task.slot
        record.hand_on(other, other.salesperson, responsible)
        self.hand_on_sides(project_id, other.salesperson, responsible, but=but, only=project_id)

    def hand_on_sides(self, project_id: str, before: str, successor: str, *, but: str = "", only: str = "") -> None:
        """A6, D6: whoever is responsible for a registration now speaks for it in its running disputes, `but` one."""
        for dispute in self.record.disputes_with(project_id):
            if dispute.id != but and before != successor:
                claimants, proposal = hand_on_side(
                    dispute.claimants, dispute.proposal, before=before, successor=successor, only=only
                )
                self.record.change(dispute, claimants=claimants, proposal=proposal)
                self.record.hand_on(dispute, before, successor)

    # Statements and answers.

    def dispute_answered(self, own: DisputeRow, task: FakeTask, said: statements.AnswerTask, now: datetime) -> Answered:
        """What follows from an answer that fits its form. Raises `Refused`."""
        organisation, facts = self.record.organisation, dispute_record.facts_of(own, self.record.project_of(own))
        disputes.judge_task_open(facts, said, slot=task.slot)
        match task.kind:
            case TaskKind.CALL_MEETING:
                self._call(own, disputes.read_fields(MeetingCall, said), said.person, now, prefix="fields.")
                return Answered()
            case TaskKind.RECORD_MEETING:
                outcome = disputes.read_fields(MeetingOutcome, said)
                over = self._survivor_over(own, outcome.goes_on)
                disputes.judge_outcome(facts, outcome, organisation, survivor_over=over)
                recorded = {"how": "decided", "by": said.person, "at": now.isoformat()}
                self.record.change(own, outcome={**outcome.model_dump(mode="json"), **recorded})
                return Answered()
        text = disputes.judge_agreement(facts, said, round=task.round)
        if said.choice == AnswerChoice.DISAGREE:
            self._want_meeting(own, said.person, said.reason, now)
            return Answered()
        effect = disputes.agreement_effect(facts, task.slot, text)
        proposal = proposal_after(own, effect, text, slot=task.slot, task_id=task.id, reason=said.reason)
        self.record.change(own, proposal=proposal)
        return Answered(None if effect.confirms else proposal["round"], effect.outcome, effect.ask)

    def _call(self, own: DisputeRow, meeting: MeetingCall, by: str, now: datetime, *, prefix: str = "") -> None:
        """D2, D5: the meeting as commerce calls or moves it. Raises `Refused`."""
        invitable = self.record.invitable(own, now, meeting.starts_at)
        disputes.judge_meeting(
            meeting, self.record.organisation, sides=own.sides, invitable=invitable, now=now, prefix=prefix
        )
        called = {**meeting.model_dump(mode="json"), "called_by": by, "called_off": None}
        self.record.change(own, meeting={**(own.meeting or {}), **called})

    def _calls_off(self, own: DisputeRow, by: str) -> None:
        """D5: everybody who was invited is told; nothing where no meeting is called."""
        if own.called is not None:
            self.record.mail(Notice.MEETING_CALLED_OFF.value, own.called["participants"])
            self.record.change(own, meeting={**own.called, "called_off": {"by": by}})

    def _survivor_over(self, own: DisputeRow, goes_on: str) -> bool:
        """D6: whether the other registration that is to go on has ended without a contract."""
        if goes_on not in dispute_rows.registrations(own)[1:]:
            return False
        other = self.record.projects.get(goes_on)
        return other is None or (not other.contract and bool(other.loss or other.end_reason or other.stage.ended))

    def _wanted(self, sides: Collection[str], **said: Any) -> dict[str, str]:
        return disputes.meeting_wanted(self.record.organisation, sides, **said)

    def _want_meeting(self, own: DisputeRow, person: str, reason: str, now: datetime) -> None:
        if own.wanted is None:  # D2
            sides = (*own.sides, self.record.project_of(own).salesperson)
            self.record.change(own, meeting={"wanted": self._wanted(sides, person=person, reason=reason, now=now)})

    def of_dispute(self, own: DisputeRow, said: statements.Said, now: datetime) -> steps.Recorded:
        """What becomes of a sealed statement to a dispute. Raises `Refused`."""
        facts = dispute_record.facts_of(own, self.record.project_of(own))
        match said:
            case statements.CallForMeeting() if own.stage is DisputeStage.AGREED:
                return self.stepped_in(self.record.project_of(own), said, now).model_copy(update={"settled": True})
            case statements.CallForMeeting():
                disputes.judge_call_for_meeting(facts, said, self.record.organisation, now)
                self._want_meeting(own, said.person, said.reason, now)
            case statements.MoveMeeting():
                person = self.record.organisation.person(said.person)
                self._call(own, disputes.judge_moved_meeting(facts, said, person), said.person, now)
                return steps.Recorded(accepted=True, settled=True)
            case statements.CallOffMeeting():
                disputes.judge_called_off_meeting(facts, self.record.organisation.person(said.person))
                self._calls_off(own, said.person)
            case statements.Reassign():
                return self._side_handed_on(own, said, now)
            case _:
                raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW, stage=own.stage.value)
        return steps.Recorded(accepted=True)

    def _side_handed_on(self, own: DisputeRow, said: statements.Reassign, now: datetime) -> steps.Recorded:
        """A6, D1: another salesperson speaks for the side of an account."""
        facts = dispute_record.facts_of(own, self.record.project_of(own))
        successor = disputes.judge_side_reassignment(facts, said, self.record.organisation)
        claimants, proposal = hand_on_side(own.claimants, own.proposal, before=said.was, successor=successor.id)
        own = self.record.change(own, claimants=claimants, proposal=proposal)
        self.record.hand_on(own, said.was, successor.id)
        moved = tuple(self.record.refresh(task, now) for task in self.record.open_of(own))
        return steps.Recorded(accepted=True, settled=True, tasks=moved)

    def stepped_in(self, own: ProjectRow, said: statements.CallForMeeting, now: datetime) -> steps.Recorded:
        """D4."""
        decisions = (AnswerChoice.APPROVE, AnswerChoice.REJECT)
        decided = any(decision.choice in decisions for decision in self.record.decided_by(own))
        facts = agreement_facts(own, self.record.disputes_over(own), decided=decided)
        agreed, first = disputes.judge_stepping_in(facts, said, self.record.organisation, now)
        if first:
            wanted = self._wanted(agreed.sides, person=said.person, reason=said.reason, now=now)
            self.record.change(own, agreement={**(own.agreement or {}), WAITS: wanted})
        return steps.Recorded(accepted=True, settled=not first)


def _named(claimants: Collection[Claimant]) -> set[tuple[str, str, str]]:
    return {(claimant.subject_type, claimant.subject_id, claimant.person) for claimant in claimants}

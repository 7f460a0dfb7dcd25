"""A dispute over a project in one step: what it asks, takes and tells (D1–D3, P8)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import JsonValue

from activities.disputes import answers, meetings, notes
from activities.disputes.merging import bind
from activities.disputes.stepping_in import agreement_waits
from activities.projects.matches import confirmed_conflicts
from activities.projects.projects import ProjectContext
from activities.projects.reassigning import hand_on_sides
from activities.steps import DisputeOpened, Moved, MoveStep, OpenDisputeStep, Recorded
from activities.tasks.context import Answered, Context, IllegalTransition
from activities.tasks.mail_outbox import MailOutbox
from activities.unit_of_work import UnitOfWork
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects import projects
from db.projects.projects import ProjectRow
from db.tasks import tasks
from db.tasks.tasks import DecisionRow, TaskRow
from domain.disputes.dispute import (
    TWO_PROJECTS,
    Claimant,
    DisputeOutcome,
    DisputeStage,
    Origin,
    deciding_salesperson,
    ended_by,
)
from domain.notices import Notice
from domain.projects.project import ProjectStage, Track
from domain.projects.rules import meeting_participants, project_choices, recipients_of_project
from domain.statements import AnswerTask, Statement
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, Ask, Choice, TaskKind
from texts.disputes.dispute_lines import participants_row, text_rows
from texts.mails.mail import MailFacts
from texts.projects.project_lines import project_essentials

_RULES = {DisputeStage.NEGOTIATION: "D1", DisputeStage.AGREED: "D1"}
"""The rule of each stage; the meeting's is D2."""


async def open_dispute(uow: UnitOfWork, step: OpenDisputeStep) -> DisputeOpened:
    """P3, P8: both sides, and what each has registered when, are on record. Raises `ForeignStep`.

    Who the sides are is read from what was found for the project: the engine's word for it is not taken.
    """
    project = await projects.find(uow.connection, step.project_id, lock=True)
    if project is None or project.stage is not ProjectStage.DISPUTED or not _named_after(project, uow, step):
        raise IllegalTransition(f"{uow.workflow_id} has no disputed project {step.project_id}")
    uow.subject_id = project.id
    before = await disputes.of_project(uow.connection, project.id)
    waits = agreement_waits(project)
    found = await projects.matches_of(uow.connection, project.id, project.round)
    known = {(match.subject_type, match.subject_id, match.salesperson) for match in found}
    claimed = {(one.subject_type, one.subject_id, one.person) for one in step.claimants}
    if not claimed or not claimed <= known or (step.origin is Origin.OTHER_ACCOUNT) != _of_another(project):
        raise IllegalTransition(f"{project.id}: the record knows of no such dispute")
    if any(not other.stage.ended for other in before):
        raise IllegalTransition(f"{project.id} has an open dispute already")
    row = DisputeRow(
        id=step.dispute_id,
        project_id=project.id,
        workflow_id=uow.workflow_id,
        origin=step.origin,
        stage=DisputeStage.NEGOTIATION,
        round=1,
        opened_at=uow.now,
        stage_since=uow.now,
        claimants=await _claimants(uow, step, project, before),
        meeting={"wanted": dict(waits)} if waits else await _wanted_by_objection(uow, step, project),
    )
    await disputes.add(uow.connection, row)
    sides = row.sides
    uow.note(
        "dispute_opened",
        dispute=row.id,
        origin=row.origin.value,
        claimants=[one.model_dump(mode="json") for one in row.claimants],
        rule=row.origin.value,
    )
    organisation = await uow.facts.organisation(uow.connection)
    policy = await uow.facts.pinned_policy(uow.connection, project.policy_digest)
    title = f"{row.id} · {'、'.join(organisation.name_of(person) for person in sides)}"
    if policy.privacy.customer_name_in_engine:
        title += f" · {project.customer_name}"
    return DisputeOpened(title=title, applicant=project.applicant, sides=sides, meeting_wanted=row.wanted is not None)


def outcome_on_record(row: DisputeRow, project: ProjectRow) -> DisputeOutcome:
    """D1, D2: how a dispute over `project` has ended."""
    assert row.outcome is not None
    others = [one for one in row.claimants if one.subject_id != project.id]
    ends = project.id in row.outcome.get("ends", ())
    return DisputeOutcome(
        stage=row.stage,
        responsible=str(row.outcome["responsible"]),
        decided_by_vp_of=deciding_salesperson(row.origin, project.applicant, others),
        merged_into=str(row.outcome["goes_on"]) if ends else "",
    )


def shelved(project: ProjectRow) -> DisputeOutcome:
    """U10: nobody has settled it; who is responsible stays as it was."""
    own = project.salesperson
    return DisputeOutcome(stage=DisputeStage.SHELVED, responsible=own, decided_by_vp_of=own)


def _of_another(project: ProjectRow) -> bool:
    return project.track is Track.OTHER_ACCOUNT


def _named_after(project: ProjectRow, uow: UnitOfWork, step: OpenDisputeStep) -> bool:
    number = step.dispute_id.removeprefix(f"{project.id}-")
    return (
        uow.workflow_id == f"dispute-{step.dispute_id}"
        and step.dispute_id == f"{project.id}-{number}"
        and re.fullmatch(r"[1-9][0-9]*", number) is not None
    )


async def _claimants(
    uow: UnitOfWork, step: OpenDisputeStep, project: ProjectRow, before: Sequence[DisputeRow]
) -> tuple[Claimant, ...]:
    """D1: the sides, the project's own first. P5: of registrations, those whose conflict was confirmed. D4: where an
    agreement waits, those who have agreed: one of them may have become responsible since."""
    if agreement_waits(project):
        return next(one.claimants for one in reversed(before) if one.stage is DisputeStage.AGREED)
    mine = Claimant(
        person=project.salesperson, subject_type="project", subject_id=project.id, since=project.registered_at
    )
    if step.origin is not Origin.OBJECTION:
        return (mine, *step.claimants)
    decided = await tasks.decisions_of(uow.connection, project.id)
    asked = await tasks.of_subject(uow.connection, project.id)
    found = await projects.matches_of(uow.connection, project.id, project.round)
    confirmed = confirmed_conflicts(project.round, decided, asked, found)
    return (mine, *(one for one in step.claimants if one.subject_id in confirmed))


async def _wanted_by_objection(uow: UnitOfWork, step: OpenDisputeStep, project: ProjectRow) -> dict[str, Any] | None:
    """P8: the VP who reviewed the objection has the meeting called, for the reasons of whoever objects."""
    if step.origin is not Origin.OBJECTION:
        return None
    decided = [d for _, d in await tasks.decisions_of(uow.connection, project.id)]
    reviewed = [d for d in decided if d.kind is TaskKind.OBJECTION_REVIEW and d.choice == AnswerChoice.CALL_MEETING]
    if not reviewed or project.objection is None:
        raise IllegalTransition(f"{project.id}: nobody has the meeting called")
    reason = "\n".join(text for text in (str(project.objection["reason"]), reviewed[-1].reason) if text)
    return {"wanted": {"by": reviewed[-1].person, "reason": reason, "at": uow.now.isoformat()}}


class DisputeContext(Context):
    """One dispute in one step. Its tasks, decisions and mails are those of its project."""

    type = SubjectType.DISPUTE
    row: DisputeRow
    project: ProjectRow

    @classmethod
    async def load_for_update(cls, uow: UnitOfWork, subject_id: str) -> Self:
        known = await disputes.find(uow.connection, subject_id)
        if known is None or known.workflow_id != uow.workflow_id:
            raise IllegalTransition(f"{uow.workflow_id} has no dispute {subject_id}")
        # The project first, as its own process does: the two never wait for each other.
        project = await projects.find(uow.connection, known.project_id, lock=True)
        row = await disputes.find(uow.connection, subject_id, lock=True)
        assert project is not None
        assert row is not None
        uow.subject_id = project.id
        context = await cls.with_facts(uow, project.policy_digest)
        context.row, context.project = row, project
        return context

    @classmethod
    def beside(cls, project: ProjectContext, row: DisputeRow) -> Self:
        """The dispute of a project in a step of that project's own process."""
        context = cls(project.uow, project.organisation, project.calendar, project.policy, project.docket)
        context.row, context.project = row, project.row
        return context

    @property
    def subject(self) -> Subject:
        return Subject(type=SubjectType.PROJECT, id=self.project.id)

    @property
    def applicant(self) -> str:
        return self.project.salesperson

    @property
    def department(self) -> str | None:
        return self.project.department

    @property
    def stage(self) -> DisputeStage:
        return self.row.stage

    @property
    def over(self) -> bool:
        """One that ended just before its project was withdrawn may still be told of the withdrawal."""
        return self.row.stage.ended and not self.project_is_over

    @property
    def round(self) -> int:
        return self.row.round

    @property
    def sides(self) -> tuple[str, ...]:
        return self.row.sides

    @property
    def project_is_over(self) -> bool:
        """Withdrawn, most likely: there is nothing to settle any more."""
        return self.project.stage is not ProjectStage.DISPUTED or self.project.end_reason is not None

    @property
    def others(self) -> tuple[Claimant, ...]:
        """The sides beside the project itself."""
        return tuple(one for one in self.row.claimants if one.subject_id != self.project.id)

    async def change(self, **values: Any) -> None:
        """Set columns of the dispute; the context shows them from then on."""
        await disputes.change(self.uow.connection, self.row.id, **values)
        self.row = self.row.model_copy(update=values)

    async def check_transition(self, stage: str) -> None:
        row, to = self.row, DisputeStage(stage)
        negotiating = row.stage is DisputeStage.NEGOTIATION
        held = {
            DisputeStage.NEGOTIATION: negotiating and row.origin is Origin.OTHER_ACCOUNT and row.wanted is None,
            DisputeStage.CALLING_MEETING: (negotiating and row.wanted is not None)
            or (row.stage is DisputeStage.MEETING and row.called is None),
            DisputeStage.MEETING: row.stage is DisputeStage.CALLING_MEETING and row.called is not None,
            DisputeStage.AGREED: negotiating and await self._everybody_has_agreed(),
            DisputeStage.DECIDED: row.stage is DisputeStage.MEETING and row.outcome is not None,
            DisputeStage.WITHDRAWN: self.project_is_over,
            DisputeStage.SHELVED: self.stands_still(row.workflow_id),
        }
        if not held[to]:
            raise IllegalTransition(f"{row.id}: the record holds nothing that leads to {stage}")

    async def _everybody_has_agreed(self) -> bool:
        """D1: every side has confirmed the text on the table, in a decision of its own."""
        if self.row.wanted is not None or not self.row.all_confirmed:
            return False
        agreed = {
            decision.task_id
            for _, decision in self.docket.decided
            if decision.kind is TaskKind.AGREE_SPLIT and decision.choice == AnswerChoice.AGREE
        }
        assert self.row.proposal is not None
        return agreed >= set(self.row.proposal["confirmed"].values())

    async def enter(self, step: MoveStep) -> Moved:
        uow, stage, before = self.uow, DisputeStage(step.stage), self.row
        if before.stage.ended:  # agreed or decided just before the withdrawal
            return Moved()
        update: dict[str, Any] = {"stage": stage, "stage_since": uow.now}
        outcome = None
        match stage:
            case DisputeStage.NEGOTIATION if before.proposal:
                update["round"] = before.proposal["round"]
            case DisputeStage.AGREED:
                update["outcome"] = self._agreed()
                outcome = await self._bind(stage, update["outcome"])
            case DisputeStage.DECIDED:
                update["outcome"] = self._with_registrations(before.outcome or {})
                outcome = await self._bind(stage, update["outcome"])
            case DisputeStage.WITHDRAWN:
                await self._tell_of_withdrawal(step)
            case DisputeStage.SHELVED:  # its project's own process tells of it
                outcome = shelved(self.project)
        await self.change(**update)
        rule = _RULES.get(stage, "D2")
        uow.note(
            "stage_moved",
            dispute=before.id,
            stage_from=before.stage.value,
            stage=stage.value,
            rule=rule,
            round=self.row.round,
        )
        if stage.ended:
            uow.note("dispute_closed", dispute=before.id, stage=stage.value, rule=rule)
        return Moved(outcome=outcome)

    def _agreed(self) -> dict[str, Any]:
        proposal = self.row.proposal or {}
        return {
            "how": "agreed",
            "cooperation": proposal["cooperation"],
            "split": proposal["split"],
            "responsible": proposal.get("responsible") or self.project.salesperson,  # not named before 0.2
            "at": self.uow.now.isoformat(),
        }

    @property
    def registrations(self) -> tuple[str, ...]:
        """D6: the registrations that are sides of the dispute, its project first."""
        others = {one.subject_id for one in self.others if one.subject_type == "project"}
        return (self.project.id, *sorted(others))

    def _with_registrations(self, outcome: dict[str, Any]) -> dict[str, Any]:
        """D6: the outcome of the meeting with the registration that goes on and those that end."""
        own, *others = self.registrations
        if not others:
            return outcome
        goes_on = str(outcome.get("goes_on") or own)
        return {**outcome, "goes_on": goes_on, "ends": list(ended_by(goes_on, own, others))}

    async def _bind(self, stage: DisputeStage, outcome: dict[str, Any]) -> DisputeOutcome:
        """D1, D2, D6: the outcome stands in the project and in every other registration that is a side, unless the
        meeting says that they are two projects.

        A project withdrawn meanwhile binds nobody.
        """
        uow, project, responsible = self.uow, self.project, str(outcome["responsible"])
        if not self.project_is_over:
            agreement = {**outcome, "dispute": self.row.id}
            update: dict[str, Any] = {"agreement": agreement}
            if responsible != project.salesperson:
                office = self.organisation.department_of(responsible)
                update |= {"salesperson": responsible, "department": office.id if office else project.department}
            await projects.change(uow.connection, project.id, **update)
            self.project = project.model_copy(update=update)
            await hand_on_sides(uow, self.docket, project.id, project.salesperson, responsible, but=self.row.id)
            others = () if outcome.get("goes_on") == TWO_PROJECTS else self.registrations[1:]
            for other in others:
                await bind(self, other, agreement)
            uow.note("split_bound", dispute=self.row.id, projects=[project.id, *others], rule="D2")
        return outcome_on_record(self.row.model_copy(update={"stage": stage, "outcome": outcome}), project)

    async def _tell_of_withdrawal(self, step: MoveStep) -> None:
        """The other side, and whoever was asked or invited here, are told that there is nothing to settle any more.

        The project's own process tells its salesperson and whoever it has asked itself.
        """
        ended = self.project.end_reason or {}
        told_already = {self.project.salesperson, str(ended.get("by", ""))}
        invited = list((self.row.called or {}).get("participants", []))
        people = [*self.sides, *invited]
        everything = self.docket.tasks
        for task in everything:
            persons = [one.person for one in self.docket.asked_before(task.id)]
            if task.workflow_id == self.row.workflow_id:
                people += persons
            elif task.round == self.project.round:
                told_already.update(persons)
        key = f"{self.row.id}:{step.key}"
        told = [person for person in dict.fromkeys(people) if person not in told_already]
        # D5: who was invited hears of it once, and their calendar with them.
        await meetings.end_with_the_dispute(self, key=key)
        await MailOutbox(self, self.stage_key(DisputeStage.WITHDRAWN)).notice(
            Notice.PROJECT_WITHDRAWN,
            [person for person in told if person not in invited],
            key=key,
            reason=str(ended.get("reason", "")),
            by=str(ended.get("by", "")) or self.project.applicant,
        )

    async def notify(self, notice: Notice, step: MoveStep, involved: tuple[str, ...]) -> None:
        del involved  # who is told of a meeting is who was called to it, not who was asked about it
        if self.project_is_over:
            return
        meeting = self.row.called or {}
        reason, by = "", ""
        match notice:
            case Notice.MEETING_WANTED if self.row.wanted:
                reason, by = str(self.row.wanted["reason"]), str(self.row.wanted["by"])
            case Notice.MEETING_CALLED:
                by, reason = str(meeting["called_by"]), str(meeting.get("missing_because", ""))
            case Notice.MEETING_RECORDED if self.row.outcome:
                by = str(self.row.outcome["by"])
        people = recipients_of_project(
            notice,
            self.organisation,
            salesperson=self.sides[0],
            claimants=self.row.claimants,
            involved=meeting.get("participants", ()),
        )
        # Two disputes over one project have moves of the same name.
        await meetings.notify(self, notice, people, key=f"{self.row.id}:{step.key}", reason=reason, by=by)

    def stands_since(self, task: TaskRow) -> datetime:
        """U10: nobody can record a meeting before it was held."""
        called = (self.row.called or {}).get("starts_at") if task.kind is TaskKind.RECORD_MEETING else None
        return max(task.opened_at, datetime.fromisoformat(str(called))) if called else task.opened_at

    async def warn(self, task: TaskRow, until: datetime) -> None:
        people = recipients_of_project(
            Notice.STANDING_STILL,
            self.organisation,
            salesperson=self.project.salesperson,
            claimants=self.row.claimants,
            involved=(self.row.called or {}).get("participants", ()),
        )
        key = f"{self.row.id}:{task.id}"
        await MailOutbox(self).notice(Notice.STANDING_STILL, people, key=key, until=until)

    def slots(self, ask: Ask) -> Sequence[str]:
        # A side may have been handed to somebody else since the process was told whom to ask (A6).
        if ask.kind is TaskKind.RECORD_MEETING:
            return (deciding_salesperson(self.row.origin, self.project.applicant, self.others),)
        if ask.kind is not TaskKind.AGREE_SPLIT or ask.slot in self.sides:
            return (ask.slot,)
        confirmed = self.row.proposal["confirmed"] if self.row.proposal else {}
        return tuple(person for person in self.sides if person not in confirmed)

    async def choices_now(self, kind: TaskKind, slot: str) -> tuple[Choice, ...]:
        del slot  # the same for everybody who is asked
        # Whoever has put the text on the table is not asked while it lies there.
        return project_choices(
            kind,
            people=meetings.invitable(self) if kind is TaskKind.CALL_MEETING else (),
            salespeople=self.sides,
            registrations=self.registrations,
            text_on_the_table=self.row.proposal is not None,
        )

    async def note_for(self, ask: Ask) -> dict[str, JsonValue] | None:
        return await notes.note_for(self, ask.kind)

    async def ruled_out(self, task: TaskRow) -> frozenset[str]:
        """Nobody decides on what is their own side of the matter."""
        return frozenset({*self.sides, self.project.applicant, self.project.salesperson}) - {task.slot}

    async def check(self, task: TaskRow, said: AnswerTask) -> None:
        await answers.check(self, task, said)

    async def answered(self, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
        return await answers.answered(self, task, decision, said)

    async def judge(self, said: Statement) -> Recorded:
        return await answers.judge(self, said)

    def mail_facts(self) -> MailFacts:
        return MailFacts(
            kind=Notice.TASK,
            subject_type=SubjectType.PROJECT,
            subject_id=self.project.id,
            project_number=self.project.number or "",
            project_name=self.project.form.name,
            customer_name=self.project.customer_name,
            stage_key=self.stage_key(self.row.stage),
        )

    async def mail_evidence(self, kind: TaskKind) -> Mapping[str, Any]:
        """A5: what each side has registered when, the vendor's position, familiarity; for whoever settles it.

        The other salespeople see the project, which touches their account, and the text on the table (X2).
        """
        essentials = project_essentials(self.project.form)
        if kind is TaskKind.AGREE_SPLIT:
            table = self.row.proposal
            return {"essentials": essentials, "facts": text_rows(table, self.organisation) if table else ()}
        facts: dict[str, Any] = {"essentials": essentials, "matches": await notes.registrations(self)}
        if kind is TaskKind.CALL_MEETING:
            people = meeting_participants(self.organisation, self.sides)
            facts["facts"] = (participants_row(people, self.organisation),)
        return facts

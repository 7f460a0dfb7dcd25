"""What the process of a dispute does in a step: moves, questions, answers and notices (D1–D6, P8, U10)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from activities.disputes import answers, meetings, notes
from activities.disputes.merging import bind
from activities.disputes.record import DisputeRecord, outcome_on_record, shelved, transition_facts
from activities.projects.reassigning import hand_on_sides
from activities.steps import Moved, MoveStep, Recorded
from activities.tasks.context import Answered, IllegalTransition
from activities.tasks.mail_outbox import MailOutbox
from db.projects import projects
from db.tasks.tasks import DecisionRow, TaskRow
from domain.disputes.dispute import TWO_PROJECTS, DisputeOutcome, DisputeStage, ended_by
from domain.disputes.transitions import transition_problem
from domain.notices import Notice
from domain.projects.rules import meeting_participants, project_choices, recipients_of_project
from domain.statements import AnswerTask, Statement
from domain.tasks.task import AnswerChoice, Ask, Choice, TaskKind
from texts.disputes.dispute_lines import participants_row, text_rows
from texts.projects.project_lines import project_essentials

_RULES = {DisputeStage.NEGOTIATION: "D1", DisputeStage.AGREED: "D1"}
"""The rule of each stage; the meeting's is D2."""


class DisputeContext(DisputeRecord):
    """One dispute in one step of its process."""

    async def check_transition(self, stage: str) -> None:
        row, stands_still = self.row, self.stands_still(self.row.workflow_id)
        facts = transition_facts(row, self.project, agreed=self._everybody_has_agreed(), stands_still=stands_still)
        problem = transition_problem(facts, DisputeStage(stage))
        if problem:
            raise IllegalTransition(f"{row.id}: {problem}")

    def _everybody_has_agreed(self) -> bool:
        """D1: every side has confirmed the text on the table, in a decision of its own."""
        if not self.row.all_confirmed:
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
                await self._notify_of_withdrawal(step)
            case DisputeStage.SHELVED:  # its project's own process notifies
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

    async def _notify_of_withdrawal(self, step: MoveStep) -> None:
        """The other side, and whoever was asked or invited here, are notified that there is nothing to settle any more.

        The project's own process notifies its salesperson and whoever it has asked itself.
        """
        ended = self.project.end_reason or {}
        notified_already = {self.project.salesperson, str(ended.get("by", ""))}
        invited = list((self.row.called or {}).get("participants", []))
        people = [*self.sides, *invited]
        for task in self.docket.tasks:
            persons = [asked.person for asked in self.docket.asked_before(task.id)]
            if task.workflow_id == self.row.workflow_id:
                people += persons
            elif task.round == self.project.round:
                notified_already.update(persons)
        key = f"{self.row.id}:{step.key}"
        readers = [person for person in dict.fromkeys(people) if person not in notified_already]
        # D5: whoever was invited is notified once, with the cancelled calendar entry.
        await meetings.end_with_the_dispute(self, key=key)
        await MailOutbox(self, self.stage_key(DisputeStage.WITHDRAWN)).notice(
            Notice.PROJECT_WITHDRAWN,
            [person for person in readers if person not in invited],
            key=key,
            reason=str(ended.get("reason", "")),
            by=str(ended.get("by", "")) or self.project.applicant,
        )

    async def notify(self, notice: Notice, step: MoveStep, involved: tuple[str, ...]) -> None:
        del involved  # a notice of a meeting goes to its participants, not to whoever was asked about it
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

    async def check(self, task: TaskRow, said: AnswerTask) -> None:
        await answers.check(self, task, said)

    async def answered(self, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
        return await answers.answered(self, task, decision, said)

    async def judge(self, said: Statement) -> Recorded:
        return await answers.record_statement(self, said)

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

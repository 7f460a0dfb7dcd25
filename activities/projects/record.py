"""What a registration is in one step: its row, its tasks and decisions, and what is shown of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime
from typing import Any, Self

from pydantic import JsonValue

from activities.tasks.context import Context, IllegalTransition
from activities.unit_of_work import UnitOfWork
from db.projects import projects
from db.projects.projects import ProjectRow
from db.tasks.tasks import TaskRow
from domain.calendar import WorkCalendar
from domain.conflicts.project_match import Match
from domain.disputes.dispute import DisputeStage, dispute_is_of, settled
from domain.notices import Notice
from domain.policy import Policy
from domain.projects.judgements import ProjectFacts
from domain.projects.project import ProjectForm, ProjectStage
from domain.projects.rules import BOUND_BY_AN_OUTCOME, SUSPECTS_FIELD, named_suspects
from domain.projects.silence import SilenceDue, silence_ahead, silent_for_long
from domain.projects.transitions import TransitionFacts
from domain.statements import RegisterProject
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, Ask, TaskKind
from texts.mails.facts import MailFacts
from texts.projects.project_lines import contract_lines, match_lines, own_line, project_essentials

_WITH_MATCHES = frozenset(
    {
        TaskKind.CONFLICT_CHECK,
        TaskKind.CONFLICT_CONFIRMATION,
        TaskKind.PROJECT_APPROVAL,
        TaskKind.OBJECTION_REVIEW,
        TaskKind.RESUME_REVIEW,
    }
)
"""A5: whoever decides sees what else is registered, when, and how well everyone knows the customer."""


class ProjectRecord(Context):
    """One registration in one step. What its process does with it is `activities.projects.process`."""

    type = SubjectType.PROJECT
    row: ProjectRow

    @classmethod
    async def load_for_update(cls, uow: UnitOfWork, subject_id: str) -> Self:
        row = await projects.find(uow.connection, subject_id, lock=True)
        if row is None or row.workflow_id != uow.workflow_id:
            raise IllegalTransition(f"{uow.workflow_id} has no project {subject_id}")
        return await cls.of(uow, row)

    @classmethod
    async def of(cls, uow: UnitOfWork, row: ProjectRow) -> Self:
        """The registration of a row that this step has locked."""
        uow.subject_id = row.id
        context = await cls.with_facts(uow, row.policy_digest)
        context.row = row
        return context

    @property
    def subject(self) -> Subject:
        return Subject(type=self.type, id=self.row.id)

    @property
    def applicant(self) -> str:
        return self.row.salesperson

    @property
    def department(self) -> str | None:
        return self.row.department

    @property
    def stage(self) -> ProjectStage:
        return self.row.stage

    @property
    def over(self) -> bool:
        return self.row.stage.ended

    @property
    def ended_outside(self) -> bool:
        return self.row.stage is ProjectStage.MERGED

    @property
    def round(self) -> int:
        return self.row.round

    @property
    def facts(self) -> ProjectFacts:
        """What statements about the registration are judged by."""
        return self.row.statement_facts

    @property
    def objection_until(self) -> datetime | None:
        """P8: until when a refusal may be objected to."""
        return self.facts.objection_until

    @property
    def own_people(self) -> frozenset[str]:
        """Whose project it is by now, and who registered it."""
        return self.facts.own_people

    @property
    def today(self) -> date:
        """The day of this step in the business time zone."""
        return self.uow.now.astimezone(self.policy.zone).date()

    async def change(self, **values: Any) -> None:
        """Set columns of the registration; the context shows them from then on."""
        await projects.change(self.uow.connection, self.row.id, **values)
        self.row = self.row.model_copy(update=values)

    async def matches(self) -> tuple[Match, ...]:
        """What was found in this round (P4)."""
        return await projects.matches_of(self.uow.connection, self.row.id, self.row.round)

    def ahead(self) -> tuple[SilenceDue, ...]:
        """U2–U5: what happens automatically from here on; nothing while commerce has the contract to review (U7)."""
        return ahead_of(self.row, self.policy, self.calendar)

    def slots(self, ask: Ask) -> Sequence[str]:
        """D6: the process does not know yet whom the outcome of another's dispute has made responsible."""
        bound = self.row.agreement is not None and not dispute_is_of(self.row.agreement, self.row.id)
        return (self.row.salesperson,) if bound and ask.kind in BOUND_BY_AN_OUTCOME else (ask.slot,)

    async def ruled_out(self, task: TaskRow) -> frozenset[str]:
        """Nobody decides on a project that is their own by now, or on the conflict of their own registration."""
        del task  # the salesperson whom a VP's slot names is never asked by it anyway
        return self.own_people

    async def note_for(self, ask: Ask) -> dict[str, JsonValue] | None:
        decisions = [decision for _, decision in self.docket.decided]
        match ask.kind:
            case TaskKind.SUPPLY_INFORMATION:
                held = [decision for decision in decisions if decision.choice == AnswerChoice.HOLD]
                return {"reason": held[-1].reason} if held else None
            case TaskKind.CONFLICT_CONFIRMATION:
                suspected = [decision for decision in decisions if decision.choice == AnswerChoice.SUSPECT]
                if not suspected:
                    return None
                # One VP may supervise several of them: each task is about those of one salesperson, and says which.
                theirs = {match.subject_id for match in await self.matches() if match.salesperson == ask.slot}
                named = [subject_id for subject_id in named_suspects(suspected[-1].fields) if subject_id in theirs]
                return {"reason": suspected[-1].reason, SUSPECTS_FIELD: list(named)}
            case TaskKind.OBJECTION_REVIEW if self.row.objection:
                return {"reason": str(self.row.objection["reason"]), "refusal": self.row.refusal}
            case TaskKind.RESUME_REVIEW if self.row.resumption:
                why = self.row.resumption
                return {"reason": f"{why['why_silent']}\n{why['why_resume']}", "resumes": self.row.resumes}
            case TaskKind.PROJECT_APPROVAL if self.row.agreement:
                return {"agreement": self.row.agreement}
            case TaskKind.CONTRACT_REVIEW if self.row.contract_application:
                return {"contract_application": self.row.contract_application}
            case _:
                return None

    def mail_facts(self) -> MailFacts:
        row = self.row
        return MailFacts(
            kind=Notice.TASK,
            subject_type=self.type,
            subject_id=row.id,
            project_number=row.number or "",
            project_name=row.form.name,
            customer_name=row.form.customer.name,
            stage_key=self.stage_key(row.stage),
        )

    async def mail_evidence(self, kind: TaskKind) -> Mapping[str, Any]:
        facts: dict[str, Any] = {"essentials": project_essentials(self.row.form)}
        if kind is TaskKind.CONTRACT_REVIEW:
            facts["facts"] = contract_lines(self.row.contract_application or {})
        if kind in _WITH_MATCHES:
            row = self.row
            own = own_line(
                row.form,
                self.organisation,
                salesperson=row.salesperson,
                status=row.stage.status.value,
                since=row.registered_at,
                named_since=row.named_since,
                live=row.live,
            )
            facts |= {"matches": match_lines(await self.matches(), self.organisation), "own": own}
        return facts


def row_of(
    said: RegisterProject,
    form: ProjectForm,
    *,
    workflow_id: str,
    department: str | None,
    policy_digest: str,
    now: datetime,
) -> ProjectRow:
    """The registration that a statement with a `form` begins (P1, U6)."""
    return ProjectRow(
        id=said.project_id,
        workflow_id=workflow_id,
        applicant=said.person,
        salesperson=said.person,
        department=department,
        stage=ProjectStage.RESUME_REVIEW if said.resumes else ProjectStage.ROUTING,
        round=1,
        form=form,
        policy_digest=policy_digest,
        registered_at=now,
        stage_since=now,
        resumes=said.resumes,
        resumption=said.resumption.model_dump(mode="json") if said.resumption else None,
    )


def ahead_of(row: ProjectRow, policy: Policy, calendar: WorkCalendar) -> tuple[SilenceDue, ...]:
    """U2–U5: what happens automatically to a registration; nothing while commerce has its contract to review (U7)."""
    if row.updated_at is None or row.contract_with_commerce:
        return ()
    return silence_ahead(row.updated_at, row.silences, policy, calendar)


def transition_facts(
    row: ProjectRow,
    *,
    now: datetime,
    choices: Set[str],
    still_open: Set[TaskKind],
    disputes: Sequence[DisputeStage],
    ahead: Sequence[SilenceDue],
    stands_still: bool,
) -> TransitionFacts:
    """What a move of a registration is judged by. `choices`: what was answered in this round to tasks of its own;
    `still_open`: the kinds of its open tasks; `disputes`: the stages of those over it, oldest first; `ahead`: what
    follows from silence; `stands_still`: whether a task of its own has been left unanswered for too long (U10)."""
    facts = row.statement_facts
    return TransitionFacts(
        stage=row.stage,
        choices=choices,
        track=row.track,
        resumes=row.resumes is not None,
        confirmation_open=TaskKind.CONFLICT_CONFIRMATION in still_open,
        contract_review_open=TaskKind.CONTRACT_REVIEW in still_open,
        contract_handed_in=row.contract_application is not None,
        objected=facts.objected,
        objection_lapsed=facts.objection_until is not None and facts.objection_until <= now,
        agreed=row.agreement is not None,
        agreement_waits=facts.agreement_waits,
        dispute_settled=settled(disputes),
        dispute_shelved=bool(disputes) and disputes[-1] is DisputeStage.SHELVED,
        merges=row.id in (row.agreement or {}).get("ends", ()),
        lost=facts.lost,
        contract_received=facts.contract_received,
        silent_for_long=silent_for_long(ahead, now),
        stands_still=stands_still,
        withdrawn=facts.withdrawn,
    )

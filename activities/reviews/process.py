"""A review of Named Accounts in one step: whom it asks, and what an answer changes (R1–R6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from pydantic import JsonValue

from activities.reviews.notes import account_notes
from activities.steps import Moved, MoveStep, Recorded
from activities.tasks.context import Answered, Context, IllegalTransition
from activities.tasks.mail_outbox import MailOutbox
from activities.unit_of_work import UnitOfWork
from db.accounts import accounts, applications
from db.accounts.accounts import AccountRow
from db.reviews import reviews
from db.reviews.reviews import AccountReviewRow, ReviewRow, TargetRow
from db.tasks.tasks import DecisionRow, TaskRow
from domain.notices import Notice
from domain.organisation import Organisation
from domain.reviews.judgements import judge_statement, said_of_accounts
from domain.reviews.notes import ReviewNote
from domain.reviews.periods import Period, read_period
from domain.reviews.review import (
    KEEP,
    REVOKE,
    ReviewStage,
    recipients_of_revocation,
    review_choices,
    target_period,
    unit_of,
    updates_until,
)
from domain.reviews.transitions import ReviewFacts, transition_problem
from domain.statements import AnswerTask, Statement
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, Ask, Choice, TaskKind, TaskStatus
from texts.mails.facts import MailFacts
from texts.reviews.review_lines import account_lines, unit_name

RULES = {ReviewStage.DONE: "R1–R4", ReviewStage.MISSED: "R6"}


def department_of(account: AccountRow, organisation: Organisation) -> str | None:
    """The department an account is reviewed in: its salesperson's, or the one it was approved in."""
    return organisation.department_now(account.salesperson, account.department)


class ReviewContext(Context):
    """One review in one step."""

    type = SubjectType.REVIEW
    left_open = TaskStatus.MISSED
    left_open_mail = Notice.MISSED
    row: ReviewRow
    period: Period
    live: tuple[AccountRow, ...]
    """Everybody's live accounts."""
    accounts: tuple[AccountRow, ...]
    """The live accounts that are reviewed here."""

    @classmethod
    async def load_for_update(cls, uow: UnitOfWork, subject_id: str) -> Self:
        row = await reviews.find(uow.connection, subject_id, lock=True)
        if row is None or row.workflow_id != uow.workflow_id:
            raise IllegalTransition(f"{uow.workflow_id} has no review {subject_id}")
        uow.subject_id = row.id
        context = await cls.with_facts(uow, row.policy_digest)
        context.row = row
        context.period = read_period(row.period, context.policy.reviews)
        context.live = await reviews.live_accounts(uow.connection)
        context.accounts = tuple(
            account
            for account in context.live
            if unit_of(row.rhythm, department_of(account, context.organisation), context.organisation) == row.unit
        )
        return context

    @property
    def subject(self) -> Subject:
        return Subject(type=self.type, id=self.row.id)

    @property
    def applicant(self) -> str:
        """Nobody has applied for anything."""
        return ""

    @property
    def department(self) -> str | None:
        return self.row.unit or None

    @property
    def stage(self) -> ReviewStage:
        return self.row.stage

    @property
    def over(self) -> bool:
        return self.row.stage.ended

    @property
    def round(self) -> int:
        return 1

    async def check_transition(self, stage: str) -> None:
        facts = ReviewFacts(
            stage=self.row.stage,
            tasks=tuple(task.status for task in self.docket.tasks),
            started=any(decision.choice == AnswerChoice.START for _, decision in self.docket.decided),
            late=self.row.closes_at <= self.uow.now,
        )
        problem = transition_problem(facts, ReviewStage(stage))
        if problem:
            raise IllegalTransition(f"{self.row.id} does not go from {facts.stage} to {stage}: {problem}")

    async def enter(self, step: MoveStep) -> Moved:
        before, stage = self.row.stage, ReviewStage(step.stage)
        update: dict[str, Any] = {"stage": stage, "stage_since": self.uow.now}
        await reviews.change(self.uow.connection, self.row.id, **update)
        self.row = self.row.model_copy(update=update)
        self.uow.note("stage_moved", stage_from=before.value, stage=stage.value, rule=RULES.get(stage))
        return Moved()

    async def notify(self, notice: Notice, step: MoveStep, involved: tuple[str, ...]) -> None:
        raise NotImplementedError("whoever is told something of a review is told by a report")

    def slots(self, ask: Ask) -> Sequence[str]:
        if self.row.closes_at <= self.uow.now:
            return ()  # R6: what would open in the moment it closes is nobody's miss
        match ask.kind:
            case TaskKind.WEEKLY_UPDATE:
                return tuple(dict.fromkeys(account.salesperson for account in self.accounts))
            case TaskKind.ANNUAL_REVIEW:
                offices = {department_of(account, self.organisation) or "" for account in self.accounts}
                return tuple(sorted(offices))
            case _:
                return (ask.slot,)

    def _asked_about(self, kind: TaskKind, slot: str) -> tuple[AccountRow, ...]:
        """The accounts of one task: those held when it was opened, and not revoked since."""
        then = self.row.stage_since
        known = tuple(account for account in self.accounts if account.activated_at <= then)
        match kind:
            case TaskKind.WEEKLY_UPDATE:  # wherever the salesperson has moved since
                held = (account for account in self.live if account.activated_at <= then)
                return tuple(account for account in held if account.salesperson == slot)
            case TaskKind.ANNUAL_REVIEW:
                return tuple(account for account in known if (department_of(account, self.organisation) or "") == slot)
            case _:
                return known

    def closes_at(self, kind: TaskKind) -> datetime:
        """R1, R6."""
        row = self.row
        if kind is TaskKind.WEEKLY_UPDATE:
            return updates_until(row.opened_at, row.closes_at, self.policy.reviews, self.calendar)
        return row.closes_at

    async def choices_now(self, kind: TaskKind, slot: str) -> tuple[Choice, ...]:
        return review_choices(kind, [account.id for account in self._asked_about(kind, slot)])

    async def note_for(self, ask: Ask) -> dict[str, JsonValue] | None:
        asked_about = self._asked_about(ask.kind, ask.slot)
        notes = await account_notes(
            self.uow.connection, ask.kind, asked_about, self.period, self.organisation, self.policy
        )
        silent = [
            self.organisation.name_of(task.slot)
            for task in self.docket.tasks
            if task.kind is TaskKind.WEEKLY_UPDATE and task.status is TaskStatus.MISSED
        ]
        note = ReviewNote(
            period=self.period,
            closes_at=self.closes_at(ask.kind),
            accounts=notes,
            silent=tuple(silent),
        )
        return note.model_dump(mode="json")

    async def ruled_out(self, task: TaskRow) -> frozenset[str]:
        del task
        return frozenset()

    def answers_own(self, kind: TaskKind) -> bool:
        del kind
        return True

    async def check(self, task: TaskRow, said: AnswerTask) -> None:
        """The form of an answer says it all."""

    async def answered(self, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
        del said
        chosen = next(choice for choice in task.choices if choice.choice == decision.choice)
        rows = said_of_accounts(chosen, decision.fields)
        await self._keep_said(task, decision, rows)
        await self._set_targets(task, decision, rows)
        for account in self.accounts:
            row = rows.get(account.id, {})
            if row.get("decision") == REVOKE:
                await self._revoke(task, account, decision, row["reason"])
        return Answered()

    async def _keep_said(self, task: TaskRow, decision: DecisionRow, rows: Mapping[str, Mapping[str, str]]) -> None:
        said = [
            AccountReviewRow(
                task_id=task.id,
                account_id=account_id,
                review_id=self.row.id,
                kind=task.kind,
                period=self.row.period,
                person=decision.person,
                at=self.uow.now,
                fields=dict(row),
            )
            for account_id, row in rows.items()
        ]
        await reviews.keep_said(self.uow.connection, said)

    async def _set_targets(self, task: TaskRow, decision: DecisionRow, rows: Mapping[str, Mapping[str, str]]) -> None:
        """R2, R4: what is to be reached next, for every account that stays."""
        if task.kind not in (TaskKind.MONTHLY_REVIEW, TaskKind.ANNUAL_REVIEW):
            return
        targets = [
            TargetRow(
                account_id=account_id,
                period=target_period(self.period, self.policy.reviews),
                contracts=Decimal(row["target_contracts"]),
                revenue=Decimal(row["target_revenue"]),
                action_plan=row.get("action_plan", ""),
                requirements=row.get("requirements", ""),
                task_id=task.id,
                set_by=decision.person,
                set_at=self.uow.now,
            )
            for account_id, row in rows.items()
            if row.get("decision", KEEP) == KEEP
        ]
        await reviews.set_targets(self.uow.connection, targets)

    async def _revoke(self, task: TaskRow, account: AccountRow, decision: DecisionRow, reason: str) -> None:
        """R5: the claim is free and the count goes down at this moment; running projects stay (A4)."""
        uow = self.uow
        await accounts.revoke(uow.connection, account.id, uow.now)
        await applications.set_live(uow.connection, "account", account.id, False)
        uow.note("account_revoked", decision.person, account=account.id, reason=reason, rule="R5")
        people = recipients_of_revocation(
            self.organisation,
            salesperson=account.salesperson,
            department=department_of(account, self.organisation),
        )
        await MailOutbox(self).notice(
            Notice.REVOKED,
            people,
            key=account.id,
            by=decision.person,
            reason=reason,
            customer_name=account.form.customer.name,
            applicant_name=self.organisation.name_of(account.salesperson),
            accounts=account_lines(task.note, account.id),
            account_id=account.id,
        )

    async def judge(self, said: Statement) -> Recorded:
        judge_statement(said)

    def mail_facts(self) -> MailFacts:
        return MailFacts(
            kind=Notice.TASK,
            subject_type=self.type,
            subject_id=self.row.id,
            number=self.row.id,
            stage_key=self.stage_key(self.row.stage),
            until=self.row.closes_at,
            period=self.period,
            unit_name=unit_name(self.row.rhythm, self.row.unit, self.organisation),
        )

    async def mail_evidence(self, kind: TaskKind) -> Mapping[str, Any]:
        del kind
        return {}

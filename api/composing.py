"""Rows of the record put together into what the API and the pages show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.state import Viewer
from api.views import (
    AccountView,
    ApplicationSummary,
    ApplicationView,
    AskedView,
    ChoiceView,
    DecisionView,
    OpenTaskView,
    PersonView,
    RejectionView,
    SubjectView,
    TaskSummary,
    TaskView,
    TimelineEntry,
)
from db import accounts, applications, audit, tasks
from db.accounts import AccountRow
from db.applications import ApplicationRow
from db.engine import AsyncConnection
from db.facts import Facts
from db.tasks import AskedRow, DecisionRow, TaskRow
from domain.access import sees_evidence
from domain.background import background_of
from domain.eligibility import evaluate
from domain.evidence import Evidence
from domain.named_account import RULES
from domain.organisation import Organisation
from domain.tasks import TaskKind, TaskStatus
from texts.catalogue import Texts
from texts.named_evidence import with_names

TIMELINE_HIDES = frozenset({"mails_queued", "evidence_gathered", "task_opened", "task_withdrawn", "earlier_found"})
"""Events that the dossier has and the short timeline leaves out."""


SPEAKS_OF_EVIDENCE = frozenset({"evidence_gathered", "earlier_found"})
"""Events whose bodies name other people's registrations, or how many there are."""


class Composer:
    """Puts views together for one viewer, in their language."""

    def __init__(self, tx: AsyncConnection, facts: Facts, viewer: Viewer, texts: Texts) -> None:
        self._tx = tx
        self._facts = facts
        self._viewer = viewer
        self._organisation: Organisation = viewer.organisation
        self._texts = texts

    def person(self, person_id: str) -> PersonView:
        return PersonView(id=person_id, name=self._organisation.name_of(person_id))

    def summary(self, row: ApplicationRow) -> ApplicationSummary:
        return ApplicationSummary(**self._summary(row))

    def _summary(self, row: ApplicationRow) -> dict[str, Any]:
        return {
            "id": row.id,
            "workflow_id": row.workflow_id,
            "stage": row.stage,
            "stage_label": self._texts.text(f"stage.{row.stage}"),
            "outcome": row.stage if row.stage.ended else None,
            "round": row.round,
            "applicant": self.person(row.applicant),
            "department": row.department,
            "customer_name": row.form.customer.name,
            "submitted_at": row.submitted_at,
            "stage_since": row.stage_since,
        }

    async def sees_evidence(self, row: ApplicationRow) -> bool:
        """Whether evidence, and what speaks of it, is for the viewer (X2). Being asked counts while it lasts."""
        open_tasks = await tasks.of_subject(self._tx, row.id, open_only=True)
        asked = await tasks.asked_by(self._tx, [task.id for task in open_tasks])
        me = self._viewer.person
        deciding = any(
            one.person == me.id and one.removed_at is None and task.kind is not TaskKind.SUPPLY_INFORMATION
            for task in open_tasks
            for one in asked[task.id]
        ) or any(decision.person == me.id for _, decision in await tasks.decisions_of(self._tx, row.id))
        return sees_evidence(me, self._organisation, applicant=row.applicant, asked_to_decide=deciding)

    async def application(self, row: ApplicationRow, *, shown: bool) -> ApplicationView:
        """One application. `shown`: what `sees_evidence` said of it."""
        open_tasks = await tasks.of_subject(self._tx, row.id, open_only=True)
        asked = await tasks.asked_by(self._tx, [task.id for task in open_tasks])
        decided = await tasks.decisions_of(self._tx, row.id)
        found = await applications.evidence_of(self._tx, row.id, row.round)
        policy = await self._facts.pinned_policy(self._tx, row.policy_digest)
        entries = await audit.of_subject(self._tx, row.id)
        account = await accounts.find(self._tx, row.id)
        return ApplicationView(
            **self._summary(row),
            customer=row.form.customer.model_dump(mode="json"),
            form=row.form,
            policy=policy.version,
            evidence=[self.evidence(item) for item in found] if shown else [],
            eligibility=evaluate(row.form, background_of(found if shown else ()), policy.eligibility),
            tasks=[self._open_task(task, asked[task.id]) for task in open_tasks],
            decisions=[self.decision(number, decision) for number, decision in decided],
            rejection=self._rejection(row),
            appeal=row.appeal,
            end_reason=row.end_reason,
            conflicts=_conflicts(entries),
            account_id=account.id if account else None,
            what_next=self._what_next(row, open_tasks, asked),
            timeline=[self.entry(entry, shown=shown) for entry in entries if entry.event not in TIMELINE_HIDES],
        )

    def evidence(self, item: Evidence) -> Evidence:
        return with_names(item, self._organisation)

    def _rejection(self, row: ApplicationRow) -> RejectionView | None:
        if row.rejection is None:
            return None
        return RejectionView(
            by=self.person(row.rejection.person),
            reason=row.rejection.reason,
            at=row.rejection.at,
            appeal_until=row.rejection.appeal_until,
        )

    def _what_next(
        self, row: ApplicationRow, open_tasks: Sequence[TaskRow], asked: dict[str, tuple[AskedRow, ...]]
    ) -> str:
        people = [
            self._organisation.name_of(one.person)
            for task in open_tasks
            for one in asked[task.id]
            if one.removed_at is None
        ]
        until = row.rejection.appeal_until if row.rejection else None
        zone = self._facts.policy.zone
        return self._texts.text(
            f"what_next.{row.stage}",
            people=self._texts.join(list(dict.fromkeys(people))),
            until=self._texts.moment(until, zone) if until else "",
        )

    def asked(self, one: AskedRow) -> AskedView:
        return AskedView(
            person=self.person(one.person),
            capacity=one.capacity,
            on_behalf_of=self.person(one.on_behalf_of) if one.on_behalf_of else None,
        )

    def _open_task(self, task: TaskRow, asked: Sequence[AskedRow]) -> OpenTaskView:
        return OpenTaskView(
            id=task.id,
            kind=task.kind,
            rule=RULES[task.kind],
            title=self._texts.text(f"task.{task.kind}.title"),
            asked=[self.asked(one) for one in asked if one.removed_at is None],
            opened_at=task.opened_at,
            due_at=task.due_at,
        )

    def decision(self, number: int, decision: DecisionRow) -> DecisionView:
        return DecisionView(
            task_id=decision.task_id,
            kind=decision.kind,
            round=number,
            choice=decision.choice,
            reason=decision.reason,
            special_reason=decision.special,
            person=self.person(decision.person),
            on_behalf_of=self.person(decision.on_behalf_of) if decision.on_behalf_of else None,
            capacity=decision.capacity,
            decided_at=decision.decided_at,
        )

    def entry(self, entry: audit.Entry, *, shown: bool) -> TimelineEntry:
        """One event. `shown`: what `sees_evidence` said; without it, what speaks of evidence has no body (X2)."""
        known = self._organisation.person(entry.actor)
        return TimelineEntry(
            at=entry.at,
            event=entry.event,
            text=self._texts.label(f"event.{entry.event}"),
            actor=self.person(entry.actor) if known else None,
            body=entry.body if shown or entry.event not in SPEAKS_OF_EVIDENCE else {},
        )

    def _task_summary(self, task: TaskRow, mine: AskedRow | None, title: str) -> dict[str, Any]:
        choices = [
            ChoiceView(**choice.model_dump(), label=self._texts.text(f"choice.{task.kind}.{choice.choice}"))
            for choice in task.choices
        ]
        return {
            "id": task.id,
            "kind": task.kind,
            "rule": RULES[task.kind],
            "subject": SubjectView(type="application", id=task.subject_id, title=title),
            "question": self._texts.text(f"task.{task.kind}.question"),
            "choices": choices if task.status is TaskStatus.OPEN else [],
            "opened_at": task.opened_at,
            "due_at": task.due_at,
            "due_provisional": task.due_provisional,
            "status": task.status,
            "on_behalf_of": self.person(mine.on_behalf_of) if mine and mine.on_behalf_of else None,
            "round": task.round,
        }

    def task_summary(self, task: TaskRow, mine: AskedRow, title: str) -> TaskSummary:
        return TaskSummary(**self._task_summary(task, mine, title))

    async def task(self, task: TaskRow, mine: AskedRow | None, row: ApplicationRow) -> TaskView:
        """One task with everything to decide on."""
        decision = await tasks.decision_on(self._tx, task.id)
        people = (await tasks.asked_by(self._tx, [task.id]))[task.id]
        return TaskView(
            **self._task_summary(task, mine, row.form.customer.name),
            asked=[self.asked(one) for one in people if one.removed_at is None],
            note=task.note,
            application=await self.application(row, shown=await self.sees_evidence(row)),
            decision=self.decision(task.round, decision) if decision else None,
        )

    def account(self, row: AccountRow) -> AccountView:
        customer = row.form.customer
        return AccountView(
            id=row.id,
            application_id=row.application_id,
            name=customer.name,
            kind=customer.kind.value,
            salesperson=self.person(row.salesperson),
            department=row.department,
            related_parties=[party.model_dump(mode="json") for party in customer.related_parties],
            targets=row.form.forecast.model_dump(mode="json"),
            activated_at=row.activated_at,
            revoked_at=row.revoked_at,
            approved_by_general_manager=row.gm_decision is not None,
        )


def _conflicts(entries: Sequence[audit.Entry]) -> list[dict[str, Any]]:
    """N14: that earlier registrations exist, not whose they are."""
    return [
        {"kind": kind, "rule": "N14"} for entry in entries if entry.event == "earlier_found"
        for kind, _ in entry.body["found"]
    ]  # fmt: skip

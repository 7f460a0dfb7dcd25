"""Mails to queue: who is written to, and the facts each mail states. Rendering and sending come later, elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from activities.transaction import Work
from db import applications, tasks
from db.applications import ApplicationRow, RegisteredParty
from db.messages import Mail
from db.tasks import AskedRow, DecisionRow, TaskRow
from domain.background import background_of
from domain.eligibility import evaluate
from domain.organisation import LANGUAGES, Organisation, Person
from domain.policy import Policy
from domain.tasks import TaskKind
from texts.catalogue import Texts
from texts.decisions import decision_lines
from texts.eligibility import in_short
from texts.mail import MailFacts, MailKind
from texts.views import DecisionLine, EligibilityLine, Essential, EvidenceLine

SHOWN_WITH_EVIDENCE = frozenset({TaskKind.COMMERCE_CHECK, TaskKind.VP_REVIEW, TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL})


class Letters:
    """Queues the mails of one step about one application."""

    def __init__(self, work: Work, row: ApplicationRow, organisation: Organisation, policy: Policy) -> None:
        self._work = work
        self._row = row
        self._organisation = organisation
        self._zone = policy.time_zone
        self._rules = policy.eligibility
        self._decisions: tuple[DecisionLine, ...] | None = None
        self._evidence: tuple[EvidenceLine, ...] | None = None
        self._eligibility: tuple[EligibilityLine, ...] = ()

    async def to_asked(
        self,
        kind: MailKind,
        task: TaskRow,
        people: Iterable[AskedRow],
        *,
        times: int = 0,
        each_link: bool = False,
    ) -> None:
        """Ask, remind or tell the people of a task.

        `times` tells one reminder from the next. `each_link`: people come and go, and whoever is asked again has
        another link; what is said of each is a mail of its own.
        """
        for asked in people:
            person = self._organisation.person(asked.person)
            if person is None or not person.active:
                continue
            asking = kind is not MailKind.TASK_WITHDRAWN
            facts = await self._facts(kind, person, with_evidence=asking and task.kind in SHOWN_WITH_EVIDENCE)
            note = task.note or {}
            facts = facts.model_copy(
                update={
                    "task_kind": task.kind,
                    "capacity": asked.capacity,
                    "on_behalf_of_name": self._organisation.name_of(asked.on_behalf_of) if asked.on_behalf_of else None,
                    "due_at": task.due_at if asking else None,
                    "provisional": asking and task.due_provisional,
                    "reason": str(note.get("reason", "")),
                }
            )
            link = asked.link_id if asking else None
            which = asked.link_id[:12] if each_link else times
            self._queue(f"{kind}:{task.id}:{asked.person}:{which}", facts, person, link)

    async def decided_for(self, decision: DecisionRow) -> None:
        """Tell somebody that their delegate or stand-in has decided."""
        person = self._organisation.person(decision.on_behalf_of or "")
        if person and person.active:
            facts = await self._facts(MailKind.DECIDED_FOR_YOU, person, with_evidence=False)
            facts = facts.model_copy(
                update={
                    "task_kind": decision.kind,
                    "decided_by_name": self._organisation.name_of(decision.person),
                    "reason": decision.reason,
                }
            )
            self._queue(f"decided_for_you:{decision.task_id}", facts, person, None)

    async def notice(
        self,
        kind: MailKind,
        people: Sequence[str],
        *,
        key: str,
        reason: str = "",
        by: str = "",
        appeal_until: datetime | None = None,
        conflict_notes: dict[str, str] | None = None,
    ) -> None:
        """Tell people something they are not asked about. `conflict_notes` holds the sentence by language."""
        for person_id in people:
            person = self._organisation.person(person_id)
            if person is None or not person.active:
                continue
            facts = await self._facts(kind, person, with_evidence=False)
            facts = facts.model_copy(
                update={
                    "reason": reason,
                    "decided_by_name": self._organisation.name_of(by) if by else "",
                    "appeal_until": appeal_until,
                    "conflict_note": (conflict_notes or {}).get(person.language, ""),
                }
            )
            self._queue(f"{kind}:{self._row.id}:{key}:{person_id}", facts, person, None)

    def _queue(self, key: str, facts: MailFacts, person: Person, link_id: str | None) -> None:
        self._work.mails.append(
            Mail(
                key=key,
                subject_id=self._row.id,
                person=person.id,
                facts=facts.model_dump(mode="json", exclude_defaults=True),
                link_id=link_id,
                created_at=self._work.now,
            )
        )

    async def _facts(self, kind: MailKind, person: Person, *, with_evidence: bool) -> MailFacts:
        row, form = self._row, self._row.form
        office = self._organisation.departments_by_id.get(row.department or "")
        if self._decisions is None:
            self._decisions = decision_lines(await tasks.decisions_of(self._work.tx, row.id), self._organisation)
        if with_evidence and self._evidence is None:
            found = await applications.evidence_of(self._work.tx, row.id, row.round)
            self._evidence = tuple(EvidenceLine.of(item) for item in found)
            self._eligibility = in_short(evaluate(row.form, background_of(found), self._rules))
        return MailFacts(
            kind=kind,
            language=person.language,
            to_name=person.name,
            application_id=row.id,
            round=row.round,
            customer_name=form.customer.name,
            applicant_name=self._organisation.name_of(row.applicant),
            department_name=office.name if office else "",
            stage=row.stage,
            decisions=self._decisions,
            essentials=essentials(row) if with_evidence else (),
            evidence_lines=self._evidence or () if with_evidence else (),
            eligibility=self._eligibility if with_evidence else (),
            time_zone=self._zone,
        )


def essentials(row: ApplicationRow) -> tuple[Essential, ...]:
    """What an approver wants to see first."""
    form = row.form
    return (
        Essential(label_key="field.products", value="、".join(form.products)),
        *(
            Essential(label_key=f"field.forecast.{name}", value=str(getattr(form.forecast, name)), money=True)
            for name in type(form.forecast).model_fields
        ),
        Essential(label_key="field.potential", value=form.potential[:300]),
        Essential(label_key="field.resources", value=form.resources[:300]),
    )


def conflict_notes(earlier: Sequence[RegisteredParty]) -> dict[str, str]:
    """N14: what the later applicant is told of the earlier one, by language; nothing that is not theirs to know."""
    return {
        language: "\n".join(
            dict.fromkeys(Texts(language).text(f"error.conflict_with_{one.subject_type}") for one in earlier)
        )
        for language in LANGUAGES
    }

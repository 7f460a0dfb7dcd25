"""Mails to queue: who is written to, and the facts each mail states. Rendering and sending come later, elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from activities.tasks.context import Context
from activities.tasks.short_hash import short_hash
from db.messages import MailRow
from db.tasks.tasks import AskedRow, DecisionRow, TaskRow
from domain.access import sees_evidence
from domain.notices import Notice, linked_act
from domain.organisation import Person
from domain.subject import SubjectType
from domain.tasks.asking import IN_PERSON
from domain.tasks.task import TaskKind, TaskStatus
from texts.catalogue import Texts
from texts.mails.facts import ASKING, MailFacts
from texts.reviews.review_lines import note_in_mail
from texts.tasks.decisions import decision_lines, without_others
from texts.view_lines import DecisionLine


class MailOutbox:
    """Queues the mails of one step about one subject."""

    def __init__(self, context: Context, stage_key: str | None = None) -> None:
        """`stage_key` when the subject is just going to another stage."""
        self._context = context
        self._organisation = context.organisation
        self._stage_key = stage_key
        self._decisions: tuple[DecisionLine, ...] | None = None
        self._evidence: dict[TaskKind, Mapping[str, Any]] = {}

    async def to_asked(
        self,
        kind: Notice,
        task: TaskRow,
        people: Iterable[AskedRow],
        *,
        times: int = 0,
        each_link: bool = False,
        handed_on: bool = False,
        by: Sequence[str] = (),
    ) -> None:
        """Ask, remind or tell the people of a task.

        `times` tells one reminder from the next. `each_link`: people come and go, and whoever is asked again has
        another link; what is said of each is a mail of its own. `handed_on`: the task goes on and asks others now.
        `by`: who is asked in their stead.
        """
        asking = kind in ASKING
        evidence = await self._evidence_for(task.kind) if asking else {}
        waits = asking and task.status is TaskStatus.OPEN
        if asking and self._context.type is SubjectType.REVIEW:
            evidence = {**evidence, **note_in_mail(task.note)}
        note = task.note or {}
        for asked in people:
            reader = self._organisation.person(asked.person)
            texts = Texts(reader.language) if reader else Texts()
            more = {
                **evidence,
                "deciding": await self._context.deciding(task, asked.person) if waits else None,
                "task_kind": task.kind,
                "times": times,
                "capacity": asked.capacity,
                "on_behalf_of_name": self._organisation.name_of(asked.on_behalf_of) if asked.on_behalf_of else None,
                "due_at": task.due_at if asking else None,
                "closes_at": self._context.closes_unless_answered(task) if asking else None,
                "provisional": asking and task.due_provisional,
                "reason": str(note.get("reason", "")),
                "handed_on": handed_on,
                "decided_by_name": texts.join([self._organisation.name_of(person) for person in by]),
            }
            which = asked.link_id[:12] if each_link else times
            key = f"{kind}:{task.id}:{asked.person}:{which}"
            await self._queue(key, kind, asked.person, more, asked.link_id if asking else None)

    async def decided_for(self, decision: DecisionRow) -> None:
        """Tell somebody that their delegate or stand-in has decided."""
        more = {
            "task_kind": decision.kind,
            "decided_by_name": self._organisation.name_of(decision.person),
            "reason": decision.reason,
        }
        key = f"decided_for_you:{decision.task_id}"
        await self._queue(key, Notice.DECIDED_FOR_YOU, decision.on_behalf_of or "", more)

    async def notice(
        self,
        kind: Notice,
        people: Sequence[str],
        *,
        key: str,
        by: str = "",
        conflict_notes: Mapping[str, str] | None = None,
        reasons: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        """Tell people something they are not asked about. `conflict_notes` and `reasons` (in place of what a person
        gave as the reason) hold the sentence by language; `more` are fields of `MailFacts`."""
        named = {"decided_by_name": self._organisation.name_of(by) if by else "", **more}
        for person in people:
            known = self._organisation.person(person)
            note = (conflict_notes or {}).get(known.language, "") if known else ""
            whose = f"{kind}:{self._context.subject.id}:{key}:{person}"
            own = {"reason": reasons[known.language]} if reasons and known else {}
            appealable = more.get("appeal_until") is not None
            act = linked_act(kind, known, owner=self._context.applicant, appealable=appealable) if known else None
            await self._queue(whose, kind, person, {**named, "conflict_note": note, **own, "act": act})

    async def _queue(
        self, key: str, kind: Notice, person_id: str, more: Mapping[str, Any], link_id: str | None = None
    ) -> None:
        person = self._organisation.person(person_id)
        if person is None or not person.active:
            return
        facts = await self._facts(kind, person, more)
        uow = self._context.uow
        uow.mails.append(
            MailRow(
                key=key,
                subject_id=self._context.subject.id,
                person=person.id,
                facts=facts.model_dump(mode="json", exclude_defaults=True),
                link_id=link_id,
                act_link_id=short_hash("act", key, uow.now.isoformat()) if facts.act else None,
                created_at=uow.now,
            )
        )

    async def _evidence_for(self, kind: TaskKind) -> Mapping[str, Any]:
        if kind not in self._evidence:
            self._evidence[kind] = await self._context.mail_evidence(kind)
        return self._evidence[kind]

    async def _facts(self, kind: Notice, person: Person, more: Mapping[str, Any]) -> MailFacts:
        context = self._context
        if self._decisions is None:
            self._decisions = decision_lines(context.docket.decided, self._organisation)
        # X2: as in the portal, the reasons that speak of others are for those who decide.
        asked_to_decide = more.get("task_kind") is not None and more["task_kind"] not in IN_PERSON
        told = sees_evidence(person, self._organisation, owners={context.applicant}, asked_to_decide=asked_to_decide)
        office = self._organisation.departments_by_id.get(context.department or "")
        common = {
            "kind": kind,
            "language": person.language,
            "to_name": person.name,
            "yours": person.id == context.applicant,
            "round": context.round,
            "applicant_name": self._organisation.name_of(context.applicant),
            "department_name": office.name if office else "",
            "decisions": self._decisions if told else without_others(self._decisions),
            "time_zone": context.policy.time_zone,
            **({"stage_key": self._stage_key} if self._stage_key else {}),
        }
        return context.mail_facts().model_copy(update={**common, **more})

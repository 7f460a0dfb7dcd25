"""Opening tasks and keeping them right: who is asked, by which link, until when."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from pydantic import JsonValue

from activities.letters import Letters
from activities.steps import OpenTask
from activities.transaction import Work
from db import accounts, tasks
from db.applications import ApplicationRow
from db.tasks import AskedRow, TaskRow
from domain.application import Stage
from domain.asking import vp_slots, who_is_asked
from domain.calendar import WorkCalendar
from domain.deadlines import due_at, due_step, stand_in_due
from domain.named_account import above_limit, choices_for
from domain.organisation import Organisation
from domain.policy import Policy
from domain.tasks import Ask, Asked, Choice, DueAction, DueStep, TaskKind, TaskStatus
from texts.mail import MailKind


class Context:
    """The facts a step applies the rules to."""

    def __init__(self, row: ApplicationRow, organisation: Organisation, calendar: WorkCalendar, policy: Policy) -> None:
        self.row = row
        self.organisation = organisation
        self.calendar = calendar
        self.policy = policy

    @classmethod
    async def of(cls, work: Work, row: ApplicationRow) -> Context:
        return cls(
            row,
            await work.facts.organisation(work.tx),
            await work.facts.calendar(work.tx),
            await work.facts.pinned_policy(work.tx, row.policy_digest),
        )

    def letters(self, work: Work, stage: Stage | None = None) -> Letters:
        """Mails about the application; `stage` when it is just going to another one."""
        row = self.row.model_copy(update={"stage": stage}) if stage else self.row
        return Letters(work, row, self.organisation, self.policy)


async def open_tasks(work: Work, context: Context, asks: Sequence[Ask]) -> tuple[OpenTask, ...]:
    """Open what is asked, in the current round, and write to everyone asked."""
    opened = []
    letters = context.letters(work)
    for number, ask in enumerate(_one_each(asks, context.organisation)):
        task_id = _short_hash(work.workflow_id, str(context.row.round), work.now.isoformat(), ask.kind, str(number))
        until = due_at(ask.kind, work.now, context.policy, context.calendar)
        row = TaskRow(
            id=task_id,
            workflow_id=work.workflow_id,
            subject_type="application",
            subject_id=context.row.id,
            kind=ask.kind,
            slot=ask.slot,
            round=context.row.round,
            status=TaskStatus.OPEN,
            choices=await choices_now(work, context, ask.kind),
            note=await _note(work, context, ask.kind),
            opened_at=work.now,
            due_at=until,
            due_provisional=context.calendar.is_provisional(until.astimezone(context.policy.zone).date()),
        )
        people = await people_of(work, row, context, already=())
        await tasks.open_task(work.tx, row, people)
        await letters.to_asked(MailKind.TASK, row, people)
        work.note(
            "task_opened",
            task=task_id,
            kind=ask.kind.value,
            slot=ask.slot,
            round=context.row.round,
            asked=[person.model_dump(mode="json", include={"person", "capacity", "on_behalf_of"}) for person in people],
            due_at=row.due_at.isoformat(),
        )
        opened.append(known_to_workflow(row, people, context, work.now))
    return tuple(opened)


async def people_of(
    work: Work, task: TaskRow, context: Context, *, already: Sequence[AskedRow]
) -> tuple[AskedRow, ...]:
    """Who a task asks at this moment, each with the link they have or a new one."""
    others = await _other_reviewers(work, task, context) if task.kind in _ONE_PERSON_COUNTS_ONCE else frozenset()
    asked = who_is_asked(
        Ask(kind=task.kind, slot=task.slot),
        context.organisation,
        context.policy,
        applicant=context.row.applicant,
        now=work.now,
        standing_in=stand_in_is_due(task, context),
        other_reviewers=others,
    )
    links = {person.person: person for person in already if person.removed_at is None}
    return tuple(_with_link(task, one, context, work.now, links.get(one.person)) for one in asked)


def stand_in_is_due(task: TaskRow, context: Context) -> bool:
    """N12: whether the step that asks a stand-in has been carried out."""
    return stand_in_due(task.kind, task.chased, context.policy)


_ONE_PERSON_COUNTS_ONCE = frozenset({TaskKind.VP_REVIEW, TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL})


async def _other_reviewers(work: Work, task: TaskRow, context: Context) -> frozenset[str]:
    """Who holds or has decided another VP's review in this round: one person counts once (N6).

    For the general manager's own tasks, any VP's review: nobody decides for them on what they reviewed (N8, N10).
    """
    reviews = await tasks.of_subject(work.tx, task.subject_id)
    holders = {
        other.slot
        for other in reviews
        if other.kind is TaskKind.VP_REVIEW and other.round == task.round and other.slot != task.slot
    }
    decided = await tasks.decisions_of(work.tx, task.subject_id)
    deciders = {
        decision.person
        for number, decision in decided
        if number == task.round and decision.kind is TaskKind.VP_REVIEW and decision.slot != task.slot
    }
    named = frozenset(vp_slots(context.organisation)) if task.kind is TaskKind.VP_REVIEW else frozenset()
    return named - {task.slot} | holders | deciders


def _with_link(task: TaskRow, one: Asked, context: Context, now: datetime, known: AskedRow | None) -> AskedRow:
    if known is not None:
        link_id, expires, asked_at = known.link_id, known.link_expires_at, known.asked_at
    else:
        link_id = _short_hash("link", task.id, one.person, now.isoformat())
        expires, asked_at = now + timedelta(days=context.policy.links.days), now
    return AskedRow(
        **one.model_dump(exclude={"name"}),
        name=context.organisation.name_of(one.person),
        task_id=task.id,
        link_id=link_id,
        link_expires_at=expires,
        asked_at=asked_at,
    )


def known_to_workflow(task: TaskRow, people: Iterable[AskedRow], context: Context, now: datetime) -> OpenTask:
    """The task as its workflow needs to know it: with the next thing that happens by itself."""
    asked = tuple(
        Asked(**person.model_dump(include={"person", "capacity", "on_behalf_of"}), name=person.name)
        for person in people
    )
    following = due_step(task.kind, task.opened_at, task.chased, context.policy, context.calendar)
    principals = {person.person for person in asked} | {p.on_behalf_of for p in asked if p.on_behalf_of}
    change = context.organisation.next_delegation_change([*principals, task.slot], now)
    if change and change < following.at:
        following = DueStep(at=change, action=DueAction.REFRESH)
    return OpenTask(
        id=task.id,
        kind=task.kind,
        slot=task.slot,
        asked=asked,
        opened_at=task.opened_at,
        due_at=task.due_at,
        next_step=following,
        chased=task.chased,
    )


async def choices_now(work: Work, context: Context, kind: TaskKind) -> tuple[Choice, ...]:
    """What may be answered at this moment; N8 asks for more once the salesperson holds as many as the limit."""
    above = False
    if kind is TaskKind.VP_REVIEW:
        held = await accounts.count_held(work.tx, context.row.applicant)
        above = above_limit(held, context.policy.accounts.limit)
    return choices_for(kind, above_limit=above)


async def _note(work: Work, context: Context, kind: TaskKind) -> dict[str, JsonValue] | None:
    """What the person asked has to know: why the form came back, or why somebody appeals."""
    if kind is TaskKind.SUPPLY_INFORMATION:
        returned = [d for _, d in await tasks.decisions_of(work.tx, context.row.id) if d.choice == "return"]
        return {"reason": returned[-1].reason} if returned else None
    if kind is TaskKind.GM_APPEAL and context.row.appeal:
        return {"reason": str(context.row.appeal["reason"])}
    return None


def _one_each(asks: Sequence[Ask], organisation: Organisation) -> list[Ask]:
    """A review without a slot is one task for each sales VP (N6)."""
    return [
        Ask(kind=ask.kind, slot=slot)
        for ask in asks
        for slot in (vp_slots(organisation) if ask.kind is TaskKind.VP_REVIEW and not ask.slot else (ask.slot,))
    ]


def _short_hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

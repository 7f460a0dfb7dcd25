"""Opens tasks and keeps them current: who is asked, by which link, until when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from activities.steps import OpenTask
from activities.tasks.context import Context
from activities.tasks.mail_outbox import MailOutbox
from activities.tasks.short_hash import short_hash
from db.tasks.tasks import AskedRow, TaskRow
from domain.notices import Notice
from domain.tasks.asking import concerned_by, who_is_asked
from domain.tasks.deadlines import asked_anew_by, due_at, due_step, next_step, stand_in_due
from domain.tasks.task import Ask, Asked, TaskKind, TaskStatus


async def open_tasks(context: Context, asks: Sequence[Ask]) -> tuple[OpenTask, ...]:
    """Open what is asked, in the current round, and write to everyone asked."""
    uow = context.uow
    opened = []
    letters = MailOutbox(context)
    each = [Ask(kind=ask.kind, slot=slot) for ask in asks for slot in context.slots(ask)]
    for number, ask in enumerate(each):
        task_id = short_hash(uow.workflow_id, str(context.round), uow.now.isoformat(), ask.kind, str(number))
        until = expected_by(ask.kind, uow.now, context)
        row = TaskRow(
            id=task_id,
            workflow_id=uow.workflow_id,
            subject_type=context.subject.type.value,
            subject_id=context.subject.id,
            kind=ask.kind,
            slot=ask.slot,
            round=context.round,
            status=TaskStatus.OPEN,
            choices=await context.choices_now(ask.kind, ask.slot),
            note=await context.note_for(ask),
            opened_at=uow.now,
            due_at=until,
            due_provisional=context.calendar.is_provisional(until.astimezone(context.policy.zone).date()),
        )
        people = await people_of(row, context, already=())
        await context.docket.open(row, people)
        await letters.to_asked(Notice.TASK, row, people)
        uow.note(
            "task_opened",
            task=task_id,
            kind=ask.kind.value,
            slot=ask.slot,
            round=context.round,
            asked=[person.model_dump(mode="json", include={"person", "capacity", "on_behalf_of"}) for person in people],
            due_at=row.due_at.isoformat(),
        )
        opened.append(known_to_workflow(row, people, context, uow.now))
    return tuple(opened)


async def people_of(task: TaskRow, context: Context, *, already: Sequence[AskedRow]) -> tuple[AskedRow, ...]:
    """Who a task asks at this moment, each with the link they have or a new one."""
    now = context.uow.now
    asked = who_is_asked(
        Ask(kind=task.kind, slot=task.slot),
        context.organisation,
        context.policy,
        applicant=context.applicant,
        now=now,
        standing_in=stand_in_is_due(task, context),
        other_reviewers=await context.ruled_out(task),
    )
    links = {person.person: person for person in already if person.removed_at is None}
    return tuple(_with_link(task, person, context, now, links.get(person.person)) for person in asked)


def expected_by(kind: TaskKind, opened_at: datetime, context: Context) -> datetime:
    """N12: until when an answer is expected; never later than it can be given (R6)."""
    due, closes = due_at(kind, opened_at, context.policy, context.calendar), context.closes_at(kind)
    return min(due, closes) if closes else due


async def with_deadline(context: Context, task: TaskRow, people: Sequence[AskedRow]) -> TaskRow:
    """The task with the deadline that holds for those it asks now (N12); kept in the record where it has moved."""
    until = expected_by(task.kind, task.opened_at, context)
    asked_last = max((person.asked_at for person in people), default=task.opened_at)
    until = asked_anew_by(task.kind, until, asked_last, context.policy, context.calendar)
    closes = context.closes_at(task.kind)
    until = min(until, closes) if closes else until
    provisional = context.calendar.is_provisional(until.astimezone(context.policy.zone).date())
    if (until, provisional) == (task.due_at, task.due_provisional):
        return task
    return await context.docket.change(task, due_at=until, due_provisional=provisional)


def stand_in_is_due(task: TaskRow, context: Context) -> bool:
    """N12: whether the step that asks a stand-in has been carried out."""
    return stand_in_due(task.kind, task.chased, context.policy)


def _with_link(task: TaskRow, asked: Asked, context: Context, now: datetime, known: AskedRow | None) -> AskedRow:
    if known is not None:
        link_id, expires, asked_at = known.link_id, known.link_expires_at, known.asked_at
    else:
        link_id = short_hash("link", task.id, asked.person, now.isoformat())
        expires, asked_at = now + timedelta(days=context.policy.links.days), now
    return AskedRow(
        **asked.model_dump(exclude={"name"}),
        name=context.organisation.name_of(asked.person),
        task_id=task.id,
        link_id=link_id,
        link_expires_at=expires,
        asked_at=asked_at,
    )


def known_to_workflow(task: TaskRow, people: Iterable[AskedRow], context: Context, now: datetime) -> OpenTask:
    """The task as its workflow needs to know it: with the next thing that happens automatically."""
    asked = tuple(
        Asked(**person.model_dump(include={"person", "capacity", "on_behalf_of"}), name=person.name)
        for person in people
    )
    following = next_step(
        due_step(task.kind, task.opened_at, task.chased, context.policy, context.calendar),
        delegation_changes=context.organisation.next_delegation_change(concerned_by(asked, task.slot), now),
        standstill=context.standing(task) if task.status is TaskStatus.OPEN else None,
    )
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

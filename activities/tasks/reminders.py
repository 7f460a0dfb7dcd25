"""Open tasks that nobody has answered: remind, ask a stand-in, and follow changes of people (N12)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from temporalio import activity

from activities.steps import OpenTask, Refreshed, RefreshStep, ReminderStep
from activities.tasks.asking import known_to_workflow, people_of, with_deadline
from activities.tasks.context import Context, IllegalTransition
from activities.tasks.mail_outbox import MailOutbox
from activities.tasks.stage_move import load_for_update
from activities.unit_of_work import Recorder, UnitOfWork
from db.tasks import tasks
from db.tasks.tasks import AskedRow, TaskRow
from domain.notices import Notice
from domain.tasks.asking import refilled_slots, standing_slots
from domain.tasks.deadlines import due_step
from domain.tasks.task import AssigneeCapacity, DueAction, TaskKind, TaskStatus


class Reminders:
    """Reminds assignees of open tasks and escalates to stand-ins."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @activity.defn(name="chase_task")  # the name that running processes know it by
    async def remind_or_escalate(self, step: ReminderStep) -> OpenTask:
        """N12: carry out the next due step of a task: remind everyone asked, or ask a stand-in as well."""

        async def apply(uow: UnitOfWork) -> OpenTask:
            # The subject first, as answers do: a reminder and an answer never wait for each other.
            context = await load_for_update(uow, step.subject)
            context.goes_on()
            task = context.docket.find(step.task_id)
            if task is None or task.workflow_id != uow.workflow_id:
                raise IllegalTransition(f"{uow.workflow_id} has no task {step.task_id}")
            if step.action in (DueAction.WARN, DueAction.LAPSE):
                return await self._end_standstill(context, task, step.action)
            due = due_step(task.kind, task.opened_at, task.chased, context.policy, context.calendar)
            before = _asked_now(context, task)
            if task.status is not TaskStatus.OPEN:
                task = _past_due(task, context, uow.now)
            if task.status is not TaskStatus.OPEN or due.at > uow.now:  # a year's days off were published meanwhile
                return known_to_workflow(task, _named(before, context), context, uow.now)
            task = await context.docket.change(task, chased=task.chased + 1)
            people, fresh, gone = await _follow(context, task, before)
            await context.look_again(task.kind)
            task = await with_deadline(context, task, people)
            letters = MailOutbox(context)
            await letters.to_asked(Notice.TASK_WITHDRAWN, task, gone, each_link=True, handed_on=True)
            if due.action is DueAction.REMIND:
                await letters.to_asked(Notice.REMINDER, task, people, times=task.chased)
                uow.note("reminder_sent", task=task.id, number=task.chased, to=[p.person for p in people], rule="N12")
            else:
                stand_ins = [person for person in fresh if person.capacity is AssigneeCapacity.STAND_IN]
                await letters.to_asked(Notice.STAND_IN, task, stand_ins)
                others = [person for person in fresh if person not in stand_ins]
                await letters.to_asked(Notice.TASK, task, others, each_link=True)
                overdue = [person for person in people if person not in fresh]
                if stand_ins:
                    names = [person.person for person in stand_ins]
                    await letters.to_asked(Notice.STAND_IN_ASKED, task, overdue, by=names)
                uow.note("stand_in_asked", task=task.id, asked=[p.person for p in fresh], rule="N12")
            return known_to_workflow(task, people, context, uow.now)

        return await self._recorder.once(step, OpenTask, apply)

    async def _end_standstill(self, context: Context, task: TaskRow, action: DueAction) -> OpenTask:
        """U10: warn the people concerned, or say that the matter is over; neither before its time."""
        uow, due = context.uow, context.standing(task)
        reached = task.status is TaskStatus.OPEN and due is not None and due.action is action and due.at <= uow.now
        if reached and action is DueAction.WARN:
            # Every side of a dispute has a task of its own; the warning is of the dispute.
            for open_task in context.docket.open_tasks:
                if open_task.workflow_id == uow.workflow_id:
                    await context.docket.change(open_task, warned_at=uow.now)
            task = task.model_copy(update={"warned_at": uow.now})
            until = context.closes_unless_answered(task)
            assert until is not None
            await context.warn(task, until)
            uow.note("standstill_warned", task=task.id, until=until.isoformat(), rule="U10")
        if task.status is not TaskStatus.OPEN:
            task = _past_due(task, context, uow.now)
        known = known_to_workflow(task, _named(_asked_now(context, task), context), context, uow.now)
        return known.model_copy(update={"lapsed": reached and action is DueAction.LAPSE})

    @activity.defn
    async def refresh_tasks(self, step: RefreshStep) -> Refreshed:
        """Follow the organisation and the calendar as they are now: move open tasks to whoever is to be asked."""

        async def apply(uow: UnitOfWork) -> Refreshed:
            context = await load_for_update(uow, step.subject)
            context.goes_on()
            everything = [task for task in context.docket.tasks if task.workflow_id == uow.workflow_id]
            open_now = [task for task in everything if task.status is TaskStatus.OPEN]
            reviews = [task for task in open_now if task.kind is TaskKind.VP_REVIEW]
            decided = _standing_slots(context, everything, reviews)
            refilled = refilled_slots(tuple(task.slot for task in reviews), context.organisation, decided)
            slots = dict(zip([task.id for task in reviews], refilled, strict=True))
            refreshed = []
            for task in open_now:
                refreshed.append(
                    await self._refresh(context, task, context.docket.asked_before(task.id), slots.get(task.id))
                )
            return Refreshed(tasks=tuple(refreshed))

        return await self._recorder.once(step, Refreshed, apply)

    async def _refresh(
        self, context: Context, task: TaskRow, ever_asked: tuple[AskedRow, ...], slot: str | None
    ) -> OpenTask:
        uow = context.uow
        task = await context.docket.change(
            task,
            slot=task.slot if slot is None else slot,
            choices=await context.choices_now(task.kind, task.slot),
        )
        before = tuple(person for person in ever_asked if person.removed_at is None)
        people, fresh, gone = await _follow(context, task, before)
        task = await with_deadline(context, task, people)
        letters = MailOutbox(context)
        await letters.to_asked(Notice.TASK, task, fresh, each_link=True)
        await letters.to_asked(Notice.TASK_WITHDRAWN, task, gone, each_link=True, handed_on=True)
        if fresh or gone:
            uow.note(
                "tasks_refreshed",
                task=task.id,
                asked=[person.person for person in fresh],
                no_longer_asked=[person.person for person in gone],
            )
        return known_to_workflow(task, people, context, uow.now)


def _standing_slots(context: Context, everything: Sequence[TaskRow], open_reviews: Sequence[TaskRow]) -> frozenset[str]:
    """The slots of the running review whose answer stands."""
    if not open_reviews:
        return frozenset()
    rounds = {task.round for task in open_reviews}
    asked_last = max(task.opened_at for task in open_reviews)
    return standing_slots(
        (decision for number, decision in context.docket.decided if number in rounds),
        {task.id for task in everything if task.opened_at >= asked_last},
    )


async def _follow(
    context: Context, task: TaskRow, before: tuple[AskedRow, ...]
) -> tuple[tuple[AskedRow, ...], tuple[AskedRow, ...], tuple[AskedRow, ...]]:
    """Ask whom the task asks now, `before` having been asked so far. Returns everyone, who is new and who is off."""
    uow = context.uow
    people = await people_of(task, context, already=before)
    known = {person.person: person for person in before}
    now = {person.person for person in people}
    fresh = tuple(person for person in people if person.person not in known)
    gone = tuple(person for person in before if person.person not in now)
    if gone:
        await tasks.remove_assignees(uow.connection, task.id, [person.person for person in gone], at=uow.now)
    changed = [p for p in people if p.model_copy(update={"name": ""}) != known.get(p.person)]
    await tasks.add_assignees(uow.connection, changed)
    return people, fresh, gone


def _past_due(task: TaskRow, context: Context, now: datetime) -> TaskRow:
    """The task as if all that was due had been done: a process that believes it open does not come back at once."""
    chased = task.chased
    while due_step(task.kind, task.opened_at, chased, context.policy, context.calendar).at <= now:
        chased += 1
    return task.model_copy(update={"chased": chased})


def _asked_now(context: Context, task: TaskRow) -> tuple[AskedRow, ...]:
    return tuple(person for person in context.docket.asked_before(task.id) if person.removed_at is None)


def _named(people: tuple[AskedRow, ...], context: Context) -> tuple[AskedRow, ...]:
    return tuple(p.model_copy(update={"name": context.organisation.name_of(p.person)}) for p in people)

"""Open tasks that nobody has answered: remind, ask a stand-in, and follow changes of people (N12)."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio import activity

from activities.asking import Context, choices_now, known_to_workflow, people_of
from activities.moving import own_application
from activities.steps import ChaseStep, OpenTask, Refreshed, RefreshStep
from activities.transaction import Recorder, Work
from db import tasks
from db.tasks import AskedRow, TaskRow
from domain.asking import refilled_slots
from domain.deadlines import due_at, due_step
from domain.tasks import AskedAs, DueAction, TaskKind, TaskStatus
from texts.mail import MailKind


class Chasing:
    """Keeps what is open from waiting in silence."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @activity.defn
    async def chase_task(self, step: ChaseStep) -> OpenTask:
        """N12: carry out the next due step of a task: remind everyone asked, or ask a stand-in as well."""

        async def work(work: Work) -> OpenTask:
            task = await tasks.find(work.tx, step.task_id, lock=True)
            row = await own_application(work, task.subject_id if task else "")
            assert task is not None  # own_application has raised otherwise
            context = await Context.of(work, row)
            due = due_step(task.kind, task.opened_at, task.chased, context.policy, context.calendar)
            if due.at > work.now:  # a year's days off were published meanwhile
                people = _asked_now(await tasks.asked_by(work.tx, [task.id]), task)
                return known_to_workflow(task, _named(people, context), context, work.now)
            before = _asked_now(await tasks.asked_by(work.tx, [task.id]), task)
            task = task.model_copy(update={"chased": task.chased + 1})
            people = await people_of(work, task, context, already=before)
            fresh = await _change_people(work, task, before, people)
            await tasks.change(work.tx, task.id, chased=task.chased)
            letters = context.letters(work)
            await letters.to_asked(MailKind.STAND_IN, task, [p for p in fresh if p.capacity is AskedAs.STAND_IN])
            if due.action is DueAction.REMIND:
                await letters.to_asked(MailKind.REMINDER, task, people, times=task.chased)
                work.note("reminder_sent", task=task.id, number=task.chased, to=[p.person for p in people], rule="N12")
            else:
                work.note("stand_in_asked", task=task.id, asked=[p.person for p in fresh], rule="N12")
            return known_to_workflow(task, people, context, work.now)

        return await self._recorder.once(step, OpenTask, work)

    @activity.defn
    async def refresh_tasks(self, step: RefreshStep) -> Refreshed:
        """Follow the organisation and the calendar as they are now: move open tasks to whoever is to be asked."""

        async def work(work: Work) -> Refreshed:
            row = await own_application(work, step.application_id)
            context = await Context.of(work, row)
            everything = await tasks.of_subject(work.tx, row.id)
            open_now = [task for task in everything if task.status is TaskStatus.OPEN]
            asked = await tasks.asked_by(work.tx, [task.id for task in open_now])
            reviews = [task for task in open_now if task.kind is TaskKind.VP_REVIEW]
            decided = await _decided_slots(work, everything, reviews)
            refilled = refilled_slots(tuple(task.slot for task in reviews), context.organisation, decided)
            slots = dict(zip([task.id for task in reviews], refilled, strict=True))
            refreshed = []
            for task in open_now:
                refreshed.append(await self._refresh(work, context, task, asked[task.id], slots.get(task.id)))
            return Refreshed(tasks=tuple(refreshed))

        return await self._recorder.once(step, Refreshed, work)

    async def _refresh(
        self, work: Work, context: Context, task: TaskRow, ever_asked: tuple[AskedRow, ...], slot: str | None
    ) -> OpenTask:
        until = due_at(task.kind, task.opened_at, context.policy, context.calendar)
        task = task.model_copy(
            update={
                "slot": task.slot if slot is None else slot,
                "due_at": until,
                "due_provisional": context.calendar.is_provisional(until.astimezone(context.policy.zone).date()),
                "choices": await choices_now(work, context, task.kind),
            }
        )
        await tasks.change(
            work.tx,
            task.id,
            slot=task.slot,
            due_at=task.due_at,
            due_provisional=task.due_provisional,
            choices=task.choices,
        )
        before = tuple(person for person in ever_asked if person.removed_at is None)
        people = await people_of(work, task, context, already=before)
        fresh = await _change_people(work, task, before, people)
        letters = context.letters(work)
        await letters.to_asked(MailKind.TASK, task, fresh, times=task.chased + 1000)
        gone = [person for person in before if all(person.person != now.person for now in people)]
        await letters.to_asked(MailKind.TASK_WITHDRAWN, task, gone, times=task.chased + 1000)
        if fresh or gone:
            work.note(
                "tasks_refreshed",
                task=task.id,
                asked=[person.person for person in fresh],
                no_longer_asked=[person.person for person in gone],
            )
        return known_to_workflow(task, people, context, work.now)


async def _decided_slots(work: Work, everything: Sequence[TaskRow], open_reviews: Sequence[TaskRow]) -> frozenset[str]:
    """The slots of the running review whose answer stands.

    Asked again above the limit (N8), an approval without a special reason no longer does: its slot is open anew.
    """
    if not open_reviews:
        return frozenset()
    rounds = {task.round for task in open_reviews}
    asked_last = max(task.opened_at for task in open_reviews)
    asked_now = {task.id for task in everything if task.opened_at >= asked_last}
    return frozenset(
        decision.slot
        for number, decision in await tasks.decisions_of(work.tx, open_reviews[0].subject_id)
        if decision.kind is TaskKind.VP_REVIEW
        and number in rounds
        and (decision.special or decision.task_id in asked_now)
    )


async def _change_people(
    work: Work, task: TaskRow, before: tuple[AskedRow, ...], people: tuple[AskedRow, ...]
) -> tuple[AskedRow, ...]:
    """Make `people` the ones asked. Returns those who were not asked before."""
    known = {person.person: person for person in before}
    now = {person.person for person in people}
    await tasks.take_off(work.tx, task.id, [name for name in known if name not in now], at=work.now)
    changed = [p for p in people if p.model_copy(update={"name": ""}) != known.get(p.person)]
    await tasks.ask_people(work.tx, changed)
    return tuple(person for person in people if person.person not in known)


def _asked_now(asked: dict[str, tuple[AskedRow, ...]], task: TaskRow) -> tuple[AskedRow, ...]:
    return tuple(person for person in asked[task.id] if person.removed_at is None)


def _named(people: tuple[AskedRow, ...], context: Context) -> tuple[AskedRow, ...]:
    return tuple(p.model_copy(update={"name": context.organisation.name_of(p.person)}) for p in people)

"""Moves a subject of any type from stage to stage: closes tasks, opens new ones, notifies people."""

from __future__ import annotations

from activities.accounts.process import ApplicationContext
from activities.disputes.process import DisputeContext
from activities.projects.process import ProjectContext
from activities.reviews.process import ReviewContext
from activities.steps import Moved, MoveStep
from activities.tasks.asking import open_tasks
from activities.tasks.context import Context, IllegalTransition
from activities.tasks.mail_outbox import MailOutbox
from activities.unit_of_work import UnitOfWork
from db import messages
from domain.subject import Subject, SubjectType
from domain.tasks.task import TaskStatus

CONTEXTS: dict[SubjectType, type[Context]] = {
    context.type: context for context in (ApplicationContext, ProjectContext, DisputeContext, ReviewContext)
}

WITHDRAWN = "withdrawn"
"""The stage that has a notice of its own for everyone who was asked."""


async def load_for_update(uow: UnitOfWork, subject: Subject) -> Context:
    """The process's own subject, locked. Raises `IllegalTransition`."""
    return await CONTEXTS[subject.type].load_for_update(uow, subject.id)


async def move(uow: UnitOfWork, step: MoveStep) -> Moved:
    """Go to a stage: close open tasks, open the new ones, notify people. Raises `IllegalTransition`, `SubjectOver`."""
    context = await load_for_update(uow, step.subject)
    context.goes_on()
    if context.over:
        raise IllegalTransition(f"{step.subject.id} is over: {context.stage}")
    await context.check_transition(step.stage)
    involved = await close_open_tasks(context, step.stage)
    entered = await context.enter(step)
    opened = await open_tasks(context, step.asks)
    for notice in step.notices:
        await context.notify(notice, step, involved)
    await messages.settle(uow.connection, step.settles)
    return entered.model_copy(update={"tasks": opened})


async def close_open_tasks(context: Context, stage: str) -> tuple[str, ...]:
    """Close what is still open and notify whoever was asked (N9). Returns everyone asked or heard in this round."""
    uow = context.uow
    this_round = [
        task for task in context.docket.tasks if task.round == context.round and task.workflow_id == uow.workflow_id
    ]
    asked = {task.id: context.docket.asked_before(task.id) for task in this_round}
    still_open = [task for task in this_round if task.status is TaskStatus.OPEN]
    await context.docket.close(still_open, context.left_open, at=uow.now, because=stage)
    letters = MailOutbox(context, context.stage_key(stage))
    for task in still_open:
        people = [person for person in asked[task.id] if person.removed_at is None]
        if stage not in (WITHDRAWN, context.stage):  # at the same stage, new tasks take the place of the old ones
            await letters.to_asked(context.left_open_mail, task, people)
        uow.note(f"task_{context.left_open}", task=task.id, because=stage)
    return tuple(dict.fromkeys(person.person for people in asked.values() for person in people))

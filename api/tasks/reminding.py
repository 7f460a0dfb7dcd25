"""Reminds the people of an open task on behalf of whoever waits for their answer. The process is not touched."""

from __future__ import annotations

from typing import Any

from api.problems import Refusal
from api.state import State, Viewer
from db import messages
from db.connection.engine import transaction
from db.messages import MailRow
from db.projects.projects import ProjectRow
from db.tasks import tasks
from domain.access import may_remind
from domain.notices import Notice
from domain.refusals import RefusalCode
from domain.subject import SubjectType
from domain.tasks.kindly import mail_key, next_possible
from domain.tasks.task import TaskStatus


def owners_of(row: Any) -> frozenset[str]:
    """Whose matter it is."""
    return frozenset({row.applicant, row.salesperson} if isinstance(row, ProjectRow) else {row.applicant})


async def remind_kindly(state: State, viewer: Viewer, row: Any, task_id: str) -> None:
    """Send the people asked by a task of `row`, which the viewer sees, their mail once more, as a kind reminder.

    Raises `Refusal` 403 for anybody whose matter it is not, 404 for a task of something else, and 409 when the task is
    closed or was reminded a short while ago.
    """
    if not may_remind(viewer.person, owners_of(row)):
        raise Refusal.forbidden(RefusalCode.FORBIDDEN)
    now = state.clock()
    async with transaction(state.engine) as connection:
        task = await tasks.find(connection, task_id, lock=True)  # two reminders at once: the second waits and is late
        if task is None or task.subject_id != row.id:
            raise Refusal(404, RefusalCode.NOT_FOUND)
        if task.status is not TaskStatus.OPEN:
            words = "project_task_withdrawn" if task.subject_type == SubjectType.PROJECT else None
            raise Refusal(409, RefusalCode.TASK_WITHDRAWN, words=words)
        last = (await messages.last_of_kind(connection, row.id, Notice.ASKED_KINDLY)).get(task.id)
        if next_possible(last, now):
            raise Refusal(409, RefusalCode.REMINDED_ALREADY)
        asked = (await tasks.asked_by(connection, [task.id]))[task.id]
        mails = []
        for person in asked:
            if person.removed_at is not None or person.person == viewer.person.id:
                continue
            facts = await messages.asking(connection, person.link_id)
            if facts is not None:
                more = {"kind": Notice.ASKED_KINDLY, "decided_by_name": viewer.person.name}
                due = {"due_at": task.due_at.isoformat()}
                mails.append(
                    MailRow(
                        key=mail_key(task.id, person.person, now),
                        subject_id=row.id,
                        person=person.person,
                        facts={**facts, **more, **due},
                        link_id=person.link_id,
                        created_at=now,
                    )
                )
        await messages.queue(connection, mails)
        body = {"task": task.id, "to": [mail.person for mail in mails]}
        await state.record(
            connection, "reminded_kindly", viewer.person.id, body, workflow_id=task.workflow_id, subject_id=row.id
        )

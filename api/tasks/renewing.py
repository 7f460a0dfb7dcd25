"""Sends a new personal link in place of one that has expired, to the address on file. The process is not touched."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from api.state import State
from db import messages
from db.connection.engine import AsyncConnection, transaction
from db.messages import MailRow
from db.tasks import tasks
from db.tasks.tasks import AskedRow
from domain.tasks.task import TaskStatus


async def renew_link(state: State, link_id: str) -> None:
    """Send whoever an expired link was for the same mail again, with a link that works.

    Whoever asks learns nothing: the mail goes to the address on file, at most one in an hour. Nothing is sent to
    somebody who has left or is no longer asked, and nothing about a task that is closed.
    """
    now = state.clock()
    async with transaction(state.engine) as connection:
        mail = await messages.by_link(connection, link_id)
        organisation = await state.facts.organisation(connection)
        person = organisation.person(mail.person) if mail else None
        if mail is None or person is None or not person.active:
            return
        expires = now + timedelta(days=state.facts.policy.links.days)
        links = await _renewed(connection, mail, now, expires)
        if links is None:
            return
        about = _task_of(mail) if mail.link_id else mail.subject_id
        key = f"renewed:{about}:{person.id}:{mail.facts['kind']}:{now:%Y%m%d%H}"
        if await messages.queue(connection, [mail.model_copy(update={"key": key, "created_at": now, **links})]):
            body = {"kind": mail.facts["kind"], "to": person.id}
            await state.record(connection, "link_renewed", person.id, body, subject_id=mail.subject_id)


async def _renewed(
    connection: AsyncConnection, mail: MailRow, now: datetime, expires: datetime
) -> dict[str, str] | None:
    """The link that the new mail carries; None where there is nothing to answer any more."""
    if mail.act_link_id:
        return {"act_link_id": secrets.token_hex(16)}
    task = await tasks.find(connection, _task_of(mail), lock=True)  # of two at once, the second finds the new link
    asked = await asked_once(connection, mail)
    if asked is None or task is None or task.status is not TaskStatus.OPEN or asked.removed_at is not None:
        return None
    if asked.link_expires_at > now:  # renewed already: the mail comes once more
        return {"link_id": asked.link_id}
    renewed = asked.model_copy(update={"link_id": secrets.token_hex(16), "link_expires_at": expires})
    await tasks.add_assignees(connection, [renewed])
    return {"link_id": renewed.link_id}


async def asked_once(connection: AsyncConnection, mail: MailRow) -> AskedRow | None:
    """Whom a mail has asked to answer which task, by whatever link that has now."""
    task_id = _task_of(mail)
    asked = (await tasks.asked_by(connection, [task_id]))[task_id]
    return next((assignee for assignee in asked if assignee.person == mail.person), None)


def _task_of(mail: MailRow) -> str:
    """The task that a mail asked to answer: the second part of its key."""
    return mail.key.split(":")[1]

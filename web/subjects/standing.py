"""What every page of a subject says first: who has it until when, and what the viewer may do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from api.models import OpenTaskView
from api.problems import Refusal
from api.state import State
from api.tasks.reminding import owners_of
from api.views import Composer
from db import messages
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection
from db.projects.projects import ProjectRow
from domain.access import may_remind
from domain.base import Frozen, Moment
from domain.notices import Notice
from domain.tasks.kindly import next_possible
from texts.catalogue import Texts
from texts.tasks.decisions import decision_lines, without_others
from texts.view_lines import DecisionLine
from web.session.sessions import Session
from web.subjects.acts import why_not

_ENDING: Final = frozenset({"withdraw", "loss", "call-off-meeting"})


class Waiting(Frozen):
    """An open task: who has it, and until when."""

    id: str
    title: str
    people: str
    since: Moment
    due_at: Moment
    late: bool
    mine: bool
    """The viewer is asked: the page links to it."""
    remind: str = ""
    """Where the viewer, who waits for it, sends a kind reminder."""
    reminded_until: Moment | None = None
    """Reminded kindly a short while ago: from when on it may be again."""


class Offer(Frozen):
    """An act of the viewer."""

    label: str
    address: str
    ends: bool = False
    """It ends something: it is never the first button that strikes the eye."""
    why_not: str = ""
    """Why it cannot be done now; empty where it can."""


async def waiting(
    connection: AsyncConnection,
    tasks: Iterable[OpenTaskView],
    session: Session,
    now: datetime,
    *,
    row: ApplicationRow | ProjectRow,
    address: str,
) -> tuple[Waiting, ...]:
    """The open tasks of a subject; whoever waits for them may remind kindly."""
    texts = session.texts
    reminds = may_remind(session.person, owners_of(row))
    reminded = await messages.last_of_kind(connection, row.id, Notice.ASKED_KINDLY) if reminds else {}

    def of(task: OpenTaskView) -> Waiting:
        mine = any(asked.person.id == session.person.id for asked in task.asked)
        return Waiting(
            id=task.id,
            title=task.title,
            people=texts.join(
                [
                    texts.text("subject_page.on_behalf", person=asked.person.name, of=asked.on_behalf_of.name)
                    if asked.on_behalf_of
                    else asked.person.name
                    for asked in task.asked
                ]
            ),
            since=task.opened_at,
            due_at=task.due_at,
            late=task.due_at < now,
            mine=mine,
            remind=f"{address}/remind/{task.id}" if reminds and not mine else "",
            reminded_until=next_possible(reminded.get(task.id), now),
        )

    return tuple(map(of, tasks))


def offers(
    acts: Iterable[tuple[str, str, Refusal | None]], address: str, texts: Texts, state: State
) -> tuple[Offer, ...]:
    """Acts as buttons: of each the last part of its address, its texts under `act`, and why it cannot be done now."""
    return tuple(
        Offer(
            label=texts.text(f"act.{key}.title"),
            address=f"{address}/{act}",
            ends=act in _ENDING,
            why_not=why_not(refusal, texts, state) if refusal else "",
        )
        for act, key, refusal in acts
    )


async def decisions_shown(composer: Composer, subject_id: str, *, shown: bool) -> Sequence[DecisionLine]:
    """The decisions on a subject, as far as the viewer may read their reasons (X2)."""
    lines = decision_lines((await composer.standing(subject_id)).decided, composer.organisation)
    return lines if shown else without_others(lines)


def done_notice(done: str, texts: Texts) -> str:
    """What has just been recorded, by the key of the act; empty for anything else."""
    key = f"act.{done}.done"
    return texts.text(key) if done and texts.has(key) else ""

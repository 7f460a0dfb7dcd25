"""Several tasks decided at once: what will be decided is shown first, and each gets a statement of its own."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from api.problems import Unavailable
from api.state import ConnectionDep, State, StateDep
from db.connection.engine import DatabaseUnavailable
from domain.base import Frozen
from domain.tasks.task import TaskKind
from domain.tasks.together import CHOICES, MOST_TOGETHER, why_alone
from texts.tasks.deciding import DecidingLine, deciding_lines
from web.frame import page
from web.links.answering import Shown, answer_task, show_task
from web.links.status_page import LinkStatus, LinkStatusPage, ResultKind, ResultPage, status_parts
from web.session.guard import PostedDep, SignedInDep
from web.session.sessions import Session
from web.tasks.agreement import said_label
from web.tasks.entrance import InboxEntrance, entrance_to
from web.tasks.models import DecisionPage

router = APIRouter(include_in_schema=False)

AT_ONCE: Final = 4
"""How many answers wait for their receipts at the same time."""
TaskIds = Annotated[tuple[Annotated[str, Query(max_length=64)], ...], Query(max_length=MOST_TOGETHER)]


class Considered(Frozen):
    """A task that was selected: what will be decided, or why it is not decided together with others."""

    task_id: str
    name: str
    title: str
    by: str = ""
    lines: tuple[DecidingLine, ...] = ()
    choice: str = ""
    """In the reader's language; empty where it has to be decided alone."""
    alone: str = ""


class Result(Frozen):
    """What became of one of the answers."""

    task_id: str
    name: str
    outcome: str
    good: bool = False
    details: tuple[str, ...] = ()


@router.get("/inbox/together")
async def confirm(
    session: SignedInDep, state: StateDep, connection: ConnectionDep, request: Request, task: TaskIds = ()
) -> Response:
    """What would be decided. Nothing changes."""
    considered = [await _consider(state, request, session, task_id) for task_id in dict.fromkeys(task)]
    return await page(
        request,
        session,
        connection,
        "together.html.j2",
        title=session.texts.text("together.title"),
        considered=[row for row in considered if row.choice],
        alone=[row for row in considered if not row.choice],
        results=(),
    )


@router.post("/inbox/together")
async def decide(posted: PostedDep, state: StateDep, connection: ConnectionDep, request: Request) -> Response:
    """Decide each of the tasks that were shown."""
    ids = list(dict.fromkeys(value for name, value in posted.items if name == "task"))[:MOST_TOGETHER]
    turn = asyncio.Semaphore(AT_ONCE)

    async def answer(task_id: str) -> Result:
        async with turn:
            return await _decide(state, request, posted.session, task_id, posted.body)

    results = await asyncio.gather(*(answer(task_id) for task_id in ids))
    return await page(
        request,
        posted.session,
        connection,
        "together.html.j2",
        title=posted.session.texts.text("together.results"),
        considered=(),
        alone=(),
        results=results,
    )


async def _consider(state: State, request: Request, session: Session, task_id: str) -> Considered:
    """Raises `Refusal` 404 for a task that never asked this person."""
    shown = await show_task(await entrance_to(state, request, session, task_id), through="inbox")
    return _considered(state, session, task_id, shown)


def _considered(state: State, session: Session, task_id: str, shown: Shown) -> Considered:
    texts, asked = session.texts, shown.page
    if isinstance(asked, DecisionPage):
        why = why_alone(asked.kind, asked.choices, conflict=bool(asked.deciding and asked.deciding.conflict))
        zone = state.facts.policy.zone
        return Considered(
            task_id=task_id,
            name=asked.project_name or asked.customer_name,
            title=texts.text(f"task.{asked.kind}.title"),
            by=asked.applicant_name,
            lines=deciding_lines(asked.deciding, texts, zone) if asked.deciding else (),
            choice="" if why else said_label(asked.kind, asked.subject_type, CHOICES[asked.kind], texts),
            alone=texts.text(f"together.alone.{why}") if why else "",
        )
    if isinstance(asked, LinkStatusPage):
        name = asked.project_name or asked.customer_name
        title = texts.text(f"task.{asked.task_kind}.title") if asked.task_kind else ""
        return Considered(task_id=task_id, name=name, title=title, alone=texts.text("together.alone.closed"))
    title = texts.text("together.alone.kind")
    return Considered(task_id=task_id, name=title, title="", alone=title)


async def _decide(state: State, request: Request, session: Session, task_id: str, body: bytes) -> Result:
    """Give one answer, unless the task has to be decided alone by now."""
    entrance: InboxEntrance = await entrance_to(state, request, session, task_id)
    shown = await show_task(entrance, through="inbox")
    before = _considered(state, session, task_id, shown)
    not_recorded = session.texts.text("together.not_recorded")
    kind = _kind_of(shown)
    if kind not in CHOICES or (isinstance(shown.page, DecisionPage) and not before.choice):
        return Result(task_id=task_id, name=before.name, outcome=not_recorded, details=(before.alone,))
    try:  # also where the task is closed: this very form may have closed it, by a button pressed twice
        form = {"choice": CHOICES[kind].value, "confirm": "yes"}
        answered = await answer_task(entrance, form, body + task_id.encode())
    except (Unavailable, DatabaseUnavailable):  # the others may have got through: the page says what became of each
        away = (session.texts.text("calm.away.text"),)
        return Result(task_id=task_id, name=before.name, outcome=not_recorded, details=away)
    got = answered.page
    repeated = isinstance(got, LinkStatusPage) and got.kind is LinkStatus.ANSWERED and answered.status == 200
    if repeated or (isinstance(got, ResultPage) and got.result is ResultKind.ACCEPTED):
        said = said_label(kind, got.subject_type, CHOICES[kind], session.texts)
        outcome = session.texts.text("together.recorded", choice=said)
        return Result(task_id=task_id, name=before.name, outcome=outcome, good=True)
    if isinstance(got, LinkStatusPage) and got.kind is LinkStatus.STORED:
        return Result(task_id=task_id, name=before.name, outcome=session.texts.text("together.stored"), good=True)
    return Result(task_id=task_id, name=before.name, outcome=not_recorded, details=_details(answered))


def _kind_of(shown: Shown) -> TaskKind | None:
    if isinstance(shown.page, DecisionPage):
        return shown.page.kind
    return shown.page.task_kind if isinstance(shown.page, LinkStatusPage) else None


def _details(shown: Shown) -> tuple[str, ...]:
    """Why an answer was not recorded, in the words of the page that says so."""
    if isinstance(shown.page, LinkStatusPage | ResultPage):
        lines: list[str] = status_parts(shown.page)["lines"]
        return tuple(lines)
    return tuple(error.message for error in shown.page.errors)

"""The page of a review: who is asked what until when, and who has answered (R1–R6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Request, Response

from api.accounts.models import SaidView
from api.problems import Refusal
from api.reviews.views import title_of_review
from api.state import ConnectionDep, StateDep
from api.tasks.next_steps import of_review
from api.tasks.wording import task_key
from api.views import Views
from db.readings import note_reading
from db.reviews import reviews
from db.tasks import tasks
from domain.base import Frozen, Moment
from domain.refusals import RefusalCode
from domain.reviews.periods import read_period
from domain.subject import SubjectType
from texts.catalogue import Texts
from texts.reviews.review_lines import column_label, review_dates, value_label
from web.frame import page
from web.session.guard import SignedInDep

router = APIRouter(include_in_schema=False)

ReviewId = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$")]
"""Such as 2026-W48-north."""


class Said(Frozen):
    """A statement about an account in a review, column by column."""

    title: str
    period: str
    person: str
    at: Moment
    lines: tuple[tuple[str, str], ...]


class Asked(Frozen):
    """A task of a review."""

    id: str
    title: str
    people: str
    due_at: Moment
    what_next: str
    mine: bool


def said_lines(statements: Iterable[SaidView], texts: Texts, zone: ZoneInfo) -> tuple[Said, ...]:
    """Statements about an account, with labels."""
    return tuple(
        Said(
            title=statement.title,
            period=statement.period,
            person=statement.person.name,
            at=statement.at.astimezone(zone),
            lines=tuple(
                (column_label(name, texts), value_label(name, str(value), texts))
                for name, value in statement.fields.items()
                if value not in (None, "")
            ),
        )
        for statement in statements
    )


@router.get("/reviews/{review_id}")
async def review_page(
    review_id: ReviewId, session: SignedInDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Response:
    """A review, for whoever is or was asked in it; nobody else is shown it (X2)."""
    texts, me = session.texts, session.person.id
    row = await reviews.find(connection, review_id)
    its_tasks = await tasks.of_subject(connection, review_id) if row else ()
    asked = await tasks.asked_by(connection, [task.id for task in its_tasks])
    mine = [
        task
        for task in its_tasks
        if any(assignee.person == me and assignee.removed_at is None for assignee in asked[task.id])
    ]
    if row is None or not mine:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    await note_reading(connection, me, "review", review_id, through="page")
    policy = await state.facts.pinned_policy(connection, row.policy_digest)
    views = Views(state.facts, session.viewer, texts)
    return await page(
        request,
        session,
        connection,
        "subjects/review.html.j2",
        title=title_of_review(row, session.viewer.organisation, policy.reviews, texts),
        row=row,
        stage=texts.text(f"review_stage.{row.stage}"),
        dates=review_dates(read_period(row.period, policy.reviews), texts),
        tasks=tuple(
            Asked(
                id=task.id,
                title=texts.text(task_key(task.kind, SubjectType.REVIEW, "title")),
                people=views.waited_for([task], asked),
                due_at=task.due_at,
                what_next=of_review(views, row, task, asked[task.id]),
                mine=task in mine,
            )
            for task in its_tasks
        ),
    )

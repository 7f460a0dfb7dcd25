"""`what_next`: who is at work, on what, until when, and what follows by itself; for each subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from db.accounts.applications import ApplicationRow
from db.reads.detail_reads import OpenTask
from db.reviews.reviews import ReviewRow
from db.tasks.tasks import AskedRow, TaskRow
from domain.accounts.application import Stage
from domain.accounts.named_account import above_limit
from domain.calendar import WorkCalendar
from domain.policy import Policy
from domain.tasks.standstill import closes_at
from domain.tasks.task import AssigneeCapacity, TaskStatus

if TYPE_CHECKING:
    from api.composing import Views

Open = Sequence[TaskRow | OpenTask]
AskedByTask = Mapping[str, Sequence[AskedRow]]

_BEFORE_THE_VPS = frozenset({Stage.EVIDENCE, Stage.COMMERCE_CHECK, Stage.RETURNED})


def closes_unless_answered(
    task: TaskRow | OpenTask, policy: Policy, *, not_before: datetime | None = None
) -> datetime | None:
    """U10: when what the task is about is shelved or closed by itself. `not_before`: since when somebody can answer."""
    calendar = WorkCalendar(region=policy.calendar_region, time_zone=policy.time_zone)
    since = max(task.opened_at, not_before) if not_before else task.opened_at
    return closes_at(task.kind, since, task.warned_at, policy, calendar)


def of_application(
    views: Views, row: ApplicationRow, open_tasks: Open, asked: AskedByTask, *, held: int, policy: Policy
) -> str:
    """`held`: how many live accounts the applicant holds at this moment; one more may be above the limit (N8)."""
    texts, zone = views.texts, views.facts.policy.zone
    until = row.rejection.appeal_until if row.rejection else None
    if row.stage is Stage.RETURNED:
        until = next((closes for task in open_tasks if (closes := closes_unless_answered(task, policy))), None)
    above = above_limit(held, policy.accounts.limit)
    key = f"what_next.{row.stage}"
    if row.stage is Stage.REJECTED and until is None:  # final, and closed by the next step
        key = f"what_next.{Stage.CLOSED_REJECTED}"
    elif row.stage is Stage.VP_REVIEW and above:
        key = "what_next.vp_review_above_limit"
    elif row.stage is Stage.REFUSED and texts.has(f"{key}_{(row.end_reason or {}).get('code')}"):
        key = f"{key}_{(row.end_reason or {})['code']}"
    said = [
        texts.text(
            key,
            people=views.waited_for(open_tasks, asked),
            until=texts.moment(until, zone) if until else "",
            minutes=policy.evidence.give_up_after_minutes,
        ),
        by_when(views, open_tasks, asked, policy),
    ]
    if above and row.stage in _BEFORE_THE_VPS:
        said.append(texts.text("what_next.above_limit"))
    return texts.sentences(*said)


def by_when(views: Views, open_tasks: Open, asked: AskedByTask, policy: Policy) -> str:
    """Until when those who are asked have, and what follows by itself then (N12); of several tasks, the first due."""
    if not open_tasks:
        return ""
    texts, zone = views.texts, views.facts.policy.zone
    first = min(open_tasks, key=lambda task: task.due_at)
    deadline = policy.deadlines.get(first.kind)
    stood_in = any(one.capacity is AssigneeCapacity.STAND_IN for one in asked[first.id] if one.removed_at is None)
    due = texts.moment(first.due_at, zone)
    if deadline is None:  # of a kind that the policy it began with does not know
        return texts.text("what_next.due", due=due)
    if deadline.stand_in is None or stood_in:
        return texts.text("what_next.due_reminded", due=due, days=deadline.repeat_every)
    return texts.text("what_next.due_stand_in", due=due, role=texts.text(f"role.{deadline.stand_in}"))


def of_project(views: Views, said: str, open_tasks: Open, asked: AskedByTask, policy: Policy) -> str:
    """`said`: what the stage of a registration says by itself."""
    return views.texts.sentences(said, by_when(views, open_tasks, asked, policy))


def of_review(views: Views, row: ReviewRow, task: TaskRow, asked: Sequence[AskedRow]) -> str:
    """R6: a review is never put off; what is not done in its period shows as missed."""
    texts, zone = views.texts, views.facts.policy.zone
    if task.status is not TaskStatus.OPEN:
        return texts.text(f"what_next_review.{'answered' if task.status is TaskStatus.ANSWERED else 'missed'}")
    return texts.text(
        "what_next_review.open",
        people=views.waited_for([task], {task.id: asked}),
        due=texts.moment(task.due_at, zone),
        until=texts.moment(row.closes_at, zone),
    )

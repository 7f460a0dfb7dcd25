"""`what_next`: who has to do what until when, and what happens automatically otherwise; for each subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from api.views import Views
from db.accounts.applications import ApplicationRow
from db.reviews.reviews import ReviewRow
from db.tasks.tasks import AskedRow, TaskRow
from domain.accounts.application import Stage
from domain.accounts.named_account import above_limit
from domain.calendar import WorkCalendar
from domain.policy import Policy
from domain.tasks.standstill import closes_at
from domain.tasks.task import AssigneeCapacity, TaskStatus

Open = Sequence[TaskRow]
AskedByTask = Mapping[str, Sequence[AskedRow]]

_BEFORE_THE_VPS = frozenset({Stage.EVIDENCE, Stage.COMMERCE_CHECK, Stage.RETURNED})


def closes_unless_answered(task: TaskRow, policy: Policy, *, not_before: datetime | None = None) -> datetime | None:
    """U10: when the subject of the task is shelved or closed automatically. `not_before`: earliest time to answer."""
    calendar = WorkCalendar(region=policy.calendar_region, time_zone=policy.time_zone)
    since = max(task.opened_at, not_before) if not_before else task.opened_at
    return closes_at(task.kind, since, task.warned_at, policy, calendar)


def of_application(
    views: Views, row: ApplicationRow, open_tasks: Open, asked: AskedByTask, *, held: int, policy: Policy
) -> str:
    """`held`: how many live accounts the applicant holds now; one more may exceed the limit (N8)."""
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
    parts = [
        texts.text(
            key,
            people=views.waited_for(open_tasks, asked),
            until=texts.moment(until, zone) if until else "",
            minutes=policy.evidence.give_up_after_minutes,
        ),
        by_when(views, open_tasks, asked, policy),
    ]
    if above and row.stage in _BEFORE_THE_VPS:
        parts.append(texts.text("what_next.above_limit"))
    return texts.sentences(*parts)


def by_when(views: Views, open_tasks: Open, asked: AskedByTask, policy: Policy) -> str:
    """When the earliest open task is due, and what happens automatically then (N12)."""
    if not open_tasks:
        return ""
    texts, zone = views.texts, views.facts.policy.zone
    first = min(open_tasks, key=lambda task: task.due_at)
    deadline = policy.deadlines.get(first.kind)
    stood_in = any(
        assignee.capacity is AssigneeCapacity.STAND_IN and assignee.removed_at is None for assignee in asked[first.id]
    )
    due = texts.moment(first.due_at, zone)
    if deadline is None:  # a kind unknown to the pinned policy
        return texts.text("what_next.due", due=due)
    if deadline.stand_in is None or stood_in:
        return texts.text("what_next.due_reminded", due=due, days=deadline.repeat_every)
    return texts.text("what_next.due_stand_in", due=due, role=texts.text(f"role.{deadline.stand_in}"))


def of_project(views: Views, by_stage: str, open_tasks: Open, asked: AskedByTask, policy: Policy) -> str:
    """`by_stage`: the sentence for the stage of the registration."""
    return views.texts.sentences(by_stage, by_when(views, open_tasks, asked, policy))


def of_review(views: Views, row: ReviewRow, task: TaskRow, asked: Sequence[AskedRow]) -> str:
    """R6: a review is never postponed; what is not done in its period is reported as missed."""
    texts, zone = views.texts, views.facts.policy.zone
    if task.status is not TaskStatus.OPEN:
        return texts.text(f"what_next_review.{'answered' if task.status is TaskStatus.ANSWERED else 'missed'}")
    return texts.text(
        "what_next_review.open",
        people=views.waited_for([task], {task.id: asked}),
        due=texts.moment(task.due_at, zone),
        until=texts.moment(row.closes_at, zone),
    )

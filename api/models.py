"""Response models that every subject shares."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from domain.tasks.task import AssigneeCapacity, TaskKind


class PersonView(BaseModel):
    """A person, by id and name."""

    id: str
    name: str


class AskedView(BaseModel):
    """An assignee of a task: a person, in their own right or on behalf of somebody."""

    person: PersonView
    capacity: AssigneeCapacity
    on_behalf_of: PersonView | None = None


class DecisionView(BaseModel):
    """A recorded decision."""

    task_id: str
    kind: TaskKind
    round: int
    choice: str
    reason: str
    special_reason: bool
    person: PersonView
    on_behalf_of: PersonView | None = None
    capacity: AssigneeCapacity
    decided_at: datetime


class OpenTaskView(BaseModel):
    """An open task, as part of its subject."""

    id: str
    kind: TaskKind
    rule: str
    title: str
    asked: list[AskedView]
    opened_at: datetime
    due_at: datetime


class TimelineEntry(BaseModel):
    """An event in the history of a subject. `text` describes it in the reader's language."""

    at: datetime
    event: str
    text: str
    actor: PersonView | None = None
    body: dict[str, Any] = {}


class CreditView(BaseModel):
    """The amount credited to one person, in RMB (D3)."""

    person: PersonView
    percent: Decimal | None = None
    """Their share; null in a total of several contracts."""
    amount: Decimal

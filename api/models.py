"""Response models that every subject shares."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from domain.tasks.task import AssigneeCapacity, TaskKind


class PersonView(BaseModel):
    id: str
    name: str


class AskedView(BaseModel):
    person: PersonView
    capacity: AssigneeCapacity
    on_behalf_of: PersonView | None = None


class DecisionView(BaseModel):
    """A decision as the contract shows it."""

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
    """A task as those who may see its subject see it."""

    id: str
    kind: TaskKind
    rule: str
    title: str
    asked: list[AskedView]
    opened_at: datetime
    due_at: datetime


class TimelineEntry(BaseModel):
    at: datetime
    event: str
    text: str
    actor: PersonView | None = None
    body: dict[str, Any] = {}


class CreditView(BaseModel):
    """D3: what one person is credited with, in RMB."""

    person: PersonView
    percent: Decimal | None = None
    """Their share; null where several contracts are added up."""
    amount: Decimal

"""Response models of tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, JsonValue

from api.accounts.models import ApplicationView
from api.models import AskedView, DecisionView, PersonView
from api.projects.models import ProjectView
from api.reviews.models import ReviewView
from domain.tasks.task import Choice, FieldSpec, TaskKind, TaskStatus


class SubjectView(BaseModel):
    type: Literal["application", "project", "review"]
    id: str
    title: str


class OptionView(BaseModel):
    """One person or registration that a field may name."""

    id: str
    label: str


class FieldView(FieldSpec):
    """A field with its label, and the names of what may be chosen, in the reader's language."""

    label: str
    named: list[OptionView] = []
    columns: tuple[FieldView, ...] = ()
    """Of rows: what each row holds beside its id."""


class ChoiceView(Choice):
    """A choice with its label in the reader's language."""

    label: str
    fields: tuple[FieldView, ...] = ()


class TaskSummary(BaseModel):
    """A task in a list."""

    id: str
    kind: TaskKind
    rule: str
    subject: SubjectView
    question: str
    choices: list[ChoiceView]
    opened_at: datetime
    due_at: datetime
    due_provisional: bool
    status: TaskStatus
    on_behalf_of: PersonView | None = None
    round: int


class TaskView(TaskSummary):
    """One task with everything to decide on."""

    asked: list[AskedView]
    note: dict[str, JsonValue] | None = None
    application: ApplicationView | None = None
    """The subject, where it is an application."""
    project: ProjectView | None = None
    """The subject, where it is a project."""
    review: ReviewView | None = None
    """The subject, where it is a review; `note` has its accounts with plan, figures and what was said."""
    decision: DecisionView | None = None

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
    """The subject of a task."""

    type: Literal["application", "project", "review"]
    id: str
    title: str


class OptionView(BaseModel):
    """An option of a field: a person, a registration or a value."""

    id: str
    label: str


class FieldView(FieldSpec):
    """A field with its label and the labels of its options, in the reader's language."""

    label: str
    named: list[OptionView] = []
    columns: tuple[FieldView, ...] = ()
    """For `rows`: the fields of each row besides its id."""


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
    """A task with everything needed to decide."""

    asked: list[AskedView]
    note: dict[str, JsonValue] | None = None
    application: ApplicationView | None = None
    """The subject, if it is an application."""
    project: ProjectView | None = None
    """The subject, if it is a project."""
    review: ReviewView | None = None
    """The subject, if it is a review; `note` has its accounts with plan, figures and statements."""
    decision: DecisionView | None = None

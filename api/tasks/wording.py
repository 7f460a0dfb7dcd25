"""Text keys, labels and names that depend on the subject of a task: application, project or review."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.accounts.evidence import EvidenceKind
from domain.accounts.named_account import RULES, note_field
from domain.organisation import Organisation
from domain.projects.rules import PROJECT_TASK_RULES
from domain.reviews.review import REVIEW_TASK_RULES
from domain.subject import SubjectType
from domain.tasks.task import FieldSpec, TaskKind
from texts.catalogue import Texts
from texts.reviews.review_lines import column_label

_PERSON: Final = frozenset(
    {"person", "by", "responsible", "salesperson", "called_by", "clerk", "wanted_by", "on_behalf_of"}
)
_PEOPLE: Final = frozenset({"participants"})


def task_rule(kind: TaskKind, subject: str) -> str:
    """The rule that the task implements."""
    if subject == SubjectType.REVIEW:
        return REVIEW_TASK_RULES[kind]
    return PROJECT_TASK_RULES[kind] if subject == SubjectType.PROJECT else RULES[kind]


def task_key(kind: TaskKind, subject: str, part: str) -> str:
    """Text key of a task's `title` or `question`. The text for completing a held project differs from that for a
    returned application."""
    return _key("task", kind, subject, part)


def choice_key(kind: TaskKind, subject: str, choice: str) -> str:
    """Text key of a choice."""
    return _key("choice", kind, subject, choice)


def field_label(spec: FieldSpec, subject: str, texts: Texts) -> str:
    """The label of a field other than the reason."""
    if subject == SubjectType.REVIEW:
        return column_label(spec.name, texts)
    if noted := next((kind for kind in EvidenceKind if spec.name == note_field(kind)), None):
        return texts.text("page.note_for", evidence=texts.text(f"evidence.{noted}"))
    where = (
        ("field.project", "field") if subject == SubjectType.PROJECT else ("field", "dossier.label", "field.project")
    )
    keys = [f"{prefix}.{spec.name}{title}" for prefix in where for title in ("", "._title")]
    return next((texts.text(key) for key in keys if texts.has(key)), texts.label(spec.name))


def with_people(value: Any, organisation: Organisation) -> Any:
    """`value` with `{id, name}` for every person that it refers to by id, or by the record's `{person, name}`."""
    if isinstance(value, Mapping):
        if set(value) == {"person", "name"}:
            return {"id": value["person"], "name": value["name"]}
        shown = {name: inner for name, inner in value.items() if not (name == "name" and "person" in value)}
        return {name: _named(name, inner, organisation) for name, inner in shown.items()}
    if isinstance(value, list | tuple):
        return [with_people(inner, organisation) for inner in value]
    return value


def _named(name: str, value: Any, organisation: Organisation) -> Any:
    if isinstance(value, str) and name in _PERSON:
        return {"id": value, "name": organisation.name_of(value)}
    if isinstance(value, list | tuple) and name in _PEOPLE and all(isinstance(person, str) for person in value):
        return [{"id": person, "name": organisation.name_of(person)} for person in value]
    return with_people(value, organisation)


def _key(group: str, kind: TaskKind, subject: str, part: str) -> str:
    of_project = kind is TaskKind.SUPPLY_INFORMATION and subject == SubjectType.PROJECT
    return f"{group}.{kind}.{'project_' if of_project else ''}{part}"

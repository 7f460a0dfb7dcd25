"""Reads the answer to a task from a page's form, and assigns errors to inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from api.problems import Refusal
from db.accounts.applications import ApplicationRow
from db.projects.projects import ProjectRow
from db.reviews.reviews import ReviewRow
from db.tasks.tasks import TaskRow
from domain.accounts.application import ApplicationForm
from domain.accounts.named_account import FORM_FIELD
from domain.names import handed_in
from domain.projects.project import ProjectForm
from domain.projects.rules import PROJECT_FORM_FIELD, SUSPECTS_FIELD
from domain.refusals import RefusalCode
from domain.subject import SubjectType
from domain.tasks.form_changes import form_changes
from domain.tasks.task import AnswerChoice, TaskKind
from texts.catalogue import Texts
from web.forms.fields import entered_values, specs_of
from web.forms.form import APPLICATION, PROJECT, parse_form, plain_text
from web.forms.matches import reasons_of_suspects, suspected
from web.models import FormError
from web.tasks.agreement import PROPOSE

_OWN_INPUTS = frozenset({"choice", "reason", "confirm", "lang"})


def entered_fields(task: TaskRow, form: Mapping[str, str], zone: ZoneInfo) -> tuple[str, str, dict[str, Any]]:
    """Choice, reason and fields of an answer. The only choice of `supply_information` is to supply."""
    choice = form.get("choice", AnswerChoice.SUPPLY if task.kind is TaskKind.SUPPLY_INFORMATION else "")
    choice = AnswerChoice.AGREE if task.kind is TaskKind.AGREE_SPLIT and choice == PROPOSE else choice
    reason = plain_text(form.get("reason", ""))
    if task.kind is TaskKind.SUPPLY_INFORMATION:
        typed = {name: value for name, value in form.items() if name not in _OWN_INPUTS}
        if task.subject_type == SubjectType.PROJECT:
            return choice, reason, {PROJECT_FORM_FIELD: parse_form(typed, PROJECT)}
        return choice, reason, {FORM_FIELD: parse_form(typed, APPLICATION)}
    reason = "\n".join(words for words in (reason, *reasons_of_suspects(form)) if words.strip())
    fields = entered_values(specs_of(task.choices), form, zone)
    if choice == AnswerChoice.CLEAR:  # `contradiction` says so
        fields.pop(SUSPECTS_FIELD, None)
    return choice, reason, fields


def as_offered(task: TaskRow, form: Mapping[str, str]) -> TaskRow:
    """D1: `task` as the page offers its chosen answer: whoever makes another proposal has to make it whole."""
    if form.get("choice") != PROPOSE:
        return task
    choices = tuple(
        choice.model_copy(
            update={"fields": tuple(spec.model_copy(update={"required": True}) for spec in choice.fields)}
        )
        if choice.choice == AnswerChoice.AGREE
        else choice
        for choice in task.choices
    )
    return task.model_copy(update={"choices": choices})


def contradiction(task: TaskRow, form: Mapping[str, str], fields: Mapping[str, Any]) -> str:
    """The text key of what an answer says against itself; empty where it does not.

    D1: agrees to the current proposal and makes another one. P4, P5: says that nothing is in conflict, and marks a
    registration as possibly in conflict.
    """
    choice = form.get("choice")
    on_the_table = task.kind is TaskKind.AGREE_SPLIT and bool(task.note and task.note.get("proposal"))
    if on_the_table and choice == AnswerChoice.AGREE and fields:
        return "page.agree.both"
    if choice == AnswerChoice.CLEAR and suspected(form):
        return "page.clear_and_suspected"
    return ""


def submits_unchanged(row: ApplicationRow | ProjectRow | ReviewRow, fields: Mapping[str, Any]) -> bool:
    """N5, P2: whether valid `fields` hand in the form of `row` just as it was sent back."""
    if isinstance(row, ApplicationRow) and FORM_FIELD in fields:
        return not form_changes(row.form, handed_in(ApplicationForm, fields[FORM_FIELD]))
    if isinstance(row, ProjectRow) and PROJECT_FORM_FIELD in fields:
        return not form_changes(row.form, handed_in(ProjectForm, fields[PROJECT_FORM_FIELD]))
    return False


def field_errors(refusal: Refusal, texts: Texts) -> tuple[FormError, ...]:
    """The problems of a refusal, each with the name of its input."""
    if not refusal.problems:
        name = "confirm" if refusal.code == RefusalCode.CONFIRM_MISSING else "choice"
        return (FormError(field=name, message=texts.error(refusal.code)),)
    return tuple(
        FormError(
            field=_without_form(problem.field).removeprefix("fields."),
            message=texts.error(problem.key, problem.params),
        )
        for problem in refusal.problems
    )


def _without_form(field: str) -> str:
    """`fields.project.amount` is the input `amount`."""
    return field.removeprefix(f"fields.{FORM_FIELD}.").removeprefix(f"fields.{PROJECT_FORM_FIELD}.")

"""What a page's form sent, as the answer to a task; and what is wrong with it, beside the right input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.page_form import parse_form
from api.pages import FormError
from api.problems import Refusal
from db.tasks import TaskRow
from domain.named_account import FORM_FIELD
from domain.tasks import SUPPLY, TaskKind
from texts.catalogue import Texts

_OWN_INPUTS = frozenset({"choice", "reason", "confirm", "lang"})


def entered_fields(task: TaskRow, form: Mapping[str, str]) -> tuple[str, str, dict[str, Any]]:
    """Choice, reason and fields of an answer. The only choice of a `supply_information` is to supply."""
    choice = form.get("choice", SUPPLY if task.kind is TaskKind.SUPPLY_INFORMATION else "")
    reason = form.get("reason", "").replace("\r\n", "\n")
    if task.kind is TaskKind.SUPPLY_INFORMATION:
        typed = {name: value for name, value in form.items() if name not in _OWN_INPUTS}
        return choice, reason, {FORM_FIELD: parse_form(typed)}
    known = {spec.name for option in task.choices for spec in option.fields}
    return choice, reason, {name: form[name] for name in sorted(known) if form.get(name, "").strip()}


def field_errors(refusal: Refusal, texts: Texts) -> tuple[FormError, ...]:
    """The problems of a refusal by the name of the input they belong to."""
    if not refusal.problems:
        name = "confirm" if refusal.code == "confirm_missing" else "choice"
        return (FormError(field=name, message=texts.error(refusal.code)),)
    prefix = f"fields.{FORM_FIELD}."
    return tuple(
        FormError(
            field=problem.field.removeprefix(prefix).removeprefix("fields."),
            message=texts.error(problem.key, problem.params),
        )
        for problem in refusal.problems
    )

"""The page that asks for an answer about an application or a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.tasks.wording import choice_key, task_key
from domain.accounts.evidence import OF_MATCHES, EvidenceKind
from domain.accounts.named_account import FORM_FIELD, note_field
from domain.conflicts.rulings import MATCHES_FIELD
from domain.projects.rules import PROJECT_FORM_FIELD
from domain.subject import SubjectType
from domain.tasks.task import AnswerChoice, Choice, FieldKind, FieldSpec, TaskKind
from texts.catalogue import Texts
from texts.tasks.changes import ChangedLine, changed_lines
from texts.tasks.deciding import deciding_lines
from texts.view_lines import detail_value, on_behalf
from web.forms.fields import controls, specs_of
from web.forms.form import BLANK_ROWS, field_id, flatten, form_values, layout_of, parse_form, sections
from web.forms.matches import input_name, match_controls
from web.headings import subject_line, who_is_asked
from web.models import FormTarget, link_target
from web.projects.page import project_parts
from web.rendering import render_template
from web.tasks.agreement import PROPOSE, agreement_choices
from web.tasks.models import DecisionPage

DECISION_BODY: Final = "task.html.j2"


def render_decision(page: DecisionPage) -> str:
    """The page that asks for one decision. Raises `KeyError` when a text is missing."""
    return render_template(page, "decision.html.j2", **decision_parts(page, link_target(page)))


def render_decision_part(page: DecisionPage, target: FormTarget) -> str:
    """The body of `render_decision` alone, with its form sent to `target`: the detail of an inbox."""
    return render_template(page, DECISION_BODY, **decision_parts(page, target))


def decision_parts(page: DecisionPage, target: FormTarget) -> dict[str, Any]:
    """The variables of the template `DECISION_BODY`, for whichever page includes it as its variable `body`."""
    texts, subject, layout = Texts(page.language), page.subject_type, layout_of(page.form)
    notes = {note_field(kind) for kind in EvidenceKind}
    specs = [spec for spec in specs_of(page.choices) if spec.name not in notes]
    errors = {_input_name(error.field, specs, page.entered): error.message for error in page.errors}
    marks = match_controls(specs, texts, page.entered, errors)
    shown = {registration.subject_id for registration in page.weighed}
    shown |= {finding.subject_id for item in page.evidence if item.kind in OF_MATCHES for finding in item.findings}
    editing = page.kind is TaskKind.SUPPLY_INFORMATION
    typed = flatten(parse_form(page.entered, layout))
    values, zone = form_values(page.form), ZoneInfo(page.time_zone)
    edited = sections(typed or values, texts, errors, blank_rows=BLANK_ROWS, layout=layout) if editing else ()
    nothing_found = [item for item in page.evidence if item.nothing_found]
    return dict(
        body=DECISION_BODY,
        target=target,
        title=texts.text(task_key(page.kind, subject, "title")),
        deciding=deciding_lines(page.deciding, texts, zone) if page.deciding else (),
        changed=_changed(page, texts),
        question=texts.text(task_key(page.kind, subject, "question")),
        heading=page.project_name or page.form.customer.name,
        about=subject_line(page, texts),
        page=page,
        who=who_is_asked(page, texts),
        decide_heading=_decide_heading(page, texts),
        reason_hints=_reason_hints(page, texts),
        choices=_choices(page, texts),
        evidence=sorted(page.evidence, key=lambda item: not item.grave),
        nothing_found=nothing_found,
        nothing_found_kinds=[texts.text(f"evidence.{item.kind}") for item in nothing_found],
        notes=page.kind is TaskKind.COMMERCE_CHECK,
        gather_again=_gather_again(page),
        extra=controls(
            specs,
            page.offered,
            texts,
            zone,
            subject=subject,
            always=len(page.choices) == 1,
            hints=_needed_for(page, texts),
            entered=page.entered,
            errors=errors,
        ),
        sections=sections(values, texts, layout=layout),
        marks=marks,
        marks_elsewhere=[
            (page.offered.labels.get(match, match), marks[match]) for match in marks if match not in shown
        ],
        editing=edited,
        errors=errors,
        error_list=_error_list(errors, layout.labels, texts),
        entered=page.entered,
        on_behalf=on_behalf,
        note_field=note_field,
        detail_value=detail_value,
        task_title=lambda kind: texts.text(task_key(kind, subject, "title")),
        **project_parts(page, texts),
    )


def _choices(page: DecisionPage, texts: Texts) -> list[tuple[str, str]]:
    """The choices with labels."""
    if page.kind is TaskKind.AGREE_SPLIT:
        return [(name, texts.text(key)) for name, key in agreement_choices(proposed=bool(page.note.get("proposal")))]
    return [(choice.choice, _label(page, choice, texts)) for choice in page.choices]


def _label(page: DecisionPage, choice: Choice, texts: Texts) -> str:
    """The label of a choice; where a proposal may be made (D1), of the choice that makes it."""
    if page.kind is TaskKind.AGREE_SPLIT:
        return dict(_choices(page, texts))[PROPOSE if choice.choice == AnswerChoice.AGREE else choice.choice]
    return texts.text(choice_key(page.kind, page.subject_type, choice.choice))


def _changed(page: DecisionPage, texts: Texts) -> tuple[ChangedLine, ...]:
    """N5, P2: what was changed since the last round, field by field."""
    compared = page.deciding.compared if page.deciding else None
    of_project = page.subject_type is SubjectType.PROJECT
    return changed_lines(compared.changes, texts, of_project=of_project) if compared else ()


def _input_name(field: str, specs: Sequence[FieldSpec], entered: Mapping[str, str]) -> str:
    """The input that a problem belongs to: `fields.note_credit` and `fields.application.customer.name` lose their
    wrapping, and a problem with one of several checkboxes belongs to all of them."""
    bare = field.removeprefix("fields.").removeprefix(f"{FORM_FIELD}.").removeprefix(f"{PROJECT_FORM_FIELD}.")
    if bare.startswith(f"{MATCHES_FIELD}."):
        return input_name(bare, entered)
    whole = (spec.name for spec in specs if spec.kind not in (FieldKind.SPLIT, FieldKind.FORM))
    return next((name for name in whole if bare.startswith(f"{name}.")), bare)


def _decide_heading(page: DecisionPage, texts: Texts) -> str:
    """The heading of the form. Not every task is a decision: a held project is completed, a meeting is called."""
    key = f"page.decide_for.{page.kind}"
    return texts.text(key if texts.has(key) else "page.decide")


def _gather_again(page: DecisionPage) -> str:
    """N15: the value of the button that gathers evidence again; empty where there is no such button.

    It is the time of the evidence to be replaced, so that pressing the button twice has one effect.
    """
    gathered = [item.gathered_at for item in page.evidence]
    return max(gathered).isoformat() if gathered and page.may_gather_again else ""


def _needed_for(page: DecisionPage, texts: Texts) -> dict[str, str]:
    """By field name, hints for fields that one choice requires and others do not."""
    if len(page.choices) == 1:
        return {}
    return {
        spec.name: texts.text("page.reason_other", choice=_label(page, choice, texts))
        for choice in page.choices
        for spec in choice.fields
        if spec.required
    }


def _reason_hints(page: DecisionPage, texts: Texts) -> list[str]:
    """Which choices require a reason, and why (N5, N8, N9)."""
    hints = []
    for choice in page.choices:
        label = _label(page, choice, texts)
        if choice.special_reason:
            hints.append(texts.text("page.reason_special", choice=label))
        elif choice.reason_required:
            key = f"page.reason_for.{page.kind}.{choice.choice}"
            if not texts.has(key):
                keys: dict[str, str] = {
                    AnswerChoice.REJECT: "page.reason_reject",
                    AnswerChoice.RETURN: "page.reason_return",
                }
                key = keys.get(choice.choice, "page.reason_other")
            hints.append(texts.text(key, choice=label))
    needed = sum(choice.special_reason or choice.reason_required for choice in page.choices)
    if needed < len(page.choices):
        hints.append(texts.text("page.reason_optional_else" if needed else "page.reason_optional"))
    return hints


def _error_list(errors: Mapping[str, str], labels: str, texts: Texts) -> list[tuple[str, str]]:
    """For each invalid input, its place on the page, and its message with the input's label."""
    colon = "：" if texts.language == "zh" else ": "
    return [
        (field_id(name), f"{_input_label(name, labels, texts)}{colon}{message}") for name, message in errors.items()
    ]


def _input_label(name: str, labels: str, texts: Texts) -> str:
    """The label of an input. `labels`: the group of text keys with the labels of the form."""
    for kind in EvidenceKind:
        if name == note_field(kind):
            return texts.text("page.note_for", evidence=texts.text(f"evidence.{kind}"))
    if name.startswith(f"{MATCHES_FIELD}."):
        return texts.text(f"rule_on.{name.rpartition('.')[2]}")
    if name in ("choice", "reason", "confirm"):
        return texts.text(f"field.{name}")
    parts = name.split(".")
    pattern = ".".join(part for part in parts if not part.isdecimal())
    group = pattern.rpartition(".")[0]
    names = [texts.label(f"{labels}.{key}._title") for key in (group, pattern) if texts.has(f"{labels}.{key}._title")]
    row = [texts.text("page.row", number=int(part) + 1) for part in parts if part.isascii() and part.isdigit()][:1]
    own = [texts.label(f"{labels}.{pattern}")] if texts.has(f"{labels}.{pattern}") else []
    return " ".join([*names, *row, *own]) or pattern

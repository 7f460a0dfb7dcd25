"""What filling in the two forms of a salesperson has in common: the application (N1) and the registration (P1, P4).

Typed text is kept on the page at every step; nothing is decided here: the gateway is told the same as by the API.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError

from api.conflicts.models import ConflictCheck
from api.conflicts.views import check_conflicts
from api.gateway.gateway import Caller
from api.problems import Refusal, field_problems
from api.state import State
from api.tasks.wording import task_key, task_rule
from api.views import Composer
from db import drafts
from db.connection.engine import AsyncConnection
from db.drafts import DraftRow
from db.messages import Receipt
from domain.base import Frozen, Moment
from domain.conflicts.draft import ConflictDraft
from domain.names import handed_in
from domain.organisation import Organisation, Person
from domain.policy import Policy
from domain.refusals import RefusalCode
from domain.subject import SubjectType
from domain.tasks.outlook import ExpectedStep
from domain.tasks.task import Problem
from texts.catalogue import Texts
from web.forms.form import Field, Layout, Rows, Section, field_id, flatten, parse_form, sections
from web.session.sessions import Session

DRAFT_FIELD: Final = "draft"
STEP_FIELD: Final = "step"
SPARE_ROWS: Final = 1
MOST_ROWS: Final = 20
LONGEST_DRAFT: Final = 300_000
"""Characters of all inputs together; a complete form is well below."""


class Outlook(NamedTuple):
    """What follows once a form is submitted."""

    steps: tuple[ExpectedStep, ...]
    in_addition: list[str]
    """What is asked in addition, or collides, in words."""


@dataclass(frozen=True)
class Filing:
    """One of the two forms: what it is called, and what the API does with it."""

    kind: SubjectType
    path: str
    title: str
    """Text key."""
    intro: str
    """Text key."""
    form_rule: str
    layout: Layout
    model: type[BaseModel]
    may_file: Callable[[Person], bool]
    stranger: RefusalCode
    """Why nobody else may."""
    refuses: Callable[[Mapping[str, Any], Policy], tuple[Problem, ...]]
    """The fields of a complete form by which a rule refuses it outright."""
    outlook: Callable[[AsyncConnection, State, Session, ConflictCheck | None], Awaitable[Outlook]]
    submit: Callable[[State, Person, Caller, Any], Awaitable[tuple[str, Receipt | None]]]

    def check(self, session: Session) -> None:
        """Raises `Refusal` 403 for anybody who may not file it."""
        if not self.may_file(session.person):
            raise Refusal.forbidden(self.stranger)


class StepLine(Frozen):
    """A step ahead, in words."""

    title: str
    rule: str
    people: str
    due_at: Moment
    provisional: bool


def typed_in(filing: Filing, form: Mapping[str, str]) -> dict[str, str]:
    """The inputs of the form among what a page sent, without empty rows; of a list left empty, its first one."""
    tree = parse_form(form, filing.layout)
    typed = flatten(tree)
    for name in filing.layout.of_type("list"):
        if any(sent.startswith(f"{name}.") for sent in form) and not any(kept.startswith(f"{name}.") for kept in typed):
            typed[next(sent for sent in form if sent.startswith(f"{name}."))] = ""
    return typed


def new_draft_id() -> str:
    """The id of a draft that nothing was saved of yet."""
    return secrets.token_hex(16)


def draft_of(filing: Filing, session: Session, draft_id: str, typed: Mapping[str, str], now: datetime) -> DraftRow:
    """The draft as it is to be saved."""
    title = typed.get("name") or typed.get("customer.name") or ""
    return DraftRow(
        id=draft_id,
        person=session.person.id,
        kind=filing.kind.value,
        title=title.strip()[:200],
        fields=dict(typed),
        saved_at=now,
    )


async def save_draft(
    connection: AsyncConnection, state: State, filing: Filing, session: Session, form: Mapping[str, str]
) -> bool:
    """Save what was typed under the draft id that the page sent. False when it cannot be kept."""
    draft_id, typed = form.get(DRAFT_FIELD, ""), typed_in(filing, form)
    if len(draft_id) != 32 or not draft_id.isalnum() or sum(map(len, typed.values())) > LONGEST_DRAFT:
        return False
    if any("\0" in text for pair in typed.items() for text in pair):  # PostgreSQL keeps no NUL in jsonb
        return False
    return await drafts.save(connection, draft_of(filing, session, draft_id, typed, state.clock()))


def validated(filing: Filing, typed: Mapping[str, str]) -> tuple[BaseModel | None, tuple[Problem, ...]]:
    """The form, or everything that is wrong with it, as the API says it."""
    try:
        return handed_in(filing.model, parse_form(typed, filing.layout)), ()
    except ValidationError as error:
        return None, field_problems(error.errors(), rule_of_form=filing.form_rule)


def messages(problems: Iterable[Problem], texts: Texts) -> dict[str, str]:
    """The message of each input that is wrong."""
    return {problem.field: texts.error(problem.key, problem.params) for problem in problems}


def of_refusal(refusal: Refusal, texts: Texts, zone: tzinfo) -> dict[str, str]:
    """The same for what was refused as a whole; without a field it stands at the top."""
    return messages(refusal.problems, texts) or {"": refusal.text(texts, zone)}


def form_sections(
    filing: Filing, typed: Mapping[str, str], texts: Texts, errors: Mapping[str, str], *, spare: int = SPARE_ROWS
) -> tuple[Section, ...]:
    """The form with what was typed, and with empty rows to fill."""
    return sections(typed, texts, errors, blank_rows=min(spare, MOST_ROWS), layout=filing.layout)


def summary(errors: Mapping[str, str], parts: Sequence[Section], texts: Texts) -> list[tuple[str, str]]:
    """For each input that is wrong, its id and its message with its label."""
    labels = {field.name: field.label for section in parts for field in _fields(section)}
    colon = "：" if texts.language == "zh" else ": "
    found = []
    for name, message in errors.items():
        label = labels.get(name, "")
        found.append((field_id(name) if name else "content", f"{label}{colon}{message}" if label else message))
    return found


def _fields(section: Section) -> Iterable[Field | Rows]:
    for item in section.items:
        yield item
        if isinstance(item, Rows):
            for row in item.rows:
                yield from row


async def conflicts_of(
    connection: AsyncConnection, state: State, session: Session, filing: Filing, typed: Mapping[str, str]
) -> ConflictCheck | None:
    """What is registered now for what was typed; None when too little is."""
    tree = parse_form(typed, filing.layout)
    asked = {**tree, "project": tree} if filing.kind is SubjectType.PROJECT else tree
    try:
        draft = handed_in(ConflictDraft, asked)
    except ValidationError:
        try:  # half-typed codes and sums: by the customer's name alone
            customer = tree.get("customer")
            draft = handed_in(ConflictDraft, {"customer": {"name": customer["name"]}} if customer else {})
        except (ValidationError, LookupError, TypeError):
            return None
    if draft.empty:
        return None
    composer = Composer(connection, state.facts, session.viewer, session.texts)
    return await check_conflicts(composer, draft, state.clock())


def holders_among(found: ConflictCheck | None) -> list[str]:
    """The salespeople of the Named Accounts that are the same customer; empty text for one that is masked."""
    touched = [match for match in found.matches if match.touched_account] if found else []
    return [match.salesperson.id if match.salesperson else "" for match in touched]


def step_lines(
    filing: Filing, steps: Sequence[ExpectedStep], organisation: Organisation, texts: Texts
) -> list[StepLine]:
    """The steps ahead, in the reader's language."""
    return [
        StepLine(
            title=texts.text(task_key(step.kind, filing.kind, "title")),
            rule=task_rule(step.kind, filing.kind),
            people=texts.join([organisation.name_of(person) for person in step.people]),
            due_at=step.due_at,
            provisional=step.provisional,
        )
        for step in steps
    ]

"""The page of a review's task: a card for each account with plan, statements, results and inputs (R1–R5).

No script, no preselection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from api.tasks.wording import choice_key, task_key
from domain.base import Frozen
from domain.reports.report import AccountFigures
from domain.reviews.notes import AccountNote, SaidOfAccount
from domain.reviews.review import Proposal
from domain.tasks.answer_fields import ROW_ID
from domain.tasks.task import FieldKind, FieldSpec, TaskKind
from texts.catalogue import Texts
from texts.reviews.review_lines import (
    column_help,
    column_label,
    figures_basis,
    of_target,
    option_label,
    proposal_because,
    review_dates,
    review_title,
    value_label,
)
from web.forms.fields import posted_rows
from web.forms.form import Field, FieldType, field_id
from web.headings import subject_line, who_is_asked
from web.models import FormTarget, link_target
from web.rendering import render_template
from web.reviews.models import ReviewPage

REVIEW_BODY: Final = "review_task.html.j2"
OPEN_AT_FIRST = 3
"""How many cards are open at first when there are many."""
FEW = 6
"""Up to this number, all cards are open."""
_TYPES: dict[FieldKind, FieldType] = {FieldKind.MONEY: "money", FieldKind.CHOICE: "choice"}


class Figure(Frozen):
    """One figure of an account against its target."""

    label: str
    words: str
    small: str = ""
    percent: int | None = None
    """The length of the bar, up to 100."""
    low: bool = False


class StatementLines(Frozen):
    """A statement about an account, column by column."""

    statement: SaidOfAccount
    lines: tuple[tuple[str, str], ...]


class Card(Frozen):
    """An account."""

    number: int
    customer: str
    salesperson_name: str
    plan: str
    statements: tuple[StatementLines, ...]
    figures: tuple[Figure, ...]
    proposal: Proposal | None
    because: str
    source: str
    requirements: str
    """R4: what the last half-yearly or yearly review required."""
    fields: tuple[Field, ...]
    open: bool

    @property
    def id(self) -> str:
        return f"account-{self.number}"


def render_review(page: ReviewPage) -> str:
    """The page that asks for an answer in a review. Raises `KeyError` when a text is missing."""
    return render_template(page, "decision.html.j2", **review_parts(page, link_target(page)))


def render_review_part(page: ReviewPage, target: FormTarget) -> str:
    """The body of `render_review` alone, with its form sent to `target`: the detail of an inbox."""
    return render_template(page, REVIEW_BODY, **review_parts(page, target))


def review_parts(page: ReviewPage, target: FormTarget) -> dict[str, Any]:
    """The variables of the template `REVIEW_BODY`, for whichever page includes it as its variable `body`."""
    texts = Texts(page.language)
    rows = next((spec for choice in page.choices for spec in choice.fields if spec.kind is FieldKind.ROWS), None)
    choice = page.choices[0].choice if page.choices else ""
    errors = _by_input(page, rows) if rows else {error.field: error.message for error in page.errors}
    cards = _cards(page, rows, errors, texts) if rows else ()
    return {
        "body": REVIEW_BODY,
        "target": target,
        "title": texts.text(task_key(page.kind, page.subject_type, "title")),
        "question": texts.text(task_key(page.kind, page.subject_type, "question")),
        "heading": review_title(page.period, page.unit_name, texts) if page.period else subject_line(page, texts),
        "dates": review_dates(page.period, texts) if page.period else "",
        "page": page,
        "who": who_is_asked(page, texts),
        "choice": choice,
        "choice_label": texts.text(choice_key(page.kind, page.subject_type, choice)) if choice else "",
        "rows": rows,
        "cards": cards,
        "errors": errors,
        "error_list": _error_list(errors, cards, texts),
    }


def _by_input(page: ReviewPage, rows: FieldSpec) -> dict[str, str]:
    """Error messages by input. Problems number the rows as posted, the page as requested."""
    places = {number: row.get(ROW_ID, "") for number, row in enumerate(posted_rows(rows, page.entered))}
    shown = {account: number for number, account in enumerate(rows.options)}
    found: dict[str, str] = {}
    for error in page.errors:
        name = error.field
        if name.startswith(f"{rows.name}."):
            number, _, column = name.removeprefix(f"{rows.name}.").partition(".")
            account = shown.get(places.get(int(number), "")) if number.isdecimal() else None
            known = column in {spec.name for spec in rows.columns}
            name = f"{rows.name}.{account}.{column}" if known and account is not None else rows.name
        found.setdefault(name, error.message)
    return found


def _cards(page: ReviewPage, rows: FieldSpec, errors: Mapping[str, str], texts: Texts) -> tuple[Card, ...]:
    typed: dict[str, Mapping[str, str]] = {}
    for row in posted_rows(rows, page.entered):
        typed.setdefault(row.get(ROW_ID, ""), row)
    notes = {note.account: note for note in page.note.accounts}
    cards = []
    for number, account in enumerate(rows.options):
        note = notes.get(account) or AccountNote(account=account, customer=account, salesperson="", salesperson_name="")
        fields = _fields(page, rows, number, account, typed.get(account, {}), errors, texts)
        wrong = any(field.error for field in fields)
        figures = note.figures
        cards.append(
            Card(
                number=number,
                customer=note.customer,
                salesperson_name=note.salesperson_name,
                plan=note.plan,
                statements=_statements(page.kind, note, texts),
                figures=_figures(figures, page.revoke_below, texts) if figures else (),
                proposal=figures.proposal if figures and page.kind is TaskKind.ANNUAL_REVIEW else None,
                because=proposal_because(figures, page.revoke_below, texts) if figures else "",
                source=figures_basis(figures, page.note.period, texts) if figures else "",
                requirements=figures.requirements if figures else "",
                fields=fields,
                open=wrong or len(rows.options) <= FEW or (not errors and number < OPEN_AT_FIRST),
            )
        )
    return tuple(cards)


def _fields(
    page: ReviewPage,
    rows: FieldSpec,
    number: int,
    account: str,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    texts: Texts,
) -> tuple[Field, ...]:
    def field(spec: FieldSpec) -> Field:
        name = f"{rows.name}.{number}.{spec.name}"
        return Field(
            name=name,
            label=column_label(spec.name, texts),
            type=_TYPES.get(spec.kind, "text"),
            value=typed.get(spec.name, ""),
            required=spec.required and spec.unless is None,
            options=tuple((option, option_label(spec.name, option, texts)) for option in spec.options),
            help=column_help(spec, page.sets_for, texts),
            error=errors.get(name, ""),
        )

    hidden = Field(name=f"{rows.name}.{number}.{ROW_ID}", label="", type="hidden", value=account)
    return (hidden, *map(field, rows.columns))


def _statements(kind: TaskKind, note: AccountNote, texts: Texts) -> tuple[StatementLines, ...]:
    """The statements about the account; none in a weekly update, where the plan is all there is."""
    if kind is TaskKind.WEEKLY_UPDATE:
        return ()

    def lines(statement: SaidOfAccount) -> tuple[tuple[str, str], ...]:
        return tuple(
            (column_label(name, texts), value_label(name, words, texts)) for name, words in statement.fields.items()
        )

    return tuple(StatementLines(statement=statement, lines=lines(statement)) for statement in note.said)


def _figures(figures: AccountFigures, low_below: Decimal, texts: Texts) -> tuple[Figure, ...]:
    def against(name: str, reached: Decimal, target: Decimal, small: str = "") -> Figure:
        percent = min(100, int(100 * reached / target)) if target else None
        return Figure(
            label=texts.text(f"review_figures.{name}"),
            words=of_target(reached, target, texts),
            small=small,
            percent=percent,
            low=bool(target) and reached < low_below * target,
        )

    both = texts.text(
        "review_figures.of_which", signed=texts.money(figures.signed), other=texts.money(figures.other_contracts)
    )
    parts = [both] if figures.other_contracts else []
    if figures.divided:  # D3
        parts += [f"{credit.name} {texts.money(credit.amount)}" for credit in figures.credits]
    paid = Figure(label=texts.text("review_figures.payments"), words=texts.money(figures.payments))
    return (
        against("contracts", figures.contracts, figures.target_contracts, " · ".join(parts)),
        against("revenue", figures.revenue, figures.target_revenue),
        paid,
    )


def _error_list(errors: Mapping[str, str], cards: Sequence[Card], texts: Texts) -> list[tuple[str, str]]:
    """For each invalid input, its place on the page, and its message with customer and label."""
    colon = "：" if texts.language == "zh" else ": "
    named = {field.name: f"{card.customer} · {field.label}" for card in cards for field in card.fields}
    found = []
    for name in sorted(errors, key=lambda field: list(named).index(field) if field in named else -1):
        label = named.get(name) or texts.label(f"field.{name}", texts.label(f"review_column.{name}"))
        found.append((field_id(name), f"{label}{colon}{errors[name]}"))
    return found

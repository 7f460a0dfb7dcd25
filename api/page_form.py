"""The application form on a page: from its model to fields named by dotted paths, and back (N1, N5)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from domain.application import ApplicationForm, CustomerKind, Forecast, Industry
from domain.base import Frozen
from texts.catalogue import Texts

BLANK_ROWS: Final = 2
"""Empty rows offered at the end of every list."""

FieldType = Literal["line", "text", "money", "select", "yes_no"]

_MONEY: Final = frozenset(f"forecast.{name}" for name in Forecast.model_fields)
_INDEX = re.compile(r"[0-9]{1,4}")
_LISTS: Final = ("customer.aliases", "customer.related_parties", "customer.contacts", "products")
_YES_NO: Final = ("customer.legal_person", "centralised_procurement")
_OPTIONAL: Final = frozenset(
    {
        "customer.uscc",
        "customer.aliases",
        "customer.related_parties.uscc",
        "customer.contacts.title",
        "customer.contacts.phone",
        "customer.contacts.email",
        "account_plan.milestones",
    }
)
_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "customer.aliases": (),
    "customer.related_parties": ("name", "uscc", "relation"),
    "customer.contacts": ("name", "title", "phone", "email"),
    "products": (),
}
_SECTIONS: Final[tuple[tuple[str, tuple[tuple[str, FieldType | Literal["list"]], ...]], ...]] = (
    (
        "field.customer._title",
        (
            ("customer.name", "line"),
            ("customer.uscc", "line"),
            ("customer.kind", "select"),
            ("customer.industry", "select"),
            ("customer.legal_person", "yes_no"),
            ("customer.aliases", "list"),
            ("customer.related_parties", "list"),
            ("customer.contacts", "list"),
        ),
    ),
    (
        "page.form_business",
        (("cooperation", "text"), ("potential", "text"), ("products", "list"), ("resources", "text")),
    ),
    (
        "field.forecast._title",
        (
            ("forecast.first_year_gross_margin", "money"),
            ("forecast.later_year_gross_margin", "money"),
            ("forecast.technical_service_revenue", "money"),
            ("forecast.own_service_revenue", "money"),
            ("forecast.annual_contracts", "money"),
            ("centralised_procurement", "yes_no"),
        ),
    ),
    (
        "field.account_plan._title",
        (
            ("account_plan.current_state", "text"),
            ("account_plan.goals", "text"),
            ("account_plan.actions", "text"),
            ("account_plan.milestones", "text"),
        ),
    ),
)


class Field(Frozen):
    """One input, or one value when the form is only shown."""

    name: str
    label: str
    type: FieldType
    value: str = ""
    required: bool = True
    options: tuple[tuple[str, str], ...] = ()
    error: str = ""

    @property
    def id(self) -> str:
        return field_id(self.name)

    @property
    def shown(self) -> str:
        """The value in the reader's words."""
        return next((label for value, label in self.options if value == self.value), self.value)


class Rows(Frozen):
    """A list: one row of fields per entry."""

    name: str
    label: str
    rows: tuple[tuple[Field, ...], ...]
    required: bool = True
    error: str = ""

    @property
    def id(self) -> str:
        return field_id(self.name)


class Section(Frozen):
    title: str
    items: tuple[Field | Rows, ...]


def field_id(name: str) -> str:
    """The HTML id of the field of that name."""
    return "f-" + name.replace(".", "-")


def flatten(value: object, prefix: str = "") -> dict[str, str]:
    """Nested JSON as dotted names with the text an input would hold."""
    if isinstance(value, Mapping):
        pairs: Iterable[tuple[object, object]] = value.items()
    elif isinstance(value, list | tuple):
        pairs = enumerate(value)
    else:
        return {prefix: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)}
    flat: dict[str, str] = {}
    for name, inner in pairs:
        flat |= flatten(inner, f"{prefix}.{name}" if prefix else str(name))
    return flat


def form_values(form: ApplicationForm) -> dict[str, str]:
    """What the inputs hold before anybody has typed anything."""
    return flatten(form.model_dump(mode="json"))


def parse_form(fields: Mapping[str, str]) -> dict[str, Any]:
    """The application form as nested JSON, from inputs named `customer.contacts.0.name`; made to be validated.

    Rows in which everything is blank are dropped and the others close up, so that the positions in a validation error
    are those of the page that is shown next. Names that belong to no part of the form (`choice`, `reason`, …) are left
    out. Never raises, whatever is posted.
    """
    tree: dict[str, Any] = {}
    for name, raw in fields.items():
        *path, last = name.split(".")
        if (path[0] if path else last) not in ApplicationForm.model_fields or len(path) > 5:
            continue
        node: Any = tree
        for part in path:
            node = node.setdefault(part, {}) if isinstance(node, dict) else None
        if isinstance(node, dict) and not isinstance(node.get(last), dict):
            node[last] = _as_digits(raw) if name in _MONEY else raw.replace("\r\n", "\n").replace("\r", "\n")
    for dotted in _LISTS:
        node, last = _parent(tree, dotted)
        if isinstance(node.get(last), dict):
            node[last] = _rows(node[last])
    for dotted in _YES_NO:
        node, last = _parent(tree, dotted)
        if node.get(last) in ("true", "false"):
            node[last] = node[last] == "true"
    return tree


def _as_digits(raw: str) -> str:
    """An amount as people and this page write it, `¥8,600,000.00`, as the plain number it is."""
    return unicodedata.normalize("NFKC", raw).translate(str.maketrans("", "", "¥, \u00a0")).strip()


def _parent(tree: dict[str, Any], dotted: str) -> tuple[dict[str, Any], str]:
    *path, last = dotted.split(".")
    node: Any = tree
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    return (node if isinstance(node, dict) else {}), last


def _rows(numbered: dict[str, Any]) -> list[Any]:
    kept = sorted((int(index), row) for index, row in numbered.items() if _INDEX.fullmatch(index))[:1000]
    return [row for _, row in kept if any(text.strip() for text in flatten(row).values())]


def sections(
    values: Mapping[str, str], texts: Texts, errors: Mapping[str, str] | None = None, *, blank_rows: int = 0
) -> tuple[Section, ...]:
    """The form in its order, with labels in the reader's language, for showing or (with `blank_rows`) for editing."""
    wrong = errors or {}

    def one(name: str, kind: FieldType) -> Field:
        pattern = ".".join(part for part in name.split(".") if not _INDEX.fullmatch(part))
        return Field(
            name=name,
            label=texts.text(f"field.{pattern}"),
            type=kind,
            value=values.get(name, ""),
            required=pattern not in _OPTIONAL,
            options=_options(pattern, kind, texts),
            error=wrong.get(name, ""),
        )

    def many(name: str) -> Rows:
        used = {int(rest[0]) for key in values if (rest := _after(key, name)) and _INDEX.fullmatch(rest[0])}
        count = max(used, default=-1) + 1 + blank_rows
        columns = _COLUMNS[name]
        rows = tuple(
            tuple(one(f"{name}.{index}.{column}", "line") for column in columns)
            or (one(f"{name}.{index}", "line").model_copy(update={"required": False}),)
            for index in range(count)
        )
        title = f"field.{name}._title" if columns else f"field.{name}"
        required = name not in _OPTIONAL and name != "customer.related_parties"
        return Rows(name=name, label=texts.text(title), rows=rows, required=required, error=wrong.get(name, ""))

    return tuple(
        Section(
            title=texts.text(title),
            items=tuple(many(name) if kind == "list" else one(name, kind) for name, kind in items),
        )
        for title, items in _SECTIONS
    )


def _after(key: str, name: str) -> list[str]:
    return key[len(name) + 1 :].split(".") if key.startswith(f"{name}.") else []


def _options(pattern: str, kind: FieldType, texts: Texts) -> tuple[tuple[str, str], ...]:
    if kind == "yes_no":
        return (("true", texts.text("yes_no.yes")), ("false", texts.text("yes_no.no")))
    if pattern == "customer.kind":
        return tuple((member.value, texts.text(f"customer_kind.{member.value}")) for member in CustomerKind)
    if pattern == "customer.industry":
        return tuple((member.value, texts.text(f"industry.{member.value}")) for member in Industry)
    return ()

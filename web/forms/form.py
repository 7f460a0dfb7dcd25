"""Converts the forms of applications and projects to inputs named by dotted paths, and back (N1, N5, P1, P2)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel

from domain.accounts.application import ApplicationForm, CustomerKind, Forecast, Industry
from domain.base import Frozen
from domain.projects.project import ProjectForm, SalesStage
from texts.catalogue import Texts

BLANK_ROWS: Final = 2
"""Number of empty rows at the end of every list."""

FieldType = Literal[
    "hidden", "line", "text", "money", "number", "percent", "date", "moment", "select", "choice", "yes_no", "several"
]
Item = tuple[str, FieldType | Literal["list"]]

_INDEX = re.compile(r"[0-9]{1,4}")
_CUSTOMER: Final[tuple[Item, ...]] = (
    ("customer.name", "line"),
    ("customer.uscc", "line"),
    ("customer.kind", "select"),
    ("customer.industry", "select"),
    ("customer.legal_person", "yes_no"),
    ("customer.aliases", "list"),
    ("customer.related_parties", "list"),
    ("customer.contacts", "list"),
)
_CUSTOMER_OPTIONAL: Final = frozenset(
    {
        "customer.uscc",
        "customer.aliases",
        "customer.related_parties",
        "customer.related_parties.uscc",
        "customer.contacts.title",
        "customer.contacts.phone",
        "customer.contacts.email",
    }
)
_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "customer.aliases": (),
    "customer.related_parties": ("name", "uscc", "relation"),
    "customer.contacts": ("name", "title", "phone", "email"),
    "products": (),
}


class Layout(Frozen):
    """The layout of a form on a page."""

    names: frozenset[str]
    """The top-level fields of the form."""
    labels: str
    """The text key above its labels: `field`, `field.project`."""
    sections: tuple[tuple[str, tuple[Item, ...]], ...]
    optional: frozenset[str]
    left_out: frozenset[str] = frozenset()
    """Groups that are omitted when they are empty."""
    options: Mapping[str, tuple[str, tuple[str, ...]]]
    """The options of a field, and the text key above their labels."""

    def of_type(self, *types: str) -> frozenset[str]:
        """The names of the fields of these types."""
        return frozenset(name for _, items in self.sections for name, kind in items if kind in types)


_OPTIONS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "customer.kind": ("customer_kind", tuple(CustomerKind)),
    "customer.industry": ("industry", tuple(Industry)),
}
_SALES_STAGES: Final[tuple[str, ...]] = tuple(SalesStage)
APPLICATION: Final = Layout(
    names=frozenset(ApplicationForm.model_fields),
    labels="field",
    optional=_CUSTOMER_OPTIONAL | {"account_plan.milestones"},
    options=_OPTIONS,
    sections=(
        ("field.customer._title", _CUSTOMER),
        (
            "page.form_business",
            (("cooperation", "text"), ("potential", "text"), ("products", "list"), ("resources", "text")),
        ),
        (
            "field.forecast._title",
            (
                *((f"forecast.{name}", "money") for name in Forecast.model_fields),
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
    ),
)
PROJECT: Final = Layout(
    names=frozenset(ProjectForm.model_fields),
    labels="field.project",
    optional=_CUSTOMER_OPTIONAL
    | {"end_user.name", "end_user.uscc", "channel.name", "channel.uscc", "vendor_position", "tender_number", "note"},
    left_out=frozenset({"end_user", "channel"}),
    options=_OPTIONS
    | {"customer.kind": ("project_customer_kind", tuple(CustomerKind)), "stage": ("sales_stage", _SALES_STAGES)},
    sections=(
        (
            "field.project._title",
            (
                ("name", "line"),
                ("products", "list"),
                ("amount", "money"),
                ("gross_margin", "money"),
                ("expected_signing", "date"),
                ("stage", "select"),
                ("tender_number", "line"),
                ("note", "text"),
            ),
        ),
        ("field.project.customer._title", _CUSTOMER),
        ("field.project.end_user._title", (("end_user.name", "line"), ("end_user.uscc", "line"))),
        ("field.project.channel._title", (("channel.name", "line"), ("channel.uscc", "line"))),
        (
            "project_page.weigh",
            (
                ("vendor", "line"),
                ("vendor_registered", "yes_no"),
                ("vendor_position", "text"),
                ("relationship", "text"),
            ),
        ),
    ),
)


def layout_of(form: BaseModel) -> Layout:
    """The layout of `form`."""
    return PROJECT if isinstance(form, ProjectForm) else APPLICATION


class Field(Frozen):
    """An input, or a value when the form is only displayed."""

    name: str
    label: str
    type: FieldType
    value: str = ""
    required: bool = True
    options: tuple[tuple[str, str], ...] = ()
    help: str = ""
    error: str = ""
    others: str | None = None
    """For `several`: the text with further ids besides the options; None where there may be none."""

    more: tuple[str, ...] | None = None
    """For `several`: further options, which a search offers; None where all are listed."""
    added: tuple[str, ...] = ()
    """What was typed there."""

    @property
    def id(self) -> str:
        return field_id(self.name)

    @property
    def shown(self) -> str:
        """The value, or its label among the options."""
        return next((label for value, label in self.options if value == self.value), self.value)


class Rows(Frozen):
    """A list: one row of fields per entry."""

    name: str
    label: str
    rows: tuple[tuple[Field, ...], ...]
    captions: tuple[str, ...] = ()
    """The heading of each row, where its number is not enough."""
    required: bool = True
    help: str = ""
    error: str = ""

    @property
    def id(self) -> str:
        return field_id(self.name)


class Section(Frozen):
    """A titled part of a form."""

    title: str
    items: tuple[Field | Rows, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing in it is filled in or required."""
        return all(
            not (item.rows if isinstance(item, Rows) else item.value) and not item.required for item in self.items
        )


def field_id(name: str) -> str:
    """The HTML id of the field of that name."""
    return "f-" + name.replace(".", "-")


def flatten(value: object, prefix: str = "") -> dict[str, str]:
    """Nested JSON as dotted names, with values as the text of an input."""
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


def form_values(form: BaseModel) -> dict[str, str]:
    """The initial values of the inputs."""
    return flatten(form.model_dump(mode="json"))


def parse_form(fields: Mapping[str, str], layout: Layout = APPLICATION) -> dict[str, Any]:
    """A form as nested JSON, not validated, from inputs with names such as `customer.contacts.0.name`.

    Blank rows are dropped and the others renumbered, so that the positions in a validation error are those on the page
    shown next. Names that do not belong to the form (`choice`, `reason`, …) are ignored. Never raises.
    """
    tree: dict[str, Any] = {}
    money = layout.of_type("money")
    for name, raw in fields.items():
        *path, last = name.split(".")
        if (path[0] if path else last) not in layout.names or len(path) > 5:
            continue
        node: Any = tree
        for part in path:
            node = node.setdefault(part, {}) if isinstance(node, dict) else None
        if isinstance(node, dict) and not isinstance(node.get(last), dict):
            node[last] = as_digits(raw) if name in money else plain_text(raw)
    for dotted in layout.of_type("list"):
        node, last = _parent(tree, dotted)
        if isinstance(node.get(last), dict):
            node[last] = _rows(node[last])
    for dotted in layout.of_type("yes_no"):
        node, last = _parent(tree, dotted)
        if node.get(last) in ("true", "false"):
            node[last] = node[last] == "true"
    for dotted in layout.of_type("date"):
        node, last = _parent(tree, dotted)
        if isinstance(node.get(last), str):
            node[last] = node[last].strip()
    for group in layout.left_out:
        if not any(text.strip() for text in flatten(tree.get(group, {})).values()):
            tree.pop(group, None)
    return tree


def plain_text(raw: str) -> str:
    """The text with normalized line breaks."""
    return raw.replace("\r\n", "\n").replace("\r", "\n")


def as_digits(raw: str) -> str:
    """A formatted amount, e.g. `¥8,600,000.00`, as a plain number."""
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
    values: Mapping[str, str],
    texts: Texts,
    errors: Mapping[str, str] | None = None,
    *,
    blank_rows: int = 0,
    layout: Layout = APPLICATION,
) -> tuple[Section, ...]:
    """The sections of a form with labels in the reader's language, for display or, with `blank_rows`, for editing."""
    wrong = errors or {}

    def field(name: str, kind: FieldType) -> Field:
        pattern = ".".join(part for part in name.split(".") if not _INDEX.fullmatch(part))
        return Field(
            name=name,
            label=texts.text(f"{layout.labels}.{pattern}"),
            type=kind,
            value=values.get(name, ""),
            required=pattern not in layout.optional,
            options=_options(pattern, kind, layout, texts),
            error=wrong.get(name, ""),
        )

    def rows_of(name: str) -> Rows:
        used = {int(rest[0]) for key in values if (rest := _after(key, name)) and _INDEX.fullmatch(rest[0])}
        count = max(used, default=-1) + 1 + blank_rows
        columns = _COLUMNS[name]
        rows = tuple(
            tuple(field(f"{name}.{index}.{column}", "line") for column in columns)
            or (field(f"{name}.{index}", "line").model_copy(update={"required": False}),)
            for index in range(count)
        )
        title = f"{layout.labels}.{name}._title" if columns else f"{layout.labels}.{name}"
        required = name not in layout.optional
        return Rows(name=name, label=texts.text(title), rows=rows, required=required, error=wrong.get(name, ""))

    return tuple(
        Section(
            title=texts.text(title),
            items=tuple(rows_of(name) if kind == "list" else field(name, kind) for name, kind in items),
        )
        for title, items in layout.sections
    )


def _after(key: str, name: str) -> list[str]:
    return key[len(name) + 1 :].split(".") if key.startswith(f"{name}.") else []


def _options(pattern: str, kind: FieldType, layout: Layout, texts: Texts) -> tuple[tuple[str, str], ...]:
    if kind == "yes_no":
        return (("true", texts.text("yes_no.yes")), ("false", texts.text("yes_no.no")))
    words, values = layout.options.get(pattern, ("", ()))
    return tuple((value, texts.text(f"{words}.{value}")) for value in values)

"""Changes between two rounds of a form in words (N5, P2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from pydantic import JsonValue

from domain.base import Frozen
from domain.tasks.form_changes import FormChange
from texts.catalogue import Texts

_MONEY: Final = frozenset({"amount", "gross_margin"})
_DATES: Final = frozenset({"expected_signing"})
SHORT: Final = 24
"""Characters up to which a value is quoted in a line of its own field; a longer text is on the page."""


class ChangedLine(Frozen):
    """One changed field: its label, and both values; for a list, what was removed and what was added."""

    label: str
    before: str
    after: str
    of_list: bool = False

    def in_short(self, texts: Texts) -> str:
        """The label with both values, or the label alone where they are long."""
        if self.of_list or max(len(self.before), len(self.after)) > SHORT:
            return self.label
        empty = texts.text("page.not_given")
        return texts.text("changes.short", label=self.label, before=self.before or empty, after=self.after or empty)


def changed_lines(changes: tuple[FormChange, ...], texts: Texts, *, of_project: bool) -> tuple[ChangedLine, ...]:
    """The changes, with labels and values in the reader's language."""
    return tuple(_line(change, texts, of_project=of_project) for change in changes)


def _line(change: FormChange, texts: Texts, *, of_project: bool) -> ChangedLine:
    label = _label(change.field, texts, "field.project" if of_project else "field")
    before, after = change.before, change.after
    if isinstance(before, list) or isinstance(after, list):
        was = before if isinstance(before, list) else []
        now = after if isinstance(after, list) else []
        removed = [_entry(entry) for entry in was if entry not in now]
        added = [_entry(entry) for entry in now if entry not in was]
        if not removed and not added:  # another order
            removed, added = [_entry(entry) for entry in was], [_entry(entry) for entry in now]
        return ChangedLine(label=label, before="\n".join(removed), after="\n".join(added), of_list=True)
    words = [_words(change.field, value, texts, of_project=of_project) for value in (before, after)]
    return ChangedLine(label=label, before=words[0], after=words[1])


def _label(field: str, texts: Texts, labels: str) -> str:
    """The label of a field; of a field of a group, after the label of the group."""
    key = f"{labels}.{field}"
    own = texts.text(key if texts.has(key) else f"{key}._title")
    group = f"{labels}.{field.rpartition('.')[0]}._title"
    # The name of the customer says by itself what it is the name of, and so do the figures of the forecast.
    apart = field.startswith(("end_user.", "channel.", "account_plan."))
    return f"{texts.text(group)} · {own}" if apart and texts.has(group) else own


def _words(field: str, value: JsonValue, texts: Texts, *, of_project: bool) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return texts.text("yes_no.yes" if value else "yes_no.no")
    written = str(value)
    if field in _MONEY or field.startswith("forecast."):
        return texts.money_in_short(Decimal(written))
    if field in _DATES:
        return texts.written_date(written)
    options = {
        "customer.kind": "project_customer_kind" if of_project else "customer_kind",
        "customer.industry": "industry",
        "stage": "sales_stage",
    }
    return texts.label(f"{options[field]}.{written}", written) if field in options else written


def _entry(entry: JsonValue) -> str:
    """One entry of a list: a line, or the values of a row."""
    if isinstance(entry, dict):
        return " · ".join(str(value) for value in entry.values() if value)
    return str(entry)

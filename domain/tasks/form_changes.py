"""What a later round of a form changes, field by field (N1, N5, P2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, JsonValue

from domain.base import Wire


class FormChange(Wire):
    """One field with its value in both rounds, as in the JSON of the form. A list is one field."""

    field: str
    """Its dotted name: `amount`, `customer.related_parties`, `end_user.name`."""
    before: JsonValue = None
    after: JsonValue = None


def form_changes(before: BaseModel, after: BaseModel) -> tuple[FormChange, ...]:
    """The fields in which `after` differs from `before`, in the order of the form; empty when nothing was changed.

    A group that only one of the two has, such as an end user, is compared with an empty one.
    """
    return tuple(_differing("", before.model_dump(mode="json"), after.model_dump(mode="json")))


def _differing(prefix: str, before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> Iterator[FormChange]:
    for name in dict.fromkeys([*after, *before]):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        if isinstance(was, dict) or isinstance(now, dict):
            yield from _differing(f"{prefix}{name}.", _group(was), _group(now))
        else:
            yield FormChange(field=f"{prefix}{name}", before=was, after=now)


def _group(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}

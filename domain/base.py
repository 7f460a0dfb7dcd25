"""Base classes and field types of models that cross a boundary."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

MONEY_CEILING = Decimal("1000000000000")
"""Upper bound of an amount: no customer of a systems integrator reaches a trillion RMB; more is a typing error."""


class Frozen(BaseModel):
    """An immutable value that rejects unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Wire(BaseModel):
    """A frozen value that travels through workflow histories.

    Unknown fields are ignored, because a history may be replayed by older code; new fields always have defaults.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")


def _no_control_characters(value: str) -> str:
    if _CONTROL.search(value):
        raise PydanticCustomError("control_character", "contains control characters")
    return value


_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _one_line(value: str) -> str:
    if _NOT_IN_A_LINE.search(value) is None:  # fast path: a form has dozens of lines, and nearly all are valid
        return value
    if any(c in "\r\n\t" for c in value):
        raise PydanticCustomError("one_line", "must be a single line")
    return _no_control_characters(value)


def _encodable(value: object) -> object:
    # A lone surrogate (legal in JSON as \ud800) can be stored neither in PostgreSQL nor in a mail.
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise PydanticCustomError("not_unicode", "is not valid Unicode text") from None
    return value


Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_one_line),
    BeforeValidator(_encodable),
]
"""One line of text a person wrote: a name, a title."""

OptionalLine = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=200),
    AfterValidator(_one_line),
    BeforeValidator(_encodable),
]
"""A line that may be left empty."""

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000),
    AfterValidator(_no_control_characters),
    BeforeValidator(_encodable),
]
"""A paragraph or more that a person wrote."""

OptionalText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=10_000),
    AfterValidator(_no_control_characters),
    BeforeValidator(_encodable),
]
"""A text that may be left empty."""


def decimal_text(value: object) -> object:
    """Refuses binary floats."""
    # Binary floats cannot hold money exactly; the contract says decimal strings.
    if isinstance(value, float | bool):
        raise PydanticCustomError("money_as_text", 'must be a decimal string such as "1250000.00"')
    return value


Money = Annotated[
    Decimal,
    BeforeValidator(decimal_text),
    Field(ge=0, lt=MONEY_CEILING, max_digits=15, decimal_places=2, allow_inf_nan=False),
]
"""An amount in RMB, never negative, two decimals."""

Moment = AwareDatetime
"""A point in time; naive datetimes are refused."""

__all__ = [
    "MONEY_CEILING",
    "Frozen",
    "Line",
    "Moment",
    "Money",
    "OptionalLine",
    "OptionalText",
    "Text",
    "Wire",
    "decimal_text",
]


_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def is_email_address(address: str) -> bool:
    """Whether `address` is one bare mailbox (RFC 5321, without quoting and without internationalised parts).

    Nothing that passes can carry a second recipient, a display name or a header of its own.
    """
    local, at, domain = address.rpartition("@")
    labels = domain.split(".")
    return (
        bool(at)
        and len(local) <= 64
        and len(domain) <= 253
        and _LOCAL.fullmatch(local) is not None
        and len(labels) >= 2
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )

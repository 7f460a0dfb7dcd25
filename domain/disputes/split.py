"""D3: how the performance of a project is divided."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from domain.base import Frozen, decimal_text
from domain.organisation import PersonId


class Share(Frozen):
    """One person's part of the performance, in percent."""

    person: PersonId
    percent: Annotated[Decimal, BeforeValidator(decimal_text), Field(gt=0, le=100, max_digits=5, decimal_places=2)]


def _adds_up(shares: tuple[Share, ...]) -> tuple[Share, ...]:
    """D3: percentages that add up to exactly 100, each person once."""
    # Not by `min_length`: it also complains that too few are left when a share is wrong.
    if not shares:
        raise PydanticCustomError("too_short", "a split names at least one person", {"min_length": 1})
    if len({share.person for share in shares}) != len(shares):
        raise PydanticCustomError("split_person_twice", "each person stands once in a split")
    total = sum((share.percent for share in shares), Decimal(0))
    if total != 100:
        raise PydanticCustomError("split_not_100", "a split adds up to exactly 100, not {total}", {"total": str(total)})
    return shares


Split = Annotated[tuple[Share, ...], Field(max_length=20, json_schema_extra={"minItems": 1}), AfterValidator(_adds_up)]
"""D3: people and percentages that add up to exactly 100."""

"""D3: what a split is worth: who is credited with which part of an amount.

Pure. The parts of an amount always add up to the whole of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from pydantic import TypeAdapter

from domain.base import Wire
from domain.disputes.split import Share, Split
from domain.organisation import Organisation

_SPLIT: TypeAdapter[tuple[Share, ...]] = TypeAdapter(Split)
_CENT = Decimal("0.01")
WHOLE = Decimal(100)


class Credit(Wire):
    """What one person is credited with."""

    person: str
    name: str = ""
    department: str | None = None
    department_name: str = ""
    percent: Decimal | None = None
    """Their share in the project; None where several contracts are added up."""
    amount: Decimal
    weighted: Decimal | None = None
    """U9: their part of the weighted amount, in a forecast."""


def shares_of(agreement: Mapping[str, Any] | None, responsible: str) -> tuple[Share, ...]:
    """The shares in a project: as its agreement or its meeting has split it (D1, D2), else all of it is its
    responsible salesperson's."""
    split = (agreement or {}).get("split")
    return _SPLIT.validate_python(split) if split else (Share(person=responsible, percent=WHOLE),)


def divide(amount: Decimal, percents: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """`amount` in parts of so many per cent, to the cent. The parts add up to the whole: cents that are left over go to
    those whose parts were cut off the most, the first of them first."""
    exact = [amount * percent / WHOLE for percent in percents]
    parts = [part.quantize(_CENT, ROUND_FLOOR) for part in exact]
    left = int((amount - sum(parts)) / _CENT)
    cut_most = sorted(range(len(parts)), key=lambda place: parts[place] - exact[place])
    for place in cut_most[:left]:
        parts[place] += _CENT
    return tuple(parts)


def credits_for(
    shares: Sequence[Share],
    amount: Decimal,
    organisation: Organisation,
    *,
    department: str | None,
    responsible: str,
    weighted: Decimal | None = None,
) -> tuple[Credit, ...]:
    """Each person's part of an amount. `department`: that of the project, which is where its `responsible` salesperson
    is credited; others are in the department they are in now."""
    percents = [share.percent for share in shares]
    parts = divide(amount, percents)
    parts_weighted = divide(weighted, percents) if weighted is not None else [None] * len(parts)
    found = []
    for share, part, part_weighted in zip(shares, parts, parts_weighted, strict=True):
        own = organisation.department_of(share.person)
        place = department if share.person == responsible else own.id if own else None
        office = organisation.departments_by_id.get(place or "")
        found.append(
            Credit(
                person=share.person,
                name=organisation.name_of(share.person),
                department=place,
                department_name=office.name if office else place or "",
                percent=share.percent,
                amount=part,
                weighted=part_weighted,
            )
        )
    return tuple(found)


def added_up(credits: Iterable[Credit]) -> tuple[Credit, ...]:
    """The credits of several amounts, one for each person and department, the largest first."""
    sums: dict[tuple[str, str | None], Credit] = {}
    for credit in credits:
        key = (credit.person, credit.department)
        before = sums.get(key)
        total = credit.amount + (before.amount if before else 0)
        sums[key] = credit.model_copy(update={"amount": total, "percent": None, "weighted": None})
    return tuple(sorted(sums.values(), key=lambda credit: (-credit.amount, credit.person, credit.department or "")))


def shares_in_words(credits: Iterable[Credit]) -> str:
    """Who has which share, in words of any language: `杨帆 60% · 徐静 40%`."""
    return " · ".join(f"{credit.name or credit.person} {percent_of(credit)}".rstrip() for credit in credits)


def percent_of(credit: Credit) -> str:
    """`60%`, `33.33%`; nothing where several contracts are added up."""
    return "" if credit.percent is None else f"{credit.percent.normalize():f}%"

"""Compares one company with its candidates. Pure computation.

It can therefore run in a thread beside the event loop or in a separate process, which imports this module and nothing
that reads the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from domain.conflicts.verdict import Level, Reason, Verdict
from domain.policy import Matching
from matching.parties import Party, compare, may_be_same

RELATED_PARTY = "related_party"
LEARNED = "learned_alias"
"""Reason of a verdict reached through an alias that people have confirmed."""


class Judged(NamedTuple):
    """The verdict on one candidate."""

    place: int
    """Index of the candidate."""
    verdict: Verdict
    declared: bool
    """Whether it is the same company as a declared related party (N3)."""


def judge(names: Sequence[Party], others: Iterable[Party], bounds: Matching) -> list[Judged]:
    """Those of `others` that may be, or be related to, one company with all its `names` (its own name first)."""
    found = (Judged(place, *_closest(names, there, bounds)) for place, there in enumerate(others))
    return [judged for judged in found if judged.verdict.found]


def costs(names: Sequence[Party], others: Sequence[Party]) -> int:
    """Number of name pairs that `judge` has to compare."""
    return sum(not _are_two(name, there) for name in names for there in others)


def _are_two(name: Party, there: Party) -> bool:
    """Whether both are only related parties and cannot be the same company: similarity then means nothing (N3)."""
    return name.role == there.role == RELATED_PARTY and not may_be_same(name, there)


def _closest(names: Sequence[Party], there: Party, bounds: Matching) -> tuple[Verdict, bool]:
    best, declared = Verdict(), False
    for name in names:
        if _are_two(name, there):
            continue
        verdict = compare(name, there, bounds=bounds)
        if not verdict.found:
            continue
        one_of_them = False
        if RELATED_PARTY in (name.role, there.role):
            alone = (party.model_copy(update={"role": "customer"}) for party in (name, there))
            one_of_them = compare(*alone, bounds=bounds).level is Level.SAME
            if not one_of_them and name.role == there.role:
                continue  # two related parties that are merely similar
            verdict = verdict.model_copy(update={"level": Level.RELATED if one_of_them else Level.LOOK})
        if name is not names[0]:
            learned = Reason(key=LEARNED, params={"name": names[0].name, "other": name.name})
            verdict = verdict.model_copy(update={"reasons": (learned, *verdict.reasons)})
        if (verdict.level.rank, -verdict.score) < (best.level.rank, -best.score):
            best, declared = verdict, one_of_them
    return best, declared

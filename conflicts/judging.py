"""What comes of comparing a company of ours with those that were looked up for it: nothing but comparing.

Pure, so that it can be done by whoever has the time: here, beside the loop, or by a process of its own, which imports
this module and nothing that reads a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from domain.conflicts.verdict import Level, Reason, Verdict
from domain.policy import Matching
from matching.parties import Party, compare, may_be_same

RELATED_PARTY = "related_party"
LEARNED = "learned_alias"
"""Reason of a verdict on another name of ours, which people have found to be one."""


class Judged(NamedTuple):
    """What was found of one of those compared."""

    place: int
    """Which of them it is."""
    verdict: Verdict
    declared: bool
    """It is the same company as a declared related party (N3)."""


def judge(names: Sequence[Party], others: Iterable[Party], bounds: Matching) -> list[Judged]:
    """Those of `others` that one company of ours, under all its `names`, the own one first, may be or be bound to."""
    found = (Judged(place, *_closest(names, there, bounds)) for place, there in enumerate(others))
    return [judged for judged in found if judged.verdict.found]


def costs(names: Sequence[Party], others: Sequence[Party]) -> int:
    """How many pairs of names `judge` has to compare."""
    return sum(not _are_two(name, there) for name in names for there in others)


def _are_two(name: Party, there: Party) -> bool:
    """Two companies that are only bound to the two customers: that they are only alike says nothing (N3)."""
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
                continue  # two companies that are only bound to the two, and only alike
            verdict = verdict.model_copy(update={"level": Level.RELATED if one_of_them else Level.LOOK})
        if name is not names[0]:
            learned = Reason(key=LEARNED, params={"name": names[0].name, "other": name.name})
            verdict = verdict.model_copy(update={"reasons": (learned, *verdict.reasons)})
        if (verdict.level.rank, -verdict.score) < (best.level.rank, -best.score):
            best, declared = verdict, one_of_them
    return best, declared

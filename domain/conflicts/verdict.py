"""The verdict of conflict detection on two companies or projects: a level with its reasons, not a number (N3, P4)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field

from domain.base import Wire


class Level(StrEnum):
    """How close two subjects are, closest first."""

    SAME = "same"
    """The same company, or the same project."""
    RELATED = "related"
    """A different company that is related: same group, a branch, a declared related party; or another lot of a
    project."""
    LOOK = "look"
    """A person has to look: similar, but not enough to call it the same."""
    NONE = "none"

    @property
    def rank(self) -> int:
        """0 for the closest level."""
        return list(Level).index(self)


class Reason(Wire):
    """One sentence of a verdict, in both languages by its text key."""

    key: str
    """Text key under `because.`"""
    params: dict[str, str] = {}
    """Values for the sentence. They may include names that not everybody may see (X2)."""


class Verdict(Wire):
    """How close the two are, how certain that is, and why; the strongest reason first."""

    level: Level = Level.NONE
    score: Annotated[float, Field(ge=0, le=1)] = 0.0
    """For sorting, comparable across levels; never displayed as a reason."""
    reasons: tuple[Reason, ...] = ()

    @property
    def found(self) -> bool:
        return self.level is not Level.NONE

    @classmethod
    def closest(cls, verdicts: Iterable[Verdict]) -> Self:
        """The closest of several verdicts, with all their reasons, without duplicates."""
        found = sorted(
            (verdict for verdict in verdicts if verdict.found), key=lambda verdict: (verdict.level.rank, -verdict.score)
        )
        if not found:
            return cls()
        reasons = {(r.key, *sorted(r.params.items())): r for verdict in found for r in verdict.reasons}
        return cls(level=found[0].level, score=found[0].score, reasons=tuple(reasons.values()))

"""Verdicts for tests that only show them."""

from __future__ import annotations

from domain.conflicts.verdict import Level, Reason, Verdict


def verdict(*keys: str, level: Level = Level.SAME) -> Verdict:
    """A verdict of `level` for these reasons."""
    return Verdict(level=level, score=1, reasons=tuple(Reason(key=key) for key in keys))

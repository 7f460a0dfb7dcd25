"""Layout of the integers by which names are indexed: `matching/` creates them, `db/` searches them (N3)."""

from __future__ import annotations

STANDING = 0
"""Gram that marks joint stock companies and groups: when a short name fits many names, these come first."""

_HEAD = 1 << 30
"""A pair of characters has 30 bits; the next bit marks the head of a group or an institution."""


def of_head(gram: int) -> int:
    """The gram of the same pair of characters in the name of a group or institution that others may belong to."""
    return gram | _HEAD


def is_pair(gram: int) -> bool:
    """Whether the gram stands for two Chinese characters of an ordinary name, not for a word or a head."""
    return 0 < gram < _HEAD

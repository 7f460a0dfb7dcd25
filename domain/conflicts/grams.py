"""How the whole numbers are laid out that names are found by: `matching/` makes them, `db/` looks for them (N3)."""

from __future__ import annotations

STANDING = 0
"""The gram of joint stock companies and groups: of many names that a short one may stand for, theirs come first."""

_HEAD = 1 << 30
"""Pairs of characters have 30 bits; the next one says that the name may be the head of others."""


def of_head(gram: int) -> int:
    """The gram of the same pair of characters in the name of a group or an institution that others may belong to."""
    return gram | _HEAD


def is_pair(gram: int) -> bool:
    """Whether it stands for two Chinese characters in any name: not for a word, not for a head."""
    return 0 < gram < _HEAD

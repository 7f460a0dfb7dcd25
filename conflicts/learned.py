"""Aliases learned from rulings: names that people have confirmed to be the same company."""

from __future__ import annotations

from collections.abc import Sequence

from domain.conflicts.rulings import LearnedAlias
from matching.parties import Party


def learned_names(mine: Party, known: Sequence[LearnedAlias]) -> list[Party]:
    """The other confirmed names of a company."""
    names = {alias.name_key: (alias.name, alias.uscc) for alias in known}
    names |= {alias.other_key: (alias.other, alias.other_uscc) for alias in known}
    return [
        Party(name=names[key][0], uscc=mine.uscc or names[key][1], role=mine.role)
        for key in learned_keys([mine.key], known)
    ]


def learned_keys(name_keys: Sequence[str], known: Sequence[LearnedAlias]) -> list[str]:
    """The name keys of the other confirmed names of the same company."""
    groups = groups_of(known)
    return sorted(frozenset().union(*(groups.get(key, frozenset()) for key in name_keys)) - set(name_keys))


def groups_of(known: Sequence[LearnedAlias]) -> dict[str, frozenset[str]]:
    """For each name key, all name keys of the same company."""
    groups: dict[str, frozenset[str]] = {}
    for alias in known:
        both = (alias.name_key, alias.other_key)
        whole = frozenset(both).union(*(groups.get(key, frozenset()) for key in both))
        groups |= dict.fromkeys(whole, whole)
    return groups

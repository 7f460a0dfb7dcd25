"""Names that people have found to be one company, for whoever looks for one of them."""

from __future__ import annotations

from collections.abc import Sequence

from conflicts.asked import keyed
from db.applications import KeyedParty
from domain.rulings import LearnedAlias
from matching.parties import Party


def learned_names(mine: Sequence[KeyedParty], known: Sequence[LearnedAlias]) -> list[KeyedParty]:
    """The other names by which our companies are known since somebody found them to be one."""
    have = {one.name_key for one in mine}
    names = {alias.name_key: (alias.name, alias.uscc) for alias in known}
    names |= {alias.other_key: (alias.other, alias.other_uscc) for alias in known}
    return list(
        keyed(Party(name=name, uscc=code, role="alias") for key, (name, code) in names.items() if key not in have)
    )


def learned_keys(name_keys: Sequence[str], known: Sequence[LearnedAlias]) -> list[str]:
    """The keys of the other names of the same company."""
    groups = groups_of(known)
    return sorted(frozenset().union(*(groups.get(key, frozenset()) for key in name_keys)) - set(name_keys))


def groups_of(known: Sequence[LearnedAlias]) -> dict[str, frozenset[str]]:
    """For each name key all keys of the same company."""
    groups: dict[str, frozenset[str]] = {}
    for alias in known:
        both = (alias.name_key, alias.other_key)
        whole = frozenset(both).union(*(groups.get(key, frozenset()) for key in both))
        groups |= dict.fromkeys(whole, whole)
    return groups

"""Fingerprints of what was compared; a fingerprint changes as soon as any part of it changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from db.accounts.applications import KeyedParty
from matching.projects import ProjectSides

_OF_THE_CUSTOMER = ("customer", "alias")


def company(named: KeyedParty, beside: Iterable[KeyedParty]) -> Any:
    """One company as its subject describes it; a customer includes its aliases and related parties.

    Args:
        beside: all parties that the same subject names.
    """
    if named.role not in _OF_THE_CUSTOMER:
        return [[named.name_key], [named.uscc or ""], []]
    own = [party for party in beside if party.role in _OF_THE_CUSTOMER] or [named]
    related = sorted({(party.name_key, party.uscc or "") for party in beside if party.role == "related_party"})
    return [sorted({party.name_key for party in own}), sorted({party.uscc or "" for party in own}), related]


def registration(beside: Iterable[KeyedParty], project: ProjectSides | None) -> Any:
    """A whole subject: all parties it names and, for a project, everything it is compared by."""
    parties = sorted({(_side(party.role), party.name_key, party.uscc or "") for party in beside})
    return [parties, project.model_dump(mode="json", exclude={"customer", "end_user", "channel"}) if project else None]


def of_both(left: Any, right: Any) -> str:
    """The fingerprint of a pair, independent of the order."""
    both = sorted(json.dumps(side, ensure_ascii=False) for side in (left, right))
    return hashlib.sha256("\0".join(both).encode()).hexdigest()[:40]


def _side(role: str) -> str:
    return "customer" if role in _OF_THE_CUSTOMER else role

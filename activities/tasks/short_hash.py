"""Ids that a step repeated gives again."""

from __future__ import annotations

import hashlib


def short_hash(*parts: str) -> str:
    """An id made of `parts`, safe in a URL."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

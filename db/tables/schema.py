"""Every table there is. `db/migrations` makes them; a test keeps the two equal."""

from __future__ import annotations

from db.tables import (
    accounts,
    audit,
    conflicts,
    disputes,
    drafts,
    messages,
    projects,
    reference,
    reviews,
    sessions,
    tasks,
)
from db.tables.base import metadata

MODULES = (accounts, audit, conflicts, disputes, drafts, messages, projects, reference, reviews, sessions, tasks)
"""Importing a module adds its tables to `metadata`."""

__all__ = ["MODULES", "metadata"]

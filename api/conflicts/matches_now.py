"""The current matches of a registration, searched while a user waits (P2, P4, A5)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from conflicts.budget import Budget, Busy
from conflicts.detection import REGISTERED, Found, closest, detect, without_origin
from conflicts.inquiry import Inquiry
from conflicts.matches import as_they_are, described
from db.connection.engine import AsyncConnection
from db.projects import projects
from db.projects.projects import ProjectRow
from domain.conflicts.project_match import Match
from domain.policy import Matching
from domain.projects.project import ProjectStage
from domain.subject import Subject, SubjectType

MOST_PAIRS: Final = 20_000
SECONDS: Final = 1.6
PATIENCE_SECONDS: Final = 0.6
"""The budget of a search while a user waits: at most three seconds for any input. See `Budget`."""
_DECIDED_ON_MATCHES = frozenset({ProjectStage.APPROVAL, ProjectStage.OBJECTION})


async def look(
    connection: AsyncConnection, inquiry: Inquiry, *, now: datetime, bounds: Matching
) -> tuple[tuple[Found, ...], list[str]]:
    """What is registered, and the names without a search for similar ones; under heavy load, all names."""
    budget = Budget(MOST_PAIRS, SECONDS, PATIENCE_SECONDS)
    try:
        return await detect(connection, inquiry, REGISTERED, now=now, bounds=bounds, budget=budget), budget.left_out
    except Busy:
        found = await detect(connection, inquiry, REGISTERED, now=now, bounds=bounds, near=False)
        return found, [party.name for party in inquiry.parties]


async def matches_now(
    connection: AsyncConnection, row: ProjectRow, *, now: datetime | None, bounds: Matching
) -> tuple[Match, ...]:
    """The recorded matches in their current state. With `now`, and while a decision is pending, also newer ones.

    Nothing is stored: the process does that when it asks or reminds assignees.
    """
    kept = await as_they_are(connection, await projects.matches_of(connection, row.id, row.round))
    if now is None or row.stage not in _DECIDED_ON_MATCHES:
        return kept
    inquiry = Inquiry.of(row.form, Subject(type=SubjectType.PROJECT, id=row.id))
    found, _ = await look(connection, inquiry, now=now, bounds=bounds)
    known = {(match.subject_type, match.subject_id) for match in kept}
    fresh, _ = closest([match for match in without_origin(found) if match.key not in known])
    return (*kept, *await described(connection, fresh))

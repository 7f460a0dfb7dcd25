"""What a registration may be in conflict with at the moment somebody looks, before it is decided (P2, P4, A5)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from conflicts.asked import Asked
from conflicts.budget import Budget, Busy
from conflicts.detection import REGISTERED, Found, closest, detect, without_origin
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
"""What a look while somebody waits for the answer may cost: three seconds, whatever is asked. See `Budget`."""
_DECIDED_ON_MATCHES = frozenset({ProjectStage.APPROVAL, ProjectStage.OBJECTION})


async def look(
    connection: AsyncConnection, asked: Asked, *, now: datetime, bounds: Matching
) -> tuple[tuple[Found, ...], list[str]]:
    """What is registered, and the names that nothing near was looked for: with too much going on, all of them."""
    budget = Budget(MOST_PAIRS, SECONDS, PATIENCE_SECONDS)
    try:
        return await detect(connection, asked, REGISTERED, now=now, bounds=bounds, budget=budget), budget.left_out
    except Busy:
        found = await detect(connection, asked, REGISTERED, now=now, bounds=bounds, near=False)
        return found, [party.name for party in asked.parties]


async def matches_now(
    connection: AsyncConnection, row: ProjectRow, *, now: datetime | None, bounds: Matching
) -> tuple[Match, ...]:
    """What was found, each as it stands; with `now` also what was registered since, while somebody is to decide on it.

    Nothing is kept: the process does that itself when somebody is asked or reminded.
    """
    kept = await as_they_are(connection, await projects.matches_of(connection, row.id, row.round))
    if now is None or row.stage not in _DECIDED_ON_MATCHES:
        return kept
    asked = Asked.of(row.form, Subject(type=SubjectType.PROJECT, id=row.id))
    found, _ = await look(connection, asked, now=now, bounds=bounds)
    known = {(match.subject_type, match.subject_id) for match in kept}
    fresh, _ = closest([one for one in without_origin(found) if one.key not in known])
    return (*kept, *await described(connection, fresh))

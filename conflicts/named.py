"""Registrations that a clerk names by id or project number where detection found nothing (P5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from conflicts.detection import REGISTERED, Found
from conflicts.hits import PROJECT
from conflicts.matches import described
from db.projects import projects
from db.projects.projects import ProjectRow
from domain.conflicts.project_match import Match
from domain.conflicts.verdict import Level, Reason, Verdict
from domain.projects.rules import SUSPECTS_FIELD
from domain.tasks.task import Problem

NAMED = "named_by_clerk"
"""Reason of a match that a person named."""
_NAMED = Verdict(level=Level.LOOK, score=1, reasons=(Reason(key=NAMED),))


class Named(NamedTuple):
    """The result of looking up the names."""

    ids: tuple[str, ...]
    """Ids of the named subjects, without duplicates, in the given order."""
    matches: tuple[Match, ...]
    """Matches that detection had not found."""
    problems: tuple[Problem, ...]


async def look_up(
    connection: AsyncConnection, names: Sequence[str], row: ProjectRow, *, found: Collection[str], now: datetime
) -> Named:
    """P5: the live registrations, applications and accounts that somebody names as in conflict with `row`.

    Args:
        found: ids that detection has already found; they need no lookup.
        now: the time to use for a match without a time of its own.
    """
    ids: dict[str, None] = {}
    matches: dict[str, Match] = {}
    problems: list[Problem] = []
    for place, name in enumerate(names):
        match = None if name in found else await _called(connection, name, row, now)
        if name in found:
            ids[name] = None
        elif match is None:
            problems.append(_problem(place, name, "suspect_unknown"))
        elif match.subject_id == row.id or match.salesperson == row.salesperson:
            problems.append(_problem(place, name, "suspect_own"))
        elif not match.live:
            problems.append(_problem(place, name, "suspect_over"))
        else:
            ids[match.subject_id] = None
            if match.subject_id not in found:
                matches[match.subject_id] = match
    return Named(tuple(ids), tuple(matches.values()), tuple(problems))


async def _called(connection: AsyncConnection, name: str, row: ProjectRow, now: datetime) -> Match | None:
    """The subject with that id or project number; a live one if there are several."""
    if not name.isprintable():  # ids are printable, and the database does not accept every character
        return None
    numbered = await projects.by_number(connection, name.upper())
    ways = [(PROJECT, numbered.id)] if numbered else [(type_, name) for type_ in REGISTERED]
    found = [
        Found(subject_type=type_, subject_id=id_, name="", since=now, earlier=False, verdict=_NAMED)
        for type_, id_ in ways
    ]
    known = [
        match.model_copy(update={"earlier": match.since < row.registered_at})
        for match in await described(connection, found)
    ]
    return min(known, key=lambda match: not match.live, default=None)


def _problem(place: int, name: str, key: str) -> Problem:
    return Problem(field=f"fields.{SUSPECTS_FIELD}.{place}", rule="P5", key=key, params={"value": _shown(name)})


def _shown(name: str) -> str:
    return name[:63].encode("utf-8", "replace").decode("utf-8").replace("\0", "")

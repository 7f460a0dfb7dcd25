"""What else is registered for the companies of a project, and whose it is (P3–P5, A5)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from activities.collisions import RELATED, colliding
from activities.matches import described
from db import projects
from domain.dispute import Claimant
from domain.project_match import Match

if TYPE_CHECKING:
    from activities.projects import ProjectContext

REGISTERED = ("account", "application", "project", "earlier_project")
"""P4: what a registration may be in conflict with."""


async def find_matches(context: ProjectContext) -> tuple[Match, ...]:
    """P3, P4: what is registered for a company of the project, as it is at this moment; kept.

    What was found before in this round stays found, whatever has become of it: somebody may have suspected it.
    """
    work, row = context.work, context.row
    collisions = await colliding(work, context.subject, row.form, REGISTERED, live_only=False)
    accounts = {one.subject_id for one in collisions if one.subject_type == "account"}
    # An account has the id of the application that it came from: one of the two says it all.
    once = [one for one in collisions if one.subject_type != "application" or one.subject_id not in accounts]
    found = await described(work, once)
    known = {(match.subject_type, match.subject_id) for match in found}
    gone = [match for match in await context.matches() if (match.subject_type, match.subject_id) not in known]
    matches = (*found, *(match.model_copy(update={"live": False}) for match in gone))
    await projects.keep_matches(work.tx, row.id, row.round, matches)
    return matches


async def suspects(context: ProjectContext) -> tuple[Match, ...]:
    """P4, P10: what may be in conflict: another's, registered before, and live at this moment."""
    still_there = await colliding(context.work, context.subject, context.row.form, REGISTERED)
    live = {(one.subject_type, one.subject_id) for one in still_there}
    return tuple(
        match
        for match in await context.matches()
        if match.earlier
        and match.salesperson != context.row.salesperson
        and (match.subject_type, match.subject_id) in live
    )


def accounts_touched(matches: Collection[Match]) -> list[Match]:
    """P1, P3: the live Named Accounts whose customer is the customer, end user or channel of the project."""
    return [
        match for match in matches if match.subject_type == "account" and match.live and RELATED not in match.because
    ]


async def accounts_concerned(context: ProjectContext) -> tuple[Claimant, ...]:
    """P3: the responsible salespeople of the accounts of others that the project touches."""
    touched = accounts_touched(await context.matches())
    return tuple(_claimant(match) for match in touched if match.salesperson != context.row.salesperson)


async def claimants_of(context: ProjectContext, subject_ids: Collection[str]) -> tuple[Claimant, ...]:
    """P5: whose registrations these matches are."""
    return tuple(_claimant(match) for match in await context.matches() if match.subject_id in subject_ids)


def _claimant(match: Match) -> Claimant:
    return Claimant(
        person=match.salesperson, subject_type=match.subject_type, subject_id=match.subject_id, since=match.since
    )

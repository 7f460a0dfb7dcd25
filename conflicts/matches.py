"""Describes the matches of a registration for the person who decides (P3–P5, A5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from conflicts.detection import Found
from db.accounts import accounts, applications, registers
from db.projects import projects
from domain.accounts.register_entries import RegisteredStatus
from domain.conflicts.project_match import Match
from domain.conflicts.rulings import Compared

_HISTORY = frozenset(status.value for status in RegisteredStatus)
"""States of a project that has been approved at some time."""


async def described(connection: AsyncConnection, collisions: Sequence[Found]) -> tuple[Match, ...]:
    """Each collision with the facts that A5 weighs: registration time, the vendor's position, familiarity.

    Of ended subjects, only projects that had been approved are kept as history; ended applications and registrations
    that were never approved are dropped.
    """
    found = [await _described(connection, collision) for collision in collisions]
    return tuple(match for match in found if match and (match.live or match.status in _HISTORY))


async def as_they_are(connection: AsyncConnection, matches: Sequence[Match]) -> tuple[Match, ...]:
    """Stored matches refreshed from the record: owner, state, and the facts that A5 weighs."""
    return tuple([await _as_it_is(connection, match) for match in matches])


async def _as_it_is(connection: AsyncConnection, match: Match) -> Match:
    now = await _described(connection, match)
    if now is None:
        return match
    return now.model_copy(update={"live": match.live and now.live, "ruled": match.ruled, "since": match.since})


async def _described(connection: AsyncConnection, registered: Found | Match) -> Match | None:
    known = await _facts(connection, registered)
    return _match(registered, known) if known else None


async def _facts(connection: AsyncConnection, registered: Found | Match) -> dict[str, object] | None:
    """What the record holds of a subject, by the fields of `Match`; None when it is not there."""
    match registered.subject_type:
        case "account":
            if not (account := await accounts.find(connection, registered.subject_id)):
                return None
            return {
                "name": account.form.customer.name,
                "customer_name": account.form.customer.name,
                "salesperson": account.salesperson,
                "status": "revoked" if account.revoked_at else "active",
                "since": account.activated_at,
                "live": account.revoked_at is None,
                "relationship": account.form.cooperation,
            }
        case "application":
            if not (application := await applications.find(connection, registered.subject_id)):
                return None
            return {
                "name": application.form.customer.name,
                "customer_name": application.form.customer.name,
                "salesperson": application.applicant,
                "status": application.stage.value,
                "since": application.submitted_at,
                "live": application.stage.live,
            }
        case "project":
            if not (project := await projects.find(connection, registered.subject_id)):
                return None
            return {
                "name": project.form.name,
                "customer_name": project.form.customer.name,
                "salesperson": project.salesperson,
                "status": project.stage.status.value,
                "since": project.registered_at,
                "live": project.stage.live,
                "amount": project.form.amount,
                "vendor_registered": project.form.vendor_registered,
                "vendor_position": project.form.vendor_position,
                "named_since": project.named_since,
                "relationship": project.form.relationship,
            }
        case _:
            earlier = next(iter(await registers.earlier_projects(connection, [registered.subject_id])), None)
            if earlier is None:
                return None
            return {
                "name": earlier.name,
                "customer_name": earlier.customer_name,
                "salesperson": earlier.salesperson,
                "status": earlier.status,
                "since": earlier.registered_at,
                "live": earlier.status == RegisteredStatus.ACTIVE,
                "amount": earlier.amount,
            }


def _match(registered: Found | Match, known: dict[str, object]) -> Match:
    return Match.model_validate(
        {
            "subject_type": registered.subject_type,
            "subject_id": registered.subject_id,
            **compared(registered),
            "earlier": registered.earlier,
            **known,
        }
    )


def compared(comparison: Compared) -> dict[str, Any]:
    """The fields of the comparison result, to be stored with the match."""
    return {name: getattr(comparison, name) for name in Compared.model_fields}

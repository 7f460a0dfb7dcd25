"""What a registration may be in conflict with, described for whoever decides (P3–P5, A5)."""

from __future__ import annotations

from collections.abc import Sequence

from activities.collisions import Collision
from activities.transaction import Work
from db import accounts, applications, projects, registers
from domain.project_match import Match
from domain.registers import RegisteredStatus

_HISTORY = frozenset(status.value for status in RegisteredStatus)
"""The states of a project that was once approved."""


async def described(work: Work, collisions: Sequence[Collision]) -> tuple[Match, ...]:
    """Each collision with what A5 weighs: when it was registered, the vendor's position, familiarity.

    What is over is history only where it was a project; an application that ended, or a registration that was never
    approved, says nothing any more.
    """
    found = [await _described(work, one) for one in collisions]
    return tuple(match for match in found if match and (match.live or match.status in _HISTORY))


async def _described(work: Work, one: Collision) -> Match | None:
    match one.subject_type:
        case "account":
            account = await accounts.find(work.tx, one.subject_id)
            return (
                _match(
                    one,
                    name=account.form.customer.name,
                    customer_name=account.form.customer.name,
                    salesperson=account.salesperson,
                    status="revoked" if account.revoked_at else "active",
                    since=account.activated_at,
                    live=account.revoked_at is None,
                    relationship=account.form.cooperation,
                )
                if account
                else None
            )
        case "application":
            application = await applications.find(work.tx, one.subject_id)
            return (
                _match(
                    one,
                    name=application.form.customer.name,
                    customer_name=application.form.customer.name,
                    salesperson=application.applicant,
                    status=application.stage.value,
                    since=application.submitted_at,
                    live=application.stage.live,
                )
                if application
                else None
            )
        case "project":
            project = await projects.find(work.tx, one.subject_id)
            return (
                _match(
                    one,
                    name=project.form.name,
                    customer_name=project.form.customer.name,
                    salesperson=project.salesperson,
                    status=project.stage.status.value,
                    since=project.registered_at,
                    live=project.stage.live,
                    amount=project.form.amount,
                    vendor_registered=project.form.vendor_registered,
                    relationship=project.form.relationship,
                )
                if project
                else None
            )
        case _:
            (earlier,) = await registers.earlier_projects(work.tx, [one.subject_id]) or (None,)
            return (
                _match(
                    one,
                    name=earlier.name,
                    customer_name=earlier.customer_name,
                    salesperson=earlier.salesperson,
                    status=earlier.status,
                    since=earlier.registered_at,
                    live=earlier.status == RegisteredStatus.ACTIVE,
                    amount=earlier.amount,
                )
                if earlier
                else None
            )


def _match(one: Collision, **known: object) -> Match:
    return Match.model_validate(
        {
            "subject_type": one.subject_type,
            "subject_id": one.subject_id,
            "because": one.reasons,
            "earlier": one.earlier,
            **known,
        }
    )

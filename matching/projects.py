"""Whether two registered projects are one project, or belong together (P4)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Self

from domain.base import Frozen
from domain.project import Company, ProjectForm
from domain.verdict import Level, Reason, Verdict
from matching.names import name_key
from matching.parties import Party, PartyRole
from matching.reasons import in_order


class ProjectSides(Frozen):
    """What two projects are compared by; everything but the name may be unknown."""

    name: str
    customer: Party | None = None
    end_user: Party | None = None
    channel: Party | None = None
    products: tuple[str, ...] = ()
    vendor: str = ""
    amount: Decimal | None = None
    """RMB"""
    expected_signing: date | None = None
    tender_number: str = ""

    @classmethod
    def of(cls, form: ProjectForm) -> Self:
        """What the form says of them."""
        return cls(
            name=form.name,
            customer=Party(name=form.customer.name, uscc=form.customer.uscc),
            end_user=_party(form.end_user, "end_user"),
            channel=_party(form.channel, "channel"),
            products=form.products,
            vendor=form.vendor,
            amount=form.amount,
            expected_signing=form.expected_signing,
            tender_number=form.tender_number,
        )


def _party(company: Company | None, role: PartyRole) -> Party | None:
    return Party(name=company.name, uscc=company.uscc, role=role) if company else None


def compare_projects(asked: ProjectSides, registered: ProjectSides) -> Verdict:
    """How close the two projects are, and why (P4)."""
    reasons = []
    if asked.tender_number.strip() and name_key(asked.tender_number) == name_key(registered.tender_number):
        reasons.append(Reason(key="same_tender_number"))
    if name_key(asked.name) == name_key(registered.name):
        reasons.append(Reason(key="same_project_name"))
    return Verdict(level=Level.SAME, score=1.0, reasons=in_order(reasons)) if reasons else Verdict()

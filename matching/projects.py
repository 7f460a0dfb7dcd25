"""Whether two registered projects are the same project, or related (P4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Self

from domain.base import Frozen
from domain.conflicts.verdict import Level, Reason, Verdict
from domain.policy import Matching
from domain.projects.project import Company, ProjectForm
from matching.names.names import name_key
from matching.parties import Party, PartyRole, compare, shipped
from matching.reasons import in_order
from matching.titles import nearness, title

SPECIFIC = 12
"""A project subject of at least this many characters identifies one project, not a kind of project."""

NEAR_FOR_ONE_CUSTOMER = 0.5
"""Minimum similarity of the names of two projects of one customer for a person to look at them."""

NEAR_DAYS = 92
"""Expected signing dates within a quarter count as about the same time."""


class ProjectSides(Frozen):
    """The side of a project comparison; everything but the name may be unknown."""

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
        """The comparison side of a form."""
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


def renamed(before: ProjectForm, now: ProjectForm) -> bool:
    """P2, A5: whether the name or tender number changed, beyond spelling."""
    return any(
        name_key(left) != name_key(right)
        for left, right in ((before.name, now.name), (before.tender_number, now.tender_number))
    )


def another_project(before: ProjectForm, now: ProjectForm) -> bool:
    """P2, P4: whether the changes to the project may alter the result of conflict detection."""
    products = (frozenset(map(name_key, form.products)) for form in (before, now))
    return renamed(before, now) or next(products) != next(products)


def compare_projects(asked: ProjectSides, registered: ProjectSides, *, bounds: Matching | None = None) -> Verdict:
    """How close the two projects are, and why (P4).

    The same tender number means the same project. Otherwise the names decide, unless all companies are known and none
    match: two customers may each have a `机房改造`. For the same customer or end user, similar names, or the same
    products at about the same price or time, are also worth a look.

    Args:
        bounds: similarity thresholds; those of the default policy if omitted.
    """
    bounds = bounds or shipped()
    left, right = title(asked.name), title(registered.name)
    near = nearness(left.subject, right.subject)
    whose = _companies(asked, registered)
    level, score, reasons = Level.NONE, near, list[Reason]()
    if near >= bounds.project_related:
        same = near >= bounds.project_same and left.part == right.part
        level = Level.SAME if same else Level.RELATED
        if name_key(asked.name) == name_key(registered.name):
            reasons.append(Reason(key="same_project_name"))
        else:
            key = "near_project_name" if same else "other_part_of_project"
            reasons.append(Reason(key=key, params={"name": registered.name}))
        if whose is Level.NONE and len(left.subject) < SPECIFIC:
            level = Level.LOOK
    alike = list(_alike(asked, registered))
    if level is Level.NONE and whose in (Level.SAME, Level.RELATED):
        if near >= NEAR_FOR_ONE_CUSTOMER:
            level = Level.LOOK
            reasons.append(Reason(key="near_project_name", params={"name": registered.name}))
        elif len(alike) > 1 and alike[0].key == "same_products":
            level, score = Level.LOOK, max(near, bounds.project_related / 2)
    if asked.tender_number.strip() and name_key(asked.tender_number) == name_key(registered.tender_number):
        level, score = Level.SAME, 1.0
        reasons.append(Reason(key="same_tender_number"))
    if level is Level.NONE:
        return Verdict()
    return Verdict(level=level, score=score, reasons=in_order([*reasons, *alike]))


def _companies(asked: ProjectSides, registered: ProjectSides) -> Level:
    """How close the closest customers or end users are; `look` if unknown."""
    mine = [party for party in (asked.customer, asked.end_user) if party]
    theirs = [party for party in (registered.customer, registered.end_user) if party]
    if not (mine and theirs):
        return Level.LOOK
    return Verdict.closest(compare(left, right) for left in mine for right in theirs).level


def _alike(asked: ProjectSides, registered: ProjectSides) -> Iterator[Reason]:
    """Further reasons: products, price, time, vendor."""
    known = {name_key(product) for product in registered.products}
    if shared := [product for product in asked.products if name_key(product) in known]:
        yield Reason(key="same_products", params={"products": "、".join(shared)})
    if (
        asked.amount
        and registered.amount
        and abs(asked.amount - registered.amount) * 5 <= max(asked.amount, registered.amount)
    ):
        yield Reason(key="near_amount")
    if asked.expected_signing and registered.expected_signing:
        if abs((asked.expected_signing - registered.expected_signing).days) <= NEAR_DAYS:
            yield Reason(key="near_signing")
    if asked.vendor and name_key(asked.vendor) == name_key(registered.vendor):
        yield Reason(key="same_vendor", params={"vendor": asked.vendor})

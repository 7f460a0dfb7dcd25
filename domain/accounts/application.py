"""The Named Account application form (N1) and where an application can stand."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from domain.accounts.uscc import check_code
from domain.base import Frozen, Line, Money, OptionalText, Text
from domain.names import Name

Uscc = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True), AfterValidator(check_code)]
"""Unified Social Credit Code (18 characters), or the registration number (15 digits) of a company that has none yet."""


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


OptionalUscc = Annotated[Uscc | None, BeforeValidator(_blank_is_none)]


class CustomerKind(StrEnum):
    """A1: what a Named Account may be."""

    CUSTOMER = "customer"
    CORE_CHANNEL = "core_channel"


class Industry(StrEnum):
    """What line of business a customer is in; four of them matter for E3."""

    TELECOM = "telecom"
    POWER = "power"
    PETROLEUM = "petroleum"
    PETROCHEMICAL = "petrochemical"
    BANKING = "banking"
    FINANCE = "finance"
    INSURANCE = "insurance"
    GOVERNMENT = "government"
    EDUCATION = "education"
    HEALTHCARE = "healthcare"
    MANUFACTURING = "manufacturing"
    TRANSPORT = "transport"
    LOGISTICS = "logistics"
    RETAIL = "retail"
    ENERGY = "energy"
    INTERNET = "internet"
    TECHNOLOGY = "technology"
    MEDIA = "media"
    CONSTRUCTION = "construction"
    REAL_ESTATE = "real_estate"
    AGRICULTURE = "agriculture"
    OTHER = "other"


class RelatedParty(Frozen):
    """关联客户: a company bound to the customer, and how."""

    name: Name
    uscc: OptionalUscc = None
    relation: Line


class Contact(Frozen):
    """A person at the customer."""

    name: Line
    title: OptionalText = ""
    phone: OptionalText = ""
    email: OptionalText = ""


class Customer(Frozen):
    """Complete customer information (N1)."""

    name: Name
    uscc: OptionalUscc = None
    kind: CustomerKind
    industry: Industry
    legal_person: bool
    """E2: an independent legal person."""
    aliases: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    related_parties: Annotated[tuple[RelatedParty, ...], Field(max_length=100)]
    contacts: Annotated[tuple[Contact, ...], Field(min_length=1, max_length=50)]


class Forecast(Frozen):
    """What the customer is expected to bring, in RMB, per the clauses of E1."""

    first_year_gross_margin: Money
    later_year_gross_margin: Money
    technical_service_revenue: Money
    own_service_revenue: Money
    annual_contracts: Money


class AccountPlan(Frozen):
    """客户计划. E4: the present state is understood and the plan can be carried out."""

    current_state: Text
    goals: Text
    actions: Text
    milestones: OptionalText = ""


class ApplicationForm(Frozen):
    """Everything a salesperson fills in (N1)."""

    customer: Customer
    cooperation: Text
    potential: Text
    products: Annotated[tuple[Line, ...], Field(min_length=1, max_length=50)]
    resources: Text
    forecast: Forecast
    centralised_procurement: bool
    """E3: the business in question is centralised procurement (集中采购)."""
    account_plan: AccountPlan


class Stage(StrEnum):
    """Where an application stands; the last five are ends."""

    EVIDENCE = "evidence"
    COMMERCE_CHECK = "commerce_check"
    RETURNED = "returned"
    VP_REVIEW = "vp_review"
    GM_APPROVAL = "gm_approval"
    REJECTED = "rejected"
    GM_APPEAL = "gm_appeal"
    ACTIVE = "active"
    CLOSED_REJECTED = "closed_rejected"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    LAPSED = "lapsed"
    """U10: sent back, and not completed in time."""

    @property
    def ended(self) -> bool:
        return self in ENDED

    @property
    def live(self) -> bool:
        """Takes part in conflict detection (N14): neither ended nor rejected."""
        return self not in ENDED and self is not Stage.REJECTED


WEIGHED = frozenset({Stage.COMMERCE_CHECK, Stage.VP_REVIEW, Stage.GM_APPROVAL, Stage.GM_APPEAL})
"""N15: somebody has the evidence before them."""
ENDED = frozenset({Stage.ACTIVE, Stage.CLOSED_REJECTED, Stage.WITHDRAWN, Stage.REFUSED, Stage.LAPSED})
WORKED_ON = frozenset(Stage) - ENDED - {Stage.REJECTED}
"""Stages at which somebody is asked, or something is looked up: none of them passes in silence."""

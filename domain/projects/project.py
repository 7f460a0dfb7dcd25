"""The project form (P1, P4), where a project registration can stand, and what its salesperson reports (U1, U7, U8)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AliasChoices, Field

from domain.accounts.application import Customer, OptionalUscc
from domain.base import Frozen, Line, Money, OptionalText, Text
from domain.names import Name


class Company(Frozen):
    """A company named in a project beside its customer: the end user, or the channel it is sold through."""

    name: Name
    uscc: OptionalUscc = None


class SalesStage(StrEnum):
    """销售阶段: how far the sale itself has come, as the salesperson sees it. The forecast goes by it (U9)."""

    LEAD = "lead"
    REQUIREMENTS = "requirements"
    SOLUTION = "solution"
    TENDER = "tender"
    NEGOTIATION = "negotiation"


class ProjectForm(Frozen):
    """Everything a salesperson fills in to register a project (P1, P4)."""

    customer: Customer
    end_user: Company | None = None
    """最终用户, where it is not the customer."""
    channel: Company | None = None
    """The channel the project is sold through, if any (P3)."""
    name: Name
    products: Annotated[tuple[Line, ...], Field(min_length=1, max_length=50)]
    vendor: Line
    """原厂商."""
    vendor_registered: bool
    """A5: the vendor has registered this project for us."""
    vendor_position: OptionalText = ""
    """A5: what the vendor says of who should do the project."""
    amount: Money
    gross_margin: Money
    expected_signing: date
    stage: SalesStage
    relationship: Text
    """A5: how well the salesperson knows the customer."""
    tender_number: OptionalText = ""
    note: OptionalText = ""


class ProjectUpdate(Frozen):
    """U1: the weekly update. What is not named stays as it was."""

    progress: Text
    problems: OptionalText = ""
    next_steps: Text
    stage: SalesStage | None = None
    amount: Money | None = None
    expected_signing: date | None = None


class Loss(Frozen):
    """U8: the project is lost; the reason is not optional."""

    reason: Text
    competitor: OptionalText = ""


class ContractReview(Frozen):
    """U7: the contract review application: as the salesperson hands it in, or as commerce records its receipt.

    What commerce must give beside the amount is judged by `domain/projects/contract_review.py`.
    """

    amount: Money
    contract_number: Annotated[OptionalText, Field(validation_alias=AliasChoices("contract_number", "number"))] = ""
    signed_on: date | None = None
    received_on: date | None = None
    """When commerce received it; the day it says so where nothing else is said."""


class ContractCorrection(Frozen):
    """U7: commerce corrects the amount of a contract on record; what stood there before is kept beside it."""

    amount: Money
    reason: Text


class Resumption(Frozen):
    """U6: why the project was not updated, and why it is to go on."""

    why_silent: Text
    why_resume: Text


class ProjectStatus(StrEnum):
    """Where a registration stands, for everyone outside the process."""

    REGISTERING = "registering"
    HELD = "held"
    DISPUTED = "disputed"
    ACTIVE = "active"
    CONTRACT_SIGNED = "contract_signed"
    ENDED = "ended"
    SHELVED = "shelved"
    REJECTED = "rejected"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ProjectStage(StrEnum):
    """Where the process of a registration stands; each stage has one status."""

    RESUME_REVIEW = "resume_review"
    """U6: commerce reviews whether a shelved project is registered anew."""
    ROUTING = "routing"
    """Whose customer it is, and what else is registered for it: P1, P3 or P4."""
    ASSIGNMENT = "assignment"
    """P4: the commerce manager assigns a clerk."""
    CONFLICT_CHECK = "conflict_check"
    CONFLICT_CONFIRMATION = "conflict_confirmation"
    APPROVAL = "approval"
    HELD = "held"
    DISPUTED = "disputed"
    REFUSED = "refused"
    """P7: refused for a conflict; the applicant may still object (P8)."""
    OBJECTION = "objection"
    ACTIVE = "active"
    CONTRACT_SIGNED = "contract_signed"
    ENDED = "ended"
    SHELVED = "shelved"
    REJECTED = "rejected"
    CLOSED_REFUSED = "closed_refused"
    """P8: refused, and the time to object is over or the objection was not upheld."""
    WITHDRAWN = "withdrawn"
    MERGED = "merged"
    """D6: a coordination meeting has found that it is the same project as another registration, which goes on."""

    @property
    def status(self) -> ProjectStatus:
        match self:
            case ProjectStage.REFUSED | ProjectStage.OBJECTION | ProjectStage.CLOSED_REFUSED:
                return ProjectStatus.REFUSED
            case ProjectStage.MERGED:
                return ProjectStatus.ENDED
            case _:
                return _STATUS_OF_THE_SAME_NAME.get(self.value, ProjectStatus.REGISTERING)

    @property
    def ended(self) -> bool:
        return self in PROJECT_ENDED

    @property
    def live(self) -> bool:
        """P10: takes part in conflict detection. A resumption does so from the moment it is accepted (U6)."""
        return not self.ended and self not in (
            ProjectStage.REFUSED,
            ProjectStage.OBJECTION,
            ProjectStage.RESUME_REVIEW,
        )


_STATUS_OF_THE_SAME_NAME = {status.value: status for status in ProjectStatus}

PROJECT_ENDED = frozenset(
    {
        ProjectStage.CONTRACT_SIGNED,
        ProjectStage.ENDED,
        ProjectStage.SHELVED,
        ProjectStage.REJECTED,
        ProjectStage.CLOSED_REFUSED,
        ProjectStage.WITHDRAWN,
        ProjectStage.MERGED,
    }
)


WORKED_ON_PROJECT = frozenset(
    {
        ProjectStage.RESUME_REVIEW,
        ProjectStage.ROUTING,
        ProjectStage.ASSIGNMENT,
        ProjectStage.CONFLICT_CHECK,
        ProjectStage.CONFLICT_CONFIRMATION,
        ProjectStage.APPROVAL,
        ProjectStage.HELD,
        ProjectStage.OBJECTION,
    }
)
"""Stages at which somebody is asked, or something is looked up: none of them passes in silence."""


class Track(StrEnum):
    """Which way a registration goes."""

    OWN_ACCOUNT = "own_account"
    """P1: under the salesperson's own Named Account."""
    OTHER_ACCOUNT = "other_account"
    """P3: under another salesperson's Named Account, also as end user or channel."""
    NON_NAMED = "non_named"
    """P4: under no Named Account."""

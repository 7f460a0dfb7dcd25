"""Response models of applications and Named Accounts (N1–N15, R1–R5)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue

from api.models import CreditView, DecisionView, OpenTaskView, PersonView, TimelineEntry
from api.projects.models import ProjectSummary
from domain.accounts.application import ApplicationForm, Stage
from domain.accounts.eligibility import Eligibility
from domain.accounts.evidence import Evidence, Finding
from domain.conflicts.rulings import Link
from domain.conflicts.unusual_names import UnusualName
from domain.conflicts.verdict import Level
from domain.tasks.task import TaskKind


class ApplicationSummary(BaseModel):
    """An application in a list."""

    id: str
    workflow_id: str
    stage: Stage
    stage_label: str
    outcome: Stage | None = None
    round: int
    applicant: PersonView
    department: str | None = None
    customer_name: str
    submitted_at: datetime
    stage_since: datetime


class RejectionView(BaseModel):
    by: PersonView
    reason: str
    at: datetime
    appeal_until: datetime | None = None


class ApplicationView(ApplicationSummary):
    """One application: where it stands, why, and what comes next."""

    customer: dict[str, JsonValue]
    form: ApplicationForm
    policy: str
    evidence: list[EvidenceView]
    unusual_names: list[UnusualName] = []
    """Names with characters that cannot be seen or are not what they seem."""
    eligibility: Eligibility
    tasks: list[OpenTaskView]
    decisions: list[DecisionView]
    rejection: RejectionView | None = None
    appeal: dict[str, JsonValue] | None = None
    end_reason: dict[str, JsonValue] | None = None
    conflicts: list[dict[str, JsonValue]] = []
    account_id: str | None = None
    account_revoked_at: datetime | None = None
    """R5: when the Named Account that came of it ceased to be one."""
    what_next: str
    timeline: list[TimelineEntry]


# After `ApplicationView`, or pydantic publishes the excluded `Link` as well.
class FindingView(Finding):
    """One finding, with what it was found to be in the reader's words. `ruled` names the person."""

    level: Level
    level_label: str
    because: list[str] = []
    """Every reason in a sentence, the strongest first."""
    links: Annotated[tuple[Link, ...], Field(exclude=True)] = ()


class EvidenceView(Evidence):
    """What one source said, for the reader."""

    kind_label: str = ""
    source_label: str = ""
    text: str
    """In a sentence: what was found, that nobody knows anything, or that it could not be asked (N15)."""
    remarks: list[str] = []
    """Since when it is another, and what commerce has corrected, each in a sentence (N15, N5)."""
    findings: tuple[FindingView, ...] = ()
    gone: tuple[FindingView, ...] = ()


class Submitted(BaseModel):
    id: str
    workflow_id: str
    stage: Stage
    conflicts: list[dict[str, JsonValue]] = []
    """N14: earlier registrations this one collides with, without what is not the applicant's to know."""
    notice: str | None = None


class TargetView(BaseModel):
    """What is to be reached with an account in a period, in RMB (R2, R4)."""

    period: str
    contracts: Decimal
    revenue: Decimal
    action_plan: str = ""
    requirements: str = ""
    """R4: what a half-yearly or yearly review requires beside the figures."""
    set_by: PersonView
    set_at: datetime
    task_id: str


class MonthView(BaseModel):
    """What an account has brought in in a month, in RMB."""

    month: str
    contracts: Decimal
    signed: Decimal
    """Of registered projects (U7)."""
    credits: list[CreditView] = []
    """D3: who is credited with which part of `signed`."""
    other_contracts: Decimal
    """From the results register, as revenue and payments."""
    revenue: Decimal
    payments: Decimal


class SaidView(BaseModel):
    """What somebody has said or decided of an account in a review."""

    review_id: str
    task_id: str
    kind: TaskKind
    title: str
    period: str
    person: PersonView
    at: datetime
    fields: dict[str, JsonValue]


class AccountView(BaseModel):
    """One Named Account."""

    id: str
    application_id: str
    name: str
    kind: str
    live: bool
    """False once it was revoked (R5): the customer is a Non Named Account then."""
    status_label: str
    salesperson: PersonView
    department: str | None = None
    related_parties: list[dict[str, JsonValue]]
    promised: dict[str, JsonValue]
    """What its application promised for a year (N1)."""
    activated_at: datetime
    revoked_at: datetime | None = None
    approved_by_general_manager: bool
    projects: list[ProjectSummary] = []
    """Those under the account that the viewer may see; this and what follows only where one account is read."""
    targets: list[TargetView] = []
    """By period, the last set first."""
    results: list[MonthView] = []
    """Month by month, the newest first."""
    reviews: list[SaidView] = []
    """What was said and decided of it, the newest first."""

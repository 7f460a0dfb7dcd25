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
    """The rejection of an application, and until when it can be appealed (N10)."""

    by: PersonView
    reason: str
    at: datetime
    appeal_until: datetime | None = None


class ApplicationView(ApplicationSummary):
    """An application: its stage, the reasons, and what happens next."""

    customer: dict[str, JsonValue]
    form: ApplicationForm
    policy: str
    evidence: list[EvidenceView]
    unusual_names: list[UnusualName] = []
    """Names with invisible or confusable characters."""
    eligibility: Eligibility
    tasks: list[OpenTaskView]
    decisions: list[DecisionView]
    rejection: RejectionView | None = None
    appeal: dict[str, JsonValue] | None = None
    end_reason: dict[str, JsonValue] | None = None
    conflicts: list[dict[str, JsonValue]] = []
    account_id: str | None = None
    account_revoked_at: datetime | None = None
    """R5: when the resulting Named Account was revoked."""
    what_next: str
    timeline: list[TimelineEntry]


# After `ApplicationView`, or pydantic publishes the excluded `Link` as well.
class FindingView(Finding):
    """A finding with its level and reasons in the reader's language. `ruled` names the person."""

    level: Level
    level_label: str
    because: list[str] = []
    """One sentence per reason, strongest first."""
    links: Annotated[tuple[Link, ...], Field(exclude=True)] = ()


class EvidenceView(Evidence):
    """Evidence from one source, in the reader's language."""

    kind_label: str = ""
    source_label: str = ""
    text: str
    """One sentence: what was found, that there is no information, or that the source was unavailable (N15)."""
    remarks: list[str] = []
    """Since when it has changed, and what commerce has corrected; a sentence each (N15, N5)."""
    findings: tuple[FindingView, ...] = ()
    gone: tuple[FindingView, ...] = ()


class Submitted(BaseModel):
    """A new application."""

    id: str
    workflow_id: str
    stage: Stage
    conflicts: list[dict[str, JsonValue]] = []
    """N14: earlier registrations that conflict with it, without confidential details. `own`: an account of your own."""
    notice: str | None = None


class TargetView(BaseModel):
    """The targets of an account for a period, in RMB (R2, R4)."""

    period: str
    contracts: Decimal
    revenue: Decimal
    action_plan: str = ""
    requirements: str = ""
    """R4: what a half-yearly or yearly review requires besides the figures."""
    set_by: PersonView
    set_at: datetime
    task_id: str


class MonthView(BaseModel):
    """The results of an account in a month, in RMB."""

    month: str
    contracts: Decimal
    signed: Decimal
    """From contracts of registered projects (U7)."""
    credits: list[CreditView] = []
    """D3: the credits for `signed`."""
    other_contracts: Decimal
    """From the results register, as are revenue and payments."""
    revenue: Decimal
    payments: Decimal


class SaidView(BaseModel):
    """A statement or decision about an account in a review."""

    review_id: str
    task_id: str
    kind: TaskKind
    title: str
    period: str
    person: PersonView
    at: datetime
    fields: dict[str, JsonValue]


class AccountView(BaseModel):
    """A Named Account."""

    id: str
    application_id: str
    name: str
    kind: str
    live: bool
    """False once revoked (R5); the customer is then a Non Named Account."""
    status_label: str
    salesperson: PersonView
    department: str | None = None
    related_parties: list[dict[str, JsonValue]]
    promised: dict[str, JsonValue]
    """The forecast for a year in its application (N1)."""
    activated_at: datetime
    revoked_at: datetime | None = None
    approved_by_general_manager: bool
    projects: list[ProjectSummary] = []
    """The account's projects that you may see. Lists omit this field and all below."""
    targets: list[TargetView] = []
    """By period, the latest first."""
    results: list[MonthView] = []
    """By month, newest first."""
    reviews: list[SaidView] = []
    """Statements and decisions about the account, newest first."""

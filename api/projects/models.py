"""Response models of projects and project numbers (P1–P9, U1–U10)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from pydantic import BaseModel, JsonValue

from api.conflicts.models import RuledView
from api.disputes.models import DisputeView
from api.models import CreditView, DecisionView, OpenTaskView, PersonView, TimelineEntry
from domain.conflicts.unusual_names import UnusualName
from domain.conflicts.verdict import Level
from domain.projects.project import ProjectForm, ProjectStage, ProjectStatus, SalesStage, Track


class ProjectSummary(BaseModel):
    """A project in a list."""

    id: str
    workflow_id: str
    name: str
    customer_name: str
    status: ProjectStatus
    status_label: str
    stage: ProjectStage
    stage_label: str
    number: str | None = None
    salesperson: PersonView
    applicant: PersonView
    department: str | None = None
    track: Track | None = None
    account_id: str | None = None
    amount: Decimal
    expected_signing: date
    round: int
    registered_at: datetime
    stage_since: datetime
    updated_at: datetime | None = None
    resumes: str | None = None


class MatchView(BaseModel):
    """A registration that may conflict with this one, with what A5 weighs: order, vendor position, relationship."""

    subject_type: str
    subject_id: str
    name: str
    customer_name: str
    salesperson: PersonView
    status: str
    since: datetime
    level: Level
    level_label: str
    score: float
    because: list[str]
    """One sentence per reason, strongest first."""
    because_label: str
    ruled: RuledView | None = None
    amount: Decimal | None = None
    vendor_registered: bool | None = None
    vendor_position: str = ""
    """Whom the vendor supports."""
    named_since: datetime | None = None
    """Since when it has this name, if later than its registration."""
    relationship: str = ""
    live: bool
    earlier: bool


class WeighedView(BaseModel):
    """One of the registrations weighed by A5: its place in the order, the vendor's position, the relationship."""

    order: int
    """1 for the earliest registration."""
    own: bool
    """Whether it is the project itself."""
    subject_type: str
    subject_id: str
    name: str
    salesperson: PersonView
    since: datetime
    named_since: datetime | None = None
    vendor_registered: bool | None = None
    vendor_position: str = ""
    relationship: str = ""
    live: bool


class UpdateView(BaseModel):
    """A weekly update (U1). Fields it does not set are unchanged."""

    number: int
    person: PersonView
    said_at: datetime
    progress: str
    problems: str = ""
    next_steps: str
    stage: SalesStage | None = None
    stage_label: str | None = None
    amount: Decimal | None = None
    expected_signing: date | None = None


class NextEvent(BaseModel):
    """An event that happens automatically at its time, unless somebody prevents it."""

    at: datetime
    what: str
    label: str
    rule: str | None = None
    task_id: str | None = None


class ProjectView(ProjectSummary):
    """A project: its stage, the reasons, what happens next automatically, and what prevents it."""

    customer: dict[str, JsonValue]
    end_user: dict[str, JsonValue] | None = None
    channel: dict[str, JsonValue] | None = None
    form: ProjectForm
    policy: str
    resumed_by: str | None = None
    resumption: dict[str, JsonValue] | None = None
    agreement: dict[str, JsonValue] | None = None
    refusal: dict[str, JsonValue] | None = None
    objection: dict[str, JsonValue] | None = None
    loss: dict[str, JsonValue] | None = None
    contract_application: dict[str, JsonValue] | None = None
    """U7: what the salesperson has submitted; `sent_back` says why commerce returned it."""
    contract: dict[str, JsonValue] | None = None
    """U7: what commerce has received; `corrections` lists every replaced amount."""
    end_reason: dict[str, JsonValue] | None = None
    credits: list[CreditView] = []
    """D3: the credits for the contract or, before there is one, for the expected amount."""
    dispute: DisputeView | None = None
    """The latest dispute."""
    unusual_names: list[UnusualName] = []
    """Names with invisible or confusable characters."""
    matches: list[MatchView] = []
    """The matches found in this round; for deciders only (X2)."""
    weaker_matches: int = 0
    """How many weaker matches were omitted."""
    weighed: list[WeighedView] = []
    """A5: this registration and all its matches, in order of registration; for deciders only."""
    not_compared: list[str] = []
    """Companies searched by exact name and code only, because too many registrations are similar. Use
    `/conflicts/check` to find similar names."""
    updates: list[UpdateView] = []
    """Newest first."""
    tasks: list[OpenTaskView]
    decisions: list[DecisionView]
    what_next: str
    next_events: list[NextEvent]
    what_prevents: str = ""
    timeline: list[TimelineEntry]


class Registered(BaseModel):
    """A new registration (P1, P4), or one that resumes a shelved project (U6)."""

    id: str
    workflow_id: str
    status: ProjectStatus
    stage: ProjectStage
    resumes: str | None = None


class CheckedProject(BaseModel):
    """What the check of a number reveals about its project."""

    id: str
    name: str
    number: str
    status: ProjectStatus


class NumberCheck(BaseModel):
    """Whether a project number is valid for the purpose, and why (P9)."""

    allowed: bool
    reason: str
    project: CheckedProject | None = None

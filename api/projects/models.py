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
    """What a registration may be in conflict with, and what A5 weighs: who was first, the vendor, familiarity."""

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
    """Every reason in a sentence, the strongest first."""
    because_label: str
    ruled: RuledView | None = None
    amount: Decimal | None = None
    vendor_registered: bool | None = None
    vendor_position: str = ""
    """What the vendor says of who should do the project."""
    named_since: datetime | None = None
    """Since when it goes by this name, where that is later than its registration."""
    relationship: str = ""
    live: bool
    earlier: bool


class WeighedView(BaseModel):
    """A5: one side of what is weighed: its place in the order of registration, the vendor's position, familiarity."""

    order: int
    """1 was registered first."""
    own: bool
    """The registration that is asked about."""
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
    """U1: one weekly update. What it does not name stayed as it was."""

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
    """Something that happens by itself at its time, unless somebody prevents it."""

    at: datetime
    what: str
    label: str
    rule: str | None = None
    task_id: str | None = None


class ProjectView(ProjectSummary):
    """One project: where it stands, why, what comes next by itself and what prevents it."""

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
    """U7: what the salesperson has handed in; `sent_back` says why commerce did not take it."""
    contract: dict[str, JsonValue] | None = None
    """U7: what commerce has received; `corrections` hold every amount that was replaced."""
    end_reason: dict[str, JsonValue] | None = None
    credits: list[CreditView] = []
    """D3: who is credited with which part of the contract, or of the expected amount while there is none."""
    dispute: DisputeView | None = None
    """The newest one."""
    unusual_names: list[UnusualName] = []
    """Names with characters that cannot be seen or are not what they seem."""
    matches: list[MatchView] = []
    """What was found in this round; only for those who decide (X2)."""
    weaker_matches: int = 0
    """How many further ones were left out, the weakest."""
    weighed: list[WeighedView] = []
    """A5: this registration and everything it may be in conflict with, side by side, the first registered first; only
    for those who decide."""
    not_compared: list[str] = []
    """Companies that were looked for only by their name and code, because too many registrations are like them; ask
    for near ones at `/conflicts/check`."""
    updates: list[UpdateView] = []
    """Newest first."""
    tasks: list[OpenTaskView]
    decisions: list[DecisionView]
    what_next: str
    next_events: list[NextEvent]
    what_prevents: str = ""
    timeline: list[TimelineEntry]


class Registered(BaseModel):
    """A project that has just been registered (P1, P4), or registered anew (U6)."""

    id: str
    workflow_id: str
    status: ProjectStatus
    stage: ProjectStage
    resumes: str | None = None


class CheckedProject(BaseModel):
    """As much of a project as whoever checks its number is told."""

    id: str
    name: str
    number: str
    status: ProjectStatus


class NumberCheck(BaseModel):
    """P9: whether a project number counts for what it is shown for, and why."""

    allowed: bool
    reason: str
    project: CheckedProject | None = None

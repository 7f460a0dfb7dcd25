"""What the API answers of Named Accounts: targets, results and reviews (R1–R5)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, JsonValue

from api.models import CreditView, PersonView, ProjectSummary
from domain.tasks.task import TaskKind


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

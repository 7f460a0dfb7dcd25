"""制度参数: every parameter of the regulation that the company may set, typed."""

from __future__ import annotations

import re
import tomllib
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, field_validator, model_validator

from domain.accounts.application import Industry
from domain.base import Frozen, Line, Money
from domain.documents.document import DocumentType
from domain.organisation import Role
from domain.projects.project import SalesStage
from domain.tasks.task import TaskKind

DEFAULT_POLICY_FILE = Path(__file__).with_name("policy.toml")


_POWERS_OF_TEN = tuple(10**power for power in range(1, 7))


def _number_format(value: str) -> str:
    """P9: project numbers are unique only if they contain both the year and the sequence."""
    # Every power of ten: a format that truncates numbers gives some two of them the same text.
    issued = [(year, sequence) for year in (2026, 2027, 2036, 2126, 3026) for sequence in (1, 2, *_POWERS_OF_TEN)]
    try:
        numbers = {value.format(year=year, sequence=sequence) for year, sequence in issued}
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError, MemoryError):
        numbers = set()
    if len(numbers) != len(issued) or not all(re.fullmatch(r"[A-Za-z0-9-]{1,32}", number) for number in numbers):
        raise ValueError("a number format holds {year} and {sequence} and otherwise letters, digits and hyphens")
    return value


WorkingDays = Annotated[int, Field(ge=1, le=365)]
Fraction = Annotated[float, Field(ge=0, le=1)]
ExactFraction = Annotated[Decimal, Field(ge=0, le=1, max_digits=5, decimal_places=4)]
"""An exact fraction, for money."""


class Accounts(Frozen):
    """How many Named Accounts a salesperson holds without the general manager (N8)."""

    limit: Annotated[int, Field(ge=1)]


class Appeal(Frozen):
    """How long a rejection can be appealed (N10)."""

    months: Annotated[int, Field(ge=1, le=24)]


class Links(Frozen):
    """How long the link in a mail works."""

    days: Annotated[int, Field(ge=1, le=365)]


class Sessions(Frozen):
    """How long somebody stays signed in to the pages."""

    idle_hours: Annotated[int, Field(ge=1, le=168)]
    """Hours without a request after which the session ends."""
    longest_hours: Annotated[int, Field(ge=1, le=720)]
    """Hours after which the session ends, whatever happens."""


class Documents(Frozen):
    """Which files may be attached (N1, N11)."""

    types: Annotated[tuple[DocumentType, ...], Field(min_length=1)]
    largest_megabytes: Annotated[int, Field(ge=1, le=100)]
    """Of one file, in 1024 x 1024 bytes."""
    most_per_subject: Annotated[int, Field(ge=1, le=1000)]
    """Of one application or project."""

    @property
    def largest_bytes(self) -> int:
        return self.largest_megabytes * 1024 * 1024


class Privacy(Frozen):
    """What the engine may show to operators (X2)."""

    customer_name_in_engine: bool


class EvidenceRules(Frozen):
    """How long a silent source is waited for (N5)."""

    give_up_after_minutes: Annotated[int, Field(ge=1, le=1440)]


class EligibilityRules(Frozen):
    """E1, E3: thresholds in RMB."""

    first_year_gross_margin: Money
    later_year_gross_margin: Money
    technical_service_revenue: Money
    own_service_revenue_above: Money
    annual_contracts_above: Money
    centralised_procurement_industries: frozenset[Industry]


class Deadline(Frozen):
    """N12 for one kind of task, in working days after it is opened."""

    remind_after: tuple[WorkingDays, ...]
    stand_in_after: WorkingDays | None = None
    stand_in: Role | None = None
    repeat_every: WorkingDays


class Projects(Frozen):
    """Registration and life of projects (P8, P9, U2–U5)."""

    number_format: Annotated[str, AfterValidator(_number_format)]
    objection_months: Annotated[int, Field(ge=1, le=24)]
    remind_after_weeks: Annotated[int, Field(ge=1, le=52)]
    remind_vp_after_months: Annotated[int, Field(ge=1, le=24)]
    shelve_after_months: Annotated[int, Field(ge=1, le=36)]
    loss_told_departments: tuple[Line, ...] = ()
    """U8: departments whose general managers are notified of every loss, beside those concerned; `*` means every
    department."""

    @model_validator(mode="after")
    def _in_order(self) -> Projects:
        if not 7 * self.remind_after_weeks < 28 * self.remind_vp_after_months < 28 * self.shelve_after_months:
            raise ValueError("the reminders come before the shelving, and the salesperson's before the VP's")
        return self

    def number(self, year: int, sequence: int) -> str:
        """P9: the project number of the `sequence`-th approval of a year."""
        return self.number_format.format(year=year, sequence=sequence)


class Standstill(Frozen):
    """U10: held and disputed projects are shelved, and returned applications closed, after a period of inactivity."""

    warn_after_months: Annotated[int, Field(ge=1, le=24)]
    close_after_months: Annotated[int, Field(ge=2, le=36)]
    least_notice_days: Annotated[int, Field(ge=1, le=28)]
    """A late warning postpones the end, so that at least this many days are left."""

    @model_validator(mode="after")
    def _in_order(self) -> Standstill:
        if not self.warn_after_months < self.close_after_months:
            raise ValueError("the warning comes before the end")
        return self


class Matching(Frozen):
    """Similarity thresholds for names and projects (N3, P4); see `docs/matching.md`."""

    look: Fraction
    conflict: Fraction
    project_related: Fraction
    project_same: Fraction

    @model_validator(mode="after")
    def _in_order(self) -> Matching:
        if not (self.look <= self.conflict and self.project_related <= self.project_same):
            raise ValueError("what is looked at begins below what is said to be a conflict, related below same")
        return self


class Reviews(Frozen):
    """Reviews of Named Accounts, digests and forecasts (R1–R6, U1, U9)."""

    fiscal_year_starts: Annotated[int, Field(ge=1, le=12)]
    """The month in which the fiscal year begins."""
    week_starts: Annotated[int, Field(ge=1, le=7)]
    """ISO weekday: 1 is Monday."""
    send_at: time
    """Business time of day."""
    working_days_only: bool
    updates_within: WorkingDays
    """R1: after this many working days the department GM is asked, with the updates received by then."""
    near_target: ExactFraction
    revoke_below: ExactFraction
    """R4: revocation is proposed if contracts are below this fraction of the target and the plan failed."""
    probability: dict[SalesStage, ExactFraction]
    """U9: the probability that a project of that sales stage is signed."""

    @field_validator("send_at")
    @classmethod
    def _of_the_wall_clock(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("a time of day in the business time zone has no offset")
        return value

    @field_validator("probability")
    @classmethod
    def _of_every_stage(cls, value: dict[SalesStage, Decimal]) -> dict[SalesStage, Decimal]:
        if missing := [stage.value for stage in SalesStage if stage not in value]:
            raise ValueError(f"no probability for {', '.join(missing)}")
        return value


def _shipped_projects() -> Projects:
    return load_policy().projects


def _shipped_standstill() -> Standstill:
    return load_policy().standstill


def _shipped_matching() -> Matching:
    return load_policy().matching


def _shipped_reviews() -> Reviews:
    return load_policy().reviews


def _shipped_sessions() -> Sessions:
    return load_policy().sessions


def _shipped_documents() -> Documents:
    return load_policy().documents


_LATER_KINDS = (TaskKind.CONTRACT_REVIEW,)
"""Kinds of tasks added after the first release; processes that began earlier may open them."""


class Policy(Frozen):
    """The numbers of the regulation; `domain/policy.toml` says what each one is."""

    version: Line
    time_zone: Line
    calendar_region: Line
    accounts: Accounts
    appeal: Appeal
    links: Links
    privacy: Privacy
    evidence: EvidenceRules
    eligibility: EligibilityRules
    projects: Projects = Field(default_factory=_shipped_projects)
    """The policy stored with an old process may lack this part; a file must have it."""
    standstill: Standstill = Field(default_factory=_shipped_standstill)
    """Likewise."""
    matching: Matching = Field(default_factory=_shipped_matching)
    """Likewise."""
    reviews: Reviews = Field(default_factory=_shipped_reviews)
    """Likewise."""
    sessions: Sessions = Field(default_factory=_shipped_sessions)
    """Likewise."""
    documents: Documents = Field(default_factory=_shipped_documents)
    """Likewise."""
    deadlines: dict[TaskKind, Deadline]

    @field_validator("deadlines")
    @classmethod
    def _of_every_kind(cls, value: dict[TaskKind, Deadline]) -> dict[TaskKind, Deadline]:
        """A process on an older policy may reach steps which that policy does not know."""
        if missing := [kind for kind in _LATER_KINDS if kind not in value]:
            shipped = load_policy().deadlines
            return {**value, **{kind: shipped[kind] for kind in missing}}
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class _PolicyFile(Policy):
    """What a policy file must contain, beyond the policy stored with an old process."""

    projects: Projects
    standstill: Standstill
    matching: Matching
    reviews: Reviews
    sessions: Sessions
    documents: Documents

    @field_validator("deadlines")
    @classmethod
    def _of_every_kind(cls, value: dict[TaskKind, Deadline]) -> dict[TaskKind, Deadline]:
        if missing := [kind.value for kind in TaskKind if kind not in value]:
            raise ValueError(f"no deadlines for {', '.join(missing)}")
        return value


def load_policy(path: Path = DEFAULT_POLICY_FILE) -> Policy:
    """Read a policy file.

    Raises `pydantic.ValidationError` naming every wrong field and every kind of task without deadlines, `ValueError`
    when it is not TOML, `OSError` when unreadable.
    """
    file = _PolicyFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal))
    return Policy.model_validate(dict(file))

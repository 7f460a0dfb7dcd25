"""What the API answers: the record in the contract's words."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field, JsonValue

from api.problems import Refusal
from domain.accounts.application import ApplicationForm, Stage
from domain.accounts.eligibility import Eligibility
from domain.accounts.evidence import Evidence, EvidenceKind, Finding
from domain.conflicts.rulings import Link, Ruling
from domain.conflicts.unusual_names import UnusualName
from domain.conflicts.verdict import Level
from domain.disputes.dispute import DisputeStage, Origin
from domain.periods import Period, Rhythm
from domain.projects.project import ProjectForm, ProjectStage, ProjectStatus, SalesStage, Track
from domain.refusals import RefusalCode
from domain.reviews.review import ReviewStage
from domain.tasks.task import AssigneeCapacity, Choice, FieldSpec, TaskKind, TaskStatus

T = TypeVar("T")


class PersonView(BaseModel):
    """A person, by id and name."""

    id: str
    name: str


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = None


class SubjectView(BaseModel):
    """An application, project or review, as lists and tasks name it."""

    type: Literal["application", "project", "review"]
    id: str
    title: str


class OptionView(BaseModel):
    """One person or registration that a field may name."""

    id: str
    label: str


class FieldView(FieldSpec):
    """A field with its label, and the names of what may be chosen, in the reader's language."""

    label: str
    named: list[OptionView] = []
    columns: tuple[FieldView, ...] = ()
    """Of rows: what each row holds beside its id."""


class ChoiceView(Choice):
    """A choice with its label in the reader's language."""

    label: str
    fields: tuple[FieldView, ...] = ()


class AskedView(BaseModel):
    """One assignee of a task, and for whom they stand in."""

    person: PersonView
    capacity: AssigneeCapacity
    on_behalf_of: PersonView | None = None


class DecisionView(BaseModel):
    """A decision as the contract shows it."""

    task_id: str
    kind: TaskKind
    round: int
    choice: str
    reason: str
    special_reason: bool
    person: PersonView
    on_behalf_of: PersonView | None = None
    capacity: AssigneeCapacity
    decided_at: datetime


class TaskSummary(BaseModel):
    """A task in a list."""

    id: str
    kind: TaskKind
    rule: str
    subject: SubjectView
    question: str
    choices: list[ChoiceView]
    opened_at: datetime
    due_at: datetime
    due_provisional: bool
    status: TaskStatus
    on_behalf_of: PersonView | None = None
    round: int


class OpenTaskView(BaseModel):
    """A task as those who may see its subject see it."""

    id: str
    kind: TaskKind
    rule: str
    title: str
    asked: list[AskedView]
    opened_at: datetime
    due_at: datetime


class TimelineEntry(BaseModel):
    """One event of the record, in words."""

    at: datetime
    event: str
    text: str
    actor: PersonView | None = None
    body: dict[str, Any] = {}


class RejectionView(BaseModel):
    """Who rejected an application, why, and until when it can be appealed (N10)."""

    by: PersonView
    reason: str
    at: datetime
    appeal_until: datetime | None = None


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


class RuledView(BaseModel):
    """What somebody has said of a match, which stands until one of the two changes."""

    ruling: Ruling
    ruling_label: str
    person: PersonView
    at: datetime
    reason: str = ""


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


class ConflictMatch(BaseModel):
    """Something registered that may be the same, or belong to it.

    What the caller may not see is `masked`: that there is something, how close, and whom to ask; nothing else (X2).
    """

    kind: str
    """account, application, project or earlier_project (imported from before Baobei)"""
    id: str | None
    name: str | None
    """The customer, or the project."""
    customer_name: str | None = None
    salesperson: PersonView | None = None
    status: str | None = None
    since: datetime | None = None
    """When it was registered (A5)."""
    earlier: bool = True
    level: Level
    level_label: str
    score: float | None = None
    """0 to 1, for ordering."""
    because: list[str]
    """Every reason in a sentence, the strongest first."""
    masked: bool = False
    ruled: RuledView | None = None
    """What somebody has said of it before; one that is cleared does not count in the verdict."""


class ConflictCheck(BaseModel):
    """What the conflict detection says at this moment. Nothing is kept, and nothing is decided by it."""

    verdict: Level
    """The closest of the matches."""
    verdict_label: str
    notice: str
    """The verdict in a sentence: what it means, and what to do."""
    matches: list[ConflictMatch]
    """The first registered first (A5)."""
    more: int = 0
    """How many further matches were left out, the weakest."""
    not_compared: list[str] = []
    """Names that were looked for only by themselves and by their codes, because too many registrations are like those
    asked about or too many people ask at once; ask again for these alone."""
    unusual_names: list[UnusualName] = []
    """Names with characters that cannot be seen or are not what they seem."""


class ClaimantView(BaseModel):
    """One side of a dispute."""

    person: PersonView
    subject_type: str
    subject_id: str
    since: datetime


class DisputeView(BaseModel):
    """A dispute over a project (D1–D3)."""

    id: str
    workflow_id: str
    origin: Origin
    stage: DisputeStage
    stage_label: str
    round: int
    opened_at: datetime
    stage_since: datetime
    claimants: list[ClaimantView]
    proposal: dict[str, JsonValue] | None = None
    meeting: dict[str, JsonValue] | None = None
    outcome: dict[str, JsonValue] | None = None


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


class CreditView(BaseModel):
    """D3: what one person is credited with, in RMB."""

    person: PersonView
    percent: Decimal | None = None
    """Their share; null where several contracts are added up."""
    amount: Decimal


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


class ReviewView(BaseModel):
    """A review (R1–R4)."""

    id: str
    workflow_id: str
    title: str
    rhythm: Rhythm
    period: Period
    unit: str
    unit_name: str
    stage: ReviewStage
    stage_label: str
    opened_at: datetime
    closes_at: datetime
    """R6: until when it can be answered."""
    sets_for: str | None = None
    """The period that targets are set for (R2, R4)."""
    what_next: str = ""
    """Who is asked, until when, and what follows by itself (R6)."""


class TaskView(TaskSummary):
    """One task with everything to decide on."""

    asked: list[AskedView]
    note: dict[str, JsonValue] | None = None
    application: ApplicationView | None = None
    """The subject, where it is an application."""
    project: ProjectView | None = None
    """The subject, where it is a project."""
    review: ReviewView | None = None
    """The subject, where it is a review; `note` has its accounts with plan, figures and what was said."""
    decision: DecisionView | None = None


class Submitted(BaseModel):
    """The application that was begun, and what it collides with (N14)."""

    id: str
    workflow_id: str
    stage: Stage
    conflicts: list[dict[str, JsonValue]] = []
    """N14: earlier registrations this one collides with, without what is not the applicant's to know."""
    notice: str | None = None


class Stored(BaseModel):
    """202: durable, not recorded yet."""

    receipt: str
    status: Literal["stored"] = "stored"
    detail: str
    id: str | None = None
    workflow_id: str | None = None


class Result(BaseModel):
    """200: recorded."""

    receipt: str
    status: Literal["accepted"] = "accepted"
    detail: str
    task: str | None = None
    choice: str | None = None
    number: int | None = None
    """U1: which update of its project this one is."""
    next_events: list[dict[str, JsonValue]] | None = None
    """U5: what happens by itself from here on, unless the project is updated again."""
    changed: list[EvidenceKind] | None = None
    """N15: the kinds of evidence that are not what those saw who were asked last."""


class ReceiptView(BaseModel):
    """What has become of one statement: stored, accepted or refused."""

    receipt: str
    status: Literal["stored", "accepted", "refused"]
    detail: str
    recorded_at: datetime | None = None
    result: dict[str, JsonValue] = {}


def cursor_of(*parts: object) -> str:
    """An opaque cursor that names the last row of a page."""
    written = json.dumps([part.isoformat() if isinstance(part, datetime) else str(part) for part in parts])
    return base64.urlsafe_b64encode(written.encode()).rstrip(b"=").decode()


def parse_cursor(cursor: str | None, *kinds: Literal["number", "moment", "id"]) -> tuple[str, ...] | None:
    """What `cursor_of` wrote. Raises `Refusal` 422 for anything else."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise ValueError
        for part, kind in zip(parts, kinds, strict=True):
            if kind == "number":
                if part not in ("0", "1"):  # the rank of an open and of a closed task
                    raise ValueError
            elif kind == "moment":
                moment = datetime.fromisoformat(part)
                if moment.tzinfo is None:
                    raise ValueError
                moment.astimezone(UTC)  # year 1 in an eastern zone is no moment a database keeps
            elif kind == "id" and not (isinstance(part, str) and part.isascii() and part.isprintable()):
                raise ValueError
        return tuple(str(part) for part in parts)
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError):
        raise Refusal(422, RefusalCode.CURSOR_INVALID) from None

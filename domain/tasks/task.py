"""Human steps: what is asked of whom, what may be answered, and when enough have answered.

A person is only ever asked through a task, and only ever answers a task.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from domain.base import Moment, Wire
from domain.conflicts.rulings import MATCHES_FIELD


class TaskKind(StrEnum):
    """What is asked of somebody."""

    COMMERCE_CHECK = "commerce_check"
    SUPPLY_INFORMATION = "supply_information"
    VP_REVIEW = "vp_review"
    GM_APPROVAL = "gm_approval"
    GM_APPEAL = "gm_appeal"
    ASSIGN_CLERK = "assign_clerk"
    CONFLICT_CHECK = "conflict_check"
    CONFLICT_CONFIRMATION = "conflict_confirmation"
    PROJECT_APPROVAL = "project_approval"
    AGREE_SPLIT = "agree_split"
    CALL_MEETING = "call_meeting"
    RECORD_MEETING = "record_meeting"
    OBJECTION_REVIEW = "objection_review"
    RESUME_REVIEW = "resume_review"
    CONTRACT_REVIEW = "contract_review"
    WEEKLY_UPDATE = "weekly_update"
    WEEKLY_REVIEW = "weekly_review"
    MONTHLY_REVIEW = "monthly_review"
    START_REVIEW = "start_review"
    ANNUAL_REVIEW = "annual_review"


class TaskStatus(StrEnum):
    """Whether a task still waits, and how it ended."""

    OPEN = "open"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"
    MISSED = "missed"
    """R6: not done in its period."""


class FieldKind(StrEnum):
    """What a field of an answer holds."""

    TEXT = "text"
    FORM = "form"
    """The whole form of the application or the project, corrected."""
    PERSON = "person"
    """One person, by id."""
    PEOPLE = "people"
    """Several people, by id."""
    SUBJECTS = "subjects"
    """Some of the registrations that were found, by id."""
    RULINGS = "rulings"
    """What is said of some of the matches: `[{id, ruling, reason?}]`, ruling `cleared` or `same_company`."""
    SPLIT = "split"
    """D3: `[{person, percent}]`, adding up to exactly 100."""
    MOMENT = "moment"
    """A point in time with its offset (RFC 3339)."""
    DATE = "date"
    """A calendar day (ISO 8601)."""
    NUMBER = "number"
    """A whole number."""
    MONEY = "money"
    """An amount in RMB, as a decimal string."""
    CHOICE = "choice"
    """One of `options`."""
    ROWS = "rows"
    """One row for each of `options`: `[{id, …}]`, with a value for each of `columns`."""


class FieldSpec(Wire):
    """One value an answer may or must carry beside its reason."""

    name: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = False
    options: tuple[str, ...] = ()
    """The ids that may be named by a person, people, subjects or rulings field; empty: any. What a choice chooses from.
    Of rows, the ids that each have one, in this order."""
    others: bool = False
    """Of subjects: beside `options`, any other live one may be named, by its id or project number (P5)."""
    columns: tuple[FieldSpec, ...] = ()
    """What each row of a rows field holds beside its id."""
    unless: tuple[str, str] | None = None
    """In a row: required unless the column of that name has this value, and then left out."""
    at_least: int | None = None
    """Of a number, the number itself; of people or subjects, how many different ones."""
    at_most: int | None = None
    needs: tuple[str, ...] = ()
    """Fields that must be given when this one is."""


def rulings_field(matches: Sequence[str]) -> tuple[FieldSpec, ...]:
    """The field in which a clerk says of single matches what they are; none where nothing was found."""
    return (FieldSpec(name=MATCHES_FIELD, kind=FieldKind.RULINGS, options=tuple(matches)),) if matches else ()


class AnswerChoice(StrEnum):
    """What may be answered to a task; which of these, its kind and the moment decide."""

    PASS = "pass"
    RETURN = "return"
    SUPPLY = "supply"
    APPROVE = "approve"
    REJECT = "reject"
    HOLD = "hold"
    ASSIGN = "assign"
    CLEAR = "clear"
    SUSPECT = "suspect"
    CONFLICT = "conflict"
    NO_CONFLICT = "no_conflict"
    AGREE = "agree"
    DISAGREE = "disagree"
    CALLED = "called"
    RECORD = "record"
    CALL_MEETING = "call_meeting"
    UPHOLD_REFUSAL = "uphold_refusal"
    ACCEPT = "accept"
    RECEIVED = "received"
    SEND_BACK = "send_back"
    REPORT = "report"
    PLAN = "plan"
    SET_TARGETS = "set_targets"
    START = "start"
    DECIDE = "decide"


class AnswerOutcome(StrEnum):
    """The effect of an accepted answer."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    AGREED = "agreed"
    REROUTE = "reroute"


class Choice(Wire):
    """One possible answer, as the portal and the page offer it."""

    choice: str
    reason_required: bool = False
    special_reason: bool = False
    """N8: the reason asked for is the special reason for going above the account limit."""
    rule: str = ""
    """The rule that asks for the reason and the fields, where the choice alone does not say it."""
    fields: tuple[FieldSpec, ...] = ()


class AssigneeCapacity(StrEnum):
    """In which capacity somebody is asked."""

    HOLDER = "holder"
    DELEGATE = "delegate"
    STAND_IN = "stand_in"


class Asked(Wire):
    """One person who is asked by a task."""

    person: str
    capacity: AssigneeCapacity = AssigneeCapacity.HOLDER
    on_behalf_of: str | None = None
    name: str = ""
    """The person's name, for those who read the process."""


class Assignment(Asked):
    """One person whom a task asks, or has asked."""

    removed_at: datetime | None = None
    """Since when it asks them no longer."""


class Ask(Wire):
    """A human step the workflow wants taken."""

    kind: TaskKind
    slot: str = ""
    """Tells tasks of one kind apart: the VP a `vp_review` belongs to; the clerk of a `conflict_check`; the salesperson
    whose VP is asked, or who is asked to agree."""


class DueAction(StrEnum):
    """What happens to a task that is still open at that moment."""

    REMIND = "remind"
    STAND_IN = "stand_in"
    REFRESH = "refresh"
    """A delegation starts or ends: work out again who is asked."""
    WARN = "warn"
    """U10: the people concerned are told that the matter is shelved or closed unless somebody answers."""
    LAPSE = "lapse"
    """U10: nobody has answered; the matter is shelved or closed."""


class DueStep(Wire):
    """Something that happens automatically to an open task."""

    at: Moment
    action: DueAction
    provisional: bool = False
    """The days off of that year are not published yet; the moment may still move."""


class Decision(Wire):
    """An accepted answer."""

    task_id: str
    kind: TaskKind
    slot: str = ""
    choice: str
    special: bool = False
    """N8: the reason is a special reason for going above the account limit."""
    reason: str = ""
    person: str
    on_behalf_of: str | None = None
    capacity: AssigneeCapacity = AssigneeCapacity.HOLDER
    decided_at: datetime


class RecordedDecision(Decision):
    """An accepted answer and its effect, for the process to go on with."""

    outcome: str = ""
    """D1: proposed, confirmed or agreed. P2: reroute, when a company changed."""
    names: tuple[str, ...] = ()
    """People whom the answer names: the clerk assigned (P4), the sides still to be asked (D1)."""


class Problem(Wire):
    """One thing wrong with what somebody sent: which field, which rule, and the text key that says it."""

    field: str
    rule: str | None
    key: str
    params: dict[str, str] = {}


class Review(StrEnum):
    """How far a parallel review has come."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


def review_outcome(decisions: Sequence[Decision], asked: int) -> Review:
    """When enough have decided: one rejection is enough (N9), otherwise all `asked` must approve (N7)."""
    if any(decision.choice == AnswerChoice.REJECT for decision in decisions):
        return Review.REJECTED
    return Review.APPROVED if len(decisions) >= asked else Review.PENDING

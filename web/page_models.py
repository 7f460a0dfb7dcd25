"""What the pages behind a mail link show, as frozen values: `web.pages` turns them into HTML."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import JsonValue

from domain.accounts.application import ApplicationForm
from domain.accounts.evidence import Evidence
from domain.base import Frozen, Moment
from domain.conflicts.unusual_names import UnusualName
from domain.organisation import Language
from domain.periods import Period
from domain.projects.project import ProjectForm
from domain.reviews.notes import ReviewNote
from domain.subject import SubjectType
from domain.tasks.task import AssigneeCapacity, Choice, TaskKind
from texts.catalogue import DEFAULT_LANGUAGE
from texts.projects.project_lines import MatchLine
from texts.view_lines import DecisionLine, EligibilityLine
from web.forms.fields import Offered


class FormError(Frozen):
    """What is wrong with one input; `message` is already in the reader's language."""

    field: str
    """The input's name: `choice`, `reason`, `confirm`, `note_credit`, `customer.contacts.0.name`, …"""
    message: str


class Remark(Frozen):
    """Something a person said earlier that the reader has to know."""

    text: str
    person_name: str = ""
    at: Moment | None = None


class PageView(Frozen):
    """What every page knows."""

    language: Language = DEFAULT_LANGUAGE
    path: str
    """Where this page lives, e.g. `/d/<token>`: the form posts there, the language links lead there."""
    time_zone: str = "Asia/Shanghai"
    portal_url: str = ""


class Weighed(Frozen):
    """A5: one registration to weigh: when it was registered, the vendor's position, familiarity."""

    line: MatchLine
    own: bool = False
    """The registration that is asked about."""
    suspected: bool = False
    """P5: named by the clerk."""


class AboutSubject(PageView):
    """What every page about a task knows of its subject."""

    subject_type: SubjectType = SubjectType.APPLICATION
    subject_id: str = ""
    number: str = ""
    customer_name: str = ""
    project_name: str = ""
    period: Period | None = None
    """R1–R4: of a review; `unit_name` is whose review it is."""
    unit_name: str = ""


class AskingPage(AboutSubject):
    """One open task, for the one person it asks."""

    kind: TaskKind
    asked_name: str
    capacity: AssigneeCapacity = AssigneeCapacity.HOLDER
    on_behalf_of_name: str | None = None
    opened_at: Moment
    due_at: Moment | None = None
    provisional: bool = False
    choices: tuple[Choice, ...]
    entered: dict[str, str] = {}
    """What the reader had typed, when the page is shown again with errors."""
    errors: tuple[FormError, ...] = ()


class ReviewPage(AskingPage):
    """A task of a review (R1–R4)."""

    note: ReviewNote
    sets_for: str = ""
    """The period that targets are set for."""
    revoke_below: Decimal
    """R4: below this share of their target contracts are below expectation."""


class DecisionPage(AskingPage):
    """A task about an application or a project."""

    round: int
    applicant_name: str
    department_name: str = ""
    form: ApplicationForm | ProjectForm
    stage_label: str = ""
    offered: Offered = Offered()
    """What the controls offer to choose from."""
    weighed: tuple[Weighed, ...] = ()
    """A5, P4: the registration and everything else registered for it, the first registered first."""
    weaker: int = 0
    """How many further matches of a project the list leaves out, the weakest."""
    unusual_names: tuple[UnusualName, ...] = ()
    """Names with characters that cannot be seen or are not what they seem."""
    not_compared: tuple[str, ...] = ()
    """Companies of a project that were looked for only by their name and code."""
    note: dict[str, JsonValue] = {}
    """What the person asked has to know beside it: a proposal, a meeting, precedents, …; with names."""
    evidence: tuple[Evidence, ...] = ()
    may_gather_again: bool = False
    """N15: whoever is asked may have it gathered again."""
    """`note_by` holds a name, not an id."""
    eligibility: tuple[EligibilityLine, ...] = ()
    decisions: tuple[DecisionLine, ...] = ()
    accounts_held: int | None = None
    account_limit: int | None = None
    return_remark: Remark | None = None
    """Why commerce sent the application back (`supply_information`)."""
    appeal_remark: Remark | None = None
    """Why the salesperson appeals (`gm_appeal`)."""
    reason_remark: Remark | None = None
    """Why a project is where it is: an objection, a resumption, a suspicion, a wish for the meeting."""
    conflict_note: str = ""
    hidden: dict[str, str] = {}
    """Further inputs the answer must carry, e.g. an idempotency key."""


class ResultKind(StrEnum):
    """How an answer on a page ended."""

    ACCEPTED = "accepted"
    ALREADY = "already"
    """Somebody decided before; the first answer stands."""
    REFUSED = "refused"


class ResultPage(AboutSubject):
    """What became of an answer."""

    result: ResultKind
    task_kind: TaskKind
    choice: str = ""
    """The choice that counts: the reader's own, or the one that came first."""
    person_name: str = ""
    on_behalf_of_name: str = ""
    at: Moment | None = None
    reason: str = ""
    message: str = ""
    """Why it was refused, in the reader's language."""


class LinkStatus(StrEnum):
    """Why a link shows no form."""

    EXPIRED = "expired"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"
    MISSED = "missed"
    """R6: its period is over."""
    HANDED_ON = "handed_on"
    """The task is open and asks somebody else now."""
    DELEGATION_OVER = "delegation_over"
    """The same, of a delegate whose time is over."""
    SUPERSEDED = "superseded"
    """The application has moved on to another round."""
    UNKNOWN = "unknown"
    """Forged, damaged or never issued; says nothing about what exists."""
    STORED = "stored"
    """The answer is durable but not yet recorded."""
    AWAY = "away"

    @property
    def status(self) -> int:
        """The HTTP status that goes with the page."""
        return {LinkStatus.UNKNOWN: 404, LinkStatus.EXPIRED: 410, LinkStatus.STORED: 202, LinkStatus.AWAY: 503}.get(
            self, 200
        )


class LinkStatusPage(AboutSubject):
    """A quiet page that says what happened, by whom, and what to do next."""

    kind: LinkStatus
    task_kind: TaskKind | None = None
    choice: str = ""
    person_name: str = ""
    """Who decided, withdrew or asked for what closed the task; of a delegate, for whom they decided."""
    on_behalf_of_name: str = ""
    at: Moment | None = None
    newer: str = ""
    """D1: the page that asks the same person about the newest text."""
    reason: str = ""
    because: str = ""
    """The stage for which the task was closed."""
    delegate_of: str = ""
    delegate_until: Moment | None = None
    """Of a delegate whose time is over: for whom they decided, and until when."""
    asked_now: tuple[str, ...] = ()
    """Names of those it asks now."""
    receipt: str = ""

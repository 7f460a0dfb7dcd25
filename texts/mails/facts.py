"""What a mail contains, already looked up; `texts/mails/mail.py` puts it into words."""

from __future__ import annotations

from typing import Final

from domain.base import Moment, Wire
from domain.notices import LinkedAct, Notice
from domain.organisation import Language
from domain.reviews.periods import Period
from domain.subject import SubjectType, path_of
from domain.tasks.task import AssigneeCapacity, TaskKind
from texts.catalogue import DEFAULT_LANGUAGE
from texts.projects.project_lines import MatchLine
from texts.reports.report_parts import ReportPart
from texts.reviews.review_lines import AccountLine
from texts.tasks.deciding import DecidingFacts
from texts.view_lines import DecisionLine, EligibilityLine, Essential, EvidenceLine

SHORT_ID: Final = 8
"""Characters of an id that a subject line shows."""


ASKING: Final = frozenset({Notice.TASK, Notice.REMINDER, Notice.ASKED_KINDLY, Notice.STAND_IN})
"""Mails that ask for a decision: their link is personal."""


class StepAhead(Wire):
    """A step that follows on what was submitted."""

    kind: TaskKind
    people: tuple[str, ...] = ()
    """Names; empty where somebody is assigned first (P4)."""
    due_at: Moment
    """When it is decided at the latest."""
    provisional: bool = False


class MailFacts(Wire):
    """Everything a mail contains, already looked up: names, not ids."""

    kind: Notice
    language: Language = DEFAULT_LANGUAGE
    to_name: str = ""
    yours: bool = False
    """Whether it is the reader's own matter: they are addressed, others are told about whom."""
    subject_type: SubjectType = SubjectType.APPLICATION
    subject_id: str
    number: str = ""
    """The number of the application or project; if empty, its id (the first characters of a long one)."""
    project_name: str = ""
    project_number: str = ""
    """P9, once it is issued."""
    round: int | None = None
    customer_name: str = ""
    applicant_name: str = ""
    department_name: str = ""
    task_kind: TaskKind | None = None
    times: int = 0
    """Of a reminder: which one it is."""
    capacity: AssigneeCapacity = AssigneeCapacity.HOLDER
    on_behalf_of_name: str | None = None
    due_at: Moment | None = None
    closes_at: Moment | None = None
    """U10: when the matter is shelved or closed unless somebody answers."""
    provisional: bool = False
    """The holidays of that year are not published yet; the date may still change."""
    handed_on: bool = False
    """For a task that is no longer the reader's: it is still open, with other assignees."""
    stage_key: str = ""
    """Text key of the stage, such as `stage.vp_review`."""
    reason: str = ""
    decided_by_name: str = ""
    deciding: DecidingFacts | None = None
    """What somebody who is asked must know before anything else."""
    decisions: tuple[DecisionLine, ...] = ()
    essentials: tuple[Essential, ...] = ()
    evidence_lines: tuple[EvidenceLine, ...] = ()
    eligibility: tuple[EligibilityLine, ...] = ()
    matches: tuple[MatchLine, ...] = ()
    """A5: what else is registered for the customer, end user or channel of a project."""
    own: MatchLine | None = None
    """A5: the registration itself, to be weighed against its matches."""
    appeal_until: Moment | None = None
    conflict_note: str = ""
    ahead: tuple[StepAhead, ...] = ()
    """Who decides on what was submitted, and by when."""
    facts: tuple[Essential, ...] = ()
    """Further rows, such as the split that was agreed or when and where a meeting is."""
    until: Moment | None = None
    """The date in a notice of a project: until when to object, when it is shelved."""
    since: Moment | None = None
    """U2, U3: the time of the project's last update."""
    days: int = 0
    """U2–U4: how many days ago that was."""
    period: Period | None = None
    """R1–R4: of a review; `unit_name` is whose review it is, and `until` when it closes."""
    unit_name: str = ""
    accounts: tuple[AccountLine, ...] = ()
    """The accounts of a review task, or the one that was revoked (R5)."""
    account_id: str = ""
    """R5: the account that was revoked: its page is what the mail links to."""
    more_accounts: int = 0
    """How many more accounts there are."""
    silent: tuple[str, ...] = ()
    """R1: names of those who have not reported."""
    report: ReportPart | None = None
    """In mails that bring a report (U1, U9, R3, R4)."""
    invitation: str = ""
    """An RFC 5545 calendar to attach (D2)."""
    act: LinkedAct | None = None
    """What the reader is expected to do by their personal link, in a mail that is no task."""
    link: str = ""
    """The personal link, to a task or an act."""
    subject_url: str = ""
    """The page of the subject, for whoever signs in."""
    time_zone: str = "Asia/Shanghai"

    def __hash__(self) -> int:
        """Hashes a part of the fields only: not every field is hashable."""
        return hash((self.kind, self.subject_id, self.language))

    @property
    def page(self) -> str:
        """The path of the page that the mail leads to; empty for a report, which has none, and for
        somebody who handed a task on and sees its subject no longer (X2)."""
        if self.report or self.handed_on:
            return ""
        if self.account_id:
            return path_of("account", self.account_id)
        return path_of(self.subject_type, self.subject_id)

    @property
    def shown_number(self) -> str:
        return self.number or self.subject_id

    @property
    def short_number(self) -> str:
        """The number that people know, or the first characters of an id."""
        return self.project_number or self.number or self.subject_id[:SHORT_ID]

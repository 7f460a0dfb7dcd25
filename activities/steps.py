"""What the workflows hand to their activities and get back: one frozen model per message."""

from __future__ import annotations

from datetime import datetime

from domain.accounts.named_account import Obstacle
from domain.base import Wire
from domain.disputes.dispute import Claimant, DisputeOutcome, Origin
from domain.notices import Notice
from domain.projects.project import Track
from domain.projects.silence import Silence, SilenceDue
from domain.reviews.periods import Period, Rhythm
from domain.reviews.review import ReviewUnit
from domain.statements import CorrectContract, RegisterProject, Said, SubmitApplication
from domain.subject import Subject
from domain.tasks.task import Ask, Asked, DueAction, DueStep, RecordedDecision, TaskKind


class Step(Wire):
    """One step of one process. Its key says what it does, so that doing it twice is doing it once.

    Whose step it is comes from the engine (`activity.info()`), never from this message.
    """

    key: str
    now: datetime
    """The workflow's time; no activity asks the clock for a business date."""


class SubjectStep(Step):
    """A step of a process whose subject is on record."""

    subject: Subject


class SubmitStep(Step):
    """N1, N14: record an application that was handed in."""

    statement: SubmitApplication


class Submitted(Wire):
    """Whether the application was accepted, and what its process needs to know of it."""

    accepted: bool
    application_id: str = ""
    title: str = ""
    """What operators may read of it (X2)."""
    source_patience_seconds: int = 600
    """How long a background source may stay silent before it is marked as not available (N5)."""
    to_be_answered: bool = False
    """N14: the applicant is answered in a transaction of its own, once this one is recorded."""


class GatherStep(Step):
    """N3, N4: gather evidence for one round of an application."""

    application_id: str
    round: int


class Gathered(Wire):
    """Empty answer of a gathering step; the evidence itself stays in the record."""

    ask_outside: bool = False
    """A source outside is plugged in and has to be asked (N4)."""


class OpenTask(Wire):
    """A task as its workflow needs to know it."""

    id: str
    kind: TaskKind
    slot: str = ""
    asked: tuple[Asked, ...]
    opened_at: datetime
    due_at: datetime
    next_step: DueStep
    chased: int = 0
    """How many of its due steps have been carried out."""
    lapsed: bool = False
    """U10: nobody has answered for so long that the matter is over."""


class MoveStep(SubjectStep):
    """Go to a stage: close open tasks, open the new ones, notify people."""

    stage: str
    asks: tuple[Ask, ...] = ()
    notices: tuple[Notice, ...] = ()
    settles: tuple[str, ...] = ()
    """Messages whose consequences are visible once this step is recorded."""
    obstacle: Obstacle | None = None


class Moved(Wire):
    """What the process needs to know after a change of stage."""

    tasks: tuple[OpenTask, ...] = ()
    until: datetime | None = None
    """Until when somebody may speak against what was decided: an appeal (N10), an objection (P8)."""
    outcome: DisputeOutcome | None = None
    """How a dispute ended, once it has (D1, D2)."""
    ahead: tuple[SilenceDue, ...] | None = None
    """What happens automatically from here on, where the move changed it (U2–U5, U7)."""
    updated_at: datetime | None = None
    """From when those clocks run."""


class RecordStep(SubjectStep):
    """Judge a statement and record the result."""

    statement: Said


class Sent(Wire):
    """A message as it arrived: the kind of statement that its signal brings, and the JSON text, unread."""

    kind: str
    text: str


class SiftStep(SubjectStep):
    """Drop, in one step, those of many messages that the gateway has not sealed."""

    messages: tuple[Sent, ...]


class Sifted(Wire):
    """Which of many messages carry a seal."""

    sealed: tuple[int, ...] = ()
    """The places of the messages that are to be read, each once."""


class Recorded(Wire):
    """The result of a statement."""

    accepted: bool
    code: str = ""
    decision: RecordedDecision | None = None
    round: int | None = None
    """The round the subject is in now, when the statement began a new one."""
    settled: bool = False
    """Everything that follows from the statement is recorded; no move has to answer for it."""
    tasks: tuple[OpenTask, ...] | None = None
    """The open tasks, where the statement changed who is asked."""
    ahead: tuple[SilenceDue, ...] | None = None
    """What happens automatically from here on, where the statement restarted the clocks (U5)."""
    updated_at: datetime | None = None
    """When the project was updated by it, as the record has it: a step that is done again gives its first moment."""
    asks_commerce: bool = False
    """U7: the contract review application was handed in, so that commerce is asked to receive it."""


class ActivateStep(Step):
    """N7, N8: make the customer a Named Account, or say what stands in the way."""

    application_id: str
    gm_decision: str | None = None
    """The task by which the general manager approved, if they did (N8, N10)."""
    settles: tuple[str, ...] = ()


class Activated(Wire):
    """The account that was made, or the obstacle."""

    account_id: str | None = None
    obstacle: Obstacle | None = None


class ReminderStep(SubjectStep):
    """Carry out the next due step of an open task (N12, U10)."""

    task_id: str
    action: DueAction | None = None
    """Of what stands still; otherwise the next step of N12."""


class RefreshStep(SubjectStep):
    """The organisation or the calendar changed: work out again who is asked and until when."""


class Refreshed(Wire):
    """The open tasks, with the assignees and deadlines of now."""

    tasks: tuple[OpenTask, ...]


class RegisterStep(Step):
    """P1, P4: record a project registration that was handed in."""

    statement: RegisterProject


class Registered(Wire):
    """Whether the registration was accepted, and what its process needs to know of it."""

    accepted: bool
    project_id: str = ""
    title: str = ""
    """What operators may read of it (X2)."""
    salesperson: str = ""
    resumes: bool = False
    """U6: commerce has to accept the resumption first."""


class RouteStep(SubjectStep):
    """P1, P3, P4: find out whose customer it is and what else is registered for it."""


class Routed(Wire):
    """Which way a registration takes, and whose accounts it concerns."""

    track: Track
    claimants: tuple[Claimant, ...] = ()
    """P3: the responsible salespeople of the accounts concerned."""


class SuspectsStep(SubjectStep):
    """P5: whom the suspected registrations belong to."""

    task_id: str


class Suspects(Wire):
    """The salespeople of the suspected registrations."""

    claimants: tuple[Claimant, ...]


class ApproveProjectStep(SubjectStep):
    """P9: approve the project and issue its number."""

    settles: tuple[str, ...] = ()


class ApprovedProject(Wire):
    """The number, and what follows from silence."""

    number: str = ""
    """P9."""
    ahead: tuple[SilenceDue, ...] = ()
    """What happens automatically from here on, unless the project is updated (U2–U5)."""
    updated_at: datetime | None = None
    """From when the clocks run."""


class SilenceStep(SubjectStep):
    """U2, U3: remind of a project that nobody updates."""

    silence: Silence


class CorrectContractStep(Step):
    """U7: another amount for a contract on record."""

    statement: CorrectContract


class ContractCorrected(Wire):
    """Whether the correction was accepted."""

    accepted: bool


class Reminded(Wire):
    """A reminder of silence was sent (U2, U3)."""

    ahead: tuple[SilenceDue, ...] | None = None
    """What happens automatically from here on (U2–U5); None in histories recorded before the step returned it."""


class OpenDisputeStep(Step):
    """D1: begin a dispute over a project with the claimants."""

    dispute_id: str
    project_id: str
    origin: Origin
    claimants: tuple[Claimant, ...]


class BrokenDisputeStep(SubjectStep):
    """The process of a dispute was ended by hand: what has become of it?"""

    dispute_id: str


class BrokenDispute(Wire):
    """How a dispute ended whose process was ended by hand."""

    outcome: DisputeOutcome | None = None
    """How it had ended by then, if it had; otherwise it is closed, and another takes its place."""


class DisputeOpened(Wire):
    """Who takes part in a dispute that has begun."""

    title: str = ""
    applicant: str = ""
    sides: tuple[str, ...] = ()
    """The salespeople who have to agree (D1)."""
    meeting_wanted: bool = False
    """D4: they have agreed already, and somebody who may step in wants the meeting."""


class PlanPeriodStep(Step):
    """Which period a run is about, and whether it is the one that does it."""

    rhythm: Rhythm
    scheduled_at: datetime


class PlannedPeriod(Wire):
    """The period of a run, and whether this run carries it out."""

    ours: bool
    """False: another run does it or has done it."""
    period: Period
    opens_at: datetime


class PeriodStep(Step):
    """A step of the period that this run has begun."""

    period: Period


class ReportsMade(Wire):
    """Empty answer: reports stay in the record."""


class PeriodReviews(Wire):
    """The reviews of a period that people are asked in."""

    reviews: tuple[ReviewUnit, ...] = ()


class OpenReviewStep(Step):
    """R1–R4: begin the review of one unit in a period."""

    review_id: str
    period: Period
    unit: str


class ReviewOpened(Wire):
    """The title of a review, and its dates."""

    title: str
    closes_at: datetime
    """R6: until when it can be done."""
    updates_until: datetime
    """R1: until when the department GM waits for the salespeople."""

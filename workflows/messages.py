"""Names that the worker, the API and the tests share about the processes: ids, queue, attributes, start input."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeVar, cast

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from temporalio.common import SearchAttributeKey

from activities.steps import OpenTask
from domain.application import Stage
from domain.base import Wire
from domain.dispute import Claimant, DisputeStage, Origin
from domain.periods import Period, Rhythm
from domain.project import ProjectStage
from domain.project_life import SilenceDue
from domain.reviews import ReviewStage
from domain.statements import CorrectContract, RegisterProject, Said, Statement, SubmitApplication
from domain.tasks import Decision, Taken

S = TypeVar("S", bound=Statement)

TASK_QUEUE = "baobei"

STAGE = SearchAttributeKey.for_keyword("Stage")
WAITING_FOR = SearchAttributeKey.for_keyword_list("WaitingFor")
DUE_AT = SearchAttributeKey.for_datetime("DueAt")
DEPARTMENT = SearchAttributeKey.for_keyword("Department")
APPLICANT = SearchAttributeKey.for_keyword("Applicant")
LAST_UPDATE_AT = SearchAttributeKey.for_datetime("LastUpdateAt")
"""U1: when an active project was last updated."""
SEARCH_ATTRIBUTES: tuple[SearchAttributeKey[Any], ...] = (
    STAGE,
    WAITING_FOR,
    DUE_AT,
    DEPARTMENT,
    APPLICANT,
    LAST_UPDATE_AT,
)


def application_workflow_id(application_id: str) -> str:
    return f"application-{application_id}"


def project_workflow_id(project_id: str) -> str:
    return f"project-{project_id}"


def dispute_workflow_id(dispute_id: str) -> str:
    return f"dispute-{dispute_id}"


def correction_workflow_id(message_id: str) -> str:
    return f"correction-{message_id}"


def review_workflow_id(review_id: str) -> str:
    return f"review-{review_id}"


class FactsChanged(Wire):
    """The organisation or the calendar changed; open tasks are worked out again. Decides nothing, so it has no seal."""

    kind: Literal["facts_changed"] = "facts_changed"
    version: str = ""


Message = Annotated[Said | FactsChanged, Field(discriminator="kind")]
"""Whatever a running process may be sent."""


def claim(kind: type[S], sent: Sequence[object]) -> S:
    """What a signal said, unreadable when it is not one statement. Never raises: anyone may have sent it."""
    return kind.model_validate(sent[0] if len(sent) == 1 else None)


class DeskState(Wire):
    """What the desk of a process knows, carried from run to run."""

    moves: int = 0
    tasks: tuple[OpenTask, ...] = ()
    decisions: tuple[Taken, ...] = ()
    settles: tuple[str, ...] = ()
    """Messages that the next move answers for."""
    refreshes: int = 0
    unread: tuple[Message, ...] = ()
    """What arrived and is not recorded yet."""


class ApplicationState(Wire):
    """Where an application stands, carried from run to run."""

    application_id: str
    title: str
    stage: Stage
    since: datetime
    round: int = 1
    source_patience_seconds: int = 600
    approvals: tuple[Decision, ...] = ()
    gm_decision: str | None = None
    appeal_until: datetime | None = None
    desk: DeskState = DeskState()


class StartApplication(Wire):
    """Input of `NamedAccountApplication`: the submission of a new one, or the state of one that goes on.

    A submission is readable whatever is sent, so that a process started by hand ends in a recorded refusal and not in a
    stuck task.
    """

    submission: SubmitApplication = SubmitApplication()
    state: ApplicationState | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _keep_what_cannot_be_read(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError:
            if isinstance(data, dict) and data.get("state"):
                raise  # a newer worker wrote it: this task waits for one, rather than end a process that goes on
            return cast(Self, cls.model_construct(submission=SubmitApplication(unreadable=True)))


class ProjectState(Wire):
    """Where a registration stands, carried from run to run."""

    project_id: str
    title: str
    applicant: str
    salesperson: str
    """The responsible salesperson."""
    decides: str
    """The salesperson whose VP decides the project: the applicant, or another after a dispute (D1, D2)."""
    stage: ProjectStage
    since: datetime
    round: int = 1
    disputes: int = 0
    origin: Origin = Origin.OTHER_ACCOUNT
    claimants: tuple[Claimant, ...] = ()
    until: datetime | None = None
    """P8: until when a refusal may be objected to."""
    ahead: tuple[SilenceDue, ...] = ()
    """What happens by itself unless the project is updated (U2–U5)."""
    updated_at: datetime | None = None
    desk: DeskState = DeskState()


class StartProject(Wire):
    """Input of `ProjectRegistration`: a new registration, or the state of one that goes on. Readable whatever is sent,
    as `StartApplication` is."""

    registration: RegisterProject = RegisterProject()
    state: ProjectState | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _keep_what_cannot_be_read(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError:
            if isinstance(data, dict) and data.get("state"):
                raise  # a newer worker wrote it
            return cast(Self, cls.model_construct(registration=RegisterProject(unreadable=True)))


class StartCorrection(Wire):
    """Input of `ContractCorrection`. Readable whatever is sent, as `StartApplication` is."""

    correction: CorrectContract = CorrectContract()

    @model_validator(mode="wrap")
    @classmethod
    def _keep_what_cannot_be_read(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError:
            return cast(Self, cls.model_construct(correction=CorrectContract(unreadable=True)))


class DisputeState(Wire):
    """Where a dispute stands, carried from run to run."""

    title: str
    applicant: str
    stage: DisputeStage
    since: datetime
    round: int = 1
    desk: DeskState = DeskState()


class StartDispute(Wire):
    """Input of `ProjectDispute`, from the registration that is its parent."""

    dispute_id: str
    project_id: str
    origin: Origin
    claimants: tuple[Claimant, ...]
    state: DisputeState | None = None


class StartPeriod(Wire):
    """Input of `ReviewPeriod`, from its schedule."""

    rhythm: Rhythm
    scheduled_at: datetime | None = None
    """For which moment; without it, the one of the schedule, or now."""


class PeriodDone(Wire):
    """What a run of `ReviewPeriod` has done, for operators."""

    period: str
    done_before: bool = False
    """Another run has done it; this one has changed nothing."""
    reviews: int = 0
    missed: tuple[str, ...] = ()
    """R6: the reviews in which somebody has not done their part, or which were ended by hand."""


class ReviewState(Wire):
    """Where a review stands, carried from run to run."""

    title: str
    stage: ReviewStage
    since: datetime
    closes_at: datetime
    updates_until: datetime
    missed: bool = False
    desk: DeskState = DeskState()


class StartReview(Wire):
    """Input of `AccountReview`, from the period it belongs to."""

    review_id: str
    period: Period
    unit: str
    state: ReviewState | None = None


class ProcessStatus(Wire):
    """Answer of the `status` query, for operators."""

    stage: str
    since: datetime
    round: int
    waiting_for: tuple[str, ...]
    next_event_at: datetime | None

"""Names that the worker, the API and the tests share about the processes: ids, queue, attributes, start input."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import from_json
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.common import RawValue, SearchAttributeKey

from activities.steps import OpenTask
from domain.accounts.application import Stage
from domain.base import Wire
from domain.disputes.dispute import Claimant, DisputeStage, Origin
from domain.projects.project import ProjectStage
from domain.projects.silence import SilenceDue
from domain.reviews.periods import Period, Rhythm
from domain.reviews.review import ReviewStage
from domain.statements import CorrectContract, RegisterProject, Said, Statement, SubmitApplication, statement_of
from domain.tasks.task import Decision, RecordedDecision

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
    """The workflow id of an application."""
    return f"application-{application_id}"


def project_workflow_id(project_id: str) -> str:
    """The workflow id of a registration."""
    return f"project-{project_id}"


def dispute_workflow_id(dispute_id: str) -> str:
    """The workflow id of a dispute."""
    return f"dispute-{dispute_id}"


def correction_workflow_id(message_id: str) -> str:
    """The workflow id of a correction of a contract."""
    return f"correction-{message_id}"


def review_workflow_id(review_id: str) -> str:
    """The workflow id of a review."""
    return f"review-{review_id}"


class FactsChanged(Wire):
    """The organisation or the calendar changed; open tasks are worked out again. Decides nothing, so it has no seal."""

    kind: Literal["facts_changed"] = "facts_changed"
    version: str = ""


Message = Annotated[Said | FactsChanged, Field(discriminator="kind")]
"""Whatever a running process may be sent."""


BUNDLE = f"bundle-{secrets.token_hex(16)}"
"""The signal that stands for many that came together. It exists in this program only, so nobody can send it."""
SIGNAL_NAME = "signal"
"""Metadata of a payload in a bundle: the signal it stands for. Its data are all payloads of that signal."""


def bundle(signals: Iterable[tuple[str, Sequence[Payload]]]) -> list[Payload]:
    """One payload for each signal, given as name and payloads: what a signal `BUNDLE` carries."""
    return [
        Payload(metadata={SIGNAL_NAME: name.encode()}, data=Payloads(payloads=sent).SerializeToString())
        for name, sent in signals
    ]


def unbundled(signal: str, sent: Sequence[RawValue]) -> Iterator[tuple[str, Sequence[Payload]]]:
    """The signals that have arrived, by name and payloads, in their order: one, or all those in a bundle."""
    if signal != BUNDLE:
        yield signal, [raw.payload for raw in sent]
        return
    for raw in sent:
        yield raw.payload.metadata[SIGNAL_NAME].decode(), Payloads.FromString(raw.payload.data).payloads


FACTS_CHANGED = "facts_changed"
"""Kind of `FactsChanged`, and the signal that brings it."""


HAND_BACK = "hand_back"
"""The signal by which a registration asks its dispute for where it stands, to begin it again in the registration's next
run. It brings nothing and has no seal: whoever sends it by hand only has the dispute begun again where it stood."""


def signals(**brings: type[Statement]) -> dict[str, str]:
    """The kind of message that each signal of a process brings, by its name. All of them hear `facts_changed`.

    They are heard by a handler for all signals, because only that one is given payloads as they came. With a handler
    for each, the SDK decodes first, and what it cannot decode is lost without a trace.
    """
    return {FACTS_CHANGED: FACTS_CHANGED} | {name: said.model_fields["kind"].default for name, said in brings.items()}


UNREADABLE = "null"
"""Stands for what a signal brought that no statement can be read from."""


def text_of(sent: Sequence[Payload]) -> str | None:
    """The JSON text that a signal brought, unread; `UNREADABLE` for nothing, for several things and for what was
    encrypted with a key that is not configured here. None for what no converter takes. Never raises."""
    texts = [_text_of(payload) for payload in sent]
    if None in texts:
        return None
    return texts[0] if len(texts) == 1 else UNREADABLE


def _text_of(payload: Payload) -> str | None:
    match payload.metadata.get("encoding"):
        case b"json/plain":
            try:
                from_json(payload.data)
                return payload.data.decode()
            except ValueError:
                return None
        case b"binary/null" | b"binary/plain" | b"binary/encrypted":
            return UNREADABLE
        case _:
            return None


class Arrived:
    """A message that has arrived. It is not read before its turn: of a flood hardly any ever is."""

    __slots__ = ("_message", "kind", "text")

    def __init__(self, kind: str, text: str, message: Message | None = None) -> None:
        """`text` is the JSON that it came as, `kind` the statement that its signal brings."""
        self.kind = kind
        self.text = text
        self._message = message

    @classmethod
    def before(cls, message: Message) -> Self:
        """One that arrived in an earlier run."""
        return cls(message.kind, message.model_dump_json(), message)

    @property
    def message(self) -> Message:
        """What it says, unreadable when it is not one statement. Never raises: anyone may have sent it."""
        if self._message is None:
            self._message = FactsChanged() if self.kind == FACTS_CHANGED else statement_of(self.kind, self.text)
        return self._message


class DeskState(Wire):
    """What the desk of a process knows, carried from run to run."""

    moves: int = 0
    tasks: tuple[OpenTask, ...] = ()
    decisions: tuple[RecordedDecision, ...] = ()
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


class DisputeState(Wire):
    """Where a dispute stands, carried from run to run."""

    title: str
    applicant: str
    stage: DisputeStage
    since: datetime
    round: int = 1
    desk: DeskState = DeskState()


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
    """What happens automatically unless the project is updated (U2–U5)."""
    updated_at: datetime | None = None
    dispute: DisputeState | None = None
    """Where its dispute stood when it was handed back; the next run begins it again there."""
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

"""Statements that people send to a running process. A statement is a claim until the record has checked its seal."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import Field, JsonValue, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import from_json

from domain.accounts.application import ApplicationForm
from domain.base import Wire
from domain.disputes.dispute import MeetingCall
from domain.projects.project import ContractCorrection, ContractReview, Loss, ProjectForm, ProjectUpdate, Resumption

UNDECODABLE = {"undecodable": True}
"""What the payload codec returns for a payload that none of our keys can decrypt."""
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Statement(Wire):
    """A statement by a person: who, when, by which channel, sealed by the signal gateway.

    Anyone with access to the engine can send a statement, in any shape. So every field has a default and an
    unreadable one becomes `unreadable` instead of being dropped: it then shows in the record as refused.
    """

    message_id: str = ""
    workflow_id: str = ""
    person: str = ""
    said_at: datetime = NEVER
    channel: str = ""
    body_hash: str = ""
    """SHA-256 of the request body, so that one Idempotency-Key cannot carry two bodies."""
    seal: str = ""
    unreadable: bool = False

    @property
    def fingerprint(self) -> str:
        """Identifies this statement, even against a forged one with the same message id."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:32]

    @model_validator(mode="wrap")
    @classmethod
    def _keep_what_cannot_be_read(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if data == UNDECODABLE:
            return cast(Self, cls.model_construct(unreadable=True))
        try:
            statement = handler(data)
        except ValidationError:
            return cast(Self, cls.model_construct(unreadable=True))
        if not all(_storable(value) for _, value in statement):
            return cast(Self, cls.model_construct(unreadable=True))
        return statement


def _storable(value: object) -> bool:
    """Whether every text in `value` can be stored: PostgreSQL rejects NUL, and UTF-8 lone surrogates."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    if isinstance(value, dict):
        return all(_storable(name) and _storable(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(_storable(inner) for inner in value)
    return True


class SubmitApplication(Statement):
    """N1: the form is complete; start the process."""

    kind: Literal["submit_application"] = "submit_application"
    application_id: str = ""
    form: ApplicationForm | None = None


class RegisterProject(Statement):
    """P1, P4: the form is complete; start the process. U6: `resumes` a shelved project, with the reasons for it."""

    kind: Literal["register_project"] = "register_project"
    project_id: str = ""
    form: ProjectForm | None = None
    resumes: str | None = None
    resumption: Resumption | None = None


class AnswerTask(Statement):
    """The answer to an open task."""

    kind: Literal["answer_task"] = "answer_task"
    task_id: str = ""
    choice: str = ""
    reason: str = ""
    fields: dict[str, JsonValue] = {}


class Withdraw(Statement):
    """N13: the applicant withdraws it."""

    kind: Literal["withdraw"] = "withdraw"
    reason: str = ""


class AppealRejection(Statement):
    """N10: appeal to the general manager."""

    kind: Literal["appeal_rejection"] = "appeal_rejection"
    reason: str = ""


class GatherEvidence(Statement):
    """N15: commerce requests fresh evidence."""

    kind: Literal["gather_evidence"] = "gather_evidence"


class ObjectToRefusal(Statement):
    """P8: the applicant objects to a refusal, with reasons."""

    kind: Literal["object_to_refusal"] = "object_to_refusal"
    reason: str = ""


class CallForMeeting(Statement):
    """D2: a side, a VP or the general manager requests the coordination meeting instead of an agreement."""

    kind: Literal["call_for_meeting"] = "call_for_meeting"
    reason: str = ""


class MoveMeeting(Statement):
    """D5: the coordination meeting is moved in time or place, or has other participants."""

    kind: Literal["move_meeting"] = "move_meeting"
    meeting: MeetingCall | None = None
    reason: str = ""


class CallOffMeeting(Statement):
    """D5: the coordination meeting is called off."""

    kind: Literal["call_off_meeting"] = "call_off_meeting"
    reason: str = ""


class UpdateProject(Statement):
    """U1: the weekly update; it restarts all three clocks (U5)."""

    kind: Literal["update_project"] = "update_project"
    update: ProjectUpdate | None = None


class ReportLoss(Statement):
    """U8: the project is lost."""

    kind: Literal["report_loss"] = "report_loss"
    loss: Loss | None = None


class ReceiveContract(Statement):
    """U7: the salesperson submits the contract review application, or commerce records one it has received."""

    kind: Literal["receive_contract"] = "receive_contract"
    contract: ContractReview | None = None


class CorrectContract(Statement):
    """U7: commerce corrects the amount of a signed contract, with the reason."""

    kind: Literal["correct_contract"] = "correct_contract"
    project_id: str = ""
    correction: ContractCorrection | None = None


class Reassign(Statement):
    """A salesperson leaves: an operator reassigns their project, or their side of a dispute, with a reason."""

    kind: Literal["reassign"] = "reassign"
    was: str = ""
    """The person who leaves. A project that belongs to somebody else by now is unchanged."""
    to: str = ""
    reason: str = ""


Said = Annotated[
    AnswerTask
    | Withdraw
    | AppealRejection
    | GatherEvidence
    | ObjectToRefusal
    | CallForMeeting
    | MoveMeeting
    | CallOffMeeting
    | UpdateProject
    | ReportLoss
    | ReceiveContract
    | Reassign,
    Field(discriminator="kind"),
]
"""Every statement that a running process accepts."""

_BY_KIND: dict[str, type[Statement]] = {said.model_fields["kind"].default: said for said in get_args(get_args(Said)[0])}


def statement_of(kind: str, text: str) -> Said:
    """The statement of this kind in the JSON `text`; `Unreadable` if it is invalid. Raises only `KeyError`, for an
    unknown kind."""
    said = _BY_KIND[kind]
    try:
        return cast(Said, said.model_validate(from_json(text)))
    except ValueError:
        return cast(Said, said.model_construct(unreadable=True))

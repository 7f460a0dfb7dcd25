"""What people say to a running process. Each statement is a claim until the record has checked its seal."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Self, cast

from pydantic import JsonValue, ModelWrapValidatorHandler, ValidationError, model_validator

from domain.application import ApplicationForm
from domain.base import Wire

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Statement(Wire):
    """Somebody said something: who, when, by which channel, sealed by the front door.

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
        """Tells this statement from every other, also from a forged one that borrows its message id."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:32]

    @model_validator(mode="wrap")
    @classmethod
    def _keep_what_cannot_be_read(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            statement = handler(data)
        except ValidationError:
            return cast(Self, cls.model_construct(unreadable=True))
        if not all(_storable(value) for _, value in statement):
            return cast(Self, cls.model_construct(unreadable=True))
        return statement


def _storable(value: object) -> bool:
    """Whether every text in `value` can be written down: PostgreSQL keeps no NUL, and nothing a lone surrogate."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    if isinstance(value, dict):
        return all(_storable(name) and _storable(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(_storable(inner) for inner in value)
    return True


class SubmitApplication(Statement):
    """N1: the form is complete; start the process."""

    application_id: str = ""
    form: ApplicationForm | None = None


class AnswerTask(Statement):
    """An answer to one open task."""

    task_id: str = ""
    choice: str = ""
    reason: str = ""
    fields: dict[str, JsonValue] = {}


class WithdrawApplication(Statement):
    """N13."""

    reason: str = ""


class AppealRejection(Statement):
    """N10: put the application before the general manager."""

    reason: str = ""

"""Deciding several tasks at once: which kinds allow it, with which answer, and which tasks have to be decided alone."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from domain.tasks.task import AnswerChoice, Choice, TaskKind

CHOICES: Final = {
    TaskKind.COMMERCE_CHECK: AnswerChoice.PASS,
    TaskKind.VP_REVIEW: AnswerChoice.APPROVE,
    TaskKind.GM_APPROVAL: AnswerChoice.APPROVE,
    TaskKind.PROJECT_APPROVAL: AnswerChoice.APPROVE,
    TaskKind.RESUME_REVIEW: AnswerChoice.ACCEPT,
}
"""The answer that may be given to several tasks of a kind: none that needs a reason, and none that ends a matter."""
MOST_TOGETHER: Final = 30
"""A page of the inbox."""


class Alone(StrEnum):
    """Why a task has to be decided on its own."""

    KIND = "kind"
    LAST_APPEAL = "last_appeal"
    """N10: the decision is final."""
    REASON = "reason"
    """N8: the answer needs a reason or a field."""
    CONFLICT = "conflict"
    """N14, P4: something stands in the way."""


def why_alone(kind: TaskKind, choices: Sequence[Choice], *, conflict: bool = False) -> Alone | None:
    """Why the task has to be decided on its own, or None where it may be decided with others.

    `choices`: what may be answered now. `conflict`: whether it is in conflict with a registration.
    """
    if kind is TaskKind.GM_APPEAL:
        return Alone.LAST_APPEAL
    offered = next((choice for choice in choices if choice.choice == CHOICES.get(kind)), None)
    if offered is None:
        return Alone.KIND
    if offered.reason_required or any(field.required for field in offered.fields):
        return Alone.REASON
    return Alone.CONFLICT if conflict else None

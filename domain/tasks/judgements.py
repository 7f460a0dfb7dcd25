"""Whether an answer to a task is accepted, or refused and why (N6, N8, N10, N12, D1, R6).

Pure: whoever calls gathers the facts first, and records what was judged afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from domain.base import Frozen
from domain.organisation import Organisation
from domain.refusals import RefusalCode, Refused, refuse_wrong
from domain.reviews.review import SAID_ALONE
from domain.statements import AnswerTask
from domain.tasks.answer_fields import answer_problems
from domain.tasks.task import (
    AnswerChoice,
    AnswerOutcome,
    Asked,
    AssigneeCapacity,
    Assignment,
    Choice,
    TaskStatus,
)

HANDED_ON: Final = "handed_on"
"""Why an open task no longer asks somebody: others are asked now."""
_ALONE = frozenset({AnswerChoice.APPROVE, AnswerChoice.NO_CONFLICT}) | SAID_ALONE


class AnswerFacts(Frozen):
    """What the record holds of a task when somebody answers it."""

    status: TaskStatus
    closing: dict[str, Any] = {}
    """Of a task that is not open: how it ended, as far as the person may know."""
    superseded: bool = False
    """D1: it asks about a text that another one has replaced."""
    newer_task: str | None = None
    """D1: the task by which the same person is asked about the newer text."""
    own: bool = False
    """Whether the person would decide on what they have applied for themselves."""
    asked: tuple[Asked, ...] = ()
    """Who is asked at this moment."""
    before: Assignment | None = None
    """How the person was asked before this moment, if they were."""


def closed_code(status: TaskStatus) -> RefusalCode:
    """Why a task of that status, which is not open, takes no answer."""
    match status:
        case TaskStatus.ANSWERED:
            return RefusalCode.ALREADY_ANSWERED
        case TaskStatus.MISSED:
            return RefusalCode.TASK_MISSED
        case _:
            return RefusalCode.TASK_WITHDRAWN


def judge_respondent(facts: AnswerFacts | None, person: str, organisation: Organisation, now: datetime) -> Asked:
    """In which capacity `person` answers a task. `facts`: None for a task that does not exist.

    Whoever is asked at this moment may answer, however that came about: delegations are judged now, not when the task
    was opened (N12). The first answer stands; nobody decides on what is their own. Raises `Refused`.
    """
    if facts is None:
        raise Refused(RefusalCode.UNKNOWN_TASK)
    if facts.superseded:
        raise Refused(RefusalCode.AGREEMENT_SUPERSEDED, newer_task=facts.newer_task)
    if facts.status is not TaskStatus.OPEN:
        raise Refused(closed_code(facts.status), **facts.closing)
    if facts.own:
        raise Refused(RefusalCode.OWN_APPLICATION)
    asked = next((asked for asked in facts.asked if asked.person == person), None)
    if asked is None:
        code, told = no_longer_asked(facts.before, organisation, now)
        raise Refused(code, **told)
    return asked


def judge_form(choices: Sequence[Choice], answer: AnswerTask) -> Choice:
    """The choice that was made, by what may be answered now (N8). Raises `Refused` with every wrong field."""
    refuse_wrong(answer_problems(choices, choice=answer.choice, reason=answer.reason, fields=answer.fields))
    return next(choice for choice in choices if choice.choice == answer.choice)


def waits_for_others(choice: str, outcome: str, *, still_asked: bool) -> bool:
    """Whether nothing follows from an answer until others who are asked have answered as well (N7, D1, R1, R4)."""
    return still_asked and (choice in _ALONE or outcome == AnswerOutcome.CONFIRMED)


def no_longer_asked(
    before: Assignment | None, organisation: Organisation, now: datetime
) -> tuple[RefusalCode, dict[str, Any]]:
    """Why an open task does not ask somebody who was asked as `before`: the code of the refusal and its facts.

    A delegate is told that their time is over (N12), which may be before the task itself was moved.
    """
    if before is None:
        return RefusalCode.NOT_ASKED, {}
    if before.capacity is AssigneeCapacity.DELEGATE and before.on_behalf_of:
        given = [delegation for delegation in organisation.delegations if delegation.person == before.on_behalf_of]
        held = [delegation for delegation in given if delegation.delegate == before.person]
        if not any(delegation.in_force(now) for delegation in held):
            ended = max((delegation.end for delegation in held if delegation.end <= now), default=before.removed_at)
            principal = {"on_behalf_of": organisation.name_of(before.on_behalf_of)}
            return RefusalCode.DELEGATION_OVER, _closed(RefusalCode.DELEGATION_OVER.value, ended, **principal)
    return RefusalCode.NOT_ASKED, _closed(HANDED_ON, before.removed_at) if before.removed_at else {}


def _closed(because: str, at: datetime | None, **facts: str) -> dict[str, Any]:
    moment = {"at": at.isoformat()} if at else {}
    return {"closed": {"because": because, **facts, **moment}}

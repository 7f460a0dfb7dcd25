"""How a task ended that accepts no more answers: decided, by whom and when; or closed, and why (N9, N12, N13)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables.accounts import application
from db.tables.disputes import dispute
from db.tables.projects import project
from db.tables.tasks import decision, task
from db.tasks import tasks
from db.tasks.tasks import AskedRow, DecisionRow, TaskRow
from domain.base import Wire
from domain.organisation import Organisation
from domain.subject import SubjectType
from domain.tasks.task import AnswerChoice, TaskStatus

WITHDRAWN, MEETING, SIGNED, LOST = "withdrawn", "calling_meeting", "contract_signed", "ended"
_LED_THERE = {
    "rejected": AnswerChoice.REJECT,
    "refused": AnswerChoice.CONFLICT,
    "agreed": AnswerChoice.AGREE,
    MEETING: AnswerChoice.DISAGREE,
}
"""The choice that leads a process to the stage at which it closes what is still open."""


class Closing(Wire):
    """How a task ended."""

    decided: DecisionRow | None = None
    because: str = ""
    """The stage to which its process went on; `missed` (R6)."""
    by: str | None = None
    """Whose decision, withdrawal or wish took it there."""
    at: datetime | None = None

    def told_to(self, mine: AskedRow | None) -> Closing:
        """X2: why it was decided so is for those whom it asked to the end."""
        if self.decided is None or (mine is not None and mine.removed_at is None):
            return self
        return self.model_copy(update={"decided": self.decided.model_copy(update={"reason": ""})})

    def facts(self, organisation: Organisation) -> dict[str, Any]:
        """As the contract has it: `decided`, or `closed`."""
        if self.decided is None:
            told = {"because": self.because, "by": organisation.name_of(self.by) if self.by else None}
            return {"closed": _given({**told, "at": self.at.isoformat() if self.at else None})}
        behalf = self.decided.on_behalf_of
        return {
            "decided": _given(
                {
                    "choice": self.decided.choice,
                    "by": organisation.name_of(self.decided.person),
                    "on_behalf_of": organisation.name_of(behalf) if behalf else None,
                    "at": self.decided.decided_at.isoformat(),
                    "reason": self.decided.reason or None,
                }
            )
        }


async def closing_of(connection: AsyncConnection, row: TaskRow) -> Closing:
    """How `row`, which is not open, ended."""
    decided = await tasks.decision_on(connection, row.id) if row.status is TaskStatus.ANSWERED else None
    because = row.closed_because or ""
    by = await _closed_by(connection, row, because) if decided is None else None
    return Closing(decided=decided, because=because, by=by, at=row.closed_at)


async def _closed_by(connection: AsyncConnection, row: TaskRow, because: str) -> str | None:
    if because == WITHDRAWN:
        return await _scalar(connection, _withdrawn_by(row))
    if because == MEETING:
        wanted = dispute.c.meeting["wanted"]["by"].astext
        found = await _scalar(connection, select(wanted).where(dispute.c.workflow_id == row.workflow_id))
        if found:
            return found
    if because == SIGNED and row.subject_type == SubjectType.PROJECT:  # U7: it came on paper
        return await _scalar(connection, select(project.c.contract["by"].astext).where(project.c.id == row.subject_id))
    if because == LOST and row.subject_type == SubjectType.PROJECT:  # U8
        return await _scalar(connection, select(project.c.loss["by"].astext).where(project.c.id == row.subject_id))
    if because not in _LED_THERE:
        return None
    latest = (
        select(decision.c.person)
        .join(task, task.c.id == decision.c.task_id)
        .where(task.c.workflow_id == row.workflow_id, task.c.round == row.round)
        .where(decision.c.choice == _LED_THERE[because], decision.c.decided_at <= row.closed_at)
        .order_by(decision.c.decided_at.desc())
    )
    return await _scalar(connection, latest.limit(1))


def _withdrawn_by(row: TaskRow) -> Any:
    """N13: an application by its applicant; a registration by whoever is responsible for it."""
    if row.subject_type == SubjectType.PROJECT:
        by: ColumnElement[str] = func.coalesce(project.c.end_reason["by"].astext, project.c.salesperson)
        return select(by).where(project.c.id == row.subject_id)
    return select(application.c.applicant).where(application.c.id == row.subject_id)


async def _scalar(connection: AsyncConnection, query: Any) -> str | None:
    found = await connection.scalar(query)
    return None if found is None else str(found)


def _given(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}

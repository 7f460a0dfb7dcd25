"""The tasks of one subject in one step and what was decided on them: looked up once, kept right by writing here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from db import tasks
from db.tasks import AskedRow, DecisionRow, TaskRow
from domain.tasks import TaskStatus

Decided = tuple[tuple[int, DecisionRow], ...]
"""Decisions with the round each was taken in, oldest first."""


class Docket:
    """Whoever opens one has locked the subject, so that nobody else changes its tasks before the step is recorded."""

    def __init__(self, tx: AsyncConnection, subject_id: str) -> None:
        self._tx = tx
        self._subject_id = subject_id
        self._tasks: tuple[TaskRow, ...] | None = None
        self._decided: Decided | None = None

    async def tasks(self) -> tuple[TaskRow, ...]:
        """All tasks of the subject, oldest first."""
        if self._tasks is None:
            self._tasks = await tasks.of_subject(self._tx, self._subject_id)
        return self._tasks

    async def open_tasks(self) -> tuple[TaskRow, ...]:
        return tuple(task for task in await self.tasks() if task.status is TaskStatus.OPEN)

    async def find(self, task_id: str) -> TaskRow | None:
        return next((task for task in await self.tasks() if task.id == task_id), None)

    async def decided(self) -> Decided:
        """Every decision on the subject."""
        if self._decided is None:
            self._decided = await tasks.decisions_of(self._tx, self._subject_id)
        return self._decided

    async def open(self, task: TaskRow, people: Sequence[AskedRow]) -> None:
        known = await self.tasks()
        await tasks.open_task(self._tx, task, people)
        self._tasks = tuple(sorted((*known, task), key=lambda one: (one.opened_at, one.id)))

    async def change(self, task: TaskRow, **values: Any) -> TaskRow:
        """Set columns of one task; returns it as it is then."""
        await tasks.change(self._tx, task.id, **values)
        return await self._keep(task.id, values)

    async def close(self, open_tasks: Sequence[TaskRow], status: TaskStatus, *, at: datetime, because: str) -> None:
        """Close tasks that are open."""
        await tasks.close(self._tx, [task.id for task in open_tasks], status, at=at, because=because)
        for task in open_tasks:
            await self._keep(task.id, {"status": status, "closed_at": at, "closed_because": because})

    async def decide(self, decision: DecisionRow) -> bool:
        """Take the first answer. False when the task has one already."""
        self._decided = None
        return await tasks.decide(self._tx, decision)

    async def _keep(self, task_id: str, values: dict[str, Any]) -> TaskRow:
        known = {task.id: task for task in await self.tasks()}
        known[task_id] = known[task_id].model_copy(update=values)
        self._tasks = tuple(known.values())
        return known[task_id]

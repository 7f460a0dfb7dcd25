"""The tasks of one subject and the decisions on them, read once a step; every change goes through here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from db.reads.step_snapshot import StepSnapshot
from db.tasks import tasks
from db.tasks.tasks import AskedRow, DecisionRow, TaskRow
from domain.tasks.task import TaskStatus


class Docket:
    """Whoever opens one has locked the subject, so that nobody else changes its tasks before the step is recorded."""

    def __init__(self, connection: AsyncConnection, found: StepSnapshot) -> None:
        self._tx = connection
        self._found = found
        self.tasks = found.tasks
        """All tasks of the subject, oldest first."""
        self.decided = found.decided
        """Every decision on the subject."""

    @property
    def open_tasks(self) -> tuple[TaskRow, ...]:
        return tuple(task for task in self.tasks if task.status is TaskStatus.OPEN)

    def find(self, task_id: str) -> TaskRow | None:
        return next((task for task in self.tasks if task.id == task_id), None)

    def asked_before(self, task_id: str) -> tuple[AskedRow, ...]:
        """Whom a task asked when the step began, and whom it had asked before that."""
        return tuple(asked for asked in self._found.asked if asked.task_id == task_id)

    async def open(self, task: TaskRow, people: Sequence[AskedRow]) -> None:
        await tasks.open_task(self._tx, task, people)
        self.tasks = tuple(sorted((*self.tasks, task), key=lambda known: (known.opened_at, known.id)))

    async def change(self, task: TaskRow, **values: Any) -> TaskRow:
        """Set columns of one task; returns it as it is then."""
        await tasks.change(self._tx, task.id, **values)
        return self._keep(task.id, values)

    async def close(self, open_tasks: Sequence[TaskRow], status: TaskStatus, *, at: datetime, because: str) -> None:
        """Close tasks that are open."""
        await tasks.close(self._tx, [task.id for task in open_tasks], status, at=at, because=because)
        for task in open_tasks:
            self._keep(task.id, {"status": status, "closed_at": at, "closed_because": because})

    async def decide(self, task: TaskRow, decision: DecisionRow) -> bool:
        """Take the first answer, which closes the task. False when it has one already."""
        if not await tasks.decide(self._tx, decision):
            return False
        self.decided = (*self.decided, (task.round, decision))
        closed = {"status": TaskStatus.ANSWERED, "closed_at": decision.decided_at, "closed_because": decision.choice}
        self._keep(task.id, closed)
        return True

    def _keep(self, task_id: str, values: dict[str, Any]) -> TaskRow:
        known = {task.id: task for task in self.tasks}
        known[task_id] = known[task_id].model_copy(update=values)
        self.tasks = tuple(known.values())
        return known[task_id]

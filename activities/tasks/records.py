"""The steps of every process: statements recorded, messages sifted, subjects moved. Each is one transaction."""

from __future__ import annotations

from temporalio import activity

from activities.steps import Moved, MoveStep, Recorded, RecordStep, Sifted, SiftStep
from activities.tasks.answers import Statements
from activities.tasks.stage_move import move
from activities.unit_of_work import Recorder


class Records:
    """Writes what happens to the subjects of processes. Nothing else writes these tables."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._statements = Statements(recorder)

    @activity.defn
    async def record_statement(self, step: RecordStep) -> Recorded:
        """Record a statement to a process (an answer to a task, a withdrawal, an update, …), or refuse it."""
        return await self._recorder.once(step, Recorded, lambda uow: self._statements.hear(uow, step))

    @activity.defn
    async def sift_messages(self, step: SiftStep) -> Sifted:
        """Drop the unsealed ones among many messages; the rest are recorded one by one."""
        return await self._recorder.once(step, Sifted, lambda uow: self._statements.sift(uow, step))

    @activity.defn
    async def move(self, step: MoveStep) -> Moved:
        """Go to a stage: close open tasks, open the new ones, notify people."""
        return await self._recorder.once(step, Moved, lambda uow: move(uow, step))

"""What an application and a registration have in common on either side: statements, moves, reminders."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any, TypeVar

from activities.steps import Moved, MoveStep, OpenTask, Recorded, RecordStep, Refreshed, RefreshStep, ReminderStep
from crypto.seal import seal
from domain.statements import AnswerTask, Statement, Withdraw
from domain.subject import Subject
from domain.tasks.task import Ask, DueAction, TaskKind
from tests.integration.scenarios.sides import NOW, Side
from tests.samples import SAM
from tests.workflow.doubles.fake_record import SEAL_KEYS

S = TypeVar("S", bound=Statement)
Asking = TaskKind | tuple[TaskKind, str]


class SubjectStory:
    """One matter, moved step by step as its process moves it."""

    def __init__(self, side: Side, subject: Subject, workflow_id: str) -> None:
        self.side = side
        self.subject = subject
        self.id = subject.id
        self.workflow_id = workflow_id
        self.now = NOW
        self.tasks: tuple[OpenTask, ...] = ()
        """Those that the last move has opened."""
        self._numbers = itertools.count(1)

    def later(self, **length: float) -> None:
        """So much time passes."""
        self.now += timedelta(**length)

    def key(self, name: str) -> dict[str, Any]:
        return {"key": f"{name}:{next(self._numbers)}", "now": self.now}

    def sealed(self, kind: type[S], person: str, **said: Any) -> S:
        """A statement as the gateway seals it."""
        message_id = f"{self.id}-m{next(self._numbers)}"
        statement = {"message_id": message_id, "workflow_id": self.workflow_id, "said_at": self.now}
        return seal(kind.model_validate(statement | {"person": person, "channel": "api"} | said), SEAL_KEYS)

    async def moves(self, stage: str, *asks: Asking) -> Moved:
        pairs = [ask if isinstance(ask, tuple) else (ask, "") for ask in asks]
        asked = tuple(Ask(kind=kind, slot=slot) for kind, slot in pairs)
        step = MoveStep(**self.key(f"move:{stage}"), subject=self.subject, stage=stage, asks=asked)
        moved: Moved = await self.side.run("move", step, self.workflow_id)
        self.tasks = moved.tasks
        return moved

    async def says(self, kind: type[S], person: str, **said: Any) -> Recorded:
        return await self.sends(self.sealed(kind, person, **said))

    async def sends(self, statement: Statement) -> Recorded:
        step = RecordStep.model_validate({**self.key("record"), "subject": self.subject, "statement": statement})
        recorded: Recorded = await self.side.run("record_statement", step, self.workflow_id)
        return recorded

    def task(self, slot: str = "") -> OpenTask:
        return next(task for task in self.tasks if slot in ("", task.slot))

    async def answers(self, person: str, choice: str, reason: str = "", *, slot: str = "", **fields: Any) -> Recorded:
        """Somebody answers the task of `slot`, or the only one."""
        task_id = self.task(slot).id
        return await self.says(AnswerTask, person, task_id=task_id, choice=choice, reason=reason, fields=fields)

    async def withdraws(self, person: str = SAM) -> Recorded:
        return await self.says(Withdraw, person, reason="customer merged")

    async def is_chased(self, task: OpenTask) -> OpenTask:
        """N12, U10: the next due step of a task is carried out."""
        due = task.next_step.action
        action = due if due in (DueAction.WARN, DueAction.LAPSE) else None
        step = ReminderStep(**self.key("chase"), subject=self.subject, task_id=task.id, action=action)
        chased: OpenTask = await self.side.run("remind_or_escalate", step, self.workflow_id)
        return chased

    async def is_refreshed(self) -> tuple[OpenTask, ...]:
        """The company changed: who is asked now."""
        step = RefreshStep(**self.key("refresh"), subject=self.subject)
        refreshed: Refreshed = await self.side.run("refresh_tasks", step, self.workflow_id)
        return refreshed.tasks

    async def stage(self) -> str:
        return await self.side.stage(self.subject)

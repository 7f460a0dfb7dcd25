"""One application on either side, moved step by step as its process moves it."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any, TypeVar

from activities.steps import (
    Activated,
    ActivateStep,
    GatherStep,
    Moved,
    MoveStep,
    OpenTask,
    Recorded,
    RecordStep,
    Refreshed,
    RefreshStep,
    ReminderStep,
    SubmitStep,
    Submitted,
)
from crypto.seal import seal
from domain.accounts.application import Stage
from domain.statements import AnswerTask, AppealRejection, Statement, SubmitApplication, Withdraw
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, Ask, DueAction, TaskKind
from tests.integration.scenarios.sides import NOW, Side
from tests.samples import application_form
from tests.workflow.doubles.fake_record import CLARA, SAM, SEAL_KEYS, VERA, VIKTOR
from workflows.messages import application_workflow_id

CUSTOMER = "苏州测试精密制造有限公司"

S = TypeVar("S", bound=Statement)


class ApplicationStory:
    """An application that nobody has submitted yet."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.id = "A-1"
        self.workflow_id = application_workflow_id(self.id)
        self.subject = Subject(type=SubjectType.APPLICATION, id=self.id)
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
        statement = {"message_id": f"m{next(self._numbers)}", "workflow_id": self.workflow_id, "said_at": self.now}
        return seal(kind.model_validate(statement | {"person": person, "channel": "api"} | said), SEAL_KEYS)

    async def submits(self, said: SubmitApplication | None = None) -> Submitted:
        form = application_form(CUSTOMER)
        statement = said or self.sealed(SubmitApplication, SAM, application_id=self.id, form=form)
        submitted: Submitted = await self.side.run(
            "submit_application", SubmitStep(**self.key("submit"), statement=statement), self.workflow_id
        )
        return submitted

    async def moves(self, stage: Stage, *asks: TaskKind) -> Moved:
        step = MoveStep(
            **self.key(f"move:{stage}"), subject=self.subject, stage=stage, asks=tuple(Ask(kind=kind) for kind in asks)
        )
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
        return await self.says(
            AnswerTask, person, task_id=self.task(slot).id, choice=choice, reason=reason, fields=fields
        )

    async def activates(self, gm_decision: str | None = None) -> Activated:
        step = ActivateStep(**self.key("activate"), application_id=self.id, gm_decision=gm_decision)
        activated: Activated = await self.side.run("activate_account", step, self.workflow_id)
        return activated

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
        return await self.side.stage(self.id)

    # The ways to a stage.

    async def to_check(self) -> None:
        assert (await self.submits()).accepted
        for gather in ("gather_registrations", "gather_background"):
            await self.side.run(
                gather, GatherStep(**self.key(gather), application_id=self.id, round=1), self.workflow_id
            )
        await self.moves(Stage.COMMERCE_CHECK, TaskKind.COMMERCE_CHECK)

    async def to_returned(self) -> None:
        await self.to_check()
        assert (await self.answers(CLARA, AnswerChoice.RETURN, "no related parties given")).accepted
        await self.moves(Stage.RETURNED, TaskKind.SUPPLY_INFORMATION)

    async def to_review(self) -> None:
        await self.to_check()
        assert (await self.answers(CLARA, AnswerChoice.PASS)).accepted
        await self.moves(Stage.VP_REVIEW, TaskKind.VP_REVIEW)

    async def to_rejected(self) -> None:
        await self.to_review()
        assert (await self.answers(VERA, AnswerChoice.REJECT, "margins too thin", slot=VERA)).accepted
        await self.moves(Stage.REJECTED)

    async def to_appeal(self) -> None:
        await self.to_rejected()
        assert (await self.appeals()).accepted
        await self.moves(Stage.GM_APPEAL, TaskKind.GM_APPEAL)

    async def to_approved(self, reason: str = "") -> None:
        await self.to_review()
        for slot in (VERA, VIKTOR):
            assert (await self.answers(slot, AnswerChoice.APPROVE, reason, slot=slot)).accepted

    async def to_active(self) -> None:
        await self.to_approved()
        assert (await self.activates()).account_id == self.id

    async def to_withdrawn(self) -> None:
        await self.to_check()
        assert (await self.withdraws()).accepted
        await self.moves(Stage.WITHDRAWN)

    async def appeals(self, person: str = SAM) -> Recorded:
        return await self.says(AppealRejection, person, reason="the figures were old")

    async def withdraws(self, person: str = SAM) -> Recorded:
        return await self.says(Withdraw, person, reason="customer merged")


WAYS = ("to_check", "to_returned", "to_review", "to_rejected", "to_appeal", "to_active", "to_withdrawn")

"""Asking people and waiting for them: the only place where a process waits (design principle 6)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.chasing import Chasing
    from activities.records import Records
    from activities.steps import (
        ChaseStep,
        MoveStep,
        OpenTask,
        RecordAnswerStep,
        RecordAppealStep,
        Recorded,
        RecordWithdrawalStep,
        RefreshStep,
    )
    from domain.application import Stage
    from domain.named_account import Notice, Obstacle
    from domain.statements import AnswerTask, AppealRejection, Statement, Withdraw
    from domain.tasks import Ask, Decision, DueAction
    from texts.operators import current_details, timer_summary
    from workflows.messages import DUE_AT, STAGE, WAITING_FOR, ApplicationStatus, DeskState, FactsChanged

P = TypeVar("P")
R = TypeVar("R")

STEP_TIMEOUT = timedelta(seconds=15)
STEP_RETRIES = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(minutes=2))
"""A step is retried until the record takes it: an outage delays a process and never ends it."""
DURABLE_RETRY = timedelta(seconds=5)
"""Pauses longer than this are durable timers. Waiting them out inside a workflow task would fill the history with its
heartbeats: at the engine's limit of 51,200 events a day and a half of outage would end every process."""

FULL_HISTORY = 400
"""Events after which a run hands over to a fresh one; an evicted workflow pays for its whole history."""


async def take(step: Callable[[Any, P], Awaitable[R]], argument: P, summary: str | None = None) -> R:
    """Take one step of the process: a local activity, one transaction, retried until the record takes it."""
    return await workflow.execute_local_activity_method(
        step,
        argument,
        start_to_close_timeout=STEP_TIMEOUT,
        local_retry_threshold=DURABLE_RETRY,
        retry_policy=STEP_RETRIES,
        summary=summary,
    )


class Withdrawn(Exception):
    """The applicant has withdrawn (N13); whatever was being asked is over."""


class HistoryFull(Exception):
    """The history has grown long enough; go on in a new run."""


class Desk:
    """Opens tasks, keeps what people say, has it recorded, and chases who stays silent.

    Signals may arrive in any order and number; each is recorded in the order of arrival, one at a time.
    """

    def __init__(self, application_id: str, title: str, stage: Stage, since: datetime, kept: DeskState) -> None:
        self.application_id = application_id
        self.title = title
        self.stage = stage
        self.since = since
        self.round = 1
        self.tasks = kept.tasks
        self.decisions = list(kept.decisions)
        self._moves = kept.moves
        self._refreshes = kept.refreshes
        self._inbox: deque[Statement | FactsChanged] = deque()
        self._settles: list[str] = []
        self._appeal: AppealRejection | None = None
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at: datetime | None = None

    @property
    def state(self) -> DeskState:
        return DeskState(
            moves=self._moves, tasks=self.tasks, decisions=tuple(self.decisions), refreshes=self._refreshes
        )

    def keep(self, message: Statement | FactsChanged) -> None:
        """Put a message aside until the process reads it. Never raises: handlers only keep."""
        self._inbox.append(message)

    def settle(self) -> tuple[str, ...]:
        """The messages that the next move or activation answers for; kept until one of them has been recorded."""
        return tuple(self._settles)

    def next_key(self, name: str) -> str:
        """A key for a step that follows from all moves so far.

        `name` says what the step does: a workflow task that failed is done again, perhaps with more messages, and may
        then go another way; it must not be given the result of the step it took the first time.
        """
        return f"{name}:{self._moves}"

    async def move(
        self,
        stage: Stage,
        *,
        asks: Sequence[Ask] = (),
        notices: Sequence[Notice] = (),
        obstacle: Obstacle | None = None,
    ) -> datetime | None:
        """Go to `stage`: what was open is withdrawn, `asks` are opened, people are told, all in one transaction.

        Returns until when a rejection may be appealed, if this was one (N10).
        """
        moved = await take(
            Records.move_application,
            MoveStep(
                key=self.next_key(f"move:{stage.value}"),
                now=workflow.now(),
                application_id=self.application_id,
                stage=stage,
                asks=tuple(asks),
                notices=tuple(notices),
                settles=self.settle(),
                obstacle=obstacle,
            ),
            stage.value,
        )
        self._moves += 1
        self.stage, self.since = stage, workflow.now()
        self.tasks, self.decisions, self._settles = moved.tasks, [], []
        return moved.appeal_until

    async def answers(self, enough: Callable[[Sequence[Decision]], bool]) -> tuple[Decision, ...]:
        """Wait until `enough` has been decided on the open tasks. Raises `Withdrawn`."""
        while not enough(self.decisions):
            await self._one_event(until=None)
        return tuple(self.decisions)

    async def appeal(self, until: datetime) -> AppealRejection | None:
        """Wait for an appeal (N10), at most until `until`; one that came in time and waited for a worker counts."""
        while self._appeal is None and (self._inbox or workflow.now() < until):
            await self._one_event(until=until)
        return self._appeal

    async def meanwhile(self, work: asyncio.Future[Any]) -> None:
        """Wait for `work` and go on reading messages. Raises `Withdrawn`, and what `work` raises."""
        self.show()
        try:
            while not work.done():
                await workflow.wait_condition(lambda: bool(self._inbox) or work.done())
                if self._inbox:
                    await self._read(self._inbox.popleft())
        except Withdrawn:
            work.cancel()
            raise
        await work

    async def hear_the_rest(self) -> None:
        """Record what arrived together with the end: it changes nothing any more, and whoever said it is told so."""
        while self._inbox:
            message = self._inbox.popleft()
            if not isinstance(message, FactsChanged):
                await self._record(message)

    def arrived(self, stage: Stage) -> None:
        """Note a stage that a step other than `move` has recorded."""
        self._moves += 1
        self.stage, self.since = stage, workflow.now()
        self.tasks, self.decisions, self._settles = (), [], []

    async def _one_event(self, until: datetime | None) -> None:
        self.show(until)
        await self._wake(self._next_moment(until))
        if self._inbox:
            await self._read(self._inbox.popleft())
            return
        due = min(self.tasks, key=lambda task: task.next_step.at, default=None)
        if due and due.next_step.at <= workflow.now():
            await self._chase(due)

    def _next_moment(self, until: datetime | None) -> datetime | None:
        moments = [task.next_step.at for task in self.tasks] + ([until] if until else [])
        return min(moments, default=None)

    async def _wake(self, at: datetime | None) -> None:
        """Sleep until something arrives or `at` is reached; one durable timer, kept while the moment stays the same."""
        if self._inbox or (at and at <= workflow.now()):
            return
        info = workflow.info()
        if info.is_continue_as_new_suggested() or info.get_current_history_length() > FULL_HISTORY:
            raise HistoryFull
        if at != self._alarm_at or self._alarm is None or self._alarm.done():
            self.drop_alarm()
            if at:
                left = at - workflow.now()
                summary = timer_summary(self.stage, self.tasks, at)
                self._alarm = asyncio.create_task(workflow.sleep(left, summary=summary))
                self._alarm_at = at
        alarm = self._alarm
        await workflow.wait_condition(lambda: bool(self._inbox) or (alarm is not None and alarm.done()))

    def drop_alarm(self) -> None:
        if self._alarm is not None and not self._alarm.done():
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, None

    async def _read(self, message: Statement | FactsChanged) -> None:
        if isinstance(message, FactsChanged):
            await self._refresh("facts")
            return
        recorded = await self._record(message)
        if not recorded.accepted:
            return
        if isinstance(message, Withdraw):
            self._settles.append(message.message_id)
            raise Withdrawn
        if isinstance(message, AppealRejection) and self.stage is Stage.REJECTED:
            self._settles.append(message.message_id)
            self._appeal = message
        decision = recorded.decision
        if decision and any(task.id == decision.task_id for task in self.tasks):
            self.decisions.append(decision)
            self.tasks = tuple(task for task in self.tasks if task.id != decision.task_id)
            self._settles.append(message.message_id)
            if recorded.round is not None:
                self.round = recorded.round

    async def _record(self, message: Statement) -> Recorded:
        key = f"record:{type(message).__name__}:{message.fingerprint}"
        now, subject = workflow.now(), self.application_id
        match message:
            case AnswerTask():
                return await take(
                    Records.record_answer,
                    RecordAnswerStep(key=key, now=now, application_id=subject, statement=message),
                )
            case Withdraw():
                return await take(
                    Records.record_withdrawal,
                    RecordWithdrawalStep(key=key, now=now, application_id=subject, statement=message),
                )
            case AppealRejection():
                return await take(
                    Records.record_appeal,
                    RecordAppealStep(key=key, now=now, application_id=subject, statement=message),
                )
            case _:
                raise TypeError(f"no desk reads {type(message).__name__}")

    async def _chase(self, task: OpenTask) -> None:
        if task.next_step.action is DueAction.REFRESH:
            await self._refresh("due")
            return
        due = task.next_step.at.astimezone(UTC)  # part of the key: the calendar may have put the step off
        key = f"chase:{task.id}:{task.chased}:{due:%Y%m%dT%H%M%S}"
        step = ChaseStep(key=key, now=workflow.now(), task_id=task.id)
        chased = await take(Chasing.chase_task, step, task.next_step.action.value)
        self.tasks = tuple(chased if task.id == chased.id else task for task in self.tasks)

    async def _refresh(self, because: str) -> None:
        key = f"refresh:{because}:{self._refreshes}"
        step = RefreshStep(key=key, now=workflow.now(), application_id=self.application_id)
        refreshed = await take(Chasing.refresh_tasks, step)
        self._refreshes += 1
        self.tasks = refreshed.tasks

    def show(self, until: datetime | None = None) -> None:
        """Tell operators, in the engine's own words, where the process stands."""
        waiting_for = sorted({asked.person for task in self.tasks for asked in task.asked})
        due_at = min((task.due_at for task in self.tasks), default=until)
        shown = (self.stage.value, waiting_for, due_at)
        attributes = workflow.info().typed_search_attributes
        if shown != (attributes.get(STAGE), sorted(attributes.get(WAITING_FOR) or ()), attributes.get(DUE_AT)):
            workflow.upsert_search_attributes(
                [
                    STAGE.value_set(self.stage.value),
                    WAITING_FOR.value_set(waiting_for) if waiting_for else WAITING_FOR.value_unset(),
                    DUE_AT.value_set(due_at) if due_at else DUE_AT.value_unset(),
                ]
            )
        workflow.set_current_details(
            current_details(
                title=self.title,
                stage=self.stage,
                since=self.since,
                tasks=self.tasks,
                next_moment=self._next_moment(until),
                until=until,
            )
        )

    def status(self) -> ApplicationStatus:
        return ApplicationStatus(
            stage=self.stage,
            since=self.since,
            round=self.round,
            waiting_for=tuple(sorted({asked.person for task in self.tasks for asked in task.asked})),
            next_event_at=self._next_moment(None),
        )

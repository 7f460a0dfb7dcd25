"""Asking people and waiting for them: the only place where a process waits (design principle 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy, TypedSearchAttributes
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.steps import (
        Moved,
        MoveStep,
        OpenTask,
        Recorded,
        RecordStep,
        RefreshStep,
        ReminderStep,
        Sifted,
        SiftStep,
    )
    from activities.tasks.context import SUBJECT_OVER
    from activities.tasks.records import Records
    from activities.tasks.reminders import Reminders
    from domain.accounts.named_account import Obstacle
    from domain.notices import Notice
    from domain.statements import Said, Statement, Withdraw
    from domain.subject import Subject, stage_key
    from domain.tasks.task import Ask, DueAction, RecordedDecision
    from texts.operators import current_details, timer_summary
    from workflows.attributes import Shown
    from workflows.inbox import MOST_HANDED_BACK, Inbox
    from workflows.messages import DeskState, FactsChanged, ProcessStatus

P = TypeVar("P")
R = TypeVar("R")

STEP_TIMEOUT = timedelta(seconds=30)
"""A server that hangs is given up much sooner; a large look for conflicts may need half of it (conflicts/budget.py)."""
STEP_RETRIES = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(minutes=2))
"""A step is retried until the record takes it: an outage delays a process and never ends it."""
DURABLE_RETRY = timedelta(seconds=5)
"""Pauses longer than this are durable timers. Waiting them out inside a workflow task would fill the history with its
heartbeats: at the engine's limit of 51,200 events a day and a half of outage would end every process."""

FULL_HISTORY = 400
"""Events after which a run hands over to a fresh one; an evicted workflow pays for its whole history."""

G = TypeVar("G", bound=StrEnum)
S = TypeVar("S", bound=Statement)


async def execute(step: Callable[[Any, P], Awaitable[R]], argument: P, summary: str | None = None) -> R:
    """Take one step of the process: a local activity, one transaction, retried until the record takes it."""
    return await workflow.execute_local_activity_method(
        step,
        argument,
        start_to_close_timeout=STEP_TIMEOUT,
        local_retry_threshold=DURABLE_RETRY,
        retry_policy=STEP_RETRIES,
        summary=summary,
    )


def ended_outside(error: BaseException) -> str:
    """The stage to which something else than its process has brought the subject, where a step failed for that (D6)."""
    cause = error.cause if isinstance(error, ActivityError) else error  # of a local activity, the error itself
    if isinstance(cause, ApplicationError) and cause.type == SUBJECT_OVER:
        return str(cause.details[0])
    return ""


class Withdrawn(Exception):
    """The applicant has withdrawn (N13); whatever was being asked is over."""


class StoodStill(Exception):
    """Nobody has answered for so long that the matter is shelved or closed (U10)."""


class HistoryFull(Exception):
    """The history has grown long enough; go on in a new run, which starts with `attributes`.

    Attributes given at the start are free; written just before it, they would be one more billed Action.
    """

    def __init__(self, attributes: TypedSearchAttributes) -> None:
        super().__init__()
        self.attributes = attributes


class Desk(Generic[G]):
    """Opens tasks, has what people say recorded in its order, and reminds or escalates when nobody answers.

    Signals may arrive in any order and number; each is recorded in the order of arrival, one at a time. `G` are the
    stages of the process.
    """

    def __init__(self, subject: Subject, title: str, stage: G, since: datetime, kept: DeskState) -> None:
        self.subject = subject
        self.title = title
        self.stage = stage
        self.since = since
        self.round = 1
        self.tasks = kept.tasks
        self.decisions = list(kept.decisions)
        self.updated_at: datetime | None = None
        """When the subject was last updated, where that is shown to operators (U1)."""
        self.full_history = FULL_HISTORY
        self._moves = kept.moves
        self._refreshes = kept.refreshes
        self._inbox = Inbox(kept.unread)
        self._settles = list(kept.settles)
        self._heard: list[tuple[Said, Recorded]] = []
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at: datetime | None = None

    @property
    def hands_back(self) -> bool:
        """Whether the parent of the process wants it back, to begin it again from its state."""
        return self._inbox.hands_back

    @property
    def state(self) -> DeskState:
        return DeskState(
            moves=self._moves,
            tasks=self.tasks,
            decisions=tuple(self.decisions),
            settles=self.settle(),
            refreshes=self._refreshes,
            unread=self._inbox.unread,
        )

    def hear(
        self, hears: Mapping[str, str], signal: str, sent: Sequence[RawValue], *, later: Mapping[str, str] | None = None
    ) -> None:
        """Put aside what a signal brought until the process reads it; `hears`: the kinds of message by signal; `later`:
        the patch behind which a signal stands that earlier releases did not know.

        Never raises, and reads nothing: a flood arrives in one workflow task, which has two seconds.
        """
        self._inbox.keep(hears, signal, sent, later)

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
        stage: G,
        *,
        asks: Sequence[Ask] = (),
        notices: Sequence[Notice] = (),
        obstacle: Obstacle | None = None,
    ) -> Moved:
        """Go to `stage`: what was open is withdrawn, `asks` are opened, people are notified, all in one transaction."""
        moved: Moved = await execute(
            Records.move,
            MoveStep(
                key=self.next_key(f"move:{stage.value}"),
                now=workflow.now(),
                subject=self.subject,
                stage=stage.value,
                asks=tuple(asks),
                notices=tuple(notices),
                settles=self.settle(),
                obstacle=obstacle,
            ),
            stage.value,
        )
        self.arrived(stage)
        self.tasks = moved.tasks
        return moved

    async def wait_for_decisions(
        self,
        enough: Callable[[Sequence[RecordedDecision]], bool],
        *,
        until: datetime | None = None,
        until_says: str = "",
    ) -> tuple[RecordedDecision, ...]:
        """Wait until `enough` has been decided on the open tasks, at most until `until`; what came in time and waited
        for a worker counts. `until_says`: text key of what happens then. Raises `Withdrawn`, and `StoodStill` when
        nobody answers for months (U10)."""
        while not enough(self.decisions):
            if until is not None and not self._inbox and until <= workflow.now():
                break
            await self._one_event(until, until_says)
        return tuple(self.decisions)

    async def one_answer(self) -> RecordedDecision:
        """Wait for the answer to the one open task. Raises as `wait_for_decisions` does."""
        (decision,) = await self.wait_for_decisions(lambda decided: len(decided) == 1)
        return decision

    async def wait_for_statement(
        self, *kinds: type[S], until: datetime | None = None, until_says: str = "", or_answer: bool = False
    ) -> tuple[S, Recorded] | None:
        """Wait for an accepted statement of one of `kinds`, at most until `until`; one that came in time and waited
        for a worker counts. `until_says`: text key of what happens then. `or_answer`: an answer to an open task is
        waited for as well, and then stands in `decisions`. Raises `Withdrawn`."""
        while True:
            heard = self.heard(*kinds)
            if heard is not None:
                return heard
            if or_answer and self.decisions:
                return None
            if until is not None and not self._inbox and until <= workflow.now():
                return None
            await self._one_event(until, until_says)

    def heard(self, *kinds: type[S]) -> tuple[S, Recorded] | None:
        """The first accepted statement of one of `kinds` that nobody has taken up yet."""
        for position, (said, recorded) in enumerate(self._heard):
            if isinstance(said, kinds):
                del self._heard[position]
                return said, recorded
        return None

    def has_heard(self, kind: type[Statement]) -> bool:
        return any(isinstance(said, kind) for said, _ in self._heard)

    async def wait_while_serving(
        self, work: asyncio.Future[Any], *, when_full: Callable[[], Awaitable[bool]] | None = None
    ) -> None:
        """Wait for `work` and go on reading messages. Raises `Withdrawn`, and what `work` or a step raises.

        `when_full` is called once the history is long enough, to bring `work` to an end before its time; again after
        the next message if it says that it could not.
        """
        self.show()
        asked = False
        try:
            while not work.done():
                if when_full and not asked and self._hands_over(None) and workflow.patched("handed-back"):
                    asked = await when_full()
                    continue
                await workflow.wait_condition(lambda: bool(self._inbox) or work.done())
                if self._inbox:
                    await self._read_next()
        except (Withdrawn, FailureError):  # withdrawn, or ended from outside (D6)
            work.cancel()
            raise
        await work

    def hand_over(self) -> None:
        """Go on in a new run now. Raises `HistoryFull`, unless more is unread than can go along."""
        if self._inbox.can_be_carried():
            raise HistoryFull(self._shown(None).of_next_run())

    async def close(self) -> None:
        """Nothing is waited for any more; whoever still said something is told so, and operators see the end."""
        self.drop_alarm()
        await self.hear_the_rest()
        self.show()

    async def hear_the_rest(self) -> None:
        """Record what arrived together with the end: it changes nothing any more, and whoever said it is told so."""
        while self._inbox:
            if await self._sifts():
                continue
            message = self._inbox.remove_first()
            if isinstance(message, FactsChanged):
                continue
            recorded = await self._record(message)
            if recorded.accepted and recorded.decision is None:
                self._heard.append((message, recorded))
            if recorded.accepted and not recorded.settled:  # the step was done when a cancellation came upon it
                self._settles.append(message.message_id)

    def arrived(self, stage: G) -> None:
        """Note a stage that a step has recorded."""
        self._moves += 1
        self.stage, self.since = stage, workflow.now()
        self.tasks, self.decisions, self._settles = (), [], []

    async def _one_event(self, until: datetime | None = None, until_says: str = "") -> None:
        at = self._next_moment(until)
        if self._hands_over(at):
            raise HistoryFull(self._shown(until).of_next_run())
        if not self._inbox:  # in the midst of a flood nobody can see more than the last of it
            self.show(until, until_says)
        await self._wake(at, until_says)
        if self._inbox:
            await self._read_next()
            return
        due = min(self.tasks, key=lambda task: task.next_step.at, default=None)
        if due and due.next_step.at <= workflow.now():
            await self._chase(due)

    def _next_moment(self, until: datetime | None) -> datetime | None:
        moments = [task.next_step.at for task in self.tasks] + ([until] if until else [])
        return min(moments, default=None)

    def _hands_over(self, at: datetime | None) -> bool:
        """Whether the history is long enough: when nothing is to be done, or in the midst of a flood of messages. Or
        whether the parent of the process wants it back."""
        if self.hands_back:
            return self._inbox.can_be_carried(MOST_HANDED_BACK)
        if self._inbox:
            return self._inbox.is_flooded()
        info = workflow.info()
        idle = at is None or at > workflow.now()
        return idle and (info.is_continue_as_new_suggested() or info.get_current_history_length() > self.full_history)

    async def _wake(self, at: datetime | None, until_says: str) -> None:
        """Sleep until something arrives or `at` is reached; one durable timer, kept while the moment stays the same."""
        if self._inbox or (at and at <= workflow.now()):
            return
        if at != self._alarm_at or self._alarm is None or self._alarm.done():
            self.drop_alarm()
            if at:
                left = at - workflow.now()
                summary = timer_summary(self._stage_key, self.tasks, at, until_says)
                self._alarm = asyncio.create_task(workflow.sleep(left, summary=summary))
                self._alarm_at = at
        alarm = self._alarm
        await workflow.wait_condition(
            lambda: bool(self._inbox) or self.hands_back or (alarm is not None and alarm.done())
        )

    def drop_alarm(self) -> None:
        if self._alarm is not None and not self._alarm.done():
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, None

    async def _sifts(self) -> bool:
        """Whether so much was unread that it was sifted first."""
        return await self._inbox.sift(self.subject, self._record_sifted)

    async def _record_sifted(self, step: SiftStep) -> Sifted:
        return await execute(Records.sift_messages, step, f"messages: {len(step.messages)}")

    async def _read_next(self) -> None:
        if await self._sifts():
            return
        message = self._inbox.first
        self._inbox.count_read()
        if isinstance(message, FactsChanged):
            self._inbox.remove_first()
            await self._refresh("facts")
            return
        recorded = await self._record(message)
        self._inbox.remove_first()  # not before: one that a cancellation came upon is heard with the rest
        if not recorded.accepted:
            return
        if recorded.tasks is not None:
            self.tasks = recorded.tasks
        if recorded.round is not None:
            self.round = recorded.round
        if not recorded.settled:
            self._settles.append(message.message_id)
        if isinstance(message, Withdraw):
            raise Withdrawn
        decision = recorded.decision
        if decision is None:
            self._heard.append((message, recorded))
        elif any(task.id == decision.task_id for task in self.tasks):
            self.decisions.append(decision)
            self.tasks = tuple(task for task in self.tasks if task.id != decision.task_id)

    async def _record(self, message: Said) -> Recorded:
        step = RecordStep(
            key=f"record:{type(message).__name__}:{message.fingerprint}",
            now=workflow.now(),
            subject=self.subject,
            statement=message,
        )
        return await execute(Records.record_statement, step, message.kind)

    async def _chase(self, task: OpenTask) -> None:
        if task.next_step.action is DueAction.REFRESH:
            await self._refresh("due")
            return
        due = task.next_step.at.astimezone(UTC)  # part of the key: the calendar may have put the step off
        key = f"chase:{task.id}:{task.chased}:{due:%Y%m%dT%H%M%S}"
        # What stands still comes only with tasks that the record has told of since it knows of it: a history from
        # before has no such step, so that nothing has to be told apart by a patch.
        standing = task.next_step.action if task.next_step.action in (DueAction.WARN, DueAction.LAPSE) else None
        if standing:
            key += f":{standing.value}"
        step = ReminderStep(key=key, now=workflow.now(), subject=self.subject, task_id=task.id, action=standing)
        chased = await execute(Reminders.remind_or_escalate, step, task.next_step.action.value)
        self.tasks = tuple(chased if task.id == chased.id else task for task in self.tasks)
        if chased.lapsed:
            raise StoodStill

    async def _refresh(self, because: str) -> None:
        key = f"refresh:{because}:{self._refreshes}"
        step = RefreshStep(key=key, now=workflow.now(), subject=self.subject)
        refreshed = await execute(Reminders.refresh_tasks, step)
        self._refreshes += 1
        self.tasks = refreshed.tasks

    @property
    def _stage_key(self) -> str:
        return stage_key(self.subject.type, self.stage.value)

    @property
    def _waiting_for(self) -> list[str]:
        return sorted({asked.person for task in self.tasks for asked in task.asked})

    def _shown(self, until: datetime | None) -> Shown:
        due_at = min((task.due_at for task in self.tasks), default=until)
        return Shown(self.stage.value, self._waiting_for, due_at, self.updated_at)

    def show(self, until: datetime | None = None, until_says: str = "") -> None:
        """Show operators in the Temporal UI where the process stands."""
        updates = self._shown(until).updates()
        if updates:
            workflow.upsert_search_attributes(updates)
        workflow.set_current_details(
            current_details(
                title=self.title,
                stage_key=self._stage_key,
                since=self.since,
                updated_at=self.updated_at,
                tasks=self.tasks,
                next_moment=self._next_moment(until),
                until=until,
                until_says=until_says,
                over=getattr(self.stage, "ended", False),
            )
        )

    def status(self) -> ProcessStatus:
        return ProcessStatus(
            stage=self.stage.value,
            since=self.since,
            round=self.round,
            waiting_for=tuple(self._waiting_for),
            next_event_at=self._next_moment(None),
        )

"""One review of Named Accounts: a department's week, a VP's month, the company's half-year or year (rules R1–R6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from activities.reviews.steps import ReviewSteps
    from activities.steps import OpenReviewStep
    from domain.reviews.review import FIRST_STAGE, ReviewStage
    from domain.statements import AnswerTask
    from domain.subject import Subject, SubjectType
    from domain.tasks.task import Ask, TaskKind
    from workflows.desk import Desk, HistoryFull, execute
    from workflows.messages import (
        DeskState,
        ProcessStatus,
        ReviewState,
        StartReview,
        signals,
    )


HEARS = signals(answer_task=AnswerTask)


@workflow.defn
class AccountReview:
    """People are asked until they have answered or the period's time is over; then it ends, whatever is missing (R6).

    The signal `answer_task` carries what people say; the gateway seals it and the record checks the seal.
    """

    @workflow.init
    def __init__(self, start: StartReview) -> None:
        kept = start.state
        self._start = start
        self._closes_at = kept.closes_at if kept else workflow.now()
        self._updates_until = kept.updates_until if kept else workflow.now()
        self._missed = kept.missed if kept else False
        self._desk = Desk[ReviewStage](
            subject=Subject(type=SubjectType.REVIEW, id=start.review_id),
            title=kept.title if kept else "",
            stage=kept.stage if kept else FIRST_STAGE[start.period.rhythm],
            since=kept.since if kept else workflow.now(),
            kept=kept.desk if kept else DeskState(),
        )

    @workflow.run
    async def run(self, start: StartReview) -> str:
        try:
            if start.state is None:
                await self._open()
            while not self._desk.stage.ended:
                await self._next_stage()
        except HistoryFull as full:
            workflow.continue_as_new(
                start.model_copy(update={"state": self._state()}), search_attributes=full.attributes
            )
        await self._desk.close()
        return self._desk.stage.value

    async def _next_stage(self) -> None:
        match self._desk.stage:
            case ReviewStage.UPDATES:
                await self._salespeople_report()  # R1
            case ReviewStage.DEPARTMENT_REVIEW:
                await self._everybody_answers(self._closes_at)  # R1: the department GM sets next week's plan
                await self._end()
            case ReviewStage.MONTHLY_REVIEW:
                await self._everybody_answers(self._closes_at)  # R2: the VP sets next month's targets
                await self._end()
            case ReviewStage.STARTING:
                await self._commerce_starts()  # R4
            case ReviewStage.MANAGEMENT_REVIEW:
                await self._everybody_answers(self._closes_at)  # R4: kept with new targets, or revoked (R5)
                await self._end()
            case ended:
                raise AssertionError(f"{ended} has no next stage")

    async def _open(self) -> None:
        start = self._start
        step = OpenReviewStep(
            key="open", now=workflow.now(), review_id=start.review_id, period=start.period, unit=start.unit
        )
        opened = await execute(ReviewSteps.open_review, step, "open")
        self._desk.title = opened.title
        self._closes_at, self._updates_until = opened.closes_at, opened.updates_until
        match self._desk.stage:
            case ReviewStage.UPDATES:  # one task per salesperson, for all their accounts
                ask = Ask(kind=TaskKind.WEEKLY_UPDATE)
            case ReviewStage.MONTHLY_REVIEW:
                ask = Ask(kind=TaskKind.MONTHLY_REVIEW, slot=start.unit)
            case _:
                ask = Ask(kind=TaskKind.START_REVIEW)
        await self._desk.move(self._desk.stage, asks=[ask])

    async def _salespeople_report(self) -> None:
        """R1: work, progress, problems; who has said nothing after some days has missed it, and the GM goes on."""
        await self._everybody_answers(self._updates_until)
        self._missed = self._missed or bool(self._desk.tasks)
        await self._desk.move(
            ReviewStage.DEPARTMENT_REVIEW, asks=[Ask(kind=TaskKind.WEEKLY_REVIEW, slot=self._start.unit)]
        )

    async def _commerce_starts(self) -> None:
        """R4: started by commerce; then management is asked, department by department."""
        if await self._everybody_answers(self._closes_at):
            await self._desk.move(ReviewStage.MANAGEMENT_REVIEW, asks=[Ask(kind=TaskKind.ANNUAL_REVIEW)])
        else:
            await self._end()

    async def _everybody_answers(self, until: datetime) -> bool:
        """Whether everybody has answered in time."""
        await self._desk.wait_for_decisions(self._nobody_is_asked, until=until, until_says="operators.review_closes")
        return not self._desk.tasks

    def _nobody_is_asked(self, _: Sequence[object]) -> bool:
        return not self._desk.tasks

    async def _end(self) -> None:
        """R6: what is still open is missed; the next period is not held up."""
        missed = self._missed or bool(self._desk.tasks)
        await self._desk.move(ReviewStage.MISSED if missed else ReviewStage.DONE)

    def _state(self) -> ReviewState:
        return ReviewState(
            title=self._desk.title,
            stage=self._desk.stage,
            since=self._desk.since,
            closes_at=self._closes_at,
            updates_until=self._updates_until,
            missed=self._missed,
            desk=self._desk.state,
        )

    @workflow.signal(dynamic=True, description="What people say (answer_task), sealed; facts_changed.")
    def hear(self, signal: str, sent: Sequence[RawValue]) -> None:
        self._desk.hear(HEARS, signal, sent)

    @workflow.query(description="Where the review stands, whom it waits for, what happens next.")
    def status(self) -> ProcessStatus:
        return self._desk.status()

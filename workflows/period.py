"""The end of a week, a month, a quarter, half a year or a year: reports are made, reviews begin (R1–R6, U1, U9)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.workflow import ChildWorkflowCancellationType, ChildWorkflowHandle, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.reviews.steps import ReviewSteps
    from activities.steps import PeriodStep, PlannedPeriod, PlanPeriodStep
    from domain.reviews.periods import Period, Rhythm
    from domain.reviews.review import ReviewStage, ReviewUnit
    from domain.subject import SubjectType
    from texts.operators import in_both_languages, period_details, static_summary
    from workflows.desk import STEP_RETRIES, execute
    from workflows.messages import (
        DEPARTMENT,
        TASK_QUEUE,
        PeriodDone,
        StartPeriod,
        StartReview,
        review_workflow_id,
    )
    from workflows.review import AccountReview

SCHEDULED_FOR = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""The moment of the schedule, however late the run starts."""


@workflow.defn
class ReviewPeriod:
    """What follows from the end of one period, once. Started by its schedule; one started by hand finds the last
    period done already, or does it."""

    @workflow.run
    async def run(self, start: StartPeriod) -> PeriodDone:
        planned = await self._plan(start)
        period = planned.period
        if not planned.ours:
            return PeriodDone(period=period.id, done_before=True)
        workflow.set_current_details(period_details(period.id, planned.opens_at))
        await self._wait_for_the_working_day(planned.opens_at)
        await self._make_reports(period)  # U1, U9, R2–R4
        begun = await execute(ReviewSteps.plan_reviews, self._step("reviews", period), "reviews")
        running = [await self._begin(review, period) for review in begun.reviews]  # R1, R2, R4
        ends = await asyncio.gather(*running, return_exceptions=True)
        return PeriodDone(
            period=period.id,
            reviews=len(begun.reviews),
            missed=tuple(
                review.id for review, end in zip(begun.reviews, ends, strict=True) if end != ReviewStage.DONE.value
            ),
        )

    async def _plan(self, start: StartPeriod) -> PlannedPeriod:
        scheduled = start.scheduled_at or workflow.info().typed_search_attributes.get(SCHEDULED_FOR)
        step = PlanPeriodStep(
            key="plan", now=workflow.now(), rhythm=start.rhythm, scheduled_at=scheduled or workflow.now()
        )
        return await execute(ReviewSteps.plan_period, step, "plan")

    async def _wait_for_the_working_day(self, opens_at: datetime) -> None:
        if opens_at > workflow.now():
            await workflow.sleep(opens_at - workflow.now(), summary=in_both_languages("operators.working_day"))

    async def _make_reports(self, period: Period) -> None:
        """An activity of the engine's own, since a large company's figures take their time."""
        await workflow.execute_activity_method(
            ReviewSteps.make_reports,
            self._step("reports", period),
            start_to_close_timeout=timedelta(minutes=5),
            retry_policy=STEP_RETRIES,
            summary="reports",
        )

    async def _begin(self, review: ReviewUnit, period: Period) -> ChildWorkflowHandle[AccountReview, str]:
        """It outlives this run, whatever its result; the next period waits for neither (R6)."""
        of_a_department = period.rhythm is Rhythm.WEEKLY
        attributes = [SearchAttributePair(DEPARTMENT, review.unit)] if of_a_department else []
        return await workflow.start_child_workflow(
            AccountReview.run,
            StartReview(review_id=review.id, period=period, unit=review.unit),
            id=review_workflow_id(review.id),
            task_queue=TASK_QUEUE,
            parent_close_policy=ParentClosePolicy.ABANDON,
            cancellation_type=ChildWorkflowCancellationType.ABANDON,
            search_attributes=TypedSearchAttributes(attributes),
            static_summary=static_summary(SubjectType.REVIEW, review.id, "", None),
        )

    def _step(self, key: str, period: Period) -> PeriodStep:
        return PeriodStep(key=key, now=workflow.now(), period=period)

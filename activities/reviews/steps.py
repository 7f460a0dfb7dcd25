"""The steps of a period: begun once, reported on, and its reviews opened (R1–R6, U1, U9)."""

from __future__ import annotations

from temporalio import activity

from activities.reports.reports import make_report
from activities.reviews.process import department_of
from activities.steps import (
    OpenReviewStep,
    PeriodReviews,
    PeriodStep,
    PlannedPeriod,
    PlanPeriodStep,
    ReportsMade,
    ReviewOpened,
)
from activities.tasks.context import IllegalTransition
from activities.unit_of_work import Recorder, UnitOfWork
from db.reviews import reviews
from db.reviews.reviews import PeriodRow, ReviewRow
from domain.reports.report import reports_of
from domain.reviews.periods import Period, closes_at, last_finished, opens_at
from domain.reviews.review import FIRST_STAGE, review_id, review_units, updates_until
from texts.reviews.review_lines import unit_name


class ReviewSteps:
    """Writes what happens at the end of a period."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @activity.defn
    async def plan_period(self, step: PlanPeriodStep) -> PlannedPeriod:
        """The last period that was over at the scheduled moment; the first run that asks for it has it (X3).

        A run that was started by hand may name any moment; one to come is taken for now.
        """

        async def apply(uow: UnitOfWork) -> PlannedPeriod:
            policy, (_, calendar) = uow.facts.policy, await uow.facts.of_now(uow.connection)
            moment = min(step.scheduled_at, uow.now)
            period = last_finished(step.rhythm, moment, policy.reviews, calendar)
            opens = opens_at(period, policy.reviews, calendar)
            begun = max(opens, uow.now)
            row = PeriodRow(
                rhythm=period.rhythm,
                period=period.id,
                workflow_id=uow.workflow_id,
                opens_at=begun,
                closes_at=closes_at(period, begun, policy.reviews, calendar),
                policy_digest=await uow.facts.pin_policy(uow.connection),
            )
            known = await reviews.begin_period(uow.connection, row)
            ours = known.workflow_id == uow.workflow_id
            if ours:
                uow.note("period_begun", period=period.id, rhythm=period.rhythm.value, opens_at=opens.isoformat())
            return PlannedPeriod(ours=ours, period=period, opens_at=opens)

        return await self._recorder.once(step, PlannedPeriod, apply)

    @activity.defn
    async def make_reports(self, step: PeriodStep) -> ReportsMade:
        """U1, U9, R2–R4: the reports of the period, stored and sent."""

        async def apply(uow: UnitOfWork) -> ReportsMade:
            row = await _own(uow, step.period)
            organisation, calendar = await uow.facts.of_now(uow.connection)
            policy = await uow.facts.pinned_policy(uow.connection, row.policy_digest)
            for kind in reports_of(step.period.rhythm):
                await make_report(uow, kind, step.period, organisation, policy, calendar)
            return ReportsMade()

        return await self._recorder.once(step, ReportsMade, apply)

    @activity.defn
    async def plan_reviews(self, step: PeriodStep) -> PeriodReviews:
        """R1, R2, R4: whose reviews the period has: of those who hold accounts."""

        async def apply(uow: UnitOfWork) -> PeriodReviews:
            await _own(uow, step.period)
            organisation = await uow.facts.organisation(uow.connection)
            held = [department_of(account, organisation) for account in await reviews.live_accounts(uow.connection)]
            return PeriodReviews(reviews=review_units(step.period.rhythm, step.period.id, held, organisation))

        return await self._recorder.once(step, PeriodReviews, apply)

    @activity.defn
    async def open_review(self, step: OpenReviewStep) -> ReviewOpened:
        """R1, R2, R4: the review exists; nobody has been asked yet. Raises `IllegalTransition`."""

        async def apply(uow: UnitOfWork) -> ReviewOpened:
            period, unit = step.period, step.unit
            begun = await reviews.find_period(uow.connection, period.rhythm, period.id)
            named = review_id(period.id, unit)
            if begun is None or step.review_id != named or uow.workflow_id != f"review-{named}":
                raise IllegalTransition(f"{uow.workflow_id}: the record knows of no review {step.review_id}")
            if await reviews.find(uow.connection, step.review_id) is not None:
                raise IllegalTransition(f"{step.review_id} has been opened already")
            uow.subject_id = step.review_id
            policy = await uow.facts.pinned_policy(uow.connection, begun.policy_digest)
            organisation, calendar = await uow.facts.of_now(uow.connection)
            # The system may have been away since the period was begun: whoever is asked has time all the same (R6).
            closes = max(begun.closes_at, closes_at(period, uow.now, policy.reviews, calendar))
            row = ReviewRow(
                id=step.review_id,
                workflow_id=uow.workflow_id,
                rhythm=period.rhythm,
                period=period.id,
                unit=unit,
                stage=FIRST_STAGE[period.rhythm],
                stage_since=uow.now,
                opened_at=uow.now,
                closes_at=closes,
                policy_digest=begun.policy_digest,
            )
            await reviews.add(uow.connection, row)
            uow.note("review_opened", period=period.id, unit=unit, closes_at=closes.isoformat())
            return ReviewOpened(
                title=f"{period.id} · {unit_name(period.rhythm, unit, organisation)}",
                closes_at=closes,
                updates_until=updates_until(uow.now, closes, policy.reviews, calendar),
            )

        return await self._recorder.once(step, ReviewOpened, apply)


async def _own(uow: UnitOfWork, period: Period) -> PeriodRow:
    """The period that this run has begun. Raises `IllegalTransition`."""
    row = await reviews.find_period(uow.connection, period.rhythm, period.id)
    if row is None or row.workflow_id != uow.workflow_id:
        raise IllegalTransition(f"{uow.workflow_id} has not begun {period.id}")
    return row

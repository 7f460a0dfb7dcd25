"""Temporal Schedules for reviews and reports, one per rhythm (R1–R4, U1, U9).

They fire at the policy's time of day, right after a period has ended. The run waits for the working day and derives its
period from its scheduled time. A missed run is caught up; repeating a period has no effect.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from domain.policy import Policy
from domain.reviews.periods import MONTHS, Rhythm
from workflows.messages import TASK_QUEUE, StartPeriod
from workflows.period import ReviewPeriod

CATCH_UP = timedelta(days=31)
"""How late a missed run is still started; later it would be of no use."""


def schedule_id(rhythm: Rhythm) -> str:
    """The id of the schedule of a rhythm."""
    return f"period-{rhythm}"


def calendar_of(rhythm: Rhythm, policy: Policy) -> ScheduleCalendarSpec:
    """The first day after a period, at the time of day when reviews open."""
    reviews = policy.reviews
    at = reviews.send_at
    hour, minute, second = ([ScheduleRange(part)] for part in (at.hour, at.minute, at.second))
    if rhythm is Rhythm.WEEKLY:
        days = [ScheduleRange(reviews.week_starts % 7)]  # the engine counts from Sunday, 0
        return ScheduleCalendarSpec(day_of_week=days, hour=hour, minute=minute, second=second)
    begins = reviews.fiscal_year_starts - 1
    every = MONTHS[rhythm]
    firsts = sorted((begins + shift) % 12 + 1 for shift in range(0, 12, every))
    if rhythm is Rhythm.HALF_YEARLY:  # R4: the second half is reviewed with the year
        firsts = [(begins + 6) % 12 + 1]
    months = [ScheduleRange(month) for month in firsts]
    return ScheduleCalendarSpec(month=months, day_of_month=[ScheduleRange(1)], hour=hour, minute=minute, second=second)


def schedule_of(rhythm: Rhythm, policy: Policy) -> Schedule:
    """The schedule of one rhythm, in the company's time zone."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            ReviewPeriod.run, StartPeriod(rhythm=rhythm), id=schedule_id(rhythm), task_queue=TASK_QUEUE
        ),
        spec=ScheduleSpec(calendars=[calendar_of(rhythm, policy)], time_zone_name=policy.time_zone),
        # Each run is for a different period: none waits for the previous one.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.ALLOW_ALL, catchup_window=CATCH_UP),
    )


async def ensure_schedules(client: Client, policy: Policy) -> list[str]:
    """Create the schedules or update them to the policy; a schedule that an operator paused stays paused.

    Returns a line for each: its id and its next run. Raises `RPCError` if the engine refuses.
    """
    lines = []
    for rhythm in Rhythm:
        wanted = schedule_of(rhythm, policy)
        handle = client.get_schedule_handle(schedule_id(rhythm))
        try:
            await client.create_schedule(schedule_id(rhythm), wanted)
        except ScheduleAlreadyRunningError:
            await handle.update(_in_line_with(wanted))
        known = await handle.describe()
        fires = [moment.astimezone(policy.zone).isoformat() for moment in known.info.next_action_times[:1]]
        paused = ["paused"] if known.schedule.state.paused else []
        lines.append("  ".join([schedule_id(rhythm), *paused, *fires]))
    return lines


def _in_line_with(wanted: Schedule) -> Callable[[ScheduleUpdateInput], ScheduleUpdate]:
    def update(known: ScheduleUpdateInput) -> ScheduleUpdate:
        wanted.state = known.description.schedule.state
        return ScheduleUpdate(schedule=wanted)

    return update

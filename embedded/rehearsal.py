"""Moves the clock of a single process forward, so that days without an answer can be rehearsed in seconds.

Uses an experimental feature of the real server, which only the one-machine mode enables (see `TemporalServer`).
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from domain.calendar import WorkCalendar
from domain.policy import Policy
from domain.reviews.periods import Period, Rhythm, last_finished, opens_at
from runtime.schedules import schedule_id
from workflows.messages import TASK_QUEUE, StartPeriod
from workflows.period import ReviewPeriod

PATIENCE = 60.0
"""Seconds to wait for the clock to reach its target."""


class NoClock(Exception):
    """The clock of this process cannot be moved: the process is unknown, or has ended."""


async def fast_forward(client: Client, workflow_id: str, duration: timedelta) -> None:
    """Let `duration` pass for one running process. What is due on the way happens, in order; it may end there.

    Only its own clock moves: the record then holds dates of the future for it, and no other process notices.
    Raises `NoClock`, and `TimeoutError` when it has not arrived after `PATIENCE`.
    """
    try:
        skipping = TimeSkipper(client).fast_forward(client.get_workflow_handle(workflow_id), duration)
        await asyncio.wait_for(skipping, PATIENCE)  # False if the process has ended on the way, which is fine
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION):
            raise NoClock(error.message) from error
        raise


async def end_period(client: Client, rhythm: Rhythm, policy: Policy, now: datetime) -> Period:
    """Let the period of `rhythm` that is under way at `now` end: its reports are made and its reviews begin.

    Done once for a period; repeating it changes nothing. Raises `TimeoutError` as `fast_forward` does.
    """
    calendar = WorkCalendar(region=policy.calendar_region, time_zone=policy.time_zone)
    period = _under_way(rhythm, policy, calendar, now)
    opens = opens_at(period, policy.reviews, calendar)
    workflow_id = f"{schedule_id(rhythm)}-rehearsed-{period.id}-{int(now.timestamp())}"
    await client.start_workflow(
        ReviewPeriod.run, StartPeriod(rhythm=rhythm, scheduled_at=opens), id=workflow_id, task_queue=TASK_QUEUE
    )
    with contextlib.suppress(NoClock):  # done before: it has ended already
        await fast_forward(client, workflow_id, max(opens - now, timedelta()) + timedelta(minutes=1))
    return period


def _under_way(rhythm: Rhythm, policy: Policy, calendar: WorkCalendar, now: datetime) -> Period:
    """The period that will be the last finished one next."""
    before = last_finished(rhythm, now, policy.reviews, calendar)
    day = now
    while (period := last_finished(rhythm, day, policy.reviews, calendar)) == before:
        day += timedelta(days=1)
    return period

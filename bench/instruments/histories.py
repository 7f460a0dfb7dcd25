"""What the engine stores and bills for one process, from its history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

LOCAL_ACTIVITY_MARKER = "core_local_activity"
BILLED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: 1,  # continue-as-new included: it starts the next run
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: 1,
    EventType.EVENT_TYPE_TIMER_STARTED: 1,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: 1,
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: 1,
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: 1,  # and 1 more as the start of the child
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: 1,
}
"""Actions as counted by Temporal Cloud. Activities are counted by attempt, local ones by workflow task."""


class History(NamedTuple):
    events: int
    actions: int
    size_bytes: int


def actions(events: Iterable[HistoryEvent]) -> int:
    """Actions of one run; rejected updates and queries leave no event and are not counted."""
    billed = 0
    tasks_with_local_activities: set[int] = set()
    for event in events:
        billed += BILLED.get(event.event_type, 0)
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            billed += event.activity_task_started_event_attributes.attempt
        elif event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
            marker = event.marker_recorded_event_attributes
            if marker.marker_name == LOCAL_ACTIVITY_MARKER:
                tasks_with_local_activities.add(marker.workflow_task_completed_event_id)
    return billed + len(tasks_with_local_activities)


async def history_of(client: Client, workflow_id: str) -> History:
    events = [event async for event in client.get_workflow_handle(workflow_id).fetch_history_events()]
    return History(len(events), actions(events), sum(event.ByteSize() for event in events))


async def runs_of(client: Client, workflow_id: str) -> list[list[HistoryEvent]]:
    """The events of every run of a process that continues as new, oldest run first."""
    runs: list[list[HistoryEvent]] = []
    run_id = ""
    while True:
        handle = client.get_workflow_handle(workflow_id, run_id=run_id or None)
        runs.insert(0, [event async for event in handle.fetch_history_events()])
        run_id = runs[0][0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not run_id:
            return runs


def by_signal(runs: Sequence[Sequence[HistoryEvent]], name: str) -> list[History]:
    """Events before the first signal `name`, then those caused by each such signal, including a continue-as-new."""
    parts: list[list[list[HistoryEvent]]] = [[]]
    for run in runs:
        parts[-1].append([])
        for event in run:
            if event.workflow_execution_signaled_event_attributes.signal_name == name:
                parts.append([[]])
            parts[-1][-1].append(event)
    return [
        History(
            sum(len(of_run) for of_run in part),
            sum(actions(of_run) for of_run in part),
            sum(event.ByteSize() for of_run in part for event in of_run),
        )
        for part in parts
    ]

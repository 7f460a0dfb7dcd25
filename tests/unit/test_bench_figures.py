"""The bench counts Actions as Temporal Cloud bills them."""

from __future__ import annotations

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.histories import LOCAL_ACTIVITY_MARKER, actions


def event(kind: EventType.ValueType) -> HistoryEvent:
    return HistoryEvent(event_type=kind)


def marker(workflow_task: int, name: str = LOCAL_ACTIVITY_MARKER) -> HistoryEvent:
    made = event(EventType.EVENT_TYPE_MARKER_RECORDED)
    made.marker_recorded_event_attributes.marker_name = name
    made.marker_recorded_event_attributes.workflow_task_completed_event_id = workflow_task
    return made


def attempt(number: int) -> HistoryEvent:
    made = event(EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED)
    made.activity_task_started_event_attributes.attempt = number
    return made


def test_a_start_a_signal_a_timer_and_an_upsert_are_one_action_each() -> None:
    billed = [
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    ]
    free = [
        EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        EventType.EVENT_TYPE_TIMER_CANCELED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    ]
    assert actions(map(event, billed + free)) == len(billed)


def test_every_attempt_of_an_activity_counts() -> None:
    assert actions([attempt(1), attempt(3)]) == 4


def test_all_local_activities_of_one_workflow_task_count_together() -> None:
    assert actions([marker(4), marker(4), marker(4), marker(9), marker(9, "core_patch")]) == 2

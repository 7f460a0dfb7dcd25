"""The bench counts Actions as Temporal Cloud bills them."""

from __future__ import annotations

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.histories import LOCAL_ACTIVITY_MARKER, actions, by_signal
from bench.life.report import HEADING, with_parts, with_section


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


def signal(name: str) -> HistoryEvent:
    made = event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    made.workflow_execution_signaled_event_attributes.signal_name = name
    return made


def test_a_signal_pays_for_the_hand_over_it_causes() -> None:
    started = event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
    timer = event(EventType.EVENT_TYPE_TIMER_STARTED)
    handed_over = event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW)
    runs = [
        [started, signal("answer_task"), signal("update"), marker(4), timer, signal("update"), marker(7), handed_over],
        [started, timer, signal("update"), marker(4)],
    ]
    seen = [(run.events, run.actions) for run in by_signal(runs, "update")]
    assert seen == [(2, 2), (3, 3), (5, 4), (2, 2)]


def test_a_trial_run_alone_replaces_its_own_section_only() -> None:
    section = [HEADING, "", "new", ""]
    assert with_section("# Page\n\n## One\n\n1\n", section) == f"# Page\n\n## One\n\n1\n\n{HEADING}\n\nnew\n"
    older = f"# Page\n\n{HEADING}\n\nold\n\n## Two\n\n2\n"
    assert with_section(older, section) == f"# Page\n\n{HEADING}\n\nnew\n\n## Two\n\n2\n"
    last = f"# Page\n\n{HEADING}\n\nold\n"
    assert with_section(last, section) == f"# Page\n\n{HEADING}\n\nnew\n"


def test_parts_that_a_run_leaves_out_stay_as_they_were() -> None:
    older = "# Page\n\nolder head\n\n## One\n\n1\n\n## Two\n\n2\n"
    newer = "# Page\n\nnewer head\n\n## Two\n\n22\n\n## Three\n\n3\n"
    assert with_parts(older, newer) == ("# Page\n\nnewer head\n\n## One\n\n1\n\n## Two\n\n22\n\n## Three\n\n3\n")
    assert with_parts("", newer) == newer

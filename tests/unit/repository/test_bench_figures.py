"""What the bench counts and holds against what."""

from __future__ import annotations

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.driving import Ran
from bench.instruments.histories import LOCAL_ACTIVITY_MARKER, actions, by_signal
from bench.instruments.meter import Usage
from bench.life.report import HEADING, with_parts, with_section
from bench.report import Compared, application_section
from bench.rounds import MAILS_EACH, Arm, Result, Size


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


def result(arm: Arm, number: int, worker_ms: float) -> Result:
    usage = Usage(1.0, {"temporal": 0.1, "worker": worker_ms / 1000, "api": 0.0, "postgres": 0.0}, 0.5)
    return Result(arm, number, 1, Ran(seconds=1.0), usage, (), approved=1, mails=MAILS_EACH)


def compared(results: list[Result]) -> Compared:
    return Compared(True, Size(2, 1, 1, 0), results, (True,), 0, 1.0, "0f6e15b")


def test_an_application_is_held_against_the_bare_workflow_and_an_earlier_product_of_the_same_round() -> None:
    ours, earlier, bare = Arm(True, True), Arm(True, True, "0f6e15b"), Arm(False, True)
    results = [
        result(arm, number, cost)
        for number, costs in enumerate([(200.0, 180.0, 50.0), (240.0, 220.0, 70.0)])
        for arm, cost in zip((ours, earlier, bare), costs, strict=True)
    ]
    page = "\n".join(application_section(compared(results)))
    assert "| CPU per application, sandbox on | ≤ 2.5 | ≤ 2.0 | **2.00** | 2.00, 2.00 | aim reached |" in page
    assert "| CPU per application, sandbox on | ≤ 1.1 | **1.07** | 1.07, 1.06 | holds |" in page


def test_a_repository_without_the_earlier_commit_says_so() -> None:
    results = [result(arm, 0, 100.0) for arm in (Arm(True, True), Arm(False, True))]
    assert "Commit 0f6e15b is not in this repository" in "\n".join(application_section(compared(results)))

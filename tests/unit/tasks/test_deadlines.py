"""What happens to a task nobody answers, and until when a rejection may be appealed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import WorkCalendar
from domain.organisation import Role
from domain.policy import Appeal, Deadline, Policy, load_policy
from domain.tasks.deadlines import appeal_until, asked_anew_by, due_at, due_step, stand_in_due
from domain.tasks.task import DueAction, TaskKind

SHANGHAI = ZoneInfo("Asia/Shanghai")
POLICY = load_policy()
CHINA = WorkCalendar(region=POLICY.calendar_region, time_zone=POLICY.time_zone)
MONDAY = datetime(2026, 9, 7, 9, 30, tzinfo=SHANGHAI)
"""Four weeks without a holiday but with one make-up day follow (Sunday 20 September)."""

REMIND, STAND_IN = DueAction.REMIND, DueAction.STAND_IN


def plan(kind: TaskKind, steps: int, policy: Policy = POLICY) -> list[tuple[str, DueAction]]:
    found = [due_step(kind, MONDAY, done, policy, CHINA) for done in range(steps)]
    assert all(step.at.time() == MONDAY.time() for step in found)
    return [(f"{step.at:%m-%d}", step.action) for step in found]


def with_deadline(kind: TaskKind, deadline: Deadline) -> Policy:
    return POLICY.model_copy(update={"deadlines": {**POLICY.deadlines, kind: deadline}})


def test_n12_a_vp_is_reminded_after_2_and_4_working_days_and_stood_in_for_after_5() -> None:
    assert plan(TaskKind.VP_REVIEW, 5) == [
        ("09-09", REMIND),
        ("09-11", REMIND),
        ("09-14", STAND_IN),
        ("09-20", REMIND),  # the Sunday is worked
        ("09-28", REMIND),  # 25 to 27 September is Mid-Autumn Festival
    ]


@pytest.mark.parametrize("kind", [TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL])
def test_n12_the_general_manager_is_only_reminded(kind: TaskKind) -> None:
    assert plan(kind, 4) == [("09-09", REMIND), ("09-11", REMIND), ("09-18", REMIND), ("09-24", REMIND)]


def test_n12_a_clerk_is_stood_in_for_and_a_salesperson_only_reminded() -> None:
    assert [action for _, action in plan(TaskKind.COMMERCE_CHECK, 4)] == [REMIND, REMIND, STAND_IN, REMIND]
    assert plan(TaskKind.SUPPLY_INFORMATION, 3) == [("09-14", REMIND), ("09-20", REMIND), ("10-10", REMIND)]


def test_n12_an_answer_is_expected_when_a_stand_in_is_asked_or_at_the_last_planned_reminder() -> None:
    assert due_at(TaskKind.VP_REVIEW, MONDAY, POLICY, CHINA) == MONDAY + timedelta(days=7)
    assert due_at(TaskKind.GM_APPROVAL, MONDAY, POLICY, CHINA) == MONDAY + timedelta(days=4)


def test_n12_whoever_is_asked_when_it_is_due_already_has_a_deadline_to_come() -> None:
    kind, due = TaskKind.VP_REVIEW, due_at(TaskKind.VP_REVIEW, MONDAY, POLICY, CHINA)
    in_time = due - timedelta(seconds=1)
    assert asked_anew_by(kind, due, MONDAY, POLICY, CHINA) == asked_anew_by(kind, due, in_time, POLICY, CHINA) == due
    assert asked_anew_by(kind, due, due, POLICY, CHINA) == MONDAY + timedelta(days=13)  # Sunday 20 September is worked
    late = MONDAY + timedelta(days=60)
    assert asked_anew_by(kind, due, late, POLICY, CHINA) == CHINA.add_working_days(late, 5).at


def test_n12_reminders_planned_after_the_stand_in_keep_their_place() -> None:
    policy = with_deadline(
        TaskKind.VP_REVIEW,
        Deadline(remind_after=(7, 1), stand_in_after=3, stand_in=Role.GENERAL_MANAGER, repeat_every=2),
    )
    assert plan(TaskKind.VP_REVIEW, 4, policy) == [
        ("09-08", REMIND),
        ("09-10", STAND_IN),
        ("09-16", REMIND),
        ("09-18", REMIND),
    ]
    assert due_at(TaskKind.VP_REVIEW, MONDAY, policy, CHINA) == MONDAY + timedelta(days=3)


def test_n12_on_one_day_the_reminder_comes_before_the_stand_in() -> None:
    policy = with_deadline(
        TaskKind.VP_REVIEW,
        Deadline(remind_after=(5,), stand_in_after=5, stand_in=Role.GENERAL_MANAGER, repeat_every=5),
    )
    assert plan(TaskKind.VP_REVIEW, 2, policy) == [("09-14", REMIND), ("09-14", STAND_IN)]


def test_n12_without_a_role_to_stand_in_nobody_does() -> None:
    policy = with_deadline(TaskKind.VP_REVIEW, Deadline(remind_after=(2,), stand_in_after=5, repeat_every=5))
    assert [action for _, action in plan(TaskKind.VP_REVIEW, 3, policy)] == [REMIND, REMIND, REMIND]


def test_n12_a_stand_in_is_due_once_the_step_that_asks_one_has_been_carried_out_and_ever_after() -> None:
    assert [stand_in_due(TaskKind.VP_REVIEW, done, POLICY) for done in range(5)] == [False, False, False, True, True]
    early = with_deadline(
        TaskKind.VP_REVIEW,
        Deadline(remind_after=(7, 1), stand_in_after=3, stand_in=Role.GENERAL_MANAGER, repeat_every=2),
    )
    assert [stand_in_due(TaskKind.VP_REVIEW, done, early) for done in range(4)] == [False, False, True, True]
    assert not any(stand_in_due(TaskKind.GM_APPROVAL, done, POLICY) for done in range(9))


def test_n12_without_planned_steps_the_repeating_reminder_is_the_deadline() -> None:
    policy = with_deadline(TaskKind.GM_APPROVAL, Deadline(remind_after=(), repeat_every=3))
    assert plan(TaskKind.GM_APPROVAL, 2, policy) == [("09-10", REMIND), ("09-15", REMIND)]
    assert due_at(TaskKind.GM_APPROVAL, MONDAY, policy, CHINA) == MONDAY + timedelta(days=3)


def test_n12_a_step_in_a_year_not_announced_yet_is_marked_provisional() -> None:
    december = datetime(2026, 12, 28, 9, 30, tzinfo=SHANGHAI)
    steps = [due_step(TaskKind.VP_REVIEW, december, done, POLICY, CHINA) for done in range(3)]
    assert [step.provisional for step in steps] == [False, True, True]


def test_a_kind_without_deadline_and_a_negative_count_are_refused() -> None:
    policy = POLICY.model_copy(update={"deadlines": {}})
    with pytest.raises(KeyError):
        due_step(TaskKind.VP_REVIEW, MONDAY, 0, policy, CHINA)
    with pytest.raises(ValueError, match="zero"):
        due_step(TaskKind.VP_REVIEW, MONDAY, -1, POLICY, CHINA)


@given(
    kind=st.sampled_from(TaskKind),
    minutes=st.integers(0, 60 * 24 * 365),
    steps=st.integers(2, 12),
)
def test_n12_steps_never_end_and_never_go_back(kind: TaskKind, minutes: int, steps: int) -> None:
    opened_at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    found = [due_step(kind, opened_at, done, POLICY, CHINA) for done in range(steps)]
    assert all(step.at > opened_at for step in found)
    assert all(earlier.at < later.at for earlier, later in pairwise(found))
    assert sum(step.action is STAND_IN for step in found) <= 1
    assert DueAction.REFRESH not in {step.action for step in found}


def test_n10_a_rejection_may_be_appealed_for_one_calendar_month() -> None:
    rejected_at = datetime(2026, 1, 31, 18, 5, tzinfo=SHANGHAI)
    assert appeal_until(rejected_at, POLICY, CHINA) == datetime(2026, 2, 28, 18, 5, tzinfo=SHANGHAI)
    longer = POLICY.model_copy(update={"appeal": Appeal(months=3)})
    assert appeal_until(rejected_at, longer, CHINA) == datetime(2026, 4, 30, 18, 5, tzinfo=SHANGHAI)

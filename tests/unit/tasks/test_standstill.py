"""What becomes of a held, disputed or returned matter that nobody takes further (U10)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from domain.calendar import WorkCalendar
from domain.policy import Standstill, load_policy
from domain.tasks.standstill import closes_at, standstill_step
from domain.tasks.task import DueAction, DueStep, TaskKind

SHANGHAI = ZoneInfo("Asia/Shanghai")
POLICY = load_policy()
CHINA = WorkCalendar(region=POLICY.calendar_region, time_zone=POLICY.time_zone)
SINCE = datetime(2026, 11, 30, 9, 30, tzinfo=SHANGHAI)
WARNED = datetime(2027, 1, 30, 9, 30, tzinfo=SHANGHAI)
ENDS = datetime(2027, 2, 28, 9, 30, tzinfo=SHANGHAI)
CLOCKED = {TaskKind.SUPPLY_INFORMATION, TaskKind.AGREE_SPLIT, TaskKind.CALL_MEETING, TaskKind.RECORD_MEETING}


@pytest.mark.parametrize("kind", sorted(CLOCKED))
def test_u10_u5_those_concerned_are_warned_after_two_months_and_it_ends_after_three(kind: TaskKind) -> None:
    """30 November + 3 months is the last day of February."""
    assert standstill_step(kind, SINCE, None, POLICY, CHINA) == DueStep(at=WARNED, action=DueAction.WARN)
    assert closes_at(kind, SINCE, None, POLICY, CHINA) == ENDS
    assert standstill_step(kind, SINCE, WARNED, POLICY, CHINA) == DueStep(at=ENDS, action=DueAction.LAPSE)


def test_u10_a_warning_that_came_late_leaves_a_week() -> None:
    """After an outage, or of what stood still for a year before anything had a clock: nothing ends without warning."""
    for late in (ENDS - timedelta(days=2), ENDS + timedelta(days=365)):
        step = standstill_step(TaskKind.SUPPLY_INFORMATION, SINCE, late, POLICY, CHINA)
        assert step == DueStep(at=late + timedelta(days=7), action=DueAction.LAPSE)


@pytest.mark.parametrize("kind", sorted(set(TaskKind) - CLOCKED))
def test_u10_a_decision_that_is_owed_ends_nothing(kind: TaskKind) -> None:
    """Reminders and stand-ins see to those (N12): a project is not shelved because a VP is silent."""
    assert standstill_step(kind, SINCE, None, POLICY, CHINA) is None
    assert standstill_step(kind, SINCE, WARNED, POLICY, CHINA) is None


def test_u10_the_warning_comes_before_the_end() -> None:
    with pytest.raises(ValidationError, match="the warning comes before the end"):
        Standstill(warn_after_months=3, close_after_months=3, least_notice_days=7)


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        closes_at(TaskKind.AGREE_SPLIT, datetime(2026, 11, 30), None, POLICY, CHINA)  # noqa: DTZ001
    assert closes_at(TaskKind.AGREE_SPLIT, SINCE.astimezone(UTC), None, POLICY, CHINA) == ENDS

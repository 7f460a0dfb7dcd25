"""When a held, disputed or returned matter that nobody takes further is shelved or closed (U10)."""

from __future__ import annotations

from datetime import datetime

from domain.calendar import WorkCalendar
from domain.policy import Policy
from domain.tasks.task import DueAction, DueStep, TaskKind

_CLOCKED = frozenset(
    {TaskKind.SUPPLY_INFORMATION, TaskKind.AGREE_SPLIT, TaskKind.CALL_MEETING, TaskKind.RECORD_MEETING}
)
"""Asked of a held project, a returned application and a dispute; each of these stands in the way of others."""


def closes_at(
    kind: TaskKind, since: datetime, warned_at: datetime | None, policy: Policy, calendar: WorkCalendar
) -> datetime | None:
    """U10, U5: when a matter that waits for an answer of this kind since `since` is shelved or closed, in calendar
    months; None where it waits for ever. Never without warning: one that was given late puts it off.

    Raises `ValueError` for a naive moment.
    """
    if kind not in _CLOCKED:
        return None
    rules = policy.standstill
    warned = warned_at or calendar.add_months(since, rules.warn_after_months)
    after_warning = calendar.add_days(warned, rules.least_notice_days)
    return max(calendar.add_months(since, rules.close_after_months), after_warning)


def standstill_step(
    kind: TaskKind, since: datetime, warned_at: datetime | None, policy: Policy, calendar: WorkCalendar
) -> DueStep | None:
    """U10: the warning, and once it has been given the end; None where an answer of this kind is waited for without.

    Raises as `closes_at` does.
    """
    end = closes_at(kind, since, warned_at, policy, calendar)
    if end is None:
        return None
    if warned_at is not None:
        return DueStep(at=end, action=DueAction.LAPSE)
    warning = calendar.add_months(since, policy.standstill.warn_after_months)
    return DueStep(at=warning, action=DueAction.WARN)

"""What happens automatically to an unanswered task, and when (N12); how long a rejection can be appealed (N10)."""

from __future__ import annotations

from datetime import datetime

from domain.calendar import WorkCalendar
from domain.policy import Deadline, Policy
from domain.tasks.task import DueAction, DueStep, TaskKind


def due_step(kind: TaskKind, opened_at: datetime, done: int, policy: Policy, calendar: WorkCalendar) -> DueStep:
    """N12: the next thing that happens to a task still open, when `done` such things have happened already.

    First the reminders and the stand-in of the policy in the order of their days, then a reminder every `repeat_every`
    working days after the last of them, for ever: nothing waits in silence. All are counted from `opened_at`, so a
    step carried out late does not put off those that follow.
    Raises `KeyError` for a kind the policy sets no deadline for, `ValueError` for a naive moment or a negative `done`.
    """
    if done < 0:
        raise ValueError("no fewer than zero steps can have happened")
    deadline = policy.deadlines[kind]
    steps = _planned(deadline)
    if done < len(steps):
        days, action = steps[done]
    else:
        last = steps[-1][0] if steps else 0
        days, action = last + deadline.repeat_every * (done - len(steps) + 1), DueAction.REMIND
    reached = calendar.add_working_days(opened_at, days)
    return DueStep(at=reached.at, action=action, provisional=reached.provisional)


def next_step(chased: DueStep, *, delegation_changes: datetime | None, standstill: DueStep | None) -> DueStep:
    """What happens to an open task automatically next: what N12 has it do (`chased`), a look at who is asked when a
    delegation begins or ends, or the end of a matter that stands still (U10); the latter goes first at one moment."""
    following = chased
    if delegation_changes and delegation_changes < following.at:
        following = DueStep(at=delegation_changes, action=DueAction.REFRESH)
    return standstill if standstill and standstill.at <= following.at else following


def stand_in_due(kind: TaskKind, done: int, policy: Policy) -> bool:
    """N12: whether a stand-in is asked, when `done` of the things `due_step` tells have happened to a task.

    Who happens to be asked says nothing about it: a stand-in may be asked earlier for want of anybody else, or be asked
    already as somebody's delegate. Raises `KeyError` for a kind the policy sets no deadline for.
    """
    return any(action is DueAction.STAND_IN for _, action in _planned(policy.deadlines[kind])[:done])


def due_at(kind: TaskKind, opened_at: datetime, policy: Policy, calendar: WorkCalendar) -> datetime:
    """N12: the moment by which an answer is expected: when a stand-in is asked, or else the last planned reminder.

    Raises as `due_step` does.
    """
    deadline = policy.deadlines[kind]
    steps = _planned(deadline)
    stand_in = [days for days, action in steps if action is DueAction.STAND_IN]
    days = stand_in[0] if stand_in else steps[-1][0] if steps else deadline.repeat_every
    return calendar.add_working_days(opened_at, days).at


def asked_anew_by(
    kind: TaskKind, expected: datetime, asked_last: datetime, policy: Policy, calendar: WorkCalendar
) -> datetime:
    """N12: until when an answer is expected of whoever was asked at `asked_last`; it is still to come for them too.

    `expected`: what `due_at` said. A stand-in, a successor or a delegate asked after that is given as many working days
    as lie between two reminders. Raises as `due_step` does.
    """
    if asked_last < expected:
        return expected
    return calendar.add_working_days(asked_last, policy.deadlines[kind].repeat_every).at


def appeal_until(rejected_at: datetime, policy: Policy, calendar: WorkCalendar) -> datetime:
    """N10: the last moment at which a rejection of `rejected_at` can be appealed, in calendar months.

    Raises `ValueError` for a naive moment.
    """
    return calendar.add_months(rejected_at, policy.appeal.months)


def objection_until(refused_at: datetime, policy: Policy, calendar: WorkCalendar) -> datetime:
    """P8: the last moment at which a refusal of `refused_at` can be objected to, in calendar months.

    Raises `ValueError` for a naive moment.
    """
    return calendar.add_months(refused_at, policy.projects.objection_months)


def _planned(deadline: Deadline) -> list[tuple[int, DueAction]]:
    """(working days, action) in order; on one day the reminder comes before the stand-in."""
    steps = [(days, DueAction.REMIND) for days in sorted(set(deadline.remind_after))]
    if deadline.stand_in is not None and deadline.stand_in_after is not None:
        steps.append((deadline.stand_in_after, DueAction.STAND_IN))
        steps.sort(key=lambda step: step[0])  # stable: the stand-in was added last
    return steps

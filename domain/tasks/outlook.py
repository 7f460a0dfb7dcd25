"""Before something is submitted: who will decide, and by when at the latest (N2, N6, N8, N12, P1, P3–P5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from domain.base import Frozen, Moment
from domain.calendar import WorkCalendar
from domain.organisation import Organisation
from domain.policy import Policy
from domain.projects.project import Track
from domain.tasks.asking import slots_of, who_is_asked
from domain.tasks.deadlines import due_at
from domain.tasks.task import Ask, TaskKind


class ExpectedStep(Frozen):
    """A step that lies ahead."""

    kind: TaskKind
    people: tuple[str, ...]
    """Ids of everybody who will be asked, as the company is now; empty where somebody is assigned first (P4)."""
    due_at: Moment
    """When it is decided at the latest, if everybody before takes all their time."""
    provisional: bool
    """Whether that year's holidays are not announced yet."""


Ahead = tuple[tuple[Ask, ...], ...]
"""What is asked one after another; what is asked at the same time stands together."""


def application_asks(*, above_limit: bool) -> Ahead:
    """What an application asks: commerce (N2), both VPs (N6), above the limit the general manager (N8)."""
    kinds = [TaskKind.COMMERCE_CHECK, TaskKind.VP_REVIEW, *([TaskKind.GM_APPROVAL] if above_limit else [])]
    return tuple((Ask(kind=kind),) for kind in kinds)


def project_asks(track: Track, salesperson: str, holders: Iterable[str]) -> Ahead:
    """What a registration asks: the agreement of its salesperson with the holders of the account (P3), or commerce,
    which assigns a clerk who looks for conflicts (P4); then the VP of the salesperson (P1, P2)."""
    approval = (Ask(kind=TaskKind.PROJECT_APPROVAL, slot=salesperson),)
    match track:
        case Track.OWN_ACCOUNT:
            return (approval,)
        case Track.OTHER_ACCOUNT:
            sides = dict.fromkeys([salesperson, *holders])
            return (tuple(Ask(kind=TaskKind.AGREE_SPLIT, slot=side) for side in sides), approval)
        case Track.NON_NAMED:
            return ((Ask(kind=TaskKind.ASSIGN_CLERK),), (Ask(kind=TaskKind.CONFLICT_CHECK),), approval)


def expected_steps(
    ahead: Ahead,
    organisation: Organisation,
    policy: Policy,
    calendar: WorkCalendar,
    *,
    applicant: str,
    now: datetime,
) -> tuple[ExpectedStep, ...]:
    """The steps that follow when something is submitted at `now`, with the latest deadline of each (N12)."""
    steps, opened_at = [], now
    for together in ahead:
        kind = together[0].kind
        people = [
            asked.person
            for ask in together
            for slot in slots_of(ask, organisation)
            if slot or kind is not TaskKind.CONFLICT_CHECK
            for asked in who_is_asked(Ask(kind=kind, slot=slot), organisation, policy, applicant=applicant, now=now)
        ]
        opened_at = due_at(kind, opened_at, policy, calendar)
        provisional = calendar.is_provisional(opened_at.astimezone(policy.zone).date())
        steps.append(
            ExpectedStep(kind=kind, people=tuple(dict.fromkeys(people)), due_at=opened_at, provisional=provisional)
        )
    return tuple(steps)

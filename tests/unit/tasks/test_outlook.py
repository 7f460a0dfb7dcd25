"""What somebody reads before they submit: who will decide, and by when at the latest."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.calendar import WorkCalendar
from domain.policy import load_policy
from domain.projects.project import Track
from domain.tasks.deadlines import due_at
from domain.tasks.outlook import Ahead, ExpectedStep, application_asks, expected_steps, project_asks
from domain.tasks.task import TaskKind
from tests.samples import CLARA, GINA, MONA, SAM, SUE, VERA, VIKTOR, two_departments

POLICY = load_policy()
CALENDAR = WorkCalendar(region=POLICY.calendar_region, time_zone=POLICY.time_zone)
NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)


def ahead(asks: Ahead) -> tuple[ExpectedStep, ...]:
    return expected_steps(asks, two_departments(), POLICY, CALENDAR, applicant=SAM, now=NOW)


def people(steps: tuple[ExpectedStep, ...]) -> list[tuple[TaskKind, set[str]]]:
    return [(step.kind, set(step.people)) for step in steps]


def test_n2_n6_commerce_checks_an_application_and_both_vps_review_it() -> None:
    assert people(ahead(application_asks(above_limit=False))) == [
        (TaskKind.COMMERCE_CHECK, {CLARA}),
        (TaskKind.VP_REVIEW, {VERA, VIKTOR}),
    ]


def test_n8_above_the_limit_the_general_manager_comes_last() -> None:
    steps = ahead(application_asks(above_limit=True))
    assert (steps[-1].kind, steps[-1].people) == (TaskKind.GM_APPROVAL, (GINA,))


def test_n12_each_deadline_counts_from_the_one_before() -> None:
    expected = NOW
    for step in ahead(application_asks(above_limit=True)):
        expected = due_at(step.kind, expected, POLICY, CALENDAR)
        assert step.due_at == expected


@pytest.mark.parametrize(
    ("track", "holders", "expected"),
    [
        (Track.OWN_ACCOUNT, [SAM], [(TaskKind.PROJECT_APPROVAL, {VERA})]),
        (Track.OTHER_ACCOUNT, [SUE], [(TaskKind.AGREE_SPLIT, {SAM, SUE}), (TaskKind.PROJECT_APPROVAL, {VERA})]),
        (Track.OTHER_ACCOUNT, [], [(TaskKind.AGREE_SPLIT, {SAM}), (TaskKind.PROJECT_APPROVAL, {VERA})]),
        (
            Track.NON_NAMED,
            [],
            [(TaskKind.ASSIGN_CLERK, {MONA}), (TaskKind.CONFLICT_CHECK, set()), (TaskKind.PROJECT_APPROVAL, {VERA})],
        ),
    ],
)
def test_p1_p3_p4_who_looks_at_a_project_follows_from_whose_account_it_is(
    track: Track, holders: list[str], expected: list[tuple[TaskKind, set[str]]]
) -> None:
    """P4: who looks for conflicts is not known before the manager has assigned somebody."""
    assert people(ahead(project_asks(track, SAM, holders))) == expected

"""Which tasks may be decided with others, and which have to be decided alone."""

from __future__ import annotations

import pytest

from domain.accounts.named_account import choices_for
from domain.projects.rules import project_choices
from domain.tasks.task import Choice, TaskKind
from domain.tasks.together import CHOICES, Alone, why_alone

OF_APPLICATIONS = (TaskKind.COMMERCE_CHECK, TaskKind.VP_REVIEW, TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL)


def offered(kind: TaskKind) -> tuple[Choice, ...]:
    if kind in (*OF_APPLICATIONS, TaskKind.SUPPLY_INFORMATION):
        return choices_for(kind)
    return project_choices(kind, people=("p",), salespeople=("p",))


@pytest.mark.parametrize("kind", CHOICES)
def test_n6_p2_what_is_plain_may_be_decided_with_others_unless_it_is_in_conflict(kind: TaskKind) -> None:
    assert why_alone(kind, offered(kind)) is None
    assert why_alone(kind, offered(kind), conflict=True) is Alone.CONFLICT


def test_n8_a_special_reason_has_to_be_given_for_each() -> None:
    assert why_alone(TaskKind.VP_REVIEW, choices_for(TaskKind.VP_REVIEW, above_limit=True)) is Alone.REASON


def test_n10_the_last_appeal_is_decided_alone() -> None:
    assert why_alone(TaskKind.GM_APPEAL, choices_for(TaskKind.GM_APPEAL)) is Alone.LAST_APPEAL


@pytest.mark.parametrize(
    "kind", [TaskKind.SUPPLY_INFORMATION, TaskKind.AGREE_SPLIT, TaskKind.CONFLICT_CHECK, TaskKind.CALL_MEETING]
)
def test_p4_d1_what_has_to_be_weighed_or_filled_in_is_decided_alone(kind: TaskKind) -> None:
    assert why_alone(kind, offered(kind)) is Alone.KIND

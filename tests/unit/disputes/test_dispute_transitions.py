"""Which stage of a dispute may follow which, and when one may begin (D1–D5, P3, P8, U10)."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from domain.disputes.dispute import DisputeStage, Origin, settled
from domain.disputes.transitions import OpeningFacts, TransitionFacts, opening_problem, transition_problem
from domain.projects.project import ProjectStage, Track

S = DisputeStage
WAYS: list[tuple[str, DisputeStage, DisputeStage, dict[str, Any]]] = [
    ("d2", S.NEGOTIATION, S.CALLING_MEETING, {"wanted": True}),
    ("d2", S.CALLING_MEETING, S.MEETING, {"called": True, "wanted": True}),
    ("d1", S.NEGOTIATION, S.AGREED, {"agreed": True}),
    ("d2", S.MEETING, S.DECIDED, {"called": True, "outcome_recorded": True}),
    *(("u10", stage, S.SHELVED, {"stands_still": True}) for stage in S if not stage.ended),
    *(("n13", stage, S.WITHDRAWN, {"project_over": True}) for stage in S),
]


@pytest.mark.parametrize(("rule", "start", "target", "held"), WAYS)
def test_x3_a_way_is_open_once_the_record_holds_what_its_rule_requires(
    rule: str, start: DisputeStage, target: DisputeStage, held: dict[str, Any]
) -> None:
    facts = TransitionFacts(stage=start, origin=Origin.OBJECTION)
    assert transition_problem(replace(facts, **held), target) is None, rule
    assert transition_problem(facts, target), rule


def test_x3_nothing_else_leads_to_an_agreement_a_decision_or_a_meeting() -> None:
    known = {(start, target) for _, start, target, _ in WAYS}
    ends = (S.AGREED, S.DECIDED, S.MEETING, S.CALLING_MEETING)
    for start, target in product(S, ends):
        if (start, target) in known or (start, target) == (S.MEETING, S.CALLING_MEETING):
            continue
        everything = TransitionFacts(
            stage=start, origin=Origin.OTHER_ACCOUNT, wanted=True, called=True, agreed=True, outcome_recorded=True
        )
        assert transition_problem(everything, target), f"{start} to {target}"


def test_d1_both_are_asked_again_until_somebody_wants_the_meeting() -> None:
    facts = TransitionFacts(stage=S.NEGOTIATION, origin=Origin.OTHER_ACCOUNT)
    assert transition_problem(facts, S.NEGOTIATION) is None
    assert transition_problem(replace(facts, wanted=True), S.NEGOTIATION)
    assert transition_problem(replace(facts, wanted=True, agreed=True), S.AGREED), "the meeting decides then"


def test_p8_nobody_negotiates_after_an_objection() -> None:
    facts = TransitionFacts(stage=S.NEGOTIATION, origin=Origin.OBJECTION)
    assert transition_problem(facts, S.NEGOTIATION)


def test_d5_only_a_meeting_that_was_called_off_is_called_anew() -> None:
    facts = TransitionFacts(stage=S.MEETING, origin=Origin.OTHER_ACCOUNT, wanted=True, called=True)
    assert transition_problem(facts, S.CALLING_MEETING)
    assert transition_problem(replace(facts, called=False), S.CALLING_MEETING) is None


def test_d2_a_dispute_is_settled_by_an_outcome_and_not_while_another_runs() -> None:
    assert settled([S.AGREED])
    assert settled([S.WITHDRAWN, S.DECIDED])
    assert not settled([S.AGREED, S.CALLING_MEETING])
    assert not settled([S.WITHDRAWN, S.SHELVED])
    assert not settled([])


FOUND = frozenset({("account", "NA-1", "xu.jing"), ("project", "B-9", "huang.lei")})
OPENING = OpeningFacts(project_id="B-1", project_stage=ProjectStage.DISPUTED, track=Track.OTHER_ACCOUNT, found=FOUND)
STEP: dict[str, Any] = {
    "dispute_id": "B-1-2",
    "workflow_id": "dispute-B-1-2",
    "origin": Origin.OTHER_ACCOUNT,
    "claimed": frozenset({("account", "NA-1", "xu.jing")}),
}


def test_p3_a_dispute_begins_over_a_disputed_project_with_sides_that_were_found() -> None:
    assert opening_problem(OPENING, **STEP) is None


@pytest.mark.parametrize(
    ("held", "step"),
    [
        ({"project_stage": ProjectStage.ACTIVE}, {}),
        ({"dispute_open": True}, {}),
        ({"track": Track.NON_NAMED}, {}),
        ({}, {"origin": Origin.OBJECTION}),
        ({}, {"claimed": frozenset()}),
        ({}, {"claimed": frozenset({("account", "NA-1", "somebody.else")})}),
        ({}, {"claimed": FOUND | {("account", "NA-2", "xu.jing")}}),
        ({}, {"workflow_id": "dispute-B-1-1"}),
        ({}, {"dispute_id": "B-1-0", "workflow_id": "dispute-B-1-0"}),
        ({}, {"dispute_id": "B-1-x", "workflow_id": "dispute-B-1-x"}),
        ({}, {"dispute_id": "B-2-1", "workflow_id": "dispute-B-2-1"}),
        ({}, {"dispute_id": "2", "workflow_id": "dispute-2"}),
    ],
)
def test_x3_no_process_opens_a_dispute_that_the_record_does_not_know(
    held: dict[str, Any], step: dict[str, Any]
) -> None:
    assert opening_problem(replace(OPENING, **held), **{**STEP, **step})


def test_p8_a_dispute_after_an_objection_begins_under_no_account() -> None:
    facts = replace(OPENING, track=Track.NON_NAMED)
    assert opening_problem(facts, **{**STEP, "origin": Origin.OBJECTION}) is None

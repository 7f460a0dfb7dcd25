"""Which stage of a registration may follow which (P1–P9, U2–U4, U6–U8, U10, D1–D6): what the record must hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from domain.calendar import WorkCalendar
from domain.policy import load_policy
from domain.projects.project import ProjectStage, Track
from domain.projects.silence import Silence, reminder_problem, silence_ahead, silent_for_long
from domain.projects.transitions import TransitionFacts, approval_problem, transition_problem
from domain.tasks.task import AnswerChoice

S, A = ProjectStage, AnswerChoice
NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)


def answered(*choices: AnswerChoice) -> dict[str, Any]:
    return {"choices": frozenset(choices)}


SETTLED: dict[str, Any] = {"agreed": True, "dispute_settled": True}
WAITS: dict[str, Any] = {"agreed": True, "agreement_waits": True}

WAYS: list[tuple[str, ProjectStage, ProjectStage, dict[str, Any]]] = [
    ("u6", S.RESUME_REVIEW, S.RESUME_REVIEW, {"resumes": True}),
    ("u6", S.RESUME_REVIEW, S.ROUTING, answered(A.ACCEPT)),
    ("u6", S.RESUME_REVIEW, S.REJECTED, answered(A.REJECT)),
    ("p1", S.ROUTING, S.APPROVAL, {"track": Track.OWN_ACCOUNT}),
    ("p3", S.ROUTING, S.DISPUTED, {"track": Track.OTHER_ACCOUNT}),
    ("p4", S.ROUTING, S.ASSIGNMENT, {"track": Track.NON_NAMED}),
    ("p4", S.ASSIGNMENT, S.CONFLICT_CHECK, answered(A.ASSIGN)),
    ("p5", S.CONFLICT_CHECK, S.CONFLICT_CONFIRMATION, answered(A.ASSIGN, A.SUSPECT)),
    ("p6", S.CONFLICT_CHECK, S.APPROVAL, answered(A.ASSIGN, A.CLEAR)),
    ("p6", S.CONFLICT_CONFIRMATION, S.APPROVAL, answered(A.SUSPECT, A.NO_CONFLICT)),
    ("p7", S.CONFLICT_CONFIRMATION, S.REFUSED, answered(A.SUSPECT, A.CONFLICT, A.NO_CONFLICT)),
    ("p8", S.REFUSED, S.OBJECTION, {"objected": True}),
    ("p8", S.REFUSED, S.CLOSED_REFUSED, {"objection_lapsed": True}),
    ("p8", S.OBJECTION, S.CLOSED_REFUSED, answered(A.CONFLICT, A.UPHOLD_REFUSAL)),
    ("p8", S.OBJECTION, S.DISPUTED, answered(A.CONFLICT, A.CALL_MEETING)),
    ("d1", S.DISPUTED, S.APPROVAL, SETTLED),
    ("d6", S.DISPUTED, S.MERGED, {"merges": True}),
    ("u10", S.DISPUTED, S.SHELVED, {"dispute_shelved": True}),
    ("p2", S.APPROVAL, S.HELD, answered(A.HOLD)),
    ("p2", S.APPROVAL, S.REJECTED, answered(A.REJECT)),
    ("d4", S.APPROVAL, S.DISPUTED, WAITS),
    ("d4", S.HELD, S.DISPUTED, WAITS),
    ("p2", S.HELD, S.APPROVAL, {"track": Track.NON_NAMED}),
    ("p2", S.HELD, S.ROUTING, {"track": None}),
    ("u10", S.HELD, S.SHELVED, {"stands_still": True, **answered(A.HOLD)}),
    ("u7", S.ACTIVE, S.ACTIVE, {"contract_handed_in": True}),
    ("u7", S.ACTIVE, S.CONTRACT_SIGNED, {"contract_received": True}),
    ("u8", S.ACTIVE, S.ENDED, {"lost": True}),
    ("u4", S.ACTIVE, S.SHELVED, {"silent_for_long": True}),
]
IDS = [f"{rule}-{start.value}-{target.value}" for rule, start, target, _ in WAYS]
BEFORE = {S.HELD: answered(A.HOLD)}
"""What is on record before the way opens, where nothing at all would open another."""


@pytest.mark.parametrize(("rule", "start", "target", "held"), WAYS, ids=IDS)
def test_x3_a_way_is_open_once_the_record_holds_what_its_rule_requires(
    rule: str, start: ProjectStage, target: ProjectStage, held: dict[str, Any]
) -> None:
    assert transition_problem(TransitionFacts(stage=start, **held), target) is None
    problem = transition_problem(TransitionFacts(stage=start, **BEFORE.get(start, {})), target)
    assert problem
    assert start.value in problem
    assert target.value in problem
    assert rule.upper() in problem


EVERYTHING: dict[str, Any] = {
    **answered(*AnswerChoice),
    "resumes": True,
    "contract_handed_in": True,
    "objected": True,
    "objection_lapsed": True,
    **SETTLED,
    "dispute_shelved": True,
    "merges": True,
    "lost": True,
    "contract_received": True,
    "silent_for_long": True,
    "stands_still": True,
}


def test_x3_no_other_way_is_ever_open() -> None:
    known = {(start, target) for _, start, target, _ in WAYS}
    for start, target in product(ProjectStage, ProjectStage):
        if (start, target) not in known and target is not S.WITHDRAWN:
            for track in (None, *Track):
                facts = TransitionFacts(stage=start, track=track, **EVERYTHING)
                assert transition_problem(facts, target), f"{start} to {target}"
                undecided = replace(facts, choices=frozenset(), agreement_waits=True)
                assert transition_problem(undecided, target), f"{start} to {target}"


@pytest.mark.parametrize("start", ProjectStage)
def test_n13_a_withdrawal_on_record_leads_away_from_every_stage(start: ProjectStage) -> None:
    assert transition_problem(TransitionFacts(stage=start, withdrawn=True), S.WITHDRAWN) is None
    assert transition_problem(TransitionFacts(stage=start, **EVERYTHING), S.WITHDRAWN)


def test_p6_every_vp_asked_has_to_see_no_conflict() -> None:
    facts = TransitionFacts(stage=S.CONFLICT_CONFIRMATION, **answered(A.SUSPECT, A.NO_CONFLICT))
    assert transition_problem(facts, S.APPROVAL) is None
    assert transition_problem(replace(facts, confirmation_open=True), S.APPROVAL)
    assert transition_problem(replace(facts, **answered(A.NO_CONFLICT, A.CONFLICT)), S.APPROVAL)


def test_p8_an_objection_keeps_the_refusal_open_beyond_its_time() -> None:
    facts = TransitionFacts(stage=S.REFUSED, objected=True, objection_lapsed=True)
    assert transition_problem(facts, S.CLOSED_REFUSED)


def test_p2_a_completed_form_is_what_leads_on_from_held() -> None:
    facts = TransitionFacts(stage=S.HELD, track=Track.OWN_ACCOUNT)
    assert transition_problem(facts, S.ROUTING), "the same companies need no new way"
    assert transition_problem(replace(facts, track=None), S.APPROVAL), "other companies do"


@pytest.mark.parametrize("missing", ["agreed", "dispute_settled"])
def test_d2_only_a_settled_dispute_over_the_project_itself_leads_to_approval(missing: str) -> None:
    """D6: the meeting over another registration binds it as well, and does not end its own dispute."""
    assert transition_problem(TransitionFacts(stage=S.DISPUTED, **{**SETTLED, missing: False}), S.APPROVAL)


def test_d4_an_agreement_that_waits_settles_nothing_and_stops_a_hold() -> None:
    waits = TransitionFacts(stage=S.DISPUTED, **SETTLED, agreement_waits=True)
    assert transition_problem(waits, S.APPROVAL)
    assert transition_problem(replace(waits, stage=S.APPROVAL, **answered(A.HOLD)), S.HELD)


@pytest.mark.parametrize(
    "changes",
    [{"lost": True}, {"contract_received": True}, {"contract_review_open": True}],
    ids=lambda held: next(iter(held)),
)
def test_u7_an_application_changes_hands_once_and_not_on_the_way_to_an_end(changes: dict[str, Any]) -> None:
    facts = TransitionFacts(stage=S.ACTIVE, contract_handed_in=True)
    assert transition_problem(facts, S.ACTIVE) is None
    assert transition_problem(replace(facts, **changes), S.ACTIVE)


def test_p9_a_number_needs_an_approval_at_the_approval_stage_and_no_withdrawal() -> None:
    assert approval_problem(S.APPROVAL, approved=True, withdrawn=False) is None
    assert approval_problem(S.APPROVAL, approved=False, withdrawn=False)
    assert approval_problem(S.APPROVAL, approved=True, withdrawn=True)
    assert approval_problem(S.HELD, approved=True, withdrawn=False)
    # No plain move makes a project active: it would have no number.
    facts = TransitionFacts(stage=S.APPROVAL, **answered(A.APPROVE))
    assert transition_problem(facts, S.ACTIVE)


def test_u2_u3_a_reminder_comes_when_its_moment_has_passed_and_in_its_order() -> None:
    policy = load_policy()
    calendar = WorkCalendar(region=policy.calendar_region, time_zone=policy.time_zone)
    two_weeks, one_month, _ = ahead = silence_ahead(NOW, 0, policy, calendar)
    assert reminder_problem(ahead, Silence.TWO_WEEKS, two_weeks.at) is None
    assert reminder_problem(ahead, Silence.TWO_WEEKS, two_weeks.at - timedelta(seconds=1))
    assert reminder_problem(ahead, Silence.ONE_MONTH, one_month.at), "the first comes first"
    assert reminder_problem(ahead[1:], Silence.ONE_MONTH, one_month.at) is None
    assert reminder_problem((), Silence.TWO_WEEKS, one_month.at), "no clock runs"


def test_u4_only_the_last_limit_shelves() -> None:
    policy = load_policy()
    calendar = WorkCalendar(region=policy.calendar_region, time_zone=policy.time_zone)
    *_, three_months = ahead = silence_ahead(NOW, 0, policy, calendar)
    assert silent_for_long(ahead, three_months.at)
    assert silent_for_long([three_months], three_months.at)
    assert not silent_for_long(ahead, three_months.at - timedelta(seconds=1))
    assert not silent_for_long((), three_months.at), "no clock runs"


def test_d6_what_is_merged_into_another_registration_is_approved_no_more() -> None:
    facts = TransitionFacts(stage=S.DISPUTED, **SETTLED, merges=True)
    assert transition_problem(facts, S.APPROVAL)
    assert transition_problem(facts, S.MERGED) is None
    assert transition_problem(replace(facts, merges=False), S.APPROVAL) is None

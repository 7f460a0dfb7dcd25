"""Which stage of an application may follow which, and when it becomes an account (N5-N10, N13, U10)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.accounts.application import ENDED, Stage
from domain.accounts.transitions import ApplicationFacts, NotApproved, approvals, rejection, transition_problem
from domain.calendar import WorkCalendar
from domain.organisation import Role
from domain.policy import load_policy
from domain.tasks.task import AnswerChoice, Decision, TaskKind
from embedded.welcome import sample_organisation

ORGANISATION = sample_organisation()
VP, OTHER_VP = ORGANISATION.sales_vps
GENERAL_MANAGER = ORGANISATION.holders(Role.GENERAL_MANAGER)[0].id
POLICY = load_policy()
CALENDAR = WorkCalendar(region=POLICY.calendar_region, time_zone=POLICY.time_zone)
NOW = datetime(2026, 11, 30, 2, tzinfo=UTC)


def decided(
    choice: AnswerChoice,
    kind: TaskKind = TaskKind.VP_REVIEW,
    person: str = VP,
    *,
    special: bool = False,
    reason: str = "",
) -> Decision:
    return Decision(
        task_id=f"{kind}-{person}",
        kind=kind,
        slot=person if kind is TaskKind.VP_REVIEW else "",
        choice=choice,
        special=special,
        reason=reason,
        person=person,
        decided_at=NOW,
    )


APPROVE, REJECT = AnswerChoice.APPROVE, AnswerChoice.REJECT
RETURNED = decided(AnswerChoice.RETURN, TaskKind.COMMERCE_CHECK, "clerk")
PASSED = decided(AnswerChoice.PASS, TaskKind.COMMERCE_CHECK, "clerk")
BOTH = (decided(APPROVE), decided(APPROVE, person=OTHER_VP))
BOTH_SPECIAL = tuple(review.model_copy(update={"special": True}) for review in BOTH)
GM_APPROVES = decided(APPROVE, TaskKind.GM_APPROVAL, GENERAL_MANAGER)
GM_GRANTS = decided(APPROVE, TaskKind.GM_APPEAL, GENERAL_MANAGER)


def facts(stage: Stage = Stage.VP_REVIEW, *decisions: Decision, **held: bool) -> ApplicationFacts:
    return ApplicationFacts(stage=stage, decisions=decisions, vps=(VP, OTHER_VP), **held)


LEADS = [
    pytest.param(
        Stage.RETURNED,
        facts(Stage.COMMERCE_CHECK, decided(AnswerChoice.RETURN, TaskKind.COMMERCE_CHECK)),
        id="N5 return",
    ),
    pytest.param(
        Stage.VP_REVIEW, facts(Stage.COMMERCE_CHECK, decided(AnswerChoice.PASS, TaskKind.COMMERCE_CHECK)), id="N5 pass"
    ),
    pytest.param(Stage.GM_APPROVAL, facts(Stage.VP_REVIEW, *BOTH_SPECIAL), id="N8 both VPs with a special reason"),
    pytest.param(Stage.REJECTED, facts(Stage.VP_REVIEW, BOTH[0], decided(REJECT, person=OTHER_VP)), id="N9 one no"),
    pytest.param(Stage.GM_APPEAL, facts(Stage.REJECTED, appealed=True, rejected=True), id="N10 appeal"),
    pytest.param(Stage.CLOSED_REJECTED, facts(Stage.REJECTED, rejected=True), id="N10 no appeal"),
    pytest.param(Stage.WITHDRAWN, facts(Stage.VP_REVIEW, ending=True), id="N13 withdrawn"),
    pytest.param(Stage.LAPSED, facts(Stage.RETURNED, stands_still=True), id="U10 not completed"),
]


@pytest.mark.parametrize(("target", "held"), LEADS)
def test_a_stage_follows_from_what_is_on_record(target: Stage, held: ApplicationFacts) -> None:
    assert transition_problem(held, target) is None


@pytest.mark.parametrize(("target", "held"), LEADS)
def test_no_stage_follows_from_nothing(target: Stage, held: ApplicationFacts) -> None:
    assert transition_problem(ApplicationFacts(stage=held.stage, vps=held.vps), target)


@pytest.mark.parametrize(
    ("target", "held"),
    [
        pytest.param(Stage.GM_APPROVAL, facts(Stage.VP_REVIEW, *BOTH), id="N8 without special reasons"),
        pytest.param(Stage.GM_APPROVAL, facts(Stage.VP_REVIEW, BOTH_SPECIAL[0], BOTH[1]), id="N8 one special reason"),
        pytest.param(Stage.VP_REVIEW, facts(Stage.COMMERCE_CHECK, *BOTH), id="N5 approvals do not pass the check"),
        pytest.param(Stage.LAPSED, facts(Stage.COMMERCE_CHECK, stands_still=True), id="U10 commerce is waited for"),
    ],
)
def test_a_stage_does_not_follow_from_something_else(target: Stage, held: ApplicationFacts) -> None:
    assert transition_problem(held, target)


def test_n7_both_vps_approve() -> None:
    assert approvals(facts(Stage.VP_REVIEW, *BOTH), None) == BOTH


@pytest.mark.parametrize(
    ("held", "gm_decision"),
    [
        pytest.param(facts(Stage.VP_REVIEW, BOTH[0]), None, id="N7 one VP"),
        pytest.param(facts(Stage.VP_REVIEW, BOTH[0], BOTH[0]), None, id="N7 one VP twice"),
        pytest.param(facts(Stage.VP_REVIEW, *BOTH), "invented", id="N8 a decision that nobody took"),
        pytest.param(facts(Stage.GM_APPROVAL, *BOTH, GM_APPROVES), GM_APPROVES.task_id, id="N8 no special reasons"),
        pytest.param(facts(Stage.GM_APPEAL, decided(REJECT), GM_GRANTS), "invented", id="N10 granted by nobody"),
        pytest.param(facts(Stage.VP_REVIEW, *BOTH, ending=True), None, id="N13 withdrawn"),
        *(pytest.param(facts(stage, *BOTH), None, id=f"over: {stage}") for stage in sorted(ENDED)),
    ],
)
def test_what_is_not_approved_as_the_rules_ask_is_not_activated(
    held: ApplicationFacts, gm_decision: str | None
) -> None:
    with pytest.raises(NotApproved):
        approvals(held, gm_decision)


def test_n8_above_the_limit_special_reasons_and_the_general_manager() -> None:
    held = facts(Stage.GM_APPROVAL, *BOTH, *BOTH_SPECIAL, GM_APPROVES)  # asked again, with a special reason
    assert approvals(held, GM_APPROVES.task_id) == (*BOTH_SPECIAL, GM_APPROVES)


def test_n10_an_appeal_granted_needs_no_vp() -> None:
    held = facts(Stage.GM_APPEAL, BOTH[0], decided(REJECT, person=OTHER_VP), GM_GRANTS)
    assert GM_GRANTS in approvals(held, GM_GRANTS.task_id)


def test_n9_n10_the_latest_rejection_counts_and_can_be_appealed_for_a_month() -> None:
    no = decided(REJECT, person=OTHER_VP, reason="margins too thin")
    found = rejection([decided(REJECT, reason="earlier"), no], ORGANISATION, POLICY, CALENDAR, NOW)
    assert (found.person, found.reason, found.at) == (OTHER_VP, "margins too thin", NOW)
    assert found.appeal_until == CALENDAR.add_months(NOW, POLICY.appeal.months)


@pytest.mark.parametrize("kind", [TaskKind.VP_REVIEW, TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL])
def test_n10_what_the_general_manager_rejects_is_final(kind: TaskKind) -> None:
    no = decided(REJECT, kind, GENERAL_MANAGER)
    assert rejection([no], ORGANISATION, POLICY, CALENDAR, NOW).appeal_until is None


def test_n9_nothing_is_rejected_by_nobody() -> None:
    with pytest.raises(NotApproved):
        rejection(BOTH, ORGANISATION, POLICY, CALENDAR, NOW)

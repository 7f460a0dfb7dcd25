"""Which statements in a dispute are accepted, and what the others are refused for (D1–D6, A6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.disputes.dispute import Agreement, Claimant, DisputeStage, MeetingCall, MeetingOutcome
from domain.disputes.handing_on import hand_on_side
from domain.disputes.judgements import (
    AgreementFacts,
    DisputeFacts,
    DisputeSummary,
    agreement_effect,
    judge_agreement,
    judge_call_for_meeting,
    judge_called_off_meeting,
    judge_meeting,
    judge_moved_meeting,
    judge_outcome,
    judge_side_reassignment,
    judge_stepping_in,
    judge_task_open,
    meeting_wanted,
)
from domain.organisation import Delegation, Person
from domain.projects.project import ProjectStage
from domain.refusals import RefusalCode, Refused
from domain.statements import AnswerTask, CallForMeeting, MoveMeeting, Reassign
from domain.tasks.task import AnswerChoice, AnswerOutcome
from imports.organisation_file import read_organisation

SAMPLE = read_organisation((Path(__file__).parents[3] / "embedded/sample/org.toml").read_text(encoding="utf-8"))
FAN, LEI, JING, CLERK = "yang.fan", "huang.lei", "xu.jing", "gao.yuan"
NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, COO, MANAGER = (
    "zhao.lei", "chen.jing", "li.ming", "wang.fang", "liu.yang", "zhang.wei"
)  # fmt: skip
SEATS = (NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, COO, MANAGER)
NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)


def side(person: str, subject_type: str = "account", subject_id: str = "") -> Claimant:
    return Claimant(person=person, subject_type=subject_type, subject_id=subject_id or f"of-{person}", since=NOW)


OWN, OTHER = side(FAN, "project", "B-1"), side(JING)
NEGOTIATING = DisputeFacts(
    stage=DisputeStage.NEGOTIATION, project_stage=ProjectStage.DISPUTED, claimants=(OWN, OTHER), salesperson=FAN
)
HALVES: dict[str, Any] = {
    "responsible": FAN,
    "cooperation": "Fan sells, Jing serves",
    "split": [{"person": FAN, "percent": "50"}, {"person": JING, "percent": "50"}],
}
OTHER_WORDS = {**HALVES, "cooperation": "Jing sells"}
ON_THE_TABLE = replace(NEGOTIATING, proposal={**HALVES, "by": FAN, "round": 2, "confirmed": {FAN: "task-1"}})
CONFIRMED = replace(ON_THE_TABLE, proposal={**(ON_THE_TABLE.proposal or {}), "confirmed": {FAN: "1", JING: "2"}})
WANTED = replace(NEGOTIATING, wanted={"by": JING, "reason": "no", "at": NOW.isoformat()})
MEETING = replace(WANTED, stage=DisputeStage.MEETING, called=True)


def agrees(person: str = JING, **fields: Any) -> AnswerTask:
    return AnswerTask(person=person, choice=AnswerChoice.AGREE, fields=fields)


def refusal(judge: Callable[..., object], *arguments: Any, **named: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        judge(*arguments, **named)
    return refused.value


def code(judge: Callable[..., object], *arguments: Any, **named: Any) -> str:
    return refusal(judge, *arguments, **named).code


def person(person_id: str) -> Person | None:
    return SAMPLE.person(person_id)


# D1


def test_d1_a_side_answers_for_itself_while_the_dispute_runs() -> None:
    judge_task_open(NEGOTIATING, agrees(JING), slot=JING)
    judge_task_open(NEGOTIATING, agrees("sun.li"), slot=JING)  # who stands in for a side is no side
    assert code(judge_task_open, NEGOTIATING, agrees(FAN), slot=JING) == RefusalCode.OWN_APPLICATION
    over = replace(NEGOTIATING, project_over=True, project_stage=ProjectStage.WITHDRAWN)
    refused = refusal(judge_task_open, over, agrees(JING), slot=JING)
    assert (refused.code, refused.facts) == (RefusalCode.TASK_WITHDRAWN, {"closed_because": "withdrawn"})
    ended = replace(NEGOTIATING, stage=DisputeStage.DECIDED)
    assert code(judge_task_open, ended, agrees(JING), slot=JING) == RefusalCode.TASK_WITHDRAWN


def test_d1_the_first_to_agree_brings_a_text_which_names_a_side_and_the_sides() -> None:
    assert judge_agreement(NEGOTIATING, agrees(**HALVES), round=1) == Agreement.model_validate(HALVES)
    assert code(judge_agreement, NEGOTIATING, agrees(), round=1) == "missing"
    assert code(judge_agreement, NEGOTIATING, agrees(cooperation="  "), round=1) == "missing"
    assert code(judge_agreement, NEGOTIATING, agrees(**{**HALVES, "responsible": LEI}), round=1) == "not_among_options"
    stranger = [{"person": FAN, "percent": "50"}, {"person": LEI, "percent": "50"}]
    refused = refusal(judge_agreement, NEGOTIATING, agrees(**{**HALVES, "split": stranger}), round=1)
    assert [(problem.field, problem.rule) for problem in refused.problems] == [("fields.split", "D3")]
    unreadable = {**HALVES, "split": [{"person": FAN, "percent": "50"}]}
    assert code(judge_agreement, NEGOTIATING, agrees(**unreadable), round=1) == RefusalCode.UNREADABLE


def test_d1_whoever_was_asked_before_a_text_came_onto_the_table_has_not_seen_it() -> None:
    assert judge_agreement(ON_THE_TABLE, agrees(), round=2) is None
    assert code(judge_agreement, ON_THE_TABLE, agrees(), round=1) == RefusalCode.AGREEMENT_OUTDATED
    assert code(judge_agreement, ON_THE_TABLE, agrees(**OTHER_WORDS), round=1) == RefusalCode.AGREEMENT_OUTDATED
    same = {**HALVES, "split": list(reversed(HALVES["split"]))}
    assert judge_agreement(ON_THE_TABLE, agrees(**same), round=1), "the very same words need no reading"


def test_d1_nobody_agrees_any_more_once_all_have_or_the_meeting_is_wanted() -> None:
    for facts in (CONFIRMED, WANTED):
        refused = refusal(judge_agreement, facts, agrees(**HALVES), round=2)
        assert (refused.code, refused.facts) == (RefusalCode.TASK_WITHDRAWN, {"closed_because": "negotiation"})
        disagrees = AnswerTask(person=JING, choice=AnswerChoice.DISAGREE, reason="no")
        assert code(judge_agreement, facts, disagrees, round=2) == RefusalCode.TASK_WITHDRAWN
    assert judge_agreement(NEGOTIATING, AnswerTask(person=JING, choice=AnswerChoice.DISAGREE), round=1) is None


def test_d1_agreeing_confirms_the_text_on_the_table_and_another_text_takes_its_place() -> None:
    text, other = Agreement.model_validate(HALVES), Agreement.model_validate(OTHER_WORDS)
    assert agreement_effect(NEGOTIATING, FAN, text) == (False, AnswerOutcome.PROPOSED, (JING,))
    assert agreement_effect(ON_THE_TABLE, JING, None) == (True, AnswerOutcome.AGREED, ())
    assert agreement_effect(ON_THE_TABLE, JING, text) == (True, AnswerOutcome.AGREED, ())
    assert agreement_effect(ON_THE_TABLE, JING, other) == (False, AnswerOutcome.PROPOSED, (FAN,))
    three = replace(ON_THE_TABLE, claimants=(OWN, OTHER, side(LEI)))
    assert agreement_effect(three, JING, None) == (True, AnswerOutcome.CONFIRMED, ())
    alone = replace(NEGOTIATING, claimants=(OWN, side(FAN)))
    assert agreement_effect(alone, FAN, text) == (False, AnswerOutcome.AGREED, ())


def test_d1_a_text_from_before_0_2_makes_the_salesperson_of_the_project_responsible() -> None:
    proposal = {name: value for name, value in (ON_THE_TABLE.proposal or {}).items() if name != "responsible"}
    table = replace(ON_THE_TABLE, proposal=proposal).table
    assert table is not None
    assert table.responsible == FAN


# D2, D4


@pytest.mark.parametrize("caller", [FAN, JING, NORTH_VP, EAST_VP, MANAGER])
def test_d2_a_side_a_vp_concerned_or_the_general_manager_calls_for_the_meeting(caller: str) -> None:
    said = CallForMeeting(person=caller, reason="no agreement")
    judge_call_for_meeting(NEGOTIATING, said, SAMPLE, NOW)
    for closed in (
        CONFIRMED,
        replace(NEGOTIATING, project_over=True),
        replace(NEGOTIATING, stage=DisputeStage.SHELVED),
    ):
        assert code(judge_call_for_meeting, closed, said, SAMPLE, NOW) == RefusalCode.DISPUTE_NOT_OPEN
    refused = refusal(judge_call_for_meeting, MEETING, said, SAMPLE, NOW)
    assert (refused.code, refused.facts["by"]) == (RefusalCode.MEETING_ALREADY_WANTED, JING)


@pytest.mark.parametrize("caller", [LEI, CLERK, NORTH_GM, COO, "nobody"])
def test_d2_nobody_else_calls_for_the_meeting(caller: str) -> None:
    said = CallForMeeting(person=caller)
    assert code(judge_call_for_meeting, NEGOTIATING, said, SAMPLE, NOW) == RefusalCode.MAY_NOT_CALL_MEETING


def test_d2_a_delegate_calls_for_the_meeting_on_behalf_of_a_vp() -> None:
    delegation = Delegation(person=EAST_VP, delegate="sun.li", start=NOW, end=NOW + timedelta(days=1))
    away = SAMPLE.model_copy(update={"delegations": (delegation,)})
    wanted = meeting_wanted(away, (FAN, JING), person="sun.li", reason="no", now=NOW)
    assert wanted == {"by": "sun.li", "on_behalf_of": EAST_VP, "reason": "no", "at": NOW.isoformat()}
    assert "on_behalf_of" not in meeting_wanted(away, (FAN, JING), person=JING, reason="no", now=NOW)


AGREED = DisputeSummary(id="B-1-1", stage=DisputeStage.AGREED, sides=(FAN, JING))
STEPPING_IN = AgreementFacts(stage=ProjectStage.APPROVAL, disputes=(AGREED,), agreement={"dispute": "B-1-1"})


@pytest.mark.parametrize("stage", [ProjectStage.DISPUTED, ProjectStage.APPROVAL, ProjectStage.HELD])
@pytest.mark.parametrize("caller", [NORTH_VP, EAST_VP, MANAGER])
def test_d4_a_vp_concerned_or_the_general_manager_steps_in_until_the_decision(stage: ProjectStage, caller: str) -> None:
    facts, said = replace(STEPPING_IN, stage=stage), CallForMeeting(person=caller)
    assert judge_stepping_in(facts, said, SAMPLE, NOW) == (AGREED, True)
    waits = replace(facts, agreement={"dispute": "B-1-1", "waits": {"by": MANAGER}})
    assert judge_stepping_in(waits, said, SAMPLE, NOW) == (AGREED, False), "somebody was quicker"
    assert code(judge_stepping_in, replace(facts, decided=True), said, SAMPLE, NOW) == RefusalCode.PROJECT_DECIDED


def test_d4_the_agreement_binds_the_sides_and_is_nobody_elses_business() -> None:
    assert code(judge_stepping_in, STEPPING_IN, CallForMeeting(person=JING), SAMPLE, NOW) == RefusalCode.AGREEMENT_BINDS
    stranger = CallForMeeting(person=CLERK)
    assert code(judge_stepping_in, STEPPING_IN, stranger, SAMPLE, NOW) == RefusalCode.MAY_NOT_CALL_MEETING


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": ProjectStage.ACTIVE},
        {"withdrawn": True},
        {"disputes": ()},
        {"disputes": (replace(AGREED, stage=DisputeStage.DECIDED),)},
        {"agreement": {"dispute": "B-9-1"}},
        {"disputes": (AGREED, DisputeSummary(id="B-1-2", stage=DisputeStage.NEGOTIATION, sides=(FAN, JING)))},
    ],
)
def test_d4_without_an_agreement_that_binds_an_undecided_project_nobody_steps_in(changes: dict[str, Any]) -> None:
    said = CallForMeeting(person=MANAGER)
    assert code(judge_stepping_in, replace(STEPPING_IN, **changes), said, SAMPLE, NOW) == RefusalCode.DISPUTE_NOT_OPEN


def test_d4_whoever_is_late_learns_who_has_called_for_the_meeting() -> None:
    wanted = {"by": EAST_VP, "at": NOW.isoformat()}
    running = DisputeSummary(id="B-1-2", stage=DisputeStage.CALLING_MEETING, sides=(FAN, JING), wanted=wanted)
    facts = replace(STEPPING_IN, disputes=(AGREED, running))
    refused = refusal(judge_stepping_in, facts, CallForMeeting(person=MANAGER), SAMPLE, NOW)
    assert (refused.code, refused.facts) == (RefusalCode.MEETING_ALREADY_WANTED, wanted)


# D5


def meeting(*participants: str, **given: Any) -> MeetingCall:
    people = participants or SEATS
    return MeetingCall(**{"starts_at": NOW + timedelta(days=7), "place": "Room 3", "participants": people, **given})


def wrong(call: MeetingCall) -> list[tuple[str, str]]:
    refused = refusal(judge_meeting, call, SAMPLE, sides=(FAN, JING), invitable=(*SEATS, FAN, JING), now=NOW)
    return [(problem.field, problem.key) for problem in refused.problems]


def test_d5_a_meeting_is_to_come_with_everybody_who_belongs_in_it_and_nobody_who_may_not_see_the_case() -> None:
    judge_meeting(meeting(), SAMPLE, sides=(FAN, JING), invitable=SEATS, now=NOW)
    assert wrong(meeting(starts_at=NOW)) == [("starts_at", "meeting_in_the_past")]
    assert wrong(meeting(*SEATS, CLERK)) == [("participants", "may_not_see_case")]
    assert wrong(meeting(*SEATS[1:])) == [("missing_because", "missing_without_reason")]
    explained = meeting(*SEATS[1:], missing_because="on leave")
    judge_meeting(explained, SAMPLE, sides=(FAN, JING), invitable=SEATS, now=NOW)
    assert len(wrong(meeting(CLERK, LEI, starts_at=NOW))) == 4, "everything that is wrong, each stranger by name"


def test_d5_commerce_moves_or_calls_off_a_meeting_that_is_called_and_has_no_outcome() -> None:
    said = MoveMeeting(person=CLERK, meeting=meeting())
    judge_called_off_meeting(MEETING, person(CLERK))
    assert judge_moved_meeting(MEETING, said, person(CLERK)) is said.meeting
    assert code(judge_moved_meeting, MEETING, MoveMeeting(person=CLERK), person(CLERK)) == RefusalCode.UNREADABLE
    for other in (person(FAN), person(EAST_VP), None):
        assert code(judge_called_off_meeting, MEETING, other) == RefusalCode.ONLY_COMMERCE_MOVES_MEETING
    own = replace(MEETING, claimants=(OWN, side(CLERK)))
    assert code(judge_called_off_meeting, own, person(CLERK)) == RefusalCode.OWN_APPLICATION


@pytest.mark.parametrize(
    "changes",
    [{"called": False}, {"outcome_recorded": True}, {"project_over": True}, {"stage": DisputeStage.CALLING_MEETING}],
)
def test_d5_what_is_not_called_is_neither_moved_nor_called_off(changes: dict[str, Any]) -> None:
    facts = replace(MEETING, **changes)
    assert code(judge_called_off_meeting, facts, person(CLERK)) == RefusalCode.MEETING_NOT_CALLED


# D2, D3, D6


def outcome(**given: Any) -> MeetingOutcome:
    return MeetingOutcome.model_validate({"responsible": JING, "split": HALVES["split"], "summary": "decided", **given})


def test_d2_d3_the_meeting_makes_a_side_responsible_and_divides_among_people_of_the_company() -> None:
    judge_outcome(MEETING, outcome(), SAMPLE, survivor_over=False)
    third = [{"person": LEI, "percent": "100"}]
    judge_outcome(MEETING, outcome(split=third), SAMPLE, survivor_over=False)
    assert code(judge_outcome, MEETING, outcome(responsible=LEI), SAMPLE, survivor_over=False) == "not_among_options"
    nobody = outcome(split=[{"person": "nobody", "percent": "100"}])
    assert code(judge_outcome, MEETING, nobody, SAMPLE, survivor_over=False) == "split_names_stranger"


def test_d5_the_outcome_of_a_meeting_called_off_at_that_moment_is_not_recorded() -> None:
    refused = refusal(judge_outcome, replace(MEETING, called=False), outcome(), SAMPLE, survivor_over=False)
    assert (refused.code, refused.facts) == (RefusalCode.TASK_WITHDRAWN, {"closed_because": "calling_meeting"})


def test_d6_nothing_is_merged_into_a_registration_that_is_over() -> None:
    assert code(judge_outcome, MEETING, outcome(goes_on="B-9"), SAMPLE, survivor_over=True) == "registration_is_over"


# A6


def test_a6_an_operator_hands_on_the_side_of_an_account_holder() -> None:
    said = Reassign(person="operator:root", was=JING, to=LEI, reason="leaves")
    assert judge_side_reassignment(NEGOTIATING, said, SAMPLE).id == LEI
    of_the_project = said.model_copy(update={"was": FAN})
    assert code(judge_side_reassignment, NEGOTIATING, of_the_project, SAMPLE) == RefusalCode.NOT_PARTY_OF_DISPUTE
    by_a_person = said.model_copy(update={"person": EAST_VP})
    assert code(judge_side_reassignment, NEGOTIATING, by_a_person, SAMPLE) == RefusalCode.NOT_OPERATOR
    ended: tuple[dict[str, Any], ...] = ({"stage": DisputeStage.AGREED}, {"project_over": True})
    for changes in ended:
        over = replace(NEGOTIATING, **changes)
        assert code(judge_side_reassignment, over, said, SAMPLE) == RefusalCode.DISPUTE_NOT_OPEN


def test_a6_a_successor_speaks_for_the_side_and_for_what_it_has_confirmed() -> None:
    proposal = {**HALVES, "responsible": JING, "by": JING, "round": 2, "confirmed": {JING: "task-1"}}
    claimants, text = hand_on_side((OWN, OTHER), proposal, before=JING, successor=LEI)
    assert [claimant.person for claimant in claimants] == [FAN, LEI]
    assert text == {**proposal, "responsible": LEI, "by": LEI, "confirmed": {LEI: "task-1"}}
    assert hand_on_side((OWN, OTHER), None, before=JING, successor=LEI)[1] is None


def test_a6_nobody_confirms_one_side_by_having_confirmed_for_the_other() -> None:
    proposal = {**HALVES, "by": JING, "round": 2, "confirmed": {JING: "task-1"}}
    claimants, text = hand_on_side((OWN, OTHER), proposal, before=FAN, successor=JING)
    assert ([claimant.person for claimant in claimants], text) == ([JING, JING], None)
    confirmed = {**proposal, "confirmed": {JING: "task-1", FAN: "task-2"}}
    assert hand_on_side((OWN, OTHER), confirmed, before=FAN, successor=JING)[1], "what all have confirmed stands"


def test_d6_only_one_of_two_sides_is_handed_on() -> None:
    two = (OWN, side(JING, "project", "B-7"), side(JING, "project", "B-8"))
    proposal = {**HALVES, "by": FAN, "round": 2, "confirmed": {FAN: "task-1"}}
    claimants, text = hand_on_side(two, proposal, before=JING, successor=LEI, only="B-8")
    assert [(claimant.person, claimant.subject_id) for claimant in claimants] == [
        (FAN, "B-1"),
        (JING, "B-7"),
        (LEI, "B-8"),
    ]
    assert text is None, "the new side has seen no text yet"

"""What becomes of a coordination meeting, and how a dispute ends, is the same in the record and in the double of the
workflow tests (D2, D3, D5, D6, U10, A6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.tasks.context import IllegalTransition, SubjectOver
from domain.disputes.dispute import TWO_PROJECTS, DisputeStage
from domain.projects.project import ProjectStage
from domain.refusals import RefusalCode
from domain.statements import UpdateProject
from domain.tasks.task import TaskKind
from tests.integration.scenarios.dispute_story import EVERY_SEAT, DisputeStory, outcome_of, shares, text
from tests.samples import (
    CARL,
    CLARA,
    DIRK,
    DORA,
    GINA,
    MONA,
    OPERATOR,
    PAT,
    SAM,
    SUE,
    TESS,
    VERA,
    VIKTOR,
)

Refusal = tuple[bool, str]
ACCEPTED: Refusal = (True, "")


def refused(code: RefusalCode) -> Refusal:
    return False, code


# D2, D5: the meeting is called, moved, called off


@pytest.mark.parametrize(
    ("person", "changed", "code"),
    [
        (MONA, {}, ""),
        (MONA, {"participants": [*EVERY_SEAT, SAM, SUE]}, ""),
        (MONA, {"participants": list(EVERY_SEAT[:-1]), "missing_because": "gina is abroad"}, ""),
        (MONA, {"participants": list(EVERY_SEAT[:-1])}, "missing_without_reason"),
        (MONA, {"participants": [*EVERY_SEAT, TESS]}, "not_among_options"),
        (MONA, {"participants": [*EVERY_SEAT, PAT]}, "not_among_options"),
        (MONA, {"participants": [*EVERY_SEAT, "nobody"]}, "not_among_options"),
        (MONA, {"starts_at": "2026-07-06T09:00:00+08:00"}, "meeting_in_the_past"),
        (MONA, {"place": ""}, "missing"),
        (GINA, {}, RefusalCode.NOT_ASKED),
        (CLARA, {}, RefusalCode.NOT_ASKED),
        (SAM, {}, RefusalCode.OWN_APPLICATION),
    ],
)
async def test_d2_d5_commerce_calls_the_meeting_of_everybody_who_belongs_in_it(
    dispute: DisputeStory, person: str, changed: dict[str, Any], code: str
) -> None:
    await dispute.to_calling()
    recorded = await dispute.calls(person, **changed)
    assert (recorded.accepted, recorded.code) == (not code, code)
    called = (await dispute.row()).called
    assert (called is None) is bool(code)
    if called:
        assert list(called["participants"]) == changed.get("participants", list(EVERY_SEAT))


@pytest.mark.parametrize(
    ("person", "changed", "result"),
    [
        (MONA, {}, ACCEPTED),
        (CLARA, {"participants": [*EVERY_SEAT, SAM]}, ACCEPTED),
        (MONA, {"participants": list(EVERY_SEAT[1:])}, (False, "missing_without_reason")),
        (MONA, {"participants": [*EVERY_SEAT, TESS]}, (False, "may_not_see_case")),
        (MONA, {"starts_at": "2026-07-06T09:00:00+08:00"}, (False, "meeting_in_the_past")),
        (VIKTOR, {}, refused(RefusalCode.ONLY_COMMERCE_MOVES_MEETING)),
        (SUE, {}, refused(RefusalCode.ONLY_COMMERCE_MOVES_MEETING)),
    ],
)
async def test_d5_commerce_moves_the_meeting(
    dispute: DisputeStory, person: str, changed: dict[str, Any], result: Refusal
) -> None:
    await dispute.to_meeting()
    dispute.later(days=1)
    recorded = await dispute.moves_meeting(person, **changed)
    assert (recorded.accepted, recorded.code) == result
    assert recorded.settled is recorded.accepted
    called = (await dispute.row()).called
    assert called is not None
    moved_to = dispute.meeting()["starts_at"].replace("+00:00", "Z")
    assert (called["starts_at"] == moved_to) is recorded.accepted


@pytest.mark.parametrize(
    ("way", "person", "result"),
    [
        ("to_meeting", MONA, ACCEPTED),
        ("to_meeting", CLARA, ACCEPTED),
        ("to_meeting", VIKTOR, refused(RefusalCode.ONLY_COMMERCE_MOVES_MEETING)),
        ("to_negotiation", MONA, refused(RefusalCode.MEETING_NOT_CALLED)),
        ("to_calling", MONA, refused(RefusalCode.MEETING_NOT_CALLED)),
        ("to_decided", MONA, refused(RefusalCode.MEETING_NOT_CALLED)),
    ],
)
async def test_d5_commerce_calls_the_meeting_off(dispute: DisputeStory, way: str, person: str, result: Refusal) -> None:
    await getattr(dispute, way)()
    recorded = await dispute.calls_off(person)
    assert (recorded.accepted, recorded.code) == result


async def test_d5_called_off_its_outcome_cannot_be_recorded_and_another_is_called(dispute: DisputeStory) -> None:
    await dispute.to_meeting()
    assert (await dispute.calls_off()).accepted
    recorded = await dispute.records()
    assert (recorded.accepted, recorded.code) == refused(RefusalCode.TASK_WITHDRAWN)
    with pytest.raises(IllegalTransition):
        await dispute.moves(DisputeStage.DECIDED)
    dispute.later(minutes=1)
    await dispute.moves(DisputeStage.CALLING_MEETING, TaskKind.CALL_MEETING)
    assert (await dispute.row()).called is None
    await dispute.is_called(SUE)
    assert (await dispute.records()).accepted
    await dispute.moves(DisputeStage.DECIDED)


@pytest.mark.parametrize("way", ["withdrawn", "broken"])
async def test_d5_a_dispute_that_ends_otherwise_calls_its_meeting_off(dispute: DisputeStory, way: str) -> None:
    await dispute.to_meeting()
    before = (await dispute.row()).called
    if way == "withdrawn":
        assert (await dispute.project.withdraws()).accepted
        await dispute.moves(DisputeStage.WITHDRAWN)
    else:
        await dispute.is_broken_off()
    row = await dispute.row()
    assert (before is not None, row.called, row.stage) == (True, None, DisputeStage.WITHDRAWN)


async def test_u10_a_meeting_far_ahead_does_not_stand_still_before_it_is_held(dispute: DisputeStory) -> None:
    await dispute.to_calling()
    starts_at = dispute.now + timedelta(days=200)
    await dispute.is_called(SUE, starts_at=starts_at.isoformat())
    await dispute.is_left_alone(SUE)
    assert dispute.now > starts_at
    await dispute.moves(DisputeStage.SHELVED)


# D2, D3, D6: the outcome


@pytest.mark.parametrize(
    ("person", "changed", "code"),
    [
        (VIKTOR, {}, ""),
        (VIKTOR, {"split": [{"person": TESS, "percent": "100"}]}, ""),
        (VIKTOR, {"responsible": TESS}, "not_among_options"),
        (VIKTOR, {"split": [{"person": "nobody", "percent": "100"}]}, "split_names_stranger"),
        (VIKTOR, {"split": [{"person": SUE, "percent": "99.99"}]}, "split_not_100"),
        (VIKTOR, {"summary": ""}, "missing"),
        (VIKTOR, {"goes_on": TWO_PROJECTS}, "extra_forbidden"),
        (VERA, {}, RefusalCode.NOT_ASKED),
        (SUE, {}, RefusalCode.NOT_ASKED),
        (MONA, {}, RefusalCode.NOT_ASKED),
    ],
)
async def test_d2_d3_the_vp_of_the_other_side_records_the_outcome(
    dispute: DisputeStory, person: str, changed: dict[str, Any], code: str
) -> None:
    await dispute.to_meeting()
    recorded = await dispute.records(person, **changed)
    assert (recorded.accepted, recorded.code) == (not code, code)


async def test_d2_decided_it_binds_the_project(dispute: DisputeStory) -> None:
    outcome = await dispute.to_decided()
    assert (outcome.responsible, outcome.decided_by_vp_of, outcome.merged_into) == (SUE, SUE, "")
    project = await dispute.project.row()
    assert project.agreement is not None
    assert (project.salesperson, project.agreement["split"]) == (SUE, shares(30))
    withdrawn = await dispute.project.withdraws(SAM)
    assert (withdrawn.accepted, withdrawn.code) == refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT)


@pytest.mark.parametrize(
    ("goes_on", "merged_into", "stage_of_the_other"),
    [
        ({}, "", ProjectStage.MERGED),
        ({"goes_on": "B-1"}, "", ProjectStage.MERGED),
        ({"goes_on": "B-sue"}, "B-sue", ProjectStage.ROUTING),
        ({"goes_on": TWO_PROJECTS}, "", ProjectStage.ROUTING),
    ],
)
async def test_d6_the_meeting_says_which_registration_goes_on(
    dispute: DisputeStory, goes_on: dict[str, Any], merged_into: str, stage_of_the_other: ProjectStage
) -> None:
    await dispute.to_meeting_by_objection()
    assert [person.person for person in dispute.task().asked] == [VERA], "P8: the applicant's VP"
    assert (await dispute.records(VERA, responsible=SAM, **goes_on)).accepted
    outcome = outcome_of(await dispute.moves(DisputeStage.DECIDED))
    assert (outcome.responsible, outcome.decided_by_vp_of, outcome.merged_into) == (SAM, SAM, merged_into)
    row = await dispute.project.others[SUE].row()
    assert row.stage is stage_of_the_other
    two = goes_on.get("goes_on") == TWO_PROJECTS
    assert (row.salesperson, (row.agreement or {}).get("split")) == ((SUE, None) if two else (SAM, shares(30)))
    if merged_into:
        await dispute.project.moves(ProjectStage.MERGED)
    else:
        await dispute.project.moves(ProjectStage.APPROVAL, (TaskKind.PROJECT_APPROVAL, SAM))


async def test_d6_what_was_merged_is_over_for_its_own_process(dispute: DisputeStory) -> None:
    await dispute.to_meeting_by_objection()
    assert (await dispute.records(VERA, responsible=SAM)).accepted
    await dispute.moves(DisputeStage.DECIDED)
    other = dispute.project.others[SUE]
    for step in (other.routes, other.is_refreshed, other.is_approved):
        with pytest.raises(SubjectOver):
            await step()
    with pytest.raises(SubjectOver):
        await other.moves(ProjectStage.ASSIGNMENT, TaskKind.ASSIGN_CLERK)
    updated = await other.updates(SAM)
    assert (updated.accepted, updated.code) == refused(RefusalCode.PROJECT_NOT_ACTIVE)


async def test_d6_a_registration_that_is_over_does_not_go_on(dispute: DisputeStory) -> None:
    await dispute.to_meeting_by_objection()
    assert (await dispute.project.others[SUE].withdraws(SUE)).accepted
    recorded = await dispute.records(VERA, responsible=SAM, goes_on="B-sue")
    assert (recorded.accepted, recorded.code) == (False, "registration_is_over")


# How it ends otherwise


async def test_d2_withdrawn_there_is_nothing_to_settle(dispute: DisputeStory) -> None:
    await dispute.to_negotiation()
    assert (await dispute.project.withdraws()).accepted
    late = await dispute.agrees(SUE, **text())
    assert (late.accepted, late.code) == refused(RefusalCode.TASK_WITHDRAWN)
    await dispute.moves(DisputeStage.WITHDRAWN)
    await dispute.project.moves(ProjectStage.WITHDRAWN)
    with pytest.raises(IllegalTransition):
        await dispute.project.moves(ProjectStage.APPROVAL)


async def test_u10_nobody_answers_and_the_dispute_is_shelved_with_its_project(dispute: DisputeStory) -> None:
    await dispute.to_negotiation()
    began = dispute.now
    dispute.later(days=200)
    with pytest.raises(IllegalTransition):  # nobody has been warned
        await dispute.moves(DisputeStage.SHELVED)
    dispute.now = began
    await dispute.is_left_alone(SUE)
    assert (dispute.now - began).days in range(89, 94)
    outcome = outcome_of(await dispute.moves(DisputeStage.SHELVED))
    assert (outcome.stage, outcome.responsible) == (DisputeStage.SHELVED, SAM)
    await dispute.project.moves(ProjectStage.SHELVED)


@pytest.mark.parametrize(
    ("way", "settled"),
    [("to_negotiation", False), ("to_meeting", False), ("to_agreed", True), ("to_decided", True)],
)
async def test_x3_a_dispute_ended_by_hand_keeps_what_it_had_settled(
    dispute: DisputeStory, way: str, settled: bool
) -> None:
    await getattr(dispute, way)()
    before = await dispute.row()
    broken = await dispute.is_broken_off()
    after = await dispute.row()
    assert (broken.outcome is not None) is settled
    assert after.stage is (before.stage if settled else DisputeStage.WITHDRAWN)
    if not settled:
        assert (await DisputeStory(dispute.project, 2).opens()).sides == (SAM, SUE)


async def test_x3_a_dispute_ended_before_it_began_has_no_outcome(dispute: DisputeStory) -> None:
    await dispute.project.to_disputed()
    assert (await dispute.is_broken_off()).outcome is None


# A6: somebody leaves


@pytest.mark.parametrize(
    ("was", "to", "person", "result"),
    [
        (SUE, TESS, OPERATOR, ACCEPTED),
        (SUE, TESS, SUE, refused(RefusalCode.NOT_OPERATOR)),
        (SUE, DIRK, OPERATOR, refused(RefusalCode.REASSIGN_UNKNOWN)),
        (SAM, TESS, OPERATOR, refused(RefusalCode.NOT_PARTY_OF_DISPUTE)),
    ],
)
async def test_a6_the_side_of_an_account_is_handed_on(
    dispute: DisputeStory, was: str, to: str, person: str, result: Refusal
) -> None:
    await dispute.to_negotiation()
    recorded = await dispute.is_handed_on(was, to, person)
    assert (recorded.accepted, recorded.code) == result
    assert (await dispute.row()).sides == ((SAM, TESS) if recorded.accepted else (SAM, SUE))
    if recorded.accepted:
        assert recorded.tasks is not None
        asked = {task.slot: [asked.person for asked in task.asked] for task in recorded.tasks}
        assert asked == {SAM: [SAM], TESS: [TESS]}


async def test_a6_d2_the_meeting_is_recorded_by_the_vp_of_whoever_speaks_for_the_account_now(
    dispute: DisputeStory,
) -> None:
    await dispute.to_calling()
    assert (await dispute.is_handed_on(SUE, TESS)).accepted
    await dispute.is_called(SUE, participants=[DORA, VERA, CARL, GINA])
    assert [(task.slot, [asked.person for asked in task.asked]) for task in dispute.tasks] == [(TESS, [VERA])]


async def test_a6_a_project_is_handed_on_with_its_side_of_the_dispute(dispute: DisputeStory) -> None:
    await dispute.to_proposal()
    assert (await dispute.project.is_handed_on(TESS)).accepted
    assert (await dispute.row()).sides == (TESS, SUE)
    assert await dispute.confirmed() == {TESS}


@pytest.mark.parametrize("way", ["to_negotiation", "to_calling", "to_meeting", "to_decided"])
async def test_x1_a_dispute_hears_nothing_else(dispute: DisputeStory, way: str) -> None:
    await getattr(dispute, way)()
    recorded = await dispute.says(UpdateProject, SAM)
    assert (recorded.accepted, recorded.code) == refused(RefusalCode.STAGE_DOES_NOT_ALLOW)


@pytest.mark.parametrize(
    ("way", "stage"),
    [
        ("to_negotiation", DisputeStage.CALLING_MEETING),
        ("to_negotiation", DisputeStage.MEETING),
        ("to_negotiation", DisputeStage.AGREED),
        ("to_negotiation", DisputeStage.DECIDED),
        ("to_negotiation", DisputeStage.WITHDRAWN),
        ("to_negotiation", DisputeStage.SHELVED),
        ("to_proposal", DisputeStage.AGREED),
        ("to_calling", DisputeStage.MEETING),
        ("to_calling", DisputeStage.NEGOTIATION),
        ("to_meeting", DisputeStage.DECIDED),
        ("to_meeting", DisputeStage.CALLING_MEETING),
        ("to_agreed", DisputeStage.CALLING_MEETING),
        ("to_decided", DisputeStage.WITHDRAWN),
    ],
)
async def test_x1_a_stage_that_the_record_does_not_bear_out_is_not_entered(
    dispute: DisputeStory, way: str, stage: DisputeStage
) -> None:
    await getattr(dispute, way)()
    before = await dispute.stage()
    with pytest.raises(IllegalTransition):
        await dispute.moves(stage)
    assert await dispute.stage() == before

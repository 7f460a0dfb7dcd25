"""What becomes of a dispute is the same in the record and in the double of the workflow tests (D1–D4, P3, P5, P8)."""

from __future__ import annotations

from typing import Any

import pytest

from activities.tasks.context import IllegalTransition
from domain.disputes.dispute import DisputeStage, Origin
from domain.projects.project import ProjectStage
from domain.refusals import RefusalCode
from domain.tasks.task import AnswerChoice, AnswerOutcome, TaskKind
from tests.integration.scenarios.dispute_story import DisputeStory, outcome_of, shares, text
from tests.samples import (
    CARL,
    DIRK,
    DORA,
    GINA,
    MONA,
    SAM,
    SUE,
    TESS,
    VERA,
    VIKTOR,
    account_of,
)

Refusal = tuple[bool, str]
ACCEPTED: Refusal = (True, "")


def refused(code: RefusalCode) -> Refusal:
    return False, code


# How it begins


async def test_p3_d1_both_sides_are_asked_the_one_of_the_project_first(dispute: DisputeStory) -> None:
    await dispute.project.to_disputed()
    opened = await dispute.opens()
    assert (opened.applicant, opened.sides, opened.meeting_wanted) == (SAM, (SAM, SUE), False)
    await dispute.asks(*opened.sides)
    asked = [(task.kind, task.slot, [person.person for person in task.asked]) for task in dispute.tasks]
    assert asked == [(TaskKind.AGREE_SPLIT, person, [person]) for person in (SAM, SUE)]


@pytest.mark.parametrize(
    ("origin", "stranger", "dispute_id"),
    [
        (Origin.OTHER_ACCOUNT, TESS, "B-1-1"),
        (Origin.OTHER_ACCOUNT, "", "B-1-1"),
        (Origin.OBJECTION, SUE, "B-1-1"),
        (Origin.OTHER_ACCOUNT, SUE, "B-1-x"),
        (Origin.OTHER_ACCOUNT, SUE, "B-1-2"),
    ],
)
async def test_x1_p3_a_dispute_that_the_record_does_not_bear_out_does_not_begin(
    dispute: DisputeStory, origin: Origin, stranger: str, dispute_id: str
) -> None:
    await dispute.project.to_disputed()
    with pytest.raises(IllegalTransition):
        await dispute.opens(origin, (account_of(stranger),) if stranger else (), dispute_id=dispute_id)


async def test_x1_one_dispute_at_a_time_and_none_over_a_project_that_is_not_disputed(dispute: DisputeStory) -> None:
    await dispute.project.to_routing()
    with pytest.raises(IllegalTransition):
        await dispute.opens(claimants=(account_of(SUE),))


async def test_x1_d1_a_second_dispute_does_not_begin_while_the_first_runs(dispute: DisputeStory) -> None:
    await dispute.to_negotiation()
    with pytest.raises(IllegalTransition):
        await DisputeStory(dispute.project, 2).opens()


async def test_p8_d2_an_objection_begins_with_the_meeting(dispute: DisputeStory) -> None:
    await dispute.project.to_disputed_by_objection()
    opened = await dispute.opens(Origin.OBJECTION)
    assert (opened.sides, opened.meeting_wanted) == ((SAM, SUE), True)
    wanted = (await dispute.row()).wanted
    assert wanted is not None
    assert (wanted["by"], wanted["reason"]) == (VERA, "another site")
    with pytest.raises(IllegalTransition):
        await dispute.asks(*opened.sides)
    await dispute.moves(DisputeStage.CALLING_MEETING, TaskKind.CALL_MEETING)
    assert [person.person for person in dispute.task().asked] == [MONA]


async def test_p5_only_whose_conflict_was_confirmed_is_a_side(dispute: DisputeStory) -> None:
    await dispute.project.to_disputed_by_objection(SUE, TESS)
    assert [claimant.person for claimant in dispute.project.claimants] == [SUE, TESS]
    assert (await dispute.opens(Origin.OBJECTION)).sides == (SAM, SUE)


# D1: one text that every side confirms


async def test_d1_who_proposes_has_confirmed_and_the_other_confirms(dispute: DisputeStory) -> None:
    await dispute.to_negotiation()
    proposed = await dispute.agrees(SAM, **text())
    assert proposed.decision is not None
    assert (proposed.decision.outcome, proposed.decision.names, proposed.round) == (AnswerOutcome.PROPOSED, (SUE,), 2)
    await dispute.asks(SUE)
    assert await dispute.confirmed() == {SAM}
    with pytest.raises(IllegalTransition):
        await dispute.moves(DisputeStage.AGREED)
    confirmed = await dispute.agrees(SUE)
    assert confirmed.decision is not None
    assert (confirmed.decision.outcome, confirmed.round) == (AnswerOutcome.AGREED, None)
    assert await dispute.confirmed() == {SAM, SUE}


async def test_d1_a_text_of_ones_own_takes_the_place_of_the_one_on_the_table(dispute: DisputeStory) -> None:
    await dispute.to_proposal()
    other = await dispute.agrees(SUE, **text(40))
    assert other.decision is not None
    assert (other.decision.outcome, other.decision.names, other.round) == (AnswerOutcome.PROPOSED, (SAM,), 3)
    assert await dispute.confirmed() == {SUE}


async def test_d1_the_very_same_words_confirm(dispute: DisputeStory) -> None:
    await dispute.to_proposal()
    same = await dispute.agrees(SUE, **text(split=shares(60)[::-1]))
    assert same.decision is not None
    assert same.decision.outcome == AnswerOutcome.AGREED


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "missing"),
        ({"responsible": SAM}, "missing"),
        (text(responsible=TESS), "not_among_options"),
        (text(split=[{"person": SAM, "percent": "60"}, {"person": SUE, "percent": "39"}]), "split_not_100"),
        (text(split=[{"person": SAM, "percent": "60"}, {"person": TESS, "percent": "40"}]), "split_names_stranger"),
    ],
)
async def test_d1_d3_a_text_that_does_not_hold_is_refused_and_nothing_is_on_the_table(
    dispute: DisputeStory, fields: dict[str, Any], code: str
) -> None:
    await dispute.to_negotiation()
    recorded = await dispute.agrees(SAM, **fields)
    assert (recorded.accepted, recorded.code) == (False, code)
    assert (await dispute.row()).proposal is None
    assert (await dispute.agrees(SAM, **text())).accepted


@pytest.mark.parametrize("person", [SAM, VERA, VIKTOR, TESS, GINA])
async def test_d1_nobody_agrees_for_a_side_but_the_side(dispute: DisputeStory, person: str) -> None:
    await dispute.to_proposal()
    recorded = await dispute.answers(person, AnswerChoice.AGREE, slot=SUE)
    assert (recorded.accepted, recorded.code) == refused(RefusalCode.NOT_ASKED)


async def test_d1_agreed_it_binds_the_project_and_the_vp_of_the_other_side_decides(dispute: DisputeStory) -> None:
    await dispute.to_negotiation()
    proposed = await dispute.agrees(SAM, **text(30, responsible=SUE))
    assert proposed.decision is not None
    await dispute.asks(*proposed.decision.names)
    assert (await dispute.agrees(SUE)).accepted
    outcome = outcome_of(await dispute.moves(DisputeStage.AGREED))
    assert (outcome.stage, outcome.responsible, outcome.decided_by_vp_of) == (DisputeStage.AGREED, SUE, SUE)
    project = await dispute.project.row()
    assert (project.applicant, project.salesperson) == (SAM, SUE)
    assert project.agreement is not None
    assert (project.agreement["split"], project.agreement["dispute"]) == (shares(30), "B-1-1")
    await dispute.project.moves(ProjectStage.APPROVAL, (TaskKind.PROJECT_APPROVAL, outcome.decided_by_vp_of))
    assert [person.person for person in dispute.project.task().asked] == [VIKTOR]


async def test_n12_d1_a_task_that_another_text_has_closed_reminds_nobody(dispute: DisputeStory) -> None:
    await dispute.to_negotiation()
    closed = dispute.task(SUE)
    assert (await dispute.agrees(SAM, **text())).accepted
    await dispute.asks(SUE)
    dispute.later(days=20)
    chased = await dispute.is_chased(closed)
    assert chased.next_step.at > dispute.now
    assert (await dispute.is_chased(dispute.task(SUE))).chased == 1


# D2, D4: the meeting is wanted


async def test_d2_who_disagrees_wants_the_meeting(dispute: DisputeStory) -> None:
    await dispute.to_negotiation()
    assert (await dispute.disagrees(SUE)).accepted
    wanted = (await dispute.row()).wanted
    assert wanted is not None
    assert (wanted["by"], wanted["reason"]) == (SUE, "my customer")
    agreed = await dispute.agrees(SAM, **text())
    assert (agreed.accepted, agreed.code) == refused(RefusalCode.TASK_WITHDRAWN)
    for stage in (DisputeStage.NEGOTIATION, DisputeStage.AGREED, DisputeStage.MEETING):
        with pytest.raises(IllegalTransition):
            await dispute.moves(stage)
    await dispute.moves(DisputeStage.CALLING_MEETING, TaskKind.CALL_MEETING)


@pytest.mark.parametrize(
    ("way", "person", "result"),
    [
        *(("to_negotiation", person, ACCEPTED) for person in (SAM, SUE, VERA, VIKTOR, GINA)),
        *(
            ("to_negotiation", person, refused(RefusalCode.MAY_NOT_CALL_MEETING))
            for person in (TESS, DORA, CARL, MONA, "nobody")
        ),
        ("to_proposal", SAM, ACCEPTED),
        ("to_calling", GINA, refused(RefusalCode.MEETING_ALREADY_WANTED)),
        ("to_meeting", GINA, refused(RefusalCode.MEETING_ALREADY_WANTED)),
        ("to_decided", GINA, refused(RefusalCode.DISPUTE_NOT_OPEN)),
        ("to_withdrawn", GINA, refused(RefusalCode.DISPUTE_NOT_OPEN)),
        ("to_agreed", VERA, ACCEPTED),
        ("to_agreed", SUE, refused(RefusalCode.AGREEMENT_BINDS)),
        ("to_agreed", TESS, refused(RefusalCode.MAY_NOT_CALL_MEETING)),
    ],
)
async def test_d2_d4_a_side_a_vp_or_the_general_manager_asks_for_the_meeting(
    dispute: DisputeStory, way: str, person: str, result: Refusal
) -> None:
    await getattr(dispute, way)()
    recorded = await dispute.wants_meeting(person)
    assert (recorded.accepted, recorded.code) == result


@pytest.mark.parametrize(
    ("person", "result"),
    [
        (VERA, ACCEPTED),
        (VIKTOR, ACCEPTED),
        (GINA, ACCEPTED),
        (SUE, refused(RefusalCode.AGREEMENT_BINDS)),
        (DIRK, refused(RefusalCode.MAY_NOT_CALL_MEETING)),
    ],
)
async def test_d4_after_an_agreement_a_vp_or_the_general_manager_steps_in(
    dispute: DisputeStory, person: str, result: Refusal
) -> None:
    await dispute.to_approval()
    recorded = await dispute.project.steps_in(person)
    assert (recorded.accepted, recorded.code) == result


async def test_d4_the_agreement_then_waits_and_the_meeting_is_between_those_who_agreed(dispute: DisputeStory) -> None:
    await dispute.to_approval()
    project = dispute.project
    first, second = await project.steps_in(GINA), await project.steps_in(VIKTOR)
    assert [(recorded.accepted, recorded.settled) for recorded in (first, second)] == [(True, False), (True, True)]
    approved = await project.answers(VIKTOR, AnswerChoice.APPROVE)
    assert (approved.accepted, approved.code) == refused(RefusalCode.TASK_WITHDRAWN)
    await project.moves(ProjectStage.DISPUTED)
    again = DisputeStory(project, 2)
    opened = await again.opens()
    assert (opened.sides, opened.meeting_wanted) == ((SAM, SUE), True)
    wanted = (await again.row()).wanted
    assert wanted is not None
    assert (wanted["by"], wanted["reason"]) == (GINA, "too large to leave to two")
    await again.moves(DisputeStage.CALLING_MEETING, TaskKind.CALL_MEETING)
    await again.is_called(SUE)
    assert (await again.records(sam=10)).accepted
    outcome = outcome_of(await again.moves(DisputeStage.DECIDED))
    row = await project.row()
    assert row.agreement is not None
    assert (outcome.responsible, row.agreement["split"], row.agreement["dispute"]) == (SUE, shares(10), "B-1-2")
    project.later(minutes=1)
    await project.moves(ProjectStage.APPROVAL, (TaskKind.PROJECT_APPROVAL, SUE))


async def test_d4_once_the_vp_has_decided_nobody_steps_in(dispute: DisputeStory) -> None:
    await dispute.to_approval()
    assert (await dispute.project.answers(VIKTOR, AnswerChoice.APPROVE)).accepted
    late = await dispute.project.steps_in(GINA)
    assert (late.accepted, late.code) == refused(RefusalCode.PROJECT_DECIDED)
    await dispute.project.is_approved()
    later = await dispute.project.steps_in(GINA)
    assert (later.accepted, later.code) == refused(RefusalCode.DISPUTE_NOT_OPEN)

"""Disputes under pressure: everybody at once, forged statements, steps out of turn, a project that is withdrawn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from activities.steps import MoveStep, Recorded
from activities.tasks.context import IllegalTransition
from domain.disputes.dispute import DisputeStage, Origin
from domain.notices import Notice
from domain.projects.project import ProjectStage
from domain.statements import AnswerTask, CallForMeeting, Withdraw
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, AnswerOutcome, TaskKind
from tests.integration.disputes.dispute_ground import (
    APPLICANT,
    COMMERCE,
    COO,
    GENERAL_MANAGER,
    HOLDER,
    HOLDERS_VP,
    HOLDERS_VPS_DELEGATE,
    THIRD,
    Dispute,
    DisputeGround,
    meeting,
    text,
)
from tests.integration.tasks.race_ground import race

pytestmark = [pytest.mark.no_cover, pytest.mark.timeout(300)]
"""Hundreds of steps at once, in code that other files cover."""

RACES = 50

Q = TypeVar("Q")
R = TypeVar("R")


async def at_once(dispute: Dispute, work: Awaitable[R], other: Awaitable[Q]) -> tuple[R, Q]:
    """Both at once; over many projects now one sets out first, now the other."""
    if int(dispute.project_id[1:]) % 2:
        first, second = await race(work, other)
    else:
        second, first = await race(other, work)
    return first, second


async def raced(
    ground: DisputeGround, one_round: Callable[[Dispute], Awaitable[str]], *holders: str, races: int = RACES
) -> set[str]:
    """The same race over many projects; which ways it went."""

    async def over(number: int) -> str:
        dispute = await ground.disputed(f"p{number}", *holders)
        await dispute.negotiates()
        return await one_round(dispute)

    return set(await asyncio.gather(*(over(number) for number in range(races))))


def outcome(recorded: Recorded) -> str:
    return recorded.decision.outcome if recorded.accepted and recorded.decision else recorded.code


async def test_d1_two_texts_at_once_leave_one_on_the_table(ground: DisputeGround) -> None:
    """D1: nobody's text is passed over unseen: the later one is refused, and its author is asked about the first."""

    async def both_propose(dispute: Dispute) -> str:
        mine, theirs = text(fan="60", jing="40"), text(fan="40", jing="60")
        first, second = await at_once(dispute, dispute.agrees(APPLICANT, mine), dispute.agrees(HOLDER, theirs))
        assert sorted([outcome(first), outcome(second)]) == ["agreement_outdated", AnswerOutcome.PROPOSED]
        proposer, other = (APPLICANT, HOLDER) if first.accepted else (HOLDER, APPLICANT)
        row = await dispute.row()
        assert row.proposal is not None
        assert (row.proposal["by"], set(row.proposal["confirmed"])) == (proposer, {proposer})
        with pytest.raises(IllegalTransition):
            await dispute.moves(DisputeStage.AGREED)
        await dispute.asks(other)
        assert outcome(await dispute.agrees(other)) == AnswerOutcome.AGREED
        await dispute.moves(DisputeStage.AGREED)
        agreement = (await ground.project_now(dispute.project_id)).agreement
        assert agreement is not None
        assert agreement["split"] == (mine if first.accepted else theirs)["split"]
        return proposer

    assert await raced(ground, both_propose) == {APPLICANT, HOLDER}


async def test_d1_the_same_text_from_both_at_once_is_an_agreement(ground: DisputeGround) -> None:
    async def both_send_the_same(dispute: Dispute) -> str:
        said = await at_once(dispute, dispute.agrees(APPLICANT, text()), dispute.agrees(HOLDER, text()))
        assert sorted(map(outcome, said)) == [AnswerOutcome.AGREED, AnswerOutcome.PROPOSED]
        await dispute.moves(DisputeStage.AGREED)
        events = await dispute.events()
        return f"{events.count('agreement_proposed')} {events.count('agreement_confirmed')}"

    assert await raced(ground, both_send_the_same) == {"1 1"}


async def test_d1_d2_an_agreement_and_a_call_for_the_meeting_at_once_end_in_one_of_them(
    ground: DisputeGround,
) -> None:
    async def confirmed_while_the_vp_steps_in(dispute: Dispute) -> str:
        await dispute.agrees(APPLICANT, text())
        await dispute.asks(HOLDER)
        confirmed, called = await at_once(dispute, dispute.agrees(HOLDER), dispute.calls_for_meeting(HOLDERS_VP))
        assert confirmed.accepted != called.accepted
        assert (confirmed.code, called.code) in (("", "dispute_not_open"), ("task_withdrawn", ""))
        if confirmed.accepted:
            with pytest.raises(IllegalTransition):
                await dispute.wants_meeting()
            await dispute.moves(DisputeStage.AGREED)
            return "agreed"
        with pytest.raises(IllegalTransition):
            await dispute.moves(DisputeStage.AGREED)
        await dispute.wants_meeting()
        return "meeting"

    assert await raced(ground, confirmed_while_the_vp_steps_in) == {"agreed", "meeting"}


async def test_d2_a_text_and_a_refusal_at_once_end_in_the_meeting(ground: DisputeGround) -> None:
    """D2: whoever refuses to agree has the meeting, whatever else is said in that moment."""

    async def one_refuses(dispute: Dispute) -> str:
        proposed, refused = await at_once(
            dispute,
            dispute.agrees(APPLICANT, text()),
            dispute.answers(HOLDER, AnswerChoice.DISAGREE, reason="我方先报备"),
        )
        assert refused.accepted
        assert proposed.accepted or proposed.code == "task_withdrawn"
        await dispute.wants_meeting()
        assert (await dispute.note(""))["wanted_by"]["person"] == HOLDER
        return "proposed first" if proposed.accepted else "refused first"

    assert await raced(ground, one_refuses) == {"proposed first", "refused first"}


async def test_d1_of_three_sides_one_confirms_while_another_counters(ground: DisputeGround) -> None:
    """D1: never agreed with a text that somebody has replaced."""

    async def two_of_three(dispute: Dispute) -> str:
        await dispute.agrees(APPLICANT, text(fan="40", jing="40", clark="20"))
        await dispute.asks(HOLDER, THIRD)
        counter = text(fan="30", jing="30", clark="40")
        confirmed, countered = await at_once(dispute, dispute.agrees(HOLDER), dispute.agrees(THIRD, counter))
        assert outcome(countered) == AnswerOutcome.PROPOSED
        assert confirmed.accepted or confirmed.code == "agreement_outdated"
        with pytest.raises(IllegalTransition):
            await dispute.moves(DisputeStage.AGREED)
        await dispute.asks(APPLICANT, HOLDER)
        both = await at_once(dispute, dispute.agrees(APPLICANT), dispute.agrees(HOLDER))
        assert AnswerOutcome.AGREED in map(outcome, both)
        await dispute.moves(DisputeStage.AGREED)
        agreement = (await ground.project_now(dispute.project_id)).agreement
        assert agreement is not None
        assert agreement["split"] == counter["split"]
        return "confirmed first" if confirmed.accepted else "countered first"

    assert await raced(ground, two_of_three, HOLDER, THIRD, races=40) == {"confirmed first", "countered first"}


async def test_d1_a_confirmation_races_the_withdrawal_of_the_project(ground: DisputeGround) -> None:
    """D1: what is withdrawn is bound by nothing, whichever came first; the process can end either way."""

    async def confirmed_while_withdrawn(dispute: Dispute) -> str:
        await dispute.agrees(APPLICANT, text())
        await dispute.asks(HOLDER)
        confirmed, withdrawn = await at_once(dispute, dispute.agrees(HOLDER), ground.withdraw(dispute.project_id))
        assert withdrawn.accepted
        if confirmed.accepted:  # the process was just about to say so when it was told to stop
            await dispute.moves(DisputeStage.AGREED, notices=[Notice.AGREED])
        else:
            assert confirmed.code == "task_withdrawn"
        await dispute.moves(DisputeStage.WITHDRAWN)
        assert (await ground.project_now(dispute.project_id)).agreement is None
        assert await ground.told("agreed", dispute.project_id) == []
        with pytest.raises(IllegalTransition):
            await dispute.moves(DisputeStage.AGREED)
        return (await dispute.row()).stage.value

    assert await raced(ground, confirmed_while_withdrawn, races=60) == {"agreed", "withdrawn"}


async def test_x3_a_statement_delivered_many_times_at_once_is_heard_once(ground: DisputeGround) -> None:
    async def repeated(dispute: Dispute) -> str:
        said = dispute.says(AnswerTask, APPLICANT, task_id=dispute.tasks[APPLICANT].id, choice="agree", fields=text())
        first, *others = await race(*(dispute.hears(said) for _ in range(3)))
        assert all(other == first for other in others)
        row = await dispute.row()
        assert row.proposal is not None
        return f"{outcome(first)} {row.proposal['round']}"

    assert await raced(ground, repeated, races=40) == {f"{AnswerOutcome.PROPOSED} 2"}


async def test_forged_and_borrowed_statements_change_nothing(ground: DisputeGround) -> None:
    """X1, D1: without the seal, with another's name, of another dispute, about another's task."""
    mine, other = await ground.disputed("p1"), await ground.disputed("p2")
    for dispute in (mine, other):
        await dispute.negotiates()
    task_id = mine.tasks[HOLDER].id
    sealed = mine.says(AnswerTask, HOLDER, task_id=task_id, choice="agree", fields=text())
    for forged in (
        sealed.model_copy(update={"seal": ""}),
        sealed.model_copy(update={"fields": text(fan="1", jing="99")}),
        sealed.model_copy(update={"person": APPLICANT}),
        other.says(AnswerTask, HOLDER, task_id=task_id, choice="agree", fields=text()),
        AnswerTask(unreadable=True),
        mine.says(CallForMeeting, GENERAL_MANAGER).model_copy(update={"person": HOLDERS_VP}),
    ):
        assert (await mine.hears(forged)).code == "unsealed"
    borrowed = mine.says(AnswerTask, HOLDER, task_id=other.tasks[HOLDER].id, choice="agree", fields=text())
    assert (await mine.hears(borrowed)).code == "unknown_task"
    assert (await mine.answers(HOLDER, "agree", text(), person=APPLICANT)).code == "not_asked"
    for stranger in (THIRD, HOLDERS_VP, COMMERCE, GENERAL_MANAGER):
        assert (await mine.answers(HOLDER, "agree", text(), person=stranger)).code == "not_asked"
    assert (await mine.hears(mine.says(Withdraw, APPLICANT))).code == "stage_does_not_allow"
    row = await mine.row()
    assert (row.stage, row.proposal, row.meeting) == (DisputeStage.NEGOTIATION, None, None)


async def test_a_process_started_by_hand_opens_and_moves_nothing(ground: DisputeGround) -> None:
    """D1, D2, P8: what leads to a step is read from the record."""
    dispute = await ground.disputed("p1")
    (claimant,) = dispute.claimants
    invented = claimant.model_copy(update={"person": THIRD})
    not_disputed = ground.project("calm", stage=ProjectStage.ACTIVE)
    await ground.registered(not_disputed)
    for wrong in (
        {"claimants": ()},
        {"claimants": (invented,)},
        {"claimants": (claimant, invented)},
        {"origin": Origin.OBJECTION},
        {"dispute_id": "p1-0"},
        {"dispute_id": "p1-x"},
        {"dispute_id": "p2-1"},
        {"project_id": "nothing"},
        {"project_id": "calm"},
    ):
        with pytest.raises(IllegalTransition):
            await dispute.opens(**wrong)
    calm = Dispute(ground, "calm", dispute.claimants, Origin.OTHER_ACCOUNT)
    with pytest.raises(IllegalTransition):
        await calm.opens()
    await dispute.negotiates()
    second = Dispute(ground, "p1", dispute.claimants, Origin.OTHER_ACCOUNT, number=2)
    with pytest.raises(IllegalTransition):
        await second.opens()
    for stage in set(DisputeStage) - {DisputeStage.NEGOTIATION}:
        with pytest.raises(IllegalTransition):
            await dispute.moves(stage)
    step = MoveStep(
        key="move", now=dispute.now, subject=Subject(type=SubjectType.DISPUTE, id=dispute.id), stage="negotiation"
    )
    for stranger in ("dispute-p1-2", "project-p1", ""):
        with pytest.raises(IllegalTransition):
            await ground.run(ground.records.move, step, stranger, final=(IllegalTransition,))
    assert (await dispute.row()).stage is DisputeStage.NEGOTIATION
    assert (await ground.project_now("p1")).agreement is None


async def test_everyone_asked_or_invited_is_told_when_the_project_is_withdrawn(ground: DisputeGround) -> None:
    """N13, D2: the meeting does not take place; its participants and the other side know."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    await dispute.answers(APPLICANT, AnswerChoice.DISAGREE, reason="我方先报备")
    await dispute.wants_meeting()
    await dispute.answers("", AnswerChoice.CALLED, meeting(), person=COMMERCE)
    await dispute.meets()
    held = dispute.tasks[HOLDER]
    assert held.kind is TaskKind.RECORD_MEETING
    await ground.withdraw("p1")
    await dispute.moves(DisputeStage.WITHDRAWN)
    assert await ground.told("project_withdrawn", "p1") == sorted([HOLDER, COMMERCE, HOLDERS_VPS_DELEGATE])
    assert await ground.told("meeting_called_off", "p1") == sorted(meeting()["participants"])
    cancelled = (await ground.mail("meeting_called_off", "p1", COO))["invitation"]
    assert "METHOD:CANCEL\r\n" in cancelled
    assert ((await dispute.row()).meeting or {})["called_off"]["by"] == APPLICANT
    mail = await ground.mail("project_withdrawn", "p1", HOLDER)
    assert (mail["reason"], mail["decided_by_name"]) == ("客户取消预算", "杨帆")
    assert (await dispute.row()).stage is DisputeStage.WITHDRAWN
    said = dispute.says(AnswerTask, HOLDERS_VP, task_id=held.id, choice="record")
    assert (await dispute.hears(said)).code == "task_withdrawn"
    assert (await dispute.calls_for_meeting(HOLDER)).code == "dispute_not_open"

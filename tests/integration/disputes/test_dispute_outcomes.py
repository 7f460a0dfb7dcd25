"""Stepping in after an agreement, who meets, and what an outcome does to each registration (P5, P8, D1, D4–D6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from activities.steps import Recorded
from activities.tasks.context import IllegalTransition
from domain.disputes.dispute import DisputeStage, Origin
from domain.notices import Notice
from domain.projects.project import ProjectStage
from domain.statements import AnswerTask, CallForMeeting
from domain.tasks.task import AnswerChoice, Ask, TaskKind
from embedded.welcome import sample_organisation
from tests.integration.disputes.dispute_ground import (
    APPLICANT,
    APPLICANTS_VP,
    COMMERCE,
    COO,
    GENERAL_MANAGER,
    HOLDER,
    HOLDERS_GM,
    HOLDERS_VP,
    HOLDERS_VPS_DELEGATE,
    THIRD,
    Dispute,
    DisputeGround,
    meeting,
    ruling,
    text,
)
from tests.integration.tasks.race_ground import NOW, ROUNDS, race

THEIRS = f"p1-of-{HOLDER}"
APPROVAL = Ask(kind=TaskKind.PROJECT_APPROVAL, slot=HOLDER)


async def confirmed_by_both(ground: DisputeGround, project_id: str) -> Dispute:
    """D1: both have confirmed one text; the process of the dispute is about to end."""
    dispute = await ground.disputed(project_id)
    await dispute.negotiates()
    await dispute.agrees(APPLICANT, text())
    await dispute.asks(HOLDER)
    await dispute.agrees(HOLDER)
    await dispute.moves(DisputeStage.AGREED, notices=[Notice.AGREED])
    return dispute


async def agreed(ground: DisputeGround, project_id: str) -> Dispute:
    """D1: both have agreed, and the VP is asked to decide the project."""
    dispute = await confirmed_by_both(ground, project_id)
    moved = await ground.project_moves(project_id, ProjectStage.APPROVAL, APPROVAL)
    dispute.tasks = {opened.slot: opened for opened in moved.tasks}
    return dispute


async def steps_in(ground: DisputeGround, project_id: str, person: str) -> Recorded:
    return await ground.project_hears(project_id, CallForMeeting, person, reason="金额较大")


async def decides(ground: DisputeGround, dispute: Dispute, choice: str, reason: str = "") -> Recorded:
    said: dict[str, Any] = {"task_id": dispute.tasks[HOLDER].id, "choice": choice, "reason": reason}
    return await ground.project_hears(dispute.project_id, AnswerTask, HOLDERS_VP, **said)


async def meets(dispute: Dispute, decides: str) -> None:
    await dispute.wants_meeting()
    assert (await dispute.answers("", AnswerChoice.CALLED, meeting(), person=COMMERCE)).accepted
    await dispute.meets(decides)


async def records(dispute: Dispute, **said: Any) -> Any:
    recorded = await dispute.answers(APPLICANT, AnswerChoice.RECORD, ruling(**said), person=APPLICANTS_VP)
    assert recorded.accepted, recorded.code
    return await dispute.moves(DisputeStage.DECIDED, notices=[Notice.MEETING_RECORDED])


async def rows_told(ground: DisputeGround, kind: str, person: str) -> dict[str, str]:
    return {fact["label_key"]: fact["value"] for fact in (await ground.mail(kind, "p1", person))["facts"]}


async def raced(one_round: Callable[[str], Awaitable[str]]) -> set[str]:
    """The same race over many projects, some at a time; which ways it went."""
    some = asyncio.Semaphore(20)

    async def over(number: int) -> str:
        async with some:
            return await one_round(f"p{number}")

    return set(await asyncio.gather(*(over(number) for number in range(ROUNDS))))


@pytest.mark.parametrize("person", [APPLICANTS_VP, HOLDERS_VP, GENERAL_MANAGER])
async def test_d4_a_vp_or_the_general_manager_steps_in_after_the_agreement_which_waits(
    ground: DisputeGround, person: str
) -> None:
    """D4: nobody decides the project until the meeting has; its outcome takes the place of what was agreed."""
    first = await agreed(ground, "p1")
    assert (await steps_in(ground, "p1", person)).accepted
    assert (await decides(ground, first, AnswerChoice.APPROVE)).code == "task_withdrawn"
    await ground.project_moves("p1", ProjectStage.DISPUTED)
    with pytest.raises(IllegalTransition):
        await ground.project_moves("p1", ProjectStage.APPROVAL, APPROVAL)
    second = Dispute(ground, "p1", first.claimants, first.origin, number=2)
    opened = await second.opens()
    assert (opened.meeting_wanted, opened.sides) == (True, (APPLICANT, HOLDER))
    late = [await steps_in(ground, "p1", APPLICANTS_VP), await first.calls_for_meeting(GENERAL_MANAGER)]
    assert [answer.code for answer in late] == ["meeting_already_wanted"] * 2, "on their way when another stepped in"
    await second.wants_meeting()
    note = await second.note("")
    assert (note["reason"], note["wanted_by"]["person"]) == ("金额较大", person)
    assert note["agreement"]["cooperation"] == text()["cooperation"], "what the two had agreed on"
    assert note["precedents"] == [], "an agreement that waits is no ruling"
    assert (await second.answers("", AnswerChoice.CALLED, meeting(), person=COMMERCE)).accepted
    await second.meets(HOLDER)
    assert (await second.answers(HOLDER, AnswerChoice.RECORD, ruling(), person=HOLDERS_VP)).accepted
    await second.moves(DisputeStage.DECIDED, notices=[Notice.MEETING_RECORDED])
    await ground.project_moves("p1", ProjectStage.APPROVAL, APPROVAL)
    after = await ground.project_now("p1")
    assert after.agreement is not None
    assert (after.salesperson, after.agreement["how"], "waits" in after.agreement) == (HOLDER, "decided", False)
    assert (await steps_in(ground, "p1", person)).code == "dispute_not_open", "the meeting has decided"


async def test_d4_a_held_project_is_not_decided_either(ground: DisputeGround) -> None:
    dispute = await agreed(ground, "p1")
    assert (await decides(ground, dispute, AnswerChoice.HOLD, "请补充招标编号")).accepted
    await ground.project_moves("p1", ProjectStage.HELD, Ask(kind=TaskKind.SUPPLY_INFORMATION))
    assert (await steps_in(ground, "p1", APPLICANTS_VP)).accepted
    await ground.project_moves("p1", ProjectStage.DISPUTED)


async def test_d4_nobody_else_steps_in_and_nobody_once_the_project_is_decided(ground: DisputeGround) -> None:
    """D1: an agreement binds the two who have made it."""
    dispute = await agreed(ground, "p1")
    for side in (APPLICANT, HOLDER):
        assert (await steps_in(ground, "p1", side)).code == "agreement_binds"
    for stranger in (THIRD, COMMERCE, COO, HOLDERS_GM, "no.body"):
        assert (await steps_in(ground, "p1", stranger)).code == "may_not_call_meeting", stranger
    with pytest.raises(IllegalTransition):
        await ground.project_moves("p1", ProjectStage.DISPUTED)
    assert (await decides(ground, dispute, AnswerChoice.APPROVE)).accepted
    assert (await steps_in(ground, "p1", GENERAL_MANAGER)).code == "project_decided"


async def test_d4_a_vps_delegate_steps_in_on_their_behalf_and_only_in_their_time(ground: DisputeGround) -> None:
    """D4: recorded as such, and told as such."""
    first = await agreed(ground, "p1")
    late = NOW + timedelta(days=2)
    over = await ground.project_hears("p1", CallForMeeting, HOLDERS_VPS_DELEGATE, reason="金额较大", now=late)
    assert over.code == "may_not_call_meeting", "the delegation was over"
    assert (await steps_in(ground, "p1", HOLDERS_VPS_DELEGATE)).accepted
    query = "SELECT body FROM audit WHERE event = 'meeting_wanted'"
    ((noted,),) = await ground.rows(query)
    assert noted["on_behalf_of"] == HOLDERS_VP
    await ground.project_moves("p1", ProjectStage.DISPUTED)
    second = Dispute(ground, "p1", first.claimants, first.origin, number=2)
    await second.opens()
    await second.wants_meeting()
    note = await second.note("")
    assert (note["wanted_by"]["person"], note["on_behalf_of"]["person"]) == (HOLDERS_VPS_DELEGATE, HOLDERS_VP)
    name = sample_organisation().name_of(HOLDERS_VP)
    assert f"代表{name}" in (await ground.mail("meeting_wanted", "p1", APPLICANT))["decided_by_name"]


async def test_d2_while_the_two_negotiate_a_vps_delegate_asks_for_the_meeting(ground: DisputeGround) -> None:
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    assert (await dispute.calls_for_meeting(HOLDERS_VPS_DELEGATE)).accepted
    wanted = (await dispute.row()).wanted
    assert wanted is not None
    assert (wanted["by"], wanted["on_behalf_of"]) == (HOLDERS_VPS_DELEGATE, HOLDERS_VP)


async def test_d4_between_the_agreement_and_the_vps_task_somebody_steps_in_as_well(ground: DisputeGround) -> None:
    """The dispute's process has recorded the agreement and is about to end."""
    dispute = await confirmed_by_both(ground, "p1")
    assert (await dispute.calls_for_meeting(APPLICANT)).code == "agreement_binds"
    heard = await dispute.calls_for_meeting(APPLICANTS_VP)
    assert (heard.accepted, heard.settled) == (True, True)
    with pytest.raises(IllegalTransition):
        await ground.project_moves("p1", ProjectStage.APPROVAL, APPROVAL)
    second = Dispute(ground, "p1", dispute.claimants, dispute.origin, number=2)
    assert (await second.opens()).meeting_wanted


@pytest.mark.no_cover
@pytest.mark.timeout(300)
async def test_d4_two_step_in_while_the_last_side_agrees_and_one_outcome_is_left(ground: DisputeGround) -> None:
    """D1, D4: an agreement or a meeting, never both and never neither; who came behind the agreement steps in again."""

    async def one_round(project_id: str) -> str:
        dispute = await ground.disputed(project_id)
        await dispute.negotiates()
        await dispute.agrees(APPLICANT, text())
        await dispute.asks(HOLDER)
        contenders = [
            dispute.agrees(HOLDER),
            dispute.calls_for_meeting(HOLDERS_VP),
            dispute.calls_for_meeting(GENERAL_MANAGER),
        ]
        turn = int(project_id[1:]) % 3
        said = await race(*contenders[turn:], *contenders[:turn])
        confirmed, vp, manager = (*said[3 - turn :], *said[: 3 - turn])
        if confirmed.accepted:
            assert (vp.code, manager.code) == ("dispute_not_open", "dispute_not_open")
            with pytest.raises(IllegalTransition):
                await dispute.wants_meeting()
            await dispute.moves(DisputeStage.AGREED)
            await ground.project_moves(project_id, ProjectStage.APPROVAL, APPROVAL)
            both = await race(*(steps_in(ground, project_id, person) for person in (HOLDERS_VP, GENERAL_MANAGER)))
            assert [answer.accepted for answer in both] == [True, True]
            assert sorted(answer.settled for answer in both) == [False, True], "the process goes on with one"
            await ground.project_moves(project_id, ProjectStage.DISPUTED)
            return "agreed"
        assert (confirmed.code, vp.accepted, manager.accepted) == ("task_withdrawn", True, True)
        with pytest.raises(IllegalTransition):
            await dispute.moves(DisputeStage.AGREED)
        await dispute.wants_meeting()
        return "meeting"

    assert await raced(one_round) == {"agreed", "meeting"}


@pytest.mark.no_cover
@pytest.mark.timeout(300)
async def test_d4_two_step_in_while_the_vp_approves_and_one_outcome_is_left(ground: DisputeGround) -> None:
    async def one_round(project_id: str) -> str:
        dispute = await agreed(ground, project_id)
        approving = decides(ground, dispute, AnswerChoice.APPROVE)
        stepping = [steps_in(ground, project_id, person) for person in (APPLICANTS_VP, GENERAL_MANAGER)]
        if int(project_id[1:]) % 2:
            approved, *called = await race(approving, *stepping)
        else:
            *called, approved = await race(*stepping, approving)
        if approved.accepted:
            assert {answer.code for answer in called} == {"project_decided"}
            with pytest.raises(IllegalTransition):
                await ground.project_moves(project_id, ProjectStage.DISPUTED)
            return "approved"
        assert approved.code == "task_withdrawn"
        assert all(answer.accepted for answer in called)
        await ground.project_moves(project_id, ProjectStage.DISPUTED)
        return "meeting"

    assert await raced(one_round) == {"approved", "meeting"}


async def test_d1_the_agreement_names_who_is_responsible(ground: DisputeGround) -> None:
    """D1, A5: either side; the project is theirs from then on, and decided as before by the VP of the account's."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    assert (await dispute.agrees(APPLICANT, text(responsible=THIRD))).code == "not_among_options"
    await dispute.agrees(APPLICANT, text(responsible=HOLDER))
    await dispute.asks(HOLDER)
    assert (await dispute.note(HOLDER))["proposal"]["responsible"]["person"] == HOLDER
    other = await dispute.agrees(HOLDER, text(responsible=APPLICANT))
    assert other.decision is not None
    assert other.decision.outcome == "proposed", "another person responsible is another text"
    await dispute.asks(APPLICANT)
    await dispute.agrees(APPLICANT, text(responsible=HOLDER))
    await dispute.asks(HOLDER)
    await dispute.agrees(HOLDER)
    moved = await dispute.moves(DisputeStage.AGREED, notices=[Notice.AGREED])
    assert moved.outcome is not None
    assert (moved.outcome.responsible, moved.outcome.decided_by_vp_of) == (HOLDER, HOLDER)
    after = await ground.project_now("p1")
    assert (after.salesperson, after.applicant, after.department) == (HOLDER, APPLICANT, "east")
    assert (await rows_told(ground, "agreed", HOLDERS_GM))["mail.label.responsible"] == "徐静"


async def opened(ground: DisputeGround, project_id: str) -> list[str]:
    query = "SELECT id FROM task WHERE subject_id = :id AND status = 'open'"
    return [task_id for (task_id,) in await ground.rows(query, id=project_id)]


async def test_p5_p8_a_registration_whose_vp_saw_no_conflict_is_no_party(ground: DisputeGround) -> None:
    """P5, P8: of two that the clerk suspected, one was confirmed; the other gets neither a side nor a split."""
    dispute = await ground.disputed("p1", HOLDER, THIRD, origin=Origin.OBJECTION, objection={"reason": "不同机房"})
    other = f"p1-of-{THIRD}"
    await ground.confirmed("p1", HOLDER, THEIRS, other)
    await ground.confirmed("p1", THIRD, THEIRS, other, choice=AnswerChoice.NO_CONFLICT, by=APPLICANTS_VP)
    await ground.decided("p1", TaskKind.OBJECTION_REVIEW, APPLICANT, "call_meeting", APPLICANTS_VP)
    opened = await dispute.opens()
    assert opened.sides == (APPLICANT, HOLDER)
    await meets(dispute, APPLICANT)
    await records(dispute)
    untouched = await ground.project_now(other)
    assert (untouched.stage, untouched.agreement, untouched.salesperson) == (ProjectStage.ACTIVE, None, THIRD)

"""Stepping in after an agreement, who meets, and what an outcome does to each registration (P5, P8, D1, D4–D6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from activities.steps import Recorded
from activities.tasks.context import IllegalTransition, SubjectOver
from db.projects import projects
from domain.disputes.dispute import TWO_PROJECTS, DisputeStage, Origin
from domain.notices import Notice
from domain.organisation import Role
from domain.projects.project import ProjectStage
from domain.statements import AnswerTask, CallForMeeting, UpdateProject
from domain.tasks.task import AnswerChoice, Ask, TaskKind
from embedded.welcome import sample_organisation
from tests.integration.disputes.dispute_ground import (
    APPLICANT,
    APPLICANTS_GM,
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
    split,
    text,
)
from tests.integration.tasks.race_ground import NOW, ROUNDS, race
from tests.samples import PROJECT_FORM

THEIRS = f"p1-of-{HOLDER}"
UPDATE = {"progress": "完成方案交流", "next_steps": "提交报价"}
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


async def objected_to(ground: DisputeGround, project_id: str = "p1") -> Dispute:
    """P8: the meeting over a project refused for a conflict is called."""
    dispute = await ground.disputed(project_id, origin=Origin.OBJECTION, objection={"reason": "不同机房的项目"})
    await ground.objection_reviewed(project_id)
    await dispute.opens()
    await meets(dispute, APPLICANT)
    return dispute


async def meets(dispute: Dispute, decides: str) -> None:
    await dispute.wants_meeting()
    assert (await dispute.answers("", AnswerChoice.CALLED, meeting(), person=COMMERCE)).accepted
    await dispute.meets(decides)


async def in_meeting(ground: DisputeGround) -> Dispute:
    """D2: the meeting over a project under another's account is called."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    await dispute.calls_for_meeting(GENERAL_MANAGER)
    await meets(dispute, HOLDER)
    return dispute


async def records(dispute: Dispute, **said: Any) -> Any:
    recorded = await dispute.answers(APPLICANT, AnswerChoice.RECORD, ruling(**said), person=APPLICANTS_VP)
    assert recorded.accepted, recorded.code
    return await dispute.moves(DisputeStage.DECIDED, notices=[Notice.MEETING_RECORDED])


async def rows_told(ground: DisputeGround, kind: str, person: str) -> dict[str, str]:
    return {fact["label_key"]: fact["value"] for fact in (await ground.mail(kind, "p1", person))["facts"]}


async def behind(number: int, work: Awaitable[Recorded]) -> Recorded:
    """Set out a few milliseconds later."""
    await asyncio.sleep(number / 200)
    return await work


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
    assert f"代表 {name}" in (await ground.mail("meeting_wanted", "p1", APPLICANT))["decided_by_name"]


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


async def test_d6_the_outcome_binds_both_and_the_earlier_registration_is_merged(ground: DisputeGround) -> None:
    """D6: one project, one number: the responsible person and the split stand in both, and the other ends."""
    dispute = await objected_to(ground)
    moved = await records(dispute)
    assert moved.outcome.merged_into == ""
    mine, theirs = [await ground.project_now(registration) for registration in ("p1", THEIRS)]
    assert (mine.stage, theirs.stage) == (ProjectStage.DISPUTED, ProjectStage.MERGED)
    for one in (mine, theirs):
        assert one.salesperson == HOLDER
        assert one.agreement is not None
        assert one.agreement["split"] == split(fan="30", jing="70")
        assert (one.agreement["goes_on"], one.agreement["ends"]) == ("p1", [THEIRS])
    assert theirs.end_reason is not None
    assert theirs.end_reason["merged_into"] == "p1"
    assert await ground.rows("SELECT workflow_id FROM nudge") == [(f"project-{THEIRS}",)], "its process hears of it"
    told = await rows_told(ground, "meeting_recorded", HOLDER)
    assert (told["mail.label.goes_on"], told["mail.label.ends"]) == ("p1", THEIRS)
    refused = await ground.project_hears(THEIRS, UpdateProject, HOLDER, update=UPDATE)
    assert refused.code == "project_not_active"
    with pytest.raises(SubjectOver):
        await ground.project_moves(THEIRS, ProjectStage.SHELVED)
    await ground.project_moves("p1", ProjectStage.APPROVAL, APPROVAL)


async def test_d6_the_meeting_may_let_the_earlier_registration_go_on(ground: DisputeGround) -> None:
    dispute = await objected_to(ground)
    moved = await records(dispute, goes_on=THEIRS, responsible=APPLICANT)
    assert moved.outcome.merged_into == THEIRS
    theirs = await ground.project_now(THEIRS)
    assert (theirs.stage, theirs.salesperson, theirs.department) == (ProjectStage.ACTIVE, APPLICANT, "north")
    await ground.project_moves("p1", ProjectStage.MERGED)
    mine = await ground.project_now("p1")
    assert mine.end_reason is not None
    assert (mine.stage, mine.end_reason["merged_into"]) == (ProjectStage.MERGED, THEIRS)
    live = await ground.rows("SELECT DISTINCT live FROM party WHERE subject_id = 'p1'")
    assert live == [(False,)], "P10"


async def asked_now(ground: DisputeGround, project_id: str) -> list[tuple[str, str, str]]:
    """The open tasks of a project: kind, slot and whom each asks."""
    query = """
        SELECT kind, slot, person FROM task JOIN task_person ON task_id = task.id
        WHERE subject_id = :project AND status = 'open' AND removed_at IS NULL ORDER BY kind, person"""
    return [(kind, slot, person) for kind, slot, person in await ground.rows(query, project=project_id)]


async def opened(ground: DisputeGround, project_id: str) -> list[str]:
    query = "SELECT id FROM task WHERE subject_id = :id AND status = 'open'"
    return [task_id for (task_id,) in await ground.rows(query, id=project_id)]


async def test_d6_p2_the_vp_of_whoever_is_responsible_now_decides_the_earlier_registration_that_goes_on(
    ground: DisputeGround,
) -> None:
    """D6: not approved when the meeting was held, it has asked the VP of its former salesperson; who decides now reads
    the outcome, and whatever its process asks later goes to them as well."""
    dispute = await objected_to(ground)
    async with ground.engine.begin() as connection:
        await projects.change(connection, THEIRS, stage=ProjectStage.ROUTING, track="own_account")
    await ground.project_moves(THEIRS, ProjectStage.APPROVAL, APPROVAL)
    assert await asked_now(ground, THEIRS) == [
        ("project_approval", HOLDER, person) for person in (HOLDERS_VPS_DELEGATE, HOLDERS_VP)
    ]
    await records(dispute, goes_on=THEIRS, responsible=APPLICANT)
    assert await asked_now(ground, THEIRS) == [("project_approval", APPLICANT, APPLICANTS_VP)]
    ((note,),) = await ground.rows("SELECT note FROM task WHERE subject_id = :id AND status = 'open'", id=THEIRS)
    assert note["agreement"]["split"] == split(fan="30", jing="70")
    assert await ground.told("task_withdrawn", THEIRS) == [HOLDERS_VPS_DELEGATE, HOLDERS_VP]
    assert APPLICANTS_VP in await ground.told("task", THEIRS)
    held: dict[str, Any] = {
        "task_id": (await opened(ground, THEIRS))[0],
        "choice": AnswerChoice.HOLD,
        "reason": "请补充招标编号",
    }
    assert (await ground.project_hears(THEIRS, AnswerTask, HOLDERS_VP, **held)).code == "not_asked"
    assert (await ground.project_hears(THEIRS, AnswerTask, APPLICANTS_VP, **held)).accepted
    await ground.project_moves(THEIRS, ProjectStage.HELD, Ask(kind=TaskKind.SUPPLY_INFORMATION))
    assert await asked_now(ground, THEIRS) == [("supply_information", "", APPLICANT)]
    supplied: dict[str, Any] = {
        "task_id": (await opened(ground, THEIRS))[0],
        "choice": AnswerChoice.SUPPLY,
        "fields": {"project": PROJECT_FORM.model_dump(mode="json")},
    }
    assert (await ground.project_hears(THEIRS, AnswerTask, APPLICANT, **supplied)).accepted
    await ground.project_moves(THEIRS, ProjectStage.APPROVAL, APPROVAL)  # as its process was told before
    assert await asked_now(ground, THEIRS) == [("project_approval", APPLICANT, APPLICANTS_VP)]


async def test_d6_its_new_salesperson_speaks_for_a_registration_in_other_disputes(ground: DisputeGround) -> None:
    dispute = await objected_to(ground)
    async with ground.engine.begin() as connection:
        await projects.change(connection, THEIRS, stage=ProjectStage.DISPUTED, track="other_account")
        found = await projects.matches_of(connection, "p1", 1)
        account = found[0].model_copy(update={"subject_type": "account", "subject_id": "a9", "salesperson": THIRD})
        await projects.keep_matches(connection, THEIRS, 1, [account])
    claimant = dispute.claimants[0].model_copy(
        update={"person": THIRD, "subject_type": "account", "subject_id": "a9", "since": account.since}
    )
    own = Dispute(ground, THEIRS, (claimant,), Origin.OTHER_ACCOUNT)
    await own.negotiates()
    assert sorted(own.tasks) == sorted([HOLDER, THIRD])
    await records(dispute, goes_on=THEIRS, responsible=APPLICANT)
    assert (await own.row()).sides == (APPLICANT, THIRD)
    assert (await dispute.row()).sides == (APPLICANT, HOLDER), "what is decided stays as it was"
    nudged = {workflow for (workflow,) in await ground.rows("SELECT workflow_id FROM nudge")}
    assert own.workflow_id in nudged


async def test_d6_two_projects_go_on_each_by_itself(ground: DisputeGround) -> None:
    dispute = await objected_to(ground)
    await records(dispute, goes_on=TWO_PROJECTS, responsible=APPLICANT)
    mine, theirs = [await ground.project_now(registration) for registration in ("p1", THEIRS)]
    assert (theirs.stage, theirs.salesperson, theirs.agreement) == (ProjectStage.ACTIVE, HOLDER, None)
    assert mine.agreement is not None
    assert (mine.agreement["goes_on"], mine.agreement["ends"]) == (TWO_PROJECTS, [])
    with pytest.raises(IllegalTransition):
        await ground.project_moves("p1", ProjectStage.MERGED)


async def test_d6_a_registration_that_is_over_keeps_what_was_done(ground: DisputeGround) -> None:
    dispute = await objected_to(ground)
    async with ground.engine.begin() as connection:
        await projects.change(connection, THEIRS, stage=ProjectStage.CONTRACT_SIGNED)
    await records(dispute, responsible=APPLICANT)
    theirs = await ground.project_now(THEIRS)
    assert (theirs.stage, theirs.salesperson) == (ProjectStage.CONTRACT_SIGNED, HOLDER)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"stage": ProjectStage.SHELVED}, "registration_is_over"),
        ({"loss": {"reason": "价格"}}, "registration_is_over"),
        ({"stage": ProjectStage.CONTRACT_SIGNED, "contract": {"amount": "1.00"}}, ""),
    ],
)
async def test_d6_nothing_is_merged_into_a_registration_that_came_to_nothing_meanwhile(
    ground: DisputeGround, columns: dict[str, Any], code: str
) -> None:
    """D6: otherwise nothing would go on at all; one whose contract is signed has gone on to its end."""
    dispute = await objected_to(ground)
    async with ground.engine.begin() as connection:
        await projects.change(connection, THEIRS, **columns)
    recorded = await dispute.answers(APPLICANT, AnswerChoice.RECORD, ruling(goes_on=THEIRS), person=APPLICANTS_VP)
    assert recorded.code == code
    if code:
        assert (await dispute.answers(APPLICANT, AnswerChoice.RECORD, ruling(), person=APPLICANTS_VP)).accepted


async def test_d6_which_goes_on_is_one_of_them(ground: DisputeGround) -> None:
    dispute = await objected_to(ground)
    refused = await dispute.answers(APPLICANT, AnswerChoice.RECORD, ruling(goes_on="p9"), person=APPLICANTS_VP)
    assert refused.code == "not_among_options"


@pytest.mark.no_cover
@pytest.mark.timeout(300)
async def test_d6_a_merge_and_an_update_at_the_same_moment_leave_one_outcome(ground: DisputeGround) -> None:
    """D6, U1: the update is on record before the end, or refused; it never revives what was merged."""

    async def one_round(project_id: str) -> str:
        dispute = await objected_to(ground, project_id)
        recorded = await dispute.answers(APPLICANT, AnswerChoice.RECORD, ruling(), person=APPLICANTS_VP)
        assert recorded.accepted
        theirs = f"{project_id}-of-{HOLDER}"
        merging = dispute.moves(DisputeStage.DECIDED)
        updating = ground.project_hears(theirs, UpdateProject, HOLDER, update=UPDATE)
        # Merging looks up more before it comes to the row both want: the update sets out now earlier, now later.
        _, updated = await race(merging, behind(int(project_id[1:]) % 20, updating))
        assert (await ground.project_now(theirs)).stage is ProjectStage.MERGED
        kept = await ground.rows("SELECT count(*) FROM project_update WHERE project_id = :id", id=theirs)
        assert kept == [(1 if updated.accepted else 0,)]
        assert updated.accepted or updated.code == "project_not_active"
        return "updated" if updated.accepted else "merged first"

    assert await raced(one_round) == {"updated", "merged first"}


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


async def test_d5_whoever_belongs_in_the_meeting_is_there_or_said_to_be_missing(ground: DisputeGround) -> None:
    """D5, X2: a delegate will do; an operator is never invited, nor anybody else who may not see the case."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    await dispute.calls_for_meeting(GENERAL_MANAGER)
    await dispute.wants_meeting()
    everybody = meeting()["participants"]
    without = [person for person in everybody if person != HOLDERS_VP]

    async def called(people: list[str]) -> str:
        return (await dispute.answers("", AnswerChoice.CALLED, meeting(participants=people), person=COMMERCE)).code

    operator = next(person.id for person in sample_organisation().people if Role.OPERATOR in person.roles)
    assert await called([*everybody, operator]) == "not_among_options"
    assert await called([*everybody, THIRD]) == "not_among_options"
    assert await called(without) == "missing_without_reason"
    assert await called([APPLICANT, HOLDER]) == "missing_without_reason"
    assert await called([*without, HOLDERS_VPS_DELEGATE, APPLICANT, HOLDER]) == ""
    called_meeting = (await dispute.row()).called
    assert called_meeting is not None
    assert called_meeting["missing"] == []


async def test_d5_who_is_missing_is_told_with_the_reason(ground: DisputeGround) -> None:
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    await dispute.calls_for_meeting(GENERAL_MANAGER)
    await dispute.wants_meeting()
    here = [APPLICANTS_GM, HOLDERS_GM, APPLICANTS_VP, HOLDERS_VP, GENERAL_MANAGER]
    fields = meeting(participants=here, missing_because="刘洋在国外出差")
    assert (await dispute.answers("", AnswerChoice.CALLED, fields, person=COMMERCE)).accepted
    await dispute.meets()
    told = await rows_told(ground, "meeting_called", HOLDERS_GM)
    assert (told["mail.label.missing"], told["field.project.missing_because"]) == ("刘洋", "刘洋在国外出差")


async def test_d5_a_meeting_is_moved_and_everybody_who_was_told_is_told(ground: DisputeGround) -> None:
    """D5: the same entry moves in everybody's calendar; who is left out hears that it is off for them."""
    dispute = await in_meeting(ground)
    fewer = [person for person in meeting()["participants"] if person != COO]
    later = meeting(starts_at="2026-12-05T09:30:00+08:00", participants=[*fewer, HOLDER])
    assert (await dispute.moves_meeting(later)).code == "missing_without_reason"
    later["missing_because"] = "出差"
    for stranger in (APPLICANT, HOLDERS_VP, GENERAL_MANAGER):
        assert (await dispute.moves_meeting(later, person=stranger)).code == "only_commerce_moves_meeting"
    moved = await dispute.moves_meeting(later)
    assert (moved.accepted, moved.settled) == (True, True)
    assert await ground.told("meeting_moved", "p1") == sorted([*fewer, HOLDER])
    assert await ground.told("meeting_called_off", "p1") == [COO]
    calendar = (await ground.mail("meeting_moved", "p1", HOLDERS_GM))["invitation"]
    assert "SEQUENCE:1\r\n" in calendar
    assert "DTSTART:20261205T013000Z\r\n" in calendar
    off = (await ground.mail("meeting_called_off", "p1", COO))["invitation"]
    assert "METHOD:CANCEL\r\n" in off
    assert "STATUS:CANCELLED\r\n" in off
    assert (await dispute.note(HOLDER))["meeting"]["starts_at"] == "2026-12-05T09:30:00+08:00"
    assert (await dispute.answers(HOLDER, AnswerChoice.RECORD, ruling(), person=HOLDERS_VP)).accepted


async def test_d5_a_meeting_is_called_off_and_another_is_called(ground: DisputeGround) -> None:
    dispute = await in_meeting(ground)
    assert (await dispute.calls_meeting_off()).accepted
    assert (await dispute.answers(HOLDER, AnswerChoice.RECORD, ruling(), person=HOLDERS_VP)).code == "task_withdrawn"
    assert await ground.told("meeting_called_off", "p1") == sorted(meeting()["participants"])
    dispute.now += timedelta(minutes=5)
    await dispute.moves(DisputeStage.CALLING_MEETING, asks=[(TaskKind.CALL_MEETING, "")])
    assert (await dispute.calls_meeting_off()).code == "meeting_not_called"
    assert (await dispute.moves_meeting(meeting())).code == "meeting_not_called"
    assert (await dispute.answers("", AnswerChoice.CALLED, meeting(), person=COMMERCE)).accepted
    await dispute.meets()
    query = "SELECT facts->>'invitation' FROM mail WHERE facts->>'kind' = 'meeting_called' AND person = :person"
    invitations = [invitation for (invitation,) in await ground.rows(query, person=COO)]
    numbers = {line for invitation in invitations for line in invitation.splitlines() if line.startswith("SEQUENCE:")}
    assert numbers == {"SEQUENCE:0", "SEQUENCE:2"}, "a calendar takes the later notice"

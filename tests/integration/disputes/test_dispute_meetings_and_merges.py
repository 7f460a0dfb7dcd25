"""What a meeting decides of two registrations, and how a meeting is called, moved and called off (D5, D6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from activities.steps import Recorded
from activities.tasks.context import IllegalTransition, SubjectOver
from db.projects import projects
from domain.disputes.dispute import TWO_PROJECTS, DisputeStage, Origin
from domain.organisation import Role
from domain.projects.project import ProjectStage
from domain.statements import AnswerTask, UpdateProject
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
)
from tests.integration.disputes.test_dispute_outcomes import (
    APPROVAL,
    THEIRS,
    meets,
    opened,
    raced,
    records,
    rows_told,
)
from tests.integration.tasks.race_ground import race
from tests.samples import PROJECT_FORM

UPDATE = {"progress": "完成方案交流", "next_steps": "提交报价"}


async def objected_to(ground: DisputeGround, project_id: str = "p1") -> Dispute:
    """P8: the meeting over a project refused for a conflict is called."""
    dispute = await ground.disputed(project_id, origin=Origin.OBJECTION, objection={"reason": "不同机房的项目"})
    await ground.objection_reviewed(project_id)
    await dispute.opens()
    await meets(dispute, APPLICANT)
    return dispute


async def in_meeting(ground: DisputeGround) -> Dispute:
    """D2: the meeting over a project under another's account is called."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    await dispute.calls_for_meeting(GENERAL_MANAGER)
    await meets(dispute, HOLDER)
    return dispute


async def behind(number: int, work: Awaitable[Recorded]) -> Recorded:
    """Set out a few milliseconds later."""
    await asyncio.sleep(number / 200)
    return await work


async def test_d6_the_outcome_binds_both_and_the_earlier_registration_is_merged(ground: DisputeGround) -> None:
    """D6: one project, one number: the responsible person and the split stand in both, and the other ends."""
    dispute = await objected_to(ground)
    moved = await records(dispute)
    assert moved.outcome.merged_into == ""
    mine, theirs = [await ground.project_now(registration) for registration in ("p1", THEIRS)]
    assert (mine.stage, theirs.stage) == (ProjectStage.DISPUTED, ProjectStage.MERGED)
    for project in (mine, theirs):
        assert project.salesperson == HOLDER
        assert project.agreement is not None
        assert project.agreement["split"] == split(fan="30", jing="70")
        assert (project.agreement["goes_on"], project.agreement["ends"]) == ("p1", [THEIRS])
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
        WHERE subject_id = :project AND task.status = 'open' AND removed_at IS NULL ORDER BY kind, person"""
    return [(kind, slot, person) for kind, slot, person in await ground.rows(query, project=project_id)]


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

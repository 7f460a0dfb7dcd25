"""A registration on a real record, from the form to the VP's decision (P1–P10, A5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from activities.steps import RecordStep, Sent, SiftStep, Step
from activities.tasks.context import IllegalTransition
from db.projects import projects
from db.reference_data import import_organisation
from db.tables.audit import audit
from domain.disputes.dispute import Claimant
from domain.notices import Notice
from domain.organisation import Role
from domain.projects.project import Company, ProjectStage, Track
from domain.statements import AnswerTask, Reassign, RegisterProject, Withdraw
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.projects.people import (
    CLERK,
    COMMERCE,
    EAST_GM,
    EAST_VP,
    EAST_VPS_DELEGATE,
    FAN,
    GENERAL_MANAGER,
    JING,
    LEI,
    NORTH_GM,
    NORTH_VP,
    OTHER_CLERK,
    TAO,
)
from tests.integration.projects.project_ground import ProjectGround
from tests.integration.projects.registration import Registration
from tests.integration.tasks.race_ground import NOW
from tests.samples import PROJECT_FORM, project_form, uscc

DAY = timedelta(days=1)


async def suspected(ground: ProjectGround) -> tuple[Registration, Registration, Registration]:
    """P5: 徐静 and 郭涛 have registered projects of a customer; 杨帆 comes later, and the clerk suspects both."""
    theirs = await ground.active("east", JING, project_form("云岭精工", name="云岭一期"), NOW - 20 * DAY)
    others = await ground.active("finance", TAO, project_form("云岭精工", name="云岭一期扩容"), NOW - 10 * DAY)
    mine = await ground.registered("mine", FAN, project_form("云岭精工", name="云岭机房"))
    await mine.routes()
    await mine.is_checked()
    answer = await mine.answers(CLERK, AnswerChoice.SUSPECT, "名称与地点相同", suspects=["east", "finance"])
    assert answer.decision is not None
    found = await mine.suspects(answer.decision.task_id)
    assert [(claimant.person, claimant.subject_id) for claimant in found.claimants] == [
        (JING, "east"),
        (TAO, "finance"),
    ]
    await mine.moves(
        ProjectStage.CONFLICT_CONFIRMATION,
        *((TaskKind.CONFLICT_CONFIRMATION, person) for person in (JING, TAO)),
    )
    return mine, theirs, others


async def refused(ground: ProjectGround) -> Registration:
    """P7: the VP of 徐静's project has confirmed the conflict."""
    mine, _, _ = await suspected(ground)
    assert (await mine.answers(EAST_VP, AnswerChoice.CONFLICT, "同一项目", slot=JING)).accepted
    moved = await mine.moves(ProjectStage.REFUSED, notices=[Notice.CONFLICT_REFUSED])
    assert moved.until is not None
    return mine


# ---- P1, P3, P4: whose customer it is -----------------------------------------------------------------------------


async def test_p1_a_project_of_the_salespersons_own_account_goes_to_their_vp(ground: ProjectGround) -> None:
    await ground.holds("a1", FAN, "云岭精工")
    mine = await ground.registered("p1", FAN, project_form("云岭精工"))
    routed = await mine.routes()
    assert (routed.track, routed.claimants) == (Track.OWN_ACCOUNT, ())
    await mine.asks_vp()
    row = await mine.row()
    assert (row.track, row.account_id, row.stage) == (Track.OWN_ACCOUNT, "a1", ProjectStage.APPROVAL)
    assert mine.asked() == [NORTH_VP]
    shown = await mine.mail("task", NORTH_VP)
    assert (shown["project_name"], shown["customer_name"]) == (PROJECT_FORM.name, "云岭精工")
    assert [line["name"] for line in shown["matches"]] == ["云岭精工"]
    assert await mine.live()


@pytest.mark.parametrize("role", ["customer", "alias", "end_user", "channel"])
async def test_p3_a_project_that_touches_anothers_account_is_registered_and_they_are_told(
    ground: ProjectGround, role: str
) -> None:
    """P3: as the customer, by another of its names, as the end user of a channel sale, or as the channel."""
    await ground.holds("a1", JING, "云岭精工", "云岭精工集团", code=uscc(1))
    given = {
        "customer": project_form("云岭精工"),
        "alias": project_form("云岭精工集团"),
        "end_user": project_form("别家", end_user=Company(name="新写法", uscc=uscc(1))),
        "channel": project_form("别家", channel=Company(name="云岭精工")),
    }[role]
    mine = await ground.registered("p1", FAN, given)
    routed = await mine.routes()
    (claimant,) = routed.claimants
    assert routed.track is Track.OTHER_ACCOUNT
    assert claimant == Claimant(person=JING, subject_type="account", subject_id="a1", since=claimant.since)
    await mine.moves(ProjectStage.DISPUTED, notices=[Notice.REGISTERED_UNDER_ACCOUNT])
    row = await mine.row()
    assert (row.stage.status, row.account_id) == ("disputed", "a1")
    people = await mine.told("registered_under_account")
    assert people == sorted([JING, NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, GENERAL_MANAGER])
    told = await mine.mail("registered_under_account", EAST_VP)
    assert (told["project_name"], told["applicant_name"]) == (PROJECT_FORM.name, "杨帆")
    assert any(line["label_key"] == "field.project.amount" for line in told["essentials"])


async def test_p3_the_account_is_anothers_also_where_both_name_the_same_subsidiary(ground: ProjectGround) -> None:
    """P3: what else they share does not make the customer of an account a mere relative of it."""
    await ground.holds("a1", JING, "云岭精工", related=[("云岭物流", None)])
    mine = await ground.registered("p1", FAN, project_form("云岭精工", related=[("云岭物流", None)]))
    routed = await mine.routes()
    assert (routed.track, [claimant.person for claimant in routed.claimants]) == (Track.OTHER_ACCOUNT, [JING])


async def test_p4_under_no_account_commerce_assigns_a_clerk(ground: ProjectGround) -> None:
    """P4, R5: an account that was revoked, and one of a mere relative, are none; the clerk is told of the relative."""
    await ground.holds("a1", JING, "云岭精工")
    await ground.revoked("a1")
    await ground.holds("a2", JING, "远洋控股", related=[("云岭精工", None)])
    mine = await ground.registered("p1", FAN, project_form("云岭精工"))
    routed = await mine.routes()
    assert (routed.track, routed.claimants) == (Track.NON_NAMED, ())
    await mine.moves(ProjectStage.ASSIGNMENT, (TaskKind.ASSIGN_CLERK, ""))
    assert mine.asked() == [COMMERCE]
    refused = await mine.answers(COMMERCE, "assign", clerk=FAN)
    assert (refused.accepted, refused.code) == (False, "not_among_options")
    assigned = await mine.answers(COMMERCE, "assign", clerk=OTHER_CLERK)
    assert assigned.decision is not None
    assert assigned.decision.names == (OTHER_CLERK,)
    await mine.moves(ProjectStage.CONFLICT_CHECK, (TaskKind.CONFLICT_CHECK, OTHER_CLERK))
    assert mine.asked() == [OTHER_CLERK]
    shown = (await mine.mail("task", OTHER_CLERK))["matches"]
    assert sorted((line["name"], line["live"]) for line in shown) == [("远洋控股", True)]


async def test_p4_a6_whoever_registered_it_is_not_asked_to_check_it_after_it_was_handed_on(
    ground: ProjectGround,
) -> None:
    """高远 sold and is a clerk now: what they registered is another's today, and still not theirs to decide on."""
    async with ground.engine.begin() as connection:
        now = await ground.facts.organisation(connection)
        people = tuple(
            person.model_copy(update={"roles": person.roles | {Role.SALESPERSON}}) if person.id == CLERK else person
            for person in now.people
        )
        await import_organisation(connection, now.model_copy(update={"people": people}), now=NOW, by="test")
    mine = await ground.registered("p1", CLERK, project_form("云岭精工"))
    await mine.routes()
    assert (await mine.say(Reassign, "operator:ops", to=LEI, reason="转岗")).accepted
    await mine.moves(ProjectStage.ASSIGNMENT, (TaskKind.ASSIGN_CLERK, ""))
    assert (await mine.answers(COMMERCE, "assign", clerk=CLERK)).code == "not_among_options"
    assert (await mine.answers(COMMERCE, "assign", clerk=OTHER_CLERK)).accepted
    await mine.moves(ProjectStage.CONFLICT_CHECK, (TaskKind.CONFLICT_CHECK, CLERK))
    assert mine.asked() == [COMMERCE]
    assert (await mine.answers(CLERK, AnswerChoice.CLEAR)).code == "not_asked"


async def test_p6_without_a_conflict_it_goes_to_the_applicants_vp(ground: ProjectGround) -> None:
    mine, _, _ = await suspected(ground)
    assert (await mine.answers(EAST_VPS_DELEGATE, AnswerChoice.NO_CONFLICT, slot=JING)).accepted
    before = await ground.everything()
    with pytest.raises(IllegalTransition):  # the other VP has said nothing yet
        await mine.asks_vp()
    assert await ground.everything() == before
    assert (await mine.answers(NORTH_VP, AnswerChoice.NO_CONFLICT, slot=TAO)).accepted
    await mine.asks_vp()
    assert mine.asked() == [NORTH_VP]


# ---- P2: the VP decides --------------------------------------------------------------------------------------------


async def test_p2_approved_with_a_number_the_result_reaches_the_salesperson(ground: ProjectGround) -> None:
    """P2, P9: the salesperson, their department GM and commerce are told, with the number."""
    mine = await ground.in_approval("p1", FAN, project_form("云岭精工"))
    assert (await mine.answers(FAN, "approve")).code == "own_application"
    assert (await mine.answers(EAST_VP, "approve")).code == "not_asked"
    with pytest.raises(IllegalTransition):  # nobody has approved
        await mine.approves()
    approved = await mine.is_approved()
    row = await mine.row()
    assert approved.number == row.number == "P2026-00001"
    assert (row.stage, row.number_issued_at, row.updated_at) == (ProjectStage.ACTIVE, NOW, NOW)
    assert [due.silence.value for due in approved.ahead] == ["two_weeks", "one_month", "three_months"]
    assert await mine.told("project_approved") == sorted([FAN, NORTH_GM, COMMERCE])
    told = await mine.mail("project_approved", FAN)
    assert (told["project_number"], told["decided_by_name"]) == ("P2026-00001", "李明")


async def test_p2_p10_rejected_it_is_over_and_in_nobodys_way(ground: ProjectGround) -> None:
    mine = await ground.in_approval("p1", FAN, project_form("云岭精工"))
    with pytest.raises(IllegalTransition):
        await mine.moves(ProjectStage.REJECTED)
    assert (await mine.answers(NORTH_VP, AnswerChoice.REJECT, "毛利过低")).accepted
    await mine.moves(ProjectStage.REJECTED, notices=[Notice.PROJECT_REJECTED])
    assert await mine.told("project_rejected") == [FAN]
    assert (await mine.mail("project_rejected", FAN))["reason"] == "毛利过低"
    row = await mine.row()
    assert (row.end_reason, row.number) == ({"reason": "毛利过低", "by": NORTH_VP, "rule": "P2"}, None)
    assert not await mine.live()
    with pytest.raises(IllegalTransition):
        await mine.moves(ProjectStage.APPROVAL)


async def test_the_applicant_withdraws_before_the_approval_and_whoever_was_asked_is_told(ground: ProjectGround) -> None:
    mine = await ground.in_approval("p1", FAN, project_form("云岭精工"))
    with pytest.raises(IllegalTransition):
        await mine.moves(ProjectStage.WITHDRAWN)
    assert (await mine.say(Withdraw, NORTH_VP)).code == "not_salesperson_of_project"
    assert (await mine.say(Withdraw, FAN, reason="客户取消")).accepted
    assert (await mine.say(Withdraw, FAN, reason="再一次")).code == "project_stage_does_not_allow"
    await mine.moves(ProjectStage.WITHDRAWN, notices=[Notice.PROJECT_WITHDRAWN])
    assert await mine.told("project_withdrawn") == sorted([FAN, COMMERCE, CLERK, NORTH_VP])
    assert (await mine.mail("project_withdrawn", NORTH_VP))["reason"] == "客户取消"
    assert not await mine.live()
    active = await ground.active("p2", FAN, project_form("另一家"))
    assert (await active.say(Withdraw, FAN, reason="不做了")).code == "project_stage_does_not_allow"


# ---- X1, X3: forged, foreign, twice --------------------------------------------------------------------------------


async def test_d2_n13_what_a_dispute_has_made_anothers_the_applicant_takes_back_no_more(ground: ProjectGround) -> None:
    """D2: the ruling stands; whoever is responsible by it may withdraw, as may somebody it was handed on to (A6)."""
    mine = await ground.in_approval("p1", FAN, project_form("云岭精工"))
    async with ground.engine.begin() as connection:
        await projects.change(connection, "p1", salesperson=JING)  # as the dispute leaves it
    assert (await mine.say(Withdraw, FAN, reason="不服裁决")).code == "not_salesperson_of_project"
    assert (await mine.row()).end_reason is None
    assert (await mine.say(Withdraw, JING, reason="不做了")).accepted
    await mine.moves(ProjectStage.WITHDRAWN, notices=[Notice.PROJECT_WITHDRAWN])
    assert {FAN, JING, NORTH_VP} <= set(await mine.told("project_withdrawn"))


async def test_x3_what_is_forged_or_somebody_elses_changes_nothing(ground: ProjectGround) -> None:
    """Principle 3: no seal, another's seal, another process's statement, task or step: only a trace in the record."""
    mine = await ground.in_approval("p1", FAN, project_form("云岭精工"))
    other = await ground.in_approval("p2", FAN, project_form("另一家"))
    before = await ground.everything()
    (task,) = mine.tasks
    sealed = mine.says(AnswerTask, NORTH_VP, task_id=task.id, choice="approve")
    forged = [
        sealed.model_copy(update={"seal": "", "message_id": "f1"}),
        sealed.model_copy(update={"person": EAST_VP}),
        sealed.model_copy(update={"choice": "reject", "reason": "伪造"}),
        other.says(AnswerTask, NORTH_VP, task_id=task.id, choice="approve"),
        AnswerTask(unreadable=True),
    ]
    for statement in forged:
        assert (await mine.hears(statement)).code == "unsealed"
    elsewhere = mine.says(AnswerTask, NORTH_VP, task_id=other.tasks[0].id, choice="approve")
    assert (await mine.hears(elsewhere)).code == "unknown_task"
    step = RecordStep(key="theirs", now=NOW, subject=other.subject, statement=sealed)
    foreign: list[tuple[Any, Step]] = [
        (ground.records.record_statement, step),
        (ground.records.move, other.move_step(ProjectStage.ACTIVE)),
        (ground.project_steps.approve_project, other.approve_step()),
    ]
    for method, theirs in foreign:
        with pytest.raises(IllegalTransition):
            await mine.once(method, theirs)
    with pytest.raises(IllegalTransition):
        await mine.suspects(task.id)
    for stage in ProjectStage:
        with pytest.raises(IllegalTransition):
            await mine.moves(stage)
    assert await ground.everything() == before
    assert (await mine.events()).count("statement_unsealed") == len(forged)


async def test_x3_of_many_messages_those_without_a_seal_are_given_up_at_once(ground: ProjectGround) -> None:
    """A flood: one entry in the record for all of it, and what was sealed is left to be read, each once."""
    mine = await ground.in_approval("p1", FAN, project_form("云岭精工"))
    other = await ground.in_approval("p2", FAN, project_form("另一家"))
    before = await ground.everything()
    (task,) = mine.tasks
    approves = mine.says(AnswerTask, NORTH_VP, task_id=task.id, choice="approve")
    withdraws = mine.says(Withdraw, FAN, reason="客户取消")
    theirs = other.says(AnswerTask, NORTH_VP, task_id=task.id, choice="approve")
    forged = [AnswerTask(message_id=f"f{number}", person=EAST_VP) for number in range(300)]
    said: list[AnswerTask | Withdraw] = [
        *forged,
        withdraws,
        theirs,
        approves,
        withdraws,
        approves.model_copy(update={"person": EAST_VP}),
    ]
    messages = [Sent(kind=statement.kind, text=statement.model_dump_json()) for statement in said]
    messages += [
        Sent(kind="withdraw", text=text) for text in ("null", "7", '{"undecodable":true}', '{"person":"\\u0000"}')
    ]
    step = SiftStep(key="sift", now=NOW, subject=mine.subject, messages=tuple(messages))
    sifted = await mine.once(ground.records.sift_messages, step)
    assert [said[position] for position in sifted.sealed] == [withdraws, approves]
    assert await mine.once(ground.records.sift_messages, step) == sifted
    assert await ground.everything() == before
    assert (await mine.events()).count("statements_unsealed") == 1
    async with ground.engine.connect() as connection:
        body = (
            await connection.execute(select(audit.c.body).where(audit.c.event == "statements_unsealed"))
        ).scalar_one()
    assert body == {
        "number": 306,
        "kinds": {"answer_task": 302, "withdraw": 4},
        "unreadable": 4,
        "claimed_persons": sorted({EAST_VP, NORTH_VP}),
    }
    assert (await mine.hears(approves)).accepted
    with pytest.raises(IllegalTransition):
        await mine.once(ground.records.sift_messages, step.model_copy(update={"key": "2", "subject": other.subject}))


async def test_x3_a_registration_whose_seal_is_broken_does_not_exist(ground: ProjectGround) -> None:
    mine = ground.registration("p1")
    said = mine.says(RegisterProject, FAN, project_id="p1", form=PROJECT_FORM)
    before = await ground.everything()
    for forged in (
        said.model_copy(update={"person": JING}),
        said.model_copy(update={"form": None}),
        RegisterProject(unreadable=True),
        mine.says(RegisterProject, FAN, project_id="p1", form=PROJECT_FORM, workflow_id="project-p2"),
    ):
        assert not (await mine.is_told(forged)).accepted
    assert not (await mine.registers("nobody", PROJECT_FORM)).accepted
    assert await ground.everything() == before
    assert (await mine.is_told(said)).accepted
    with pytest.raises(IllegalTransition):  # it is another process's
        await ground.registration("p1x").once(
            ground.records.move, mine.move_step(ProjectStage.ASSIGNMENT, (TaskKind.ASSIGN_CLERK, ""))
        )


async def test_p6_a_step_of_the_way_cannot_be_skipped(ground: ProjectGround) -> None:
    """P4–P6: a process started by hand goes nowhere that the record does not lead to."""
    mine = await ground.registered("p1", FAN, project_form("云岭精工"))
    await mine.routes()
    legal = {
        "routing": {ProjectStage.ASSIGNMENT},
        "assignment": set(),
        "assigned": {ProjectStage.CONFLICT_CHECK},
        "conflict_check": set(),
        "cleared": {ProjectStage.APPROVAL},
    }

    async def only(at: str) -> None:
        for stage in set(ProjectStage) - legal[at]:
            with pytest.raises(IllegalTransition):
                await mine.moves(stage)

    await only("routing")
    await mine.moves(ProjectStage.ASSIGNMENT, (TaskKind.ASSIGN_CLERK, ""))
    await only("assignment")
    await mine.answers(COMMERCE, "assign", clerk=CLERK)
    await only("assigned")
    await mine.moves(ProjectStage.CONFLICT_CHECK, (TaskKind.CONFLICT_CHECK, CLERK))
    await only("conflict_check")
    await mine.answers(CLERK, AnswerChoice.CLEAR)
    await only("cleared")
    assert await mine.stage() is ProjectStage.CONFLICT_CHECK

"""A project that its VP holds: supplied, routed anew, before the VP again, as steps on the record (P2, P4, P6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from activities.steps import ReminderStep
from activities.tasks.context import IllegalTransition
from db.accounts import applications
from db.projects import projects
from domain.conflicts.project_match import Match
from domain.projects.project import Company, ProjectStage, Track
from domain.statements import ReportLoss
from domain.tasks.task import AnswerChoice, AnswerOutcome, TaskKind
from tests.integration.projects.people import CLERK, FAN, JING, NORTH_VP
from tests.integration.projects.project_ground import ProjectGround
from tests.integration.projects.registration import Registration
from tests.integration.projects.steps.test_project_steps import DAY
from tests.integration.tasks.race_ground import NOW
from tests.samples import project_form


async def test_p2_held_supplied_and_back_before_the_vp(ground: ProjectGround) -> None:
    """P2: the same companies, so nothing is checked again; what was found stays before the VP."""
    await ground.active("theirs", JING, project_form("云岭精工"), NOW - DAY)
    mine = await ground.in_approval("p1", FAN, project_form("云岭精工"))
    assert (await mine.answers(NORTH_VP, AnswerChoice.HOLD)).code == "reason_required"
    assert (await mine.answers(NORTH_VP, AnswerChoice.HOLD, "预算来源不清")).accepted
    await mine.moves(ProjectStage.HELD, (TaskKind.SUPPLY_INFORMATION, ""))
    assert mine.asked() == [FAN]
    assert (await mine.task()).note == {"reason": "预算来源不清"}
    assert (await mine.row()).stage.status == "held"
    assert await mine.live()
    with pytest.raises(IllegalTransition):  # nothing was supplied
        await mine.asks_vp()
    unreadable = await mine.answers(FAN, AnswerChoice.SUPPLY, project={"name": "缺了其余"})
    assert (unreadable.accepted, unreadable.code) == (False, "unreadable")
    better = project_form("云岭精工", note="预算已批复", amount="900000.00").model_dump(mode="json")
    supplied = await mine.answers(FAN, AnswerChoice.SUPPLY, project=better)
    assert supplied.decision is not None
    assert (supplied.round, supplied.decision.outcome) == (2, "")
    with pytest.raises(IllegalTransition):  # it knows its way
        await mine.moves(ProjectStage.ROUTING)
    await mine.asks_vp()
    row = await mine.row()
    assert (row.round, row.form.note, row.form.amount) == (2, "预算已批复", Decimal("900000.00"))
    async with ground.engine.connect() as connection:
        assert [row["round"] for row in await projects.rounds(connection, "p1")] == [1, 2]
        assert [match.subject_id for match in await projects.matches_of(connection, "p1", 2)] == ["theirs"]
    with pytest.raises(IllegalTransition):  # what was approved was another round
        await mine.approves()
    assert (await mine.is_approved()).number == "P2026-00002"


async def test_p2_a_company_changed_while_held_finds_its_way_anew(ground: ProjectGround) -> None:
    """P2, P3, A5: what is named only now has its place in time from now on; what was named before keeps it."""
    await ground.holds("a1", JING, "远洋控股")
    mine = await ground.in_approval("p1", FAN, project_form("云岭精工"))
    assert (await mine.answers(NORTH_VP, AnswerChoice.HOLD, "最终用户是谁")).accepted
    await mine.moves(ProjectStage.HELD, (TaskKind.SUPPLY_INFORMATION, ""))
    mine.now = NOW + 3 * DAY
    other = project_form("云岭精工", end_user=Company(name="远洋控股")).model_dump(mode="json")
    supplied = await mine.answers(FAN, AnswerChoice.SUPPLY, project=other)
    assert supplied.decision is not None
    assert supplied.decision.outcome == AnswerOutcome.REROUTE
    with pytest.raises(IllegalTransition):  # whose customer the end user is, nobody has looked up
        await mine.asks_vp()
    await mine.moves(ProjectStage.ROUTING)
    async with ground.engine.connect() as connection:
        places = await applications.party_times(connection, "project", "p1")
    assert sorted((name, since) for (name, _), since in places.items()) == [
        ("云岭精工", NOW),
        ("远洋控股", NOW + 3 * DAY),
    ]
    routed = await mine.routes()
    assert (routed.track, [claimant.person for claimant in routed.claimants]) == (Track.OTHER_ACCOUNT, [JING])
    assert (await mine.row()).registered_at == NOW


@pytest.mark.parametrize(
    "changed",
    [{"name": "云岭三期扩容工程"}, {"tender_number": "YL-2026-031"}, {"products": ["防火墙"]}],
    ids=["name", "tender_number", "products"],
)
async def test_p2_p4_another_project_made_of_a_held_one_goes_to_the_clerk_anew(
    ground: ProjectGround, changed: dict[str, Any]
) -> None:
    mine = await ground.in_approval("p1", FAN, project_form("云岭精工", name="云岭一期"))
    await mine.answers(NORTH_VP, AnswerChoice.HOLD, "写全")
    await mine.moves(ProjectStage.HELD, (TaskKind.SUPPLY_INFORMATION, ""))
    other = project_form("云岭精工", **{"name": "云岭一期", **changed}).model_dump(mode="json")
    supplied = await mine.answers(FAN, AnswerChoice.SUPPLY, project=other)
    assert supplied.decision is not None
    assert supplied.decision.outcome == AnswerOutcome.REROUTE
    with pytest.raises(IllegalTransition):  # nobody has looked for what else is registered
        await mine.asks_vp()
    await mine.moves(ProjectStage.ROUTING)
    assert (await mine.routes()).track is Track.NON_NAMED
    await mine.is_checked()


async def test_p2_a5_who_takes_a_registered_projects_name_while_held_comes_after_it(ground: ProjectGround) -> None:
    """Registered first under a harmless name, then renamed into what another has registered since: no way past P4."""
    mine = await ground.in_approval("mine", FAN, project_form("云岭精工", name="办公室打印机"), NOW - 10 * DAY)
    await mine.answers(NORTH_VP, AnswerChoice.HOLD, "写全")
    await mine.moves(ProjectStage.HELD, (TaskKind.SUPPLY_INFORMATION, ""))
    await ground.active("theirs", JING, project_form("远洋控股", name="滨江数据中心二期核心机房"), NOW - 5 * DAY)
    mine.now = NOW
    taken = project_form("云岭精工", name="滨江数据中心二期 核心机房").model_dump(mode="json")
    assert (await mine.answers(FAN, AnswerChoice.SUPPLY, project=taken)).accepted
    await mine.moves(ProjectStage.ROUTING)
    await mine.routes()
    await mine.is_checked()
    (match,) = await found_of(ground, mine)
    assert (match.subject_id, match.earlier, match.live) == ("theirs", True, True)
    answer = await mine.answers(CLERK, AnswerChoice.SUSPECT, "同一项目", suspects=["theirs"])
    assert (answer.accepted, answer.code) == (True, "")


async def test_p2_p6_the_vp_sees_what_is_registered_when_they_are_asked(ground: ProjectGround) -> None:
    """Another's project under one's own account; before the VP is asked again, it has ended and a new one is there."""
    await ground.holds("a1", FAN, "云岭精工")
    theirs = await ground.active("theirs", JING, project_form("远洋控股", name="滨江数据中心二期核心机房"), NOW - DAY)
    mine = await ground.registered("p1", FAN, project_form("云岭精工", name="云岭一期"))
    await mine.routes()
    await mine.asks_vp()
    assert [match.subject_id for match in await found_of(ground, mine)] == ["a1"]
    await mine.answers(NORTH_VP, AnswerChoice.HOLD, "写全")
    await mine.moves(ProjectStage.HELD, (TaskKind.SUPPLY_INFORMATION, ""))
    taken = project_form("云岭精工", name="滨江数据中心二期核心机房").model_dump(mode="json")
    supplied = await mine.answers(FAN, AnswerChoice.SUPPLY, project=taken)
    assert supplied.decision is not None
    assert supplied.decision.outcome == "", "under one's own account the VP alone judges"
    await mine.asks_vp()
    assert "theirs" in [match.subject_id for match in await found_of(ground, mine)]
    lines = await ground.rows("SELECT facts FROM mail WHERE subject_id = 'p1' AND person = :p ORDER BY id", p=NORTH_VP)
    assert "滨江数据中心二期核心机房" in [line["name"] for line in lines[-1][0]["matches"]]
    await mine.answers(NORTH_VP, AnswerChoice.HOLD, "再写全")
    await mine.moves(ProjectStage.HELD, (TaskKind.SUPPLY_INFORMATION, ""))
    assert (await theirs.say(ReportLoss, JING, loss={"reason": "预算取消"})).accepted
    await theirs.moves(ProjectStage.ENDED)
    await mine.answers(FAN, AnswerChoice.SUPPLY, project=taken)
    await mine.asks_vp()
    ended = next(match for match in await found_of(ground, mine) if match.subject_id == "theirs")
    assert (ended.live, ended.status) == (False, "ended")


async def test_p2_n12_a_reminder_shows_the_vp_what_is_registered_by_then(ground: ProjectGround) -> None:
    theirs = await ground.active("theirs", JING, project_form("云岭精工"), NOW - DAY)
    mine = await ground.in_approval("p1", FAN, project_form("云岭精工"))
    assert [line["live"] for line in (await mine.mail("task", NORTH_VP))["matches"]] == [True]
    assert (await theirs.say(ReportLoss, JING, loss={"reason": "预算取消"})).accepted
    await theirs.moves(ProjectStage.ENDED)
    due = mine.tasks[0].next_step.at
    step = ReminderStep(key="chase", now=due, subject=mine.subject, task_id=mine.tasks[0].id)
    await mine.run(ground.chasing.remind_or_escalate, step)
    (line,) = (await mine.mail("reminder", NORTH_VP))["matches"]
    assert (line["live"], line["status"]) == (False, "ended")


async def found_of(ground: ProjectGround, registration: Registration) -> tuple[Match, ...]:
    async with ground.engine.connect() as connection:
        return await projects.matches_of(connection, registration.id, (await registration.row()).round)

"""What people say of matches, on a real record: kept, shown later until something changes, and learned from
(N3, P4, P5, P8, X1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from conflicts.detection import REGISTERED, Found, detect
from conflicts.inquiry import Inquiry
from db.conflicts import rulings
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects import projects
from domain.conflicts.draft import ConflictDraft
from domain.conflicts.project_match import Match
from domain.conflicts.rulings import Ruling
from domain.conflicts.verdict import Level
from domain.disputes.dispute import DisputeStage, Origin
from domain.policy import load_policy
from domain.projects.project import Company, ProjectForm, ProjectStage
from domain.statements import ObjectToRefusal
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.projects.people import CLERK, COMMERCE, EAST_VP, FAN, JING, LEI, NORTH_VP, TAO
from tests.integration.projects.project_ground import ProjectGround
from tests.integration.projects.registration import Registration
from tests.integration.tasks.race_ground import NOW
from tests.samples import project_form, uscc

DAY = timedelta(days=1)
GROUP = "远洋控股集团有限公司"
MEMBER = "蓝鲸水产科技有限公司"
"""Two companies that nothing but somebody's declaration binds."""


async def match(made: Registration, other: str, number: int = 1) -> Match:
    async with made.ground.engine.connect() as connection:
        found = {match.subject_id: match for match in await projects.matches_of(connection, made.id, number)}
    return found[other]


async def looked_up(ground: ProjectGround, name: str) -> dict[str, Found]:
    """What somebody who types this name as their customer would find."""
    draft = ConflictDraft.model_validate({"customer": {"name": name}})
    async with ground.engine.connect() as connection:
        found = await detect(connection, Inquiry.about(draft), REGISTERED, now=NOW, bounds=load_policy().matching)
    return {match.subject_id: match for match in found}


def declaring(customer: str, related: str, **changed: Any) -> ProjectForm:
    """A project whose form names a related party of the customer."""
    return project_form(customer, related=[(related, None)], **changed)


async def in_check(ground: ProjectGround, project_id: str, person: str, given: ProjectForm) -> Registration:
    made = await ground.registered(project_id, person, given)
    await made.routes()
    await made.is_checked()
    return made


async def one_hop_away(ground: ProjectGround) -> Registration:
    """徐静 has declared that the group and the member belong together; 郭涛 has a project of the member, and 杨帆 comes
    with one of the group."""
    await ground.active("bound", JING, declaring(GROUP, MEMBER, name="园区弱电"), NOW - 30 * DAY)
    await ground.active("far", TAO, project_form(MEMBER, name="冷库监控"), NOW - 20 * DAY)
    return await in_check(ground, "mine", FAN, project_form(GROUP, name="财务系统"))


async def test_n3_a4_one_hop_further_than_declared_is_shown_as_the_weaker_thing(ground: ProjectGround) -> None:
    """N3, P4, A5: a related party of a related party, with the reason in words; it can be suspected, no more."""
    mine = await one_hop_away(ground)
    near, far = await match(mine, "bound"), await match(mine, "far")
    assert near.verdict.level is Level.RELATED  # another project of the same customer (A4)
    assert (far.verdict.level, far.conflict, far.earlier) == (Level.LOOK, False, True)
    (reason,) = far.verdict.reasons
    assert (reason.key, reason.params) == ("one_hop", {"party": MEMBER, "through": GROUP})
    (suspect,) = [choice for choice in (await mine.task()).choices if choice.choice == AnswerChoice.SUSPECT]
    assert suspect.fields[0].options == ("bound", "far")


async def test_p4_a_tender_number_alone_finds_its_project_and_no_relative_of_its_customer(
    ground: ProjectGround,
) -> None:
    """P4, N3: who names no company has no company that others could be related to."""
    await ground.active("bound", JING, declaring(GROUP, MEMBER, name="园区弱电", tender_number="ZB-2027-018"), NOW)
    await ground.active("far", TAO, project_form(MEMBER, name="冷库监控"), NOW)
    draft = ConflictDraft.model_validate({"project": {"tender_number": "ZB-2027-018"}})
    async with ground.engine.connect() as connection:
        found = await detect(connection, Inquiry.about(draft), REGISTERED, now=NOW, bounds=load_policy().matching)
    assert {match.subject_id: match.verdict.level for match in found} == {"bound": Level.SAME}


async def test_n14_a5_one_hop_further_is_earlier_only_if_it_was_registered_before(ground: ProjectGround) -> None:
    """N14: what comes in while one is looked at is not before it, by whatever way it is found."""
    await ground.active("bound", JING, declaring(GROUP, MEMBER, name="园区弱电"), NOW - 30 * DAY)
    mine = await ground.registered("mine", FAN, project_form(GROUP, name="财务系统"))
    await ground.active("far", TAO, project_form(MEMBER, name="冷库监控"), NOW + timedelta(minutes=1))
    mine.now = NOW + timedelta(minutes=2)
    await mine.routes()
    await mine.is_checked()
    assert (await match(mine, "far")).earlier is False
    assert (await match(mine, "bound")).earlier is True


async def test_p4_what_a_clerk_has_cleared_is_shown_cleared_until_something_changes(ground: ProjectGround) -> None:
    """P4, X1: by whom, when and why; from the other side as well; not once the project is another one."""
    await ground.active("theirs", JING, project_form("云岭精工", name="云岭一期"), NOW - 20 * DAY)
    mine = await in_check(ground, "mine", FAN, project_form("云岭精工", name="云岭食堂"))
    assert (await match(mine, "theirs")).ruled is None
    bare = await mine.answers(CLERK, AnswerChoice.CLEAR, matches=[{"id": "theirs", "ruling": "cleared"}])
    assert (bare.accepted, bare.code) == (False, "ruling_reason_required")
    rows = [{"id": "theirs", "ruling": "cleared", "reason": "机房与食堂，两个项目"}]
    assert (await mine.answers(CLERK, AnswerChoice.CLEAR, matches=rows)).accepted
    said = (await match(mine, "theirs")).ruled
    assert said is not None
    assert (said.ruling, said.person, said.at, said.reason) == (Ruling.CLEARED, CLERK, NOW, "机房与食堂，两个项目")
    noted = await ground.rows("SELECT actor, body FROM audit WHERE event = 'match_ruled'")
    assert [(actor, body["ruling"], body["subject_id"]) for actor, body in noted] == [(CLERK, "cleared", "theirs")]

    again = await in_check(ground, "again", LEI, project_form("云岭精工", name="云岭食堂"))
    seen = await match(again, "theirs")
    assert seen.cleared
    assert seen.ruled == said
    assert (await match(again, "mine")).ruled is None  # nobody has said anything of these two
    (suspect,) = [choice for choice in (await again.task()).choices if choice.choice == AnswerChoice.SUSPECT]
    assert "theirs" in suspect.fields[0].options, "what is cleared remains visible, and can still be suspected"

    for number, changed in enumerate(
        (
            project_form("云岭精工", name="云岭二期"),
            project_form("云岭精工", name="云岭食堂", products=("服务器",)),
            project_form("云岭精工", name="云岭食堂", code=uscc(3)),
            project_form("云岭精工", name="云岭食堂", end_user=Company(name="云岭后勤")),
            declaring("云岭精工", "云岭后勤", name="云岭食堂"),
        )
    ):
        other = await in_check(ground, f"changed{number}", LEI, changed)
        assert (await match(other, "theirs")).ruled is None, changed


async def test_p4_the_newest_ruling_counts(ground: ProjectGround) -> None:
    """P4, P5: cleared, suspected later, and cleared by the VP who was asked."""
    await ground.active("theirs", JING, project_form("云岭精工", name="云岭一期"), NOW - 20 * DAY)
    mine = await in_check(ground, "mine", FAN, project_form("云岭精工", name="云岭食堂"))
    rows = [{"id": "theirs", "ruling": "cleared"}]
    assert (await mine.answers(CLERK, AnswerChoice.CLEAR, "两个项目", matches=rows)).accepted
    again = await in_check(ground, "again", LEI, project_form("云岭精工", name="云岭食堂"))
    answer = await again.answers(CLERK, AnswerChoice.SUSPECT, "细看是同一机房", suspects=["theirs"])
    assert answer.decision is not None
    await again.suspects(answer.decision.task_id)
    said = (await match(again, "theirs")).ruled
    assert said is not None
    assert (said.ruling, said.reason) == (Ruling.SUSPECTED, "细看是同一机房")
    await again.moves(ProjectStage.CONFLICT_CONFIRMATION, (TaskKind.CONFLICT_CONFIRMATION, JING))
    assert (await again.answers(EAST_VP, AnswerChoice.NO_CONFLICT, "食堂不归我们")).accepted
    third = await in_check(ground, "third", TAO, project_form("云岭精工", name="云岭食堂"))
    said = (await match(third, "theirs")).ruled
    assert said is not None
    assert (said.ruling, said.person, said.reason) == (Ruling.CLEARED, EAST_VP, "食堂不归我们")


async def test_p4_names_ruled_to_be_one_company_are_treated_as_one_from_then_on(ground: ProjectGround) -> None:
    """P4, N3, X1: for candidates and for the comparison, either way round, with who, when and why."""
    mine = await one_hop_away(ground)
    assert "far" not in await looked_up(ground, "远洋控股有限公司")
    rows = [{"id": "far", "ruling": "same_company", "reason": "已更名，营业执照已核"}]
    assert (await mine.answers(CLERK, AnswerChoice.CLEAR, matches=rows)).accepted
    async with ground.engine.connect() as connection:
        (alias,) = await rulings.known_aliases(
            connection, [(await match(mine, "far")).links[0].asked.removesuffix("有限公司")]
        )
    assert {alias.name, alias.other} == {GROUP, MEMBER}
    assert (alias.person, alias.at, alias.reason, alias.subject_id) == (CLERK, NOW, "已更名，营业执照已核", "mine")
    for name, other in ((GROUP, "far"), (MEMBER, "bound"), (MEMBER, "mine")):
        found = (await looked_up(ground, name))[other]
        assert found.verdict.level is Level.SAME, (name, other)
        assert "learned_alias" in [reason.key for reason in found.verdict.reasons]
    (noted,) = await ground.rows("SELECT body->'learned' FROM audit WHERE event = 'match_ruled'")
    assert sorted(noted[0][0]) == sorted([GROUP, MEMBER])


async def confirmed(ground: ProjectGround) -> Registration:
    """P5, P7: the VP of 郭涛 has confirmed the conflict with a project that only the names bind to it."""
    mine = await one_hop_away(ground)
    answer = await mine.answers(CLERK, AnswerChoice.SUSPECT, "疑为同一家", suspects=["far"])
    assert answer.decision is not None
    await mine.suspects(answer.decision.task_id)
    await mine.moves(ProjectStage.CONFLICT_CONFIRMATION, (TaskKind.CONFLICT_CONFIRMATION, TAO))
    assert (await mine.answers(NORTH_VP, AnswerChoice.CONFLICT, "就是同一家")).accepted
    await mine.moves(ProjectStage.REFUSED)
    return mine


async def test_p5_a_confirmed_conflict_adds_an_alias_and_an_overturning_meeting_revokes_it(
    ground: ProjectGround,
) -> None:
    """P5, P8, D2, X1: nothing is deleted; who took it back and why is kept."""
    mine = await confirmed(ground)
    assert (await looked_up(ground, GROUP))["far"].verdict.level is Level.SAME
    assert (await mine.say(ObjectToRefusal, FAN, reason="两家公司")).accepted
    await mine.moves(ProjectStage.OBJECTION, (TaskKind.OBJECTION_REVIEW, FAN))
    assert (await mine.answers(NORTH_VP, AnswerChoice.CALL_MEETING)).accepted
    await mine.moves(ProjectStage.DISPUTED)
    assert (await looked_up(ground, GROUP))["far"].verdict.level is Level.SAME
    settled = {"dispute": "mine-1", "by": EAST_VP, "summary": "会议认定为两家公司"}
    over = DisputeRow(
        id="mine-1",
        project_id="mine",
        workflow_id="dispute-mine-1",
        origin=Origin.OBJECTION,
        stage=DisputeStage.DECIDED,
        round=1,
        opened_at=NOW,
        stage_since=NOW,
        claimants=(),
        outcome=settled,
    )
    async with ground.engine.begin() as connection:
        await disputes.add(connection, over)
        await projects.change(connection, "mine", agreement=settled)
    await mine.asks_vp()
    assert (await looked_up(ground, GROUP))["far"].verdict.level is Level.LOOK
    ((by, why, at),) = await ground.rows("SELECT removed_by, removed_because, removed_at FROM learned_alias")
    assert (by, why, at) == (EAST_VP, "会议认定为两家公司", NOW)
    assert "aliases_taken_back" in await mine.events()


async def test_p5_a_conflict_not_based_on_names_adds_no_alias(ground: ProjectGround) -> None:
    """P5: of two projects of one customer, a confirmed conflict says nothing of any other name."""
    await ground.active(
        "theirs", JING, project_form("云岭精工", name="云岭一期", end_user=Company(name="甲后勤")), NOW - DAY
    )
    mine = await in_check(
        ground, "mine", FAN, project_form("云岭精工", name="云岭食堂", end_user=Company(name="乙后勤"))
    )
    answer = await mine.answers(CLERK, AnswerChoice.SUSPECT, "x", suspects=["theirs"])
    assert answer.decision is not None
    await mine.suspects(answer.decision.task_id)
    await mine.moves(ProjectStage.CONFLICT_CONFIRMATION, (TaskKind.CONFLICT_CONFIRMATION, JING))
    assert (await mine.answers(EAST_VP, AnswerChoice.CONFLICT, "同一项目")).accepted
    assert await ground.rows("SELECT * FROM learned_alias") == []
    assert [ruling for (ruling,) in await ground.rows("SELECT DISTINCT ruling FROM ruling ORDER BY 1")] == [
        "conflict",
        "suspected",
    ]


async def test_p10_ended_subjects_leave_conflict_detection_at_once(ground: ProjectGround) -> None:
    """P10: nothing nightly; live from the transaction that makes it live to the one that ends it."""
    assert await looked_up(ground, "云岭精工") == {}
    theirs = await ground.active("theirs", JING, project_form("云岭精工"), NOW - 100 * DAY)
    assert set(await looked_up(ground, "云岭精工")) == {"theirs"}
    theirs.now = NOW
    await theirs.moves(ProjectStage.SHELVED)
    assert await looked_up(ground, "云岭精工") == {}


async def test_x1_rulings_are_never_changed(ground: ProjectGround) -> None:
    """X1: a ruling is never changed or deleted, an alias is taken back once and by somebody."""
    await confirmed(ground)
    for statement in (
        "UPDATE ruling SET reason = 'x'",
        "DELETE FROM ruling",
        "TRUNCATE ruling",
        "DELETE FROM learned_alias",
        "UPDATE learned_alias SET name = 'x'",
        "UPDATE learned_alias SET removed_at = now()",
    ):
        with pytest.raises(DBAPIError):
            await ground.rows(statement)


async def test_the_commerce_manager_may_be_the_clerk(ground: ProjectGround) -> None:
    """P4: whoever is assigned says what the matches are."""
    await ground.active("theirs", JING, project_form("云岭精工", name="云岭一期"), NOW - 20 * DAY)
    mine = await ground.registered("mine", FAN, project_form("云岭精工", name="云岭食堂"))
    await mine.routes()
    await mine.is_checked(COMMERCE)
    rows = [{"id": "theirs", "ruling": "cleared", "reason": "两个项目"}]
    assert (await mine.answers(COMMERCE, AnswerChoice.CLEAR, matches=rows)).accepted
    assert (await match(mine, "theirs")).cleared

"""What a clerk suspects, its confirmation, refusal and objection, as steps on the record (P4, P5, P7, P8, A5)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from activities.tasks.context import IllegalTransition
from db.accounts.registers import EarlierProjectRow
from db.projects import projects
from domain.notices import Notice
from domain.projects.project import Company, ProjectStage
from domain.statements import AnswerTask, ObjectToRefusal, Reassign, ReportLoss, Withdraw
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.projects.people import CLERK, EAST_VP, EAST_VPS_DELEGATE, FAN, JING, LEI, NORTH_VP, TAO
from tests.integration.projects.project_ground import ProjectGround
from tests.integration.projects.steps.test_project_steps import DAY, refused, suspected
from tests.integration.tasks.race_ground import NOW
from tests.samples import PROJECT_FORM, project_form, uscc


async def test_a5_the_clerk_sees_order_vendor_and_familiarity_of_everything_registered(ground: ProjectGround) -> None:
    """P4, A5, P10: what has left conflict detection is shown and cannot be suspected; nor what came later."""
    code = uscc(7)
    vendor: dict[str, Any] = {
        "vendor_registered": False,
        "vendor_position": "支持徐静团队",
        "relationship": "与信息中心合作六年",
    }
    earlier = await ground.active("earlier", JING, project_form("云岭精工", code=code, **vendor), NOW - 20 * DAY)
    shelved = await ground.active("gone", TAO, project_form("云岭精工", code=code), NOW - 100 * DAY)
    shelved.now = NOW - DAY
    await shelved.moves(ProjectStage.SHELVED)
    await ground.active("own", FAN, project_form("云岭精工", code=code), NOW - 30 * DAY)
    old = EarlierProjectRow(
        id="old",
        name="旧系统扩容",
        customer_name="云岭精工",
        salesperson="马超",
        status="active",
        registered_at=NOW - 300 * DAY,
        closed_at=None,
        amount=Decimal("880000.00"),
        note="",
    )
    await ground.imported(old, project_form("云岭精工"))
    mine = await ground.registered("mine", FAN, project_form("新写法", code=code, end_user=Company(name="云岭精工")))
    await ground.registered("later", LEI, project_form("云岭精工"), NOW + DAY)
    await mine.routes()
    async with ground.engine.connect() as connection:
        found = {match.subject_id: match for match in await projects.matches_of(connection, "mine", 1)}
    assert list(found) == ["old", "gone", "own", "earlier", "later"]
    assert {subject_id: (found[subject_id].live, found[subject_id].earlier) for subject_id in found} == {
        "old": (True, True),
        "gone": (False, True),
        "own": (True, True),
        "earlier": (True, True),
        "later": (True, False),
    }
    theirs = found["earlier"]
    assert (theirs.vendor_registered, theirs.vendor_position) == (False, "支持徐静团队")
    assert (theirs.relationship, theirs.amount) == ("与信息中心合作六年", PROJECT_FORM.amount)
    assert (theirs.salesperson, theirs.since, theirs.status) == (JING, NOW - 20 * DAY, "active")
    keys = {reason.key for reason in theirs.verdict.reasons}
    assert keys >= {"same_uscc", "same_name", "end_user_is_customer", "same_project_name"}
    assert found["old"].amount == Decimal("880000.00")
    await mine.is_checked()
    (suspect,) = [choice for choice in (await mine.task()).choices if choice.choice == AnswerChoice.SUSPECT]
    assert suspect.fields[0].options == ("old", "earlier")
    asked = await mine.mail("task", CLERK)
    lines, own = asked["matches"], asked["own"]
    assert (own["name"], own["vendor_position"], own["relationship"]) == (
        PROJECT_FORM.name,
        PROJECT_FORM.vendor_position,
        PROJECT_FORM.relationship,
    )
    assert {line.get("vendor_position") for line in lines} >= {"支持徐静团队"}
    assert [line["name"] for line in lines][:1] == ["旧系统扩容"]
    assert {line["relationship"] for line in lines if line.get("relationship")} >= {"与信息中心合作六年"}
    # One that ends while the clerk is at work can be suspected no more (P10).
    await earlier.say(ReportLoss, JING, loss={"reason": "预算取消"})
    await earlier.moves(ProjectStage.ENDED)
    answer = await mine.answers(CLERK, AnswerChoice.SUSPECT, "相同", suspects=["earlier"])
    assert (answer.accepted, answer.code) == (False, "suspect_over")


async def test_p5_a_clerk_names_what_detection_has_not_found(ground: ProjectGround) -> None:
    """P5: by project number or id, an account as well; its VP is asked, sees why it is here, and confirms it."""
    theirs = await ground.active("theirs", JING, project_form("远洋控股", name="滨江数据中心"), NOW - DAY)
    number = (await theirs.row()).number
    assert number is not None
    await ground.holds("a1", TAO, "长风集团")
    mine = await ground.registered("mine", FAN, project_form("云岭精工", name="云岭机房"))
    await mine.routes()
    await mine.is_checked()
    (suspect,) = [choice for choice in (await mine.task()).choices if choice.choice == AnswerChoice.SUSPECT]
    assert (suspect.fields[0].options, suspect.fields[0].others) == ((), True)
    assert (await mine.answers(CLERK, AnswerChoice.SUSPECT, suspects=[number])).code == "reason_required"
    answer = await mine.answers(CLERK, AnswerChoice.SUSPECT, "同一机房，客户换了名称", suspects=[number.lower(), "a1"])
    assert answer.decision is not None
    found = await mine.suspects(answer.decision.task_id)
    assert [(claimant.person, claimant.subject_type, claimant.subject_id) for claimant in found.claimants] == [
        (JING, "project", "theirs"),
        (TAO, "account", "a1"),
    ]
    people = ((TaskKind.CONFLICT_CONFIRMATION, person) for person in (JING, TAO))
    await mine.moves(ProjectStage.CONFLICT_CONFIRMATION, *people)
    for person, about in ((JING, "theirs"), (TAO, "a1")):  # each task says which of them it asks about
        assert (await mine.task(person)).note == {"reason": "同一机房，客户换了名称", "suspects": [about]}
    lines = (await mine.mail("task", EAST_VP))["matches"]
    assert [line["verdict"]["reasons"][0]["key"] for line in lines] == ["named_by_clerk"] * 2
    assert (await mine.answers(EAST_VP, AnswerChoice.CONFLICT, "是同一项目", slot=JING)).accepted
    await mine.moves(ProjectStage.REFUSED, notices=[Notice.CONFLICT_REFUSED])
    assert ((await mine.row()).refusal or {})["suspects"] == ["theirs"], "only what was confirmed is a party"
    assert EAST_VP in await mine.told("conflict_refused")


async def test_p5_p10_what_is_unknown_over_or_ones_own_is_not_named(ground: ProjectGround) -> None:
    """P5, P10: each wrong name at its place, and nothing changes."""
    over = await ground.active("over", JING, project_form("远洋控股"), NOW - DAY)
    await over.say(ReportLoss, JING, loss={"reason": "预算取消"})
    await over.moves(ProjectStage.ENDED)
    await ground.active("own", FAN, project_form("长风集团", name="另一个项目"), NOW - DAY)
    mine = await ground.registered("mine", FAN, project_form("云岭精工", name="云岭机房"))
    await mine.routes()
    await mine.is_checked()
    before = await ground.everything()
    names = ["nobody", "over", "mine", "own", "P2099-00001", "x\u200by"]
    said = mine.says(
        AnswerTask,
        CLERK,
        task_id=mine.tasks[0].id,
        choice=AnswerChoice.SUSPECT,
        reason="相同",
        fields={"suspects": names},
    )
    assert (await mine.hears(said)).code == "suspect_unknown"
    problems = (await mine.receipt(said))["problems"]
    assert [
        (problem["field"], problem["rule"], problem["key"], problem["params"]["value"]) for problem in problems
    ] == [
        ("fields.suspects.0", "P5", "suspect_unknown", "nobody"),
        ("fields.suspects.1", "P5", "suspect_over", "over"),
        ("fields.suspects.2", "P5", "suspect_own", "mine"),
        ("fields.suspects.3", "P5", "suspect_own", "own"),
        ("fields.suspects.4", "P5", "suspect_unknown", "P2099-00001"),
        ("fields.suspects.5", "P5", "suspect_unknown", "x\u200by"),
    ]
    assert await ground.everything() == before
    assert (await mine.answers(CLERK, AnswerChoice.CLEAR)).accepted


async def test_p4_a5_one_registered_before_but_recorded_later_is_found_when_the_clerk_looks(
    ground: ProjectGround,
) -> None:
    """P4, A5: two register at the same moment; the record of the first is held up until the second has found its way.

    Both would otherwise be told that there is no conflict: the first came before, the second was not there to be seen.
    """
    mine = await ground.registered("mine", FAN, project_form("云岭精工"))
    await mine.routes()
    first = await ground.registered("first", JING, project_form("云岭精工"), NOW - timedelta(milliseconds=5))
    await first.routes()
    await mine.is_checked()
    assert [line["earlier"] for line in (await mine.mail("task", CLERK))["matches"]] == [True]
    answer = await mine.answers(CLERK, AnswerChoice.SUSPECT, "同一项目", suspects=["first"])
    assert (answer.accepted, answer.code) == (True, "")
    await first.is_checked()
    (suspect,) = [choice for choice in (await first.task()).choices if choice.choice == AnswerChoice.SUSPECT]
    assert suspect.fields[0].options == (), "it came first"


# ---- P5–P7: a conflict ---------------------------------------------------------------------------------------------


async def test_p5_the_vp_of_each_suspected_registration_is_asked(ground: ProjectGround) -> None:
    """P5: also where it was handed to another salesperson since; 王芳 is away, so her delegate is asked with her."""
    mine, _, _ = await suspected(ground)
    assert (mine.asked(JING), mine.asked(TAO)) == ([EAST_VP, EAST_VPS_DELEGATE], [NORTH_VP])
    note = (await mine.task(JING)).note
    assert note == {"reason": "名称与地点相同", "suspects": ["east"]}
    assert [line["subject_type"] for line in (await mine.mail("task", EAST_VP))["matches"]] == ["project", "project"]


async def test_p5_who_is_asked_is_whose_the_registration_is_now(ground: ProjectGround) -> None:
    theirs = await ground.active("east", JING, project_form("云岭精工"), NOW - DAY)
    mine = await ground.registered("mine", FAN, project_form("云岭精工"))
    await mine.routes()
    await mine.is_checked()
    assert (await theirs.say(Reassign, "operator:ops", to=TAO, reason="徐静离职")).accepted
    answer = await mine.answers(CLERK, AnswerChoice.SUSPECT, "相同", suspects=["east"])
    assert answer.decision is not None
    assert [claimant.person for claimant in (await mine.suspects(answer.decision.task_id)).claimants] == [TAO]


async def test_p5_whatever_becomes_of_what_was_suspected_somebody_is_asked(ground: ProjectGround) -> None:
    """P5, P10: withdrawn just after the clerk's answer, it is shown as what is over, and its VP says so."""
    theirs = await ground.in_approval("east", JING, project_form("云岭精工"), NOW - DAY)
    mine = await ground.registered("mine", FAN, project_form("云岭精工"))
    await mine.routes()
    await mine.is_checked()
    answer = await mine.answers(CLERK, AnswerChoice.SUSPECT, "相同", suspects=["east"])
    assert answer.decision is not None
    assert (await theirs.say(Withdraw, JING, reason="客户取消")).accepted
    await theirs.moves(ProjectStage.WITHDRAWN)
    assert [claimant.person for claimant in (await mine.suspects(answer.decision.task_id)).claimants] == [JING]
    await mine.moves(ProjectStage.CONFLICT_CONFIRMATION, (TaskKind.CONFLICT_CONFIRMATION, JING))
    assert [line["live"] for line in (await mine.mail("task", EAST_VP))["matches"]] == [False]
    assert (await mine.answers(EAST_VP, AnswerChoice.NO_CONFLICT)).accepted
    await mine.asks_vp()


async def test_p7_a_confirmed_conflict_is_refused_to_the_applicant_and_the_vps_concerned(ground: ProjectGround) -> None:
    """P7, P10: nobody else is told; from that moment it stands in nobody's way, and in the way of it stands nobody."""
    mine = await refused(ground)
    assert await mine.told("conflict_refused") == sorted([FAN, NORTH_VP, EAST_VP])
    told = await mine.mail("conflict_refused", FAN)
    assert (told["reason"], told["decided_by_name"]) == ("同一项目", "王芳")
    assert told["until"] == "2027-01-01T10:00:00+08:00"
    # X2: what the clerk suspected speaks of others; the VPs see it, the applicant does not.
    for person, seen in ((FAN, False), (NORTH_VP, True), (EAST_VP, True)):
        lines = (await mine.mail("conflict_refused", person))["decisions"]
        assert [bool(line.get("reason")) for line in lines if line["kind"] == "conflict_check"] == [seen], person
    row = await mine.row()
    assert row.refusal == {
        "by": EAST_VP,
        "reason": "同一项目",
        "at": NOW.isoformat(),
        "suspects": ["east"],
        "objection_until": "2027-01-01T10:00:00+08:00",
    }
    assert (row.stage.status, row.live, await mine.live()) == ("refused", False, False)
    # The other VP's open task is withdrawn, and they are told.
    assert await mine.told("task_withdrawn") == [NORTH_VP]


# ---- P8: an objection ----------------------------------------------------------------------------------------------


async def test_p8_the_applicant_objects_once_and_their_vp_has_the_meeting_called(ground: ProjectGround) -> None:
    mine = await refused(ground)
    assert (await mine.say(ObjectToRefusal, LEI, reason="我的客户")).code == "not_salesperson_of_project"
    with pytest.raises(IllegalTransition):  # nobody has objected
        await mine.moves(ProjectStage.OBJECTION, (TaskKind.OBJECTION_REVIEW, FAN))
    mine.now = NOW + 30 * DAY
    assert (await mine.say(ObjectToRefusal, FAN, reason="不是同一机房")).accepted
    assert (await mine.say(ObjectToRefusal, FAN, reason="再说一次")).code == "objection_used"
    mine.now = NOW + 40 * DAY
    with pytest.raises(IllegalTransition):  # it may not lapse over the objection
        await mine.moves(ProjectStage.CLOSED_REFUSED)
    await mine.moves(ProjectStage.OBJECTION, (TaskKind.OBJECTION_REVIEW, FAN))
    assert mine.asked() == [NORTH_VP]
    assert (await mine.task()).note == {"reason": "不是同一机房", "refusal": (await mine.row()).refusal}
    assert (await mine.answers(NORTH_VP, AnswerChoice.CALL_MEETING)).accepted
    assert not await mine.live()
    await mine.moves(ProjectStage.DISPUTED)
    assert (await mine.row()).stage.status == "disputed"
    assert await mine.live()


@pytest.mark.parametrize(("after", "accepted"), [(timedelta(), False), (timedelta(microseconds=-1), True)])
async def test_p8_an_objection_comes_in_time_or_not_at_all(
    ground: ProjectGround, after: timedelta, accepted: bool
) -> None:
    """P8: within a month; one said in time that waited for a worker counts."""
    mine = await refused(ground)
    until = (await mine.row()).refusal or {}
    end = NOW.fromisoformat(until["objection_until"])
    mine.now = end + after
    said = mine.says(ObjectToRefusal, FAN, reason="不是同一机房")
    mine.now = end + DAY
    heard = await mine.hears(said)
    assert (heard.accepted, heard.code) == (accepted, "" if accepted else "objection_too_late")
    if not accepted:
        await mine.moves(ProjectStage.CLOSED_REFUSED, notices=[Notice.OBJECTION_LAPSED])
        assert await mine.told("objection_lapsed") == [FAN]
        assert await mine.stage() is ProjectStage.CLOSED_REFUSED
        assert (await mine.say(ObjectToRefusal, FAN, reason="晚了")).accepted is False


async def test_p8_a_refusal_does_not_lapse_before_its_time(ground: ProjectGround) -> None:
    mine = await refused(ground)
    mine.now = NOW + 30 * DAY
    with pytest.raises(IllegalTransition):
        await mine.moves(ProjectStage.CLOSED_REFUSED)
    assert await mine.stage() is ProjectStage.REFUSED


async def test_p8_an_objection_that_is_not_upheld_ends_it(ground: ProjectGround) -> None:
    mine = await refused(ground)
    assert (await mine.say(ObjectToRefusal, FAN, reason="不是同一机房")).accepted
    await mine.moves(ProjectStage.OBJECTION, (TaskKind.OBJECTION_REVIEW, FAN))
    assert (await mine.answers(NORTH_VP, AnswerChoice.UPHOLD_REFUSAL)).code == "reason_required"
    assert (await mine.answers(NORTH_VP, AnswerChoice.UPHOLD_REFUSAL, "确为同一项目")).accepted
    await mine.moves(ProjectStage.CLOSED_REFUSED, notices=[Notice.REFUSAL_UPHELD])
    assert await mine.told("refusal_upheld") == [FAN]
    told = await mine.mail("refusal_upheld", FAN)
    assert (told["reason"], told["decided_by_name"]) == ("确为同一项目", "李明")
    assert (await mine.row()).end_reason == {"reason": "确为同一项目", "by": NORTH_VP, "rule": "P8"}
    assert not await mine.live()

"""A registration on a real record, from the form to the VP's decision (P1–P10, A5)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from activities.steps import RecordStep, ReminderStep, Sent, SiftStep, Step
from activities.tasks.context import IllegalTransition
from db.accounts import applications
from db.accounts.registers import EarlierProjectRow
from db.projects import projects
from db.reference_data import import_organisation
from db.tables.audit import audit
from domain.conflicts.project_match import Match
from domain.disputes.dispute import Claimant
from domain.notices import Notice
from domain.organisation import Role
from domain.projects.project import Company, ProjectStage, Track
from domain.statements import AnswerTask, ObjectToRefusal, Reassign, RegisterProject, ReportLoss, Withdraw
from domain.tasks.task import AnswerChoice, AnswerOutcome, TaskKind
from tests.integration.projects.project_ground import (
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
    ProjectGround,
    Registration,
)
from tests.integration.tasks.race_ground import NOW, uscc
from tests.samples import PROJECT_FORM, project_form

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


async def test_a5_the_clerk_sees_order_vendor_and_familiarity_of_everything_registered(ground: ProjectGround) -> None:
    """P4, A5, P10: what has left conflict detection is shown and cannot be suspected; nor what came later."""
    code = uscc(7)
    vendor = {"vendor_registered": False, "vendor_position": "支持徐静团队", "relationship": "与信息中心合作六年"}
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


async def found_of(ground: ProjectGround, one: Registration) -> tuple[Match, ...]:
    async with ground.engine.connect() as connection:
        return await projects.matches_of(connection, one.id, (await one.row()).round)


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

"""The life of an active project on a real record: updates, silence, shelf and back, contract, loss (U1–U8, A6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from activities.tasks.context import IllegalTransition
from db.accounts import applications
from db.projects import projects
from domain.notices import Notice
from domain.projects.project import ProjectStage, SalesStage
from domain.projects.silence import Silence
from domain.statements import (
    ReportLoss,
    UpdateProject,
)
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.projects.people import CLERK, COMMERCE, FAN, JING, LEI, NORTH_GM, NORTH_VP, OTHER_CLERK, WHY
from tests.integration.projects.project_ground import ProjectGround
from tests.integration.projects.registration import Registration
from tests.integration.tasks.race_ground import NOW
from tests.samples import project_form

DAY = timedelta(days=1)
WEEKLY = {"progress": "方案已提交", "problems": "", "next_steps": "等待评审"}
TWO_WEEKS = datetime(2026, 12, 15, 2, tzinfo=UTC)
ONE_MONTH = datetime(2027, 1, 1, 2, tzinfo=UTC)
THREE_MONTHS = datetime(2027, 3, 1, 2, tzinfo=UTC)


async def shelved(ground: ProjectGround, project_id: str = "old") -> Registration:
    """U4: three months of silence."""
    made = await ground.active(project_id, FAN, project_form("云岭精工"))
    made.now = THREE_MONTHS
    await made.moves(ProjectStage.SHELVED, notices=[Notice.SHELVED])
    return made


async def resumed(ground: ProjectGround, old: Registration, project_id: str = "new") -> Registration:
    """U6: the resumption, before commerce."""
    made = ground.registration(project_id, old.now)
    assert (await made.resumes(old)).accepted
    await made.moves(ProjectStage.RESUME_REVIEW, (TaskKind.RESUME_REVIEW, ""))
    return made


# ---- U1–U5 ---------------------------------------------------------------------------------------------------------


async def test_u1_an_update_is_kept_and_restarts_the_clocks(ground: ProjectGround) -> None:
    """U1, U5: what it names changes, the rest stays; the receipt says what happens by itself from here on."""
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    mine.now = TWO_WEEKS
    await mine.reminds(Silence.TWO_WEEKS)
    mine.now = datetime(2026, 12, 30, 16, 30, tzinfo=UTC)  # the last day of the year in Shanghai has begun
    said = mine.says(UpdateProject, FAN, update={**WEEKLY, "stage": "tender", "amount": "3000000.00"})
    heard = await mine.hears(said)
    assert (heard.accepted, heard.settled) == (True, True)
    assert heard.ahead is not None
    assert [(due.silence, due.at.isoformat()) for due in heard.ahead] == [
        (Silence.TWO_WEEKS, "2027-01-14T00:30:00+08:00"),
        (Silence.ONE_MONTH, "2027-01-31T00:30:00+08:00"),
        (Silence.THREE_MONTHS, "2027-03-31T00:30:00+08:00"),
    ]
    receipt = await mine.receipt(said)
    assert (receipt["number"], [due["what"] for due in receipt["next_events"]]) == (
        1,
        ["two_weeks", "one_month", "three_months"],
    )
    row = await mine.row()
    assert (row.updated_at, row.silences) == (mine.now, 0)
    assert (row.form.stage, row.form.amount) == (SalesStage.TENDER, Decimal("3000000.00"))
    assert row.form.expected_signing == project_form("云岭精工").expected_signing
    mine.now += 7 * DAY
    assert (await mine.say(UpdateProject, FAN, update=WEEKLY)).accepted
    async with ground.engine.connect() as connection:
        newest, first = await projects.updates_of(connection, "p1")
    assert (newest.number, newest.stage, newest.recorded_at) == (2, None, mine.now)
    assert (first.number, first.stage, first.amount, first.person) == (1, "tender", Decimal("3000000.00"), FAN)
    assert (await mine.row()).form.amount == Decimal("3000000.00")


async def test_u1_only_by_the_responsible_salesperson_and_only_while_active(ground: ProjectGround) -> None:
    waiting = await ground.in_approval("p1", FAN, project_form("云岭精工"))
    assert (await waiting.say(UpdateProject, FAN, update=WEEKLY)).code == "project_not_active"
    mine = await ground.active("p2", FAN, project_form("另一家"))
    before = await ground.everything()
    for person in (LEI, NORTH_VP, NORTH_GM, COMMERCE):
        assert (await mine.say(UpdateProject, person, update=WEEKLY)).code == "not_salesperson_of_project"
        assert (await mine.say(ReportLoss, person, loss={"reason": "x"})).code == "not_salesperson_of_project"
    assert (await mine.say(UpdateProject, FAN)).code == "unreadable"
    said = mine.says(UpdateProject, FAN, update=WEEKLY)
    forged = said.model_copy(update={"update": None})
    assert (await mine.hears(forged)).code == "unsealed"
    assert await ground.everything() == before


async def test_u2_u3_reminders_go_to_the_people_of_the_rule_and_once(ground: ProjectGround) -> None:
    """U2: the salesperson and the department GM. U3: the VP as well. With the day on which it is shelved."""
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    for early, silence in (
        (TWO_WEEKS - timedelta(microseconds=1), Silence.TWO_WEEKS),
        (TWO_WEEKS, Silence.ONE_MONTH),
        (TWO_WEEKS, Silence.THREE_MONTHS),
    ):
        mine.now = early
        with pytest.raises(IllegalTransition):
            await mine.reminds(silence)
    await mine.reminds(Silence.TWO_WEEKS)
    assert await mine.told("silent_two_weeks") == sorted([FAN, NORTH_GM])
    told = await mine.mail("silent_two_weeks", NORTH_GM)
    assert (told["until"], told["applicant_name"]) == ("2027-03-01T10:00:00+08:00", "杨帆")
    assert datetime.fromisoformat(told["since"]) == NOW
    assert {line["label_key"]: line["value"] for line in told["facts"]} == {
        "silence_label.last_progress": "silence_label.never",
        "silence_ahead.one_month": "2027-01-01",
        "silence_ahead.three_months": "2027-03-01",
    }
    with pytest.raises(IllegalTransition):  # once, under whatever key
        await mine.reminds(Silence.TWO_WEEKS)
    with pytest.raises(IllegalTransition):
        await mine.reminds(Silence.ONE_MONTH)
    mine.now = ONE_MONTH
    await mine.reminds(Silence.ONE_MONTH)
    assert await mine.told("silent_one_month") == sorted([FAN, NORTH_GM, NORTH_VP])
    assert (await mine.mail("silent_one_month", NORTH_VP))["until"] == "2027-03-01T10:00:00+08:00"
    assert (await mine.row()).silences == 2
    # After an update everything begins anew (U5).
    assert (await mine.say(UpdateProject, FAN, update=WEEKLY)).accepted
    mine.now = ONE_MONTH + 14 * DAY
    await mine.reminds(Silence.TWO_WEEKS)
    assert await mine.told("silent_two_weeks") == sorted([FAN, NORTH_GM] * 2)
    assert (await mine.events()).count("silence_reminded") == 3
    query = "SELECT facts FROM mail WHERE facts->>'kind' = 'silent_two_weeks' ORDER BY created_at DESC LIMIT 1"
    ((again,),) = await ground.rows(query)
    assert datetime.fromisoformat(again["since"]) == ONE_MONTH
    assert {line["label_key"]: line["value"] for line in again["facts"]} == {
        "silence_label.last_progress": "方案已提交",
        "silence_label.last_next_steps": "等待评审",
        "silence_ahead.one_month": "2027-02-01",
        "silence_ahead.three_months": "2027-04-01",
    }


async def test_u4_shelved_after_three_months_and_not_a_moment_before(ground: ProjectGround) -> None:
    """U4, P10: nobody shelves a project that was updated; shelved, it is in nobody's way."""
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    for early in (NOW, TWO_WEEKS, THREE_MONTHS - timedelta(microseconds=1)):
        mine.now = early
        with pytest.raises(IllegalTransition):
            await mine.moves(ProjectStage.SHELVED)
    assert (await mine.say(UpdateProject, FAN, update=WEEKLY)).accepted
    mine.now = THREE_MONTHS
    with pytest.raises(IllegalTransition):
        await mine.moves(ProjectStage.SHELVED)
    assert (await mine.stage(), await mine.live()) == (ProjectStage.ACTIVE, True)
    mine.now = datetime(2027, 6, 1, 2, tzinfo=UTC)
    await mine.moves(ProjectStage.SHELVED, notices=[Notice.SHELVED])
    row = await mine.row()
    assert (row.stage, row.end_reason, row.silences) == (ProjectStage.SHELVED, {"reason": "", "rule": "U4"}, 3)
    assert row.number is not None
    assert await mine.told("shelved") == sorted([FAN, NORTH_GM, NORTH_VP])
    assert not await mine.live()
    with pytest.raises(IllegalTransition):
        await mine.reminds(Silence.ONE_MONTH)


# ---- U6 ------------------------------------------------------------------------------------------------------------


async def test_u6_a_resumption_is_a_new_registration_with_a_new_place_in_time(ground: ProjectGround) -> None:
    """U6, P10: linked to the old; in nobody's way before commerce accepts, then behind whoever came meanwhile."""
    old = await shelved(ground)
    old.now += DAY
    new = await resumed(ground, old)
    assert (new.asked(), await new.live()) == ([CLERK, OTHER_CLERK], False)
    assert (await new.task()).note == {"reason": f"{WHY.why_silent}\n{WHY.why_resume}", "resumes": "old"}
    between = await ground.registered("between", JING, project_form("云岭精工"), new.now + DAY)
    with pytest.raises(IllegalTransition):  # nobody has accepted
        await new.moves(ProjectStage.ROUTING)
    new.now += 5 * DAY
    assert (await new.answers(CLERK, AnswerChoice.ACCEPT)).accepted
    await new.moves(ProjectStage.ROUTING)
    row = await new.row()
    assert (row.resumes, row.registered_at, row.round, row.number) == ("old", new.now, 1, None)
    assert await new.live()
    async with ground.engine.connect() as connection:
        assert set((await applications.party_times(connection, "project", "new")).values()) == {new.now}
    await new.routes()
    await new.is_checked()
    (_, suspect) = (await new.task()).choices
    assert suspect.fields[0].options == ("between",)
    assert (await new.answers(CLERK, AnswerChoice.CLEAR)).accepted
    await new.asks_vp()
    assert (await new.is_approved()).number == "P2027-00001"
    kept = await old.row()
    assert (kept.stage, kept.number) == (ProjectStage.SHELVED, "P2026-00001")
    await between.routes()
    await between.is_checked()
    assert [
        choice.fields[0].options for choice in (await between.task()).choices if choice.choice == AnswerChoice.SUSPECT
    ] == [()]


async def test_u6_one_at_a_time_by_its_salesperson_and_only_from_the_shelf(ground: ProjectGround) -> None:
    active = await ground.active("running", FAN, project_form("另一家"))
    old = await shelved(ground)

    async def refused(project_id: str, of: Registration, person: str = FAN, **said: Any) -> str:
        new = ground.registration(project_id, of.now)
        assert not (await new.resumes(of, person, **said)).accepted
        async with ground.engine.connect() as connection:
            assert await projects.find(connection, project_id) is None
        ((result,),) = await ground.rows(
            "SELECT result FROM receipt WHERE workflow_id = :workflow", workflow=new.workflow_id
        )
        return str(result["code"])

    assert await refused("n1", active) == "project_not_shelved"
    assert await refused("n2", old, resumes="nothing") == "project_not_shelved"
    assert await refused("n3", old, LEI) == "not_salesperson_of_project"
    assert await refused("n4", old, resumption=None) == "unreadable"
    new = await resumed(ground, old)
    assert await refused("n5", old) == "resume_running"
    # Rejected by commerce, it stays on the shelf, and may be tried again.
    assert (await new.answers(CLERK, AnswerChoice.REJECT, "理由不充分")).accepted
    await new.moves(ProjectStage.REJECTED, notices=[Notice.RESUME_REJECTED])
    assert await new.told("resume_rejected") == [FAN]
    assert (await new.mail("resume_rejected", FAN))["reason"] == "理由不充分"
    assert (await new.row()).end_reason == {"reason": "理由不充分", "by": CLERK, "rule": "U6"}
    assert not await new.live()
    again = await resumed(ground, old, "again")
    assert await again.stage() is ProjectStage.RESUME_REVIEW

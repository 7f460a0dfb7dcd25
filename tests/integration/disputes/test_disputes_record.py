"""Disputes on the record: agreement on one text, the coordination meeting, and what its outcome binds (D1–D3, P8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.tasks.context import IllegalTransition
from db.conflicts import rulings
from domain.conflicts.rulings import LearnedAlias
from domain.disputes.dispute import DisputeStage, Origin
from domain.notices import Notice
from domain.statements import AnswerTask
from domain.tasks.task import AnswerChoice, AnswerOutcome
from matching.names.names import name_key
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
from tests.integration.tasks.race_ground import NOW
from tests.samples import PROJECT_FORM, project_form, uscc

LEADERS = (APPLICANTS_GM, HOLDERS_GM, APPLICANTS_VP, HOLDERS_VP, GENERAL_MANAGER)


async def agreed(dispute: Dispute) -> Any:
    return await dispute.moves(DisputeStage.AGREED, notices=[Notice.AGREED])


async def decided(dispute: Dispute) -> Any:
    return await dispute.moves(DisputeStage.DECIDED, notices=[Notice.MEETING_RECORDED])


async def to_the_meeting(dispute: Dispute, **called: Any) -> None:
    """D2: nobody agrees, and commerce calls the meeting."""
    await dispute.negotiates()
    assert (await dispute.answers(APPLICANT, AnswerChoice.DISAGREE, reason="我方先报备")).accepted
    await dispute.wants_meeting()
    assert (await dispute.answers("", AnswerChoice.CALLED, meeting(**called), person=COMMERCE)).accepted
    await dispute.meets()


async def test_d1_both_confirm_one_text_which_is_recorded_and_reported(ground: DisputeGround) -> None:
    """D1, D3: proposed by one, confirmed by the other; told to both, their VPs and the general manager, nobody else."""
    dispute = await ground.disputed("p1")
    opened = await dispute.opens()
    assert (opened.applicant, opened.sides) == (APPLICANT, (APPLICANT, HOLDER))
    assert PROJECT_FORM.customer.name not in opened.title
    assert "杨帆" in opened.title
    assert "徐静" in opened.title
    await dispute.asks(*opened.sides)

    proposed = await dispute.agrees(APPLICANT, text())
    assert proposed.decision is not None
    assert (proposed.decision.outcome, proposed.decision.names) == (AnswerOutcome.PROPOSED, (HOLDER,))
    await dispute.asks(HOLDER)
    note = await dispute.note(HOLDER)
    assert note["proposal"] == {
        "responsible": {"person": APPLICANT, "name": "杨帆"},
        "cooperation": text()["cooperation"],
        "split": [
            {"person": APPLICANT, "name": "杨帆", "percent": "60"},
            {"person": HOLDER, "name": "徐静", "percent": "40"},
        ],
        "by": {"person": APPLICANT, "name": "杨帆"},
    }
    assert not any(field.required for field in (await dispute.task(HOLDER)).choices[0].fields)

    confirmed = await dispute.agrees(HOLDER)
    assert confirmed.decision is not None
    assert confirmed.decision.outcome == AnswerOutcome.AGREED
    moved = await agreed(dispute)
    assert moved.outcome.model_dump(mode="json") == {
        "stage": "agreed",
        "responsible": APPLICANT,
        "decided_by_vp_of": HOLDER,
        "merged_into": "",
        "stepped_in": False,
    }
    project = await ground.project_now("p1")
    assert project.agreement is not None
    assert project.agreement["how"] == "agreed"
    assert project.agreement["split"] == split(fan="60", jing="40")
    assert project.salesperson == APPLICANT
    assert await ground.told("agreed", "p1") == sorted([APPLICANT, HOLDER, *LEADERS])
    rows = {fact["label_key"]: fact["value"] for fact in (await ground.mail("agreed", "p1", HOLDERS_VP))["facts"]}
    assert rows["mail.label.split"] == "杨帆 60% · 徐静 40%"
    assert rows["mail.label.responsible"] == "杨帆"
    events = await dispute.events()
    for event in ("dispute_opened", "agreement_proposed", "agreement_confirmed", "split_bound", "dispute_closed"):
        assert events.count(event) == 1, event


async def test_d1_a_counter_proposal_takes_the_place_of_the_text_and_the_old_one_is_nobodys_any_more(
    ground: DisputeGround,
) -> None:
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    await dispute.agrees(APPLICANT, text(fan="60", jing="40"))
    await dispute.asks(HOLDER)
    countered = await dispute.agrees(HOLDER, text(fan="50", jing="50"))
    assert countered.decision is not None
    assert (countered.decision.outcome, countered.decision.names) == (AnswerOutcome.PROPOSED, (APPLICANT,))
    with pytest.raises(IllegalTransition):
        await agreed(dispute)
    await dispute.asks(APPLICANT)
    assert (await dispute.note(APPLICANT))["proposal"]["split"][1]["percent"] == "50"
    row = await dispute.row()
    assert (row.round, row.proposal and row.proposal["by"]) == (3, HOLDER)
    # The same shares in another order and another writing are the same text.
    same = await dispute.agrees(APPLICANT, text(jing="50.00", fan="50.0"))
    assert same.decision is not None
    assert same.decision.outcome == AnswerOutcome.AGREED
    await agreed(dispute)
    project = await ground.project_now("p1")
    assert project.agreement is not None
    assert project.agreement["split"] == split(fan="50", jing="50")


async def test_d1_agreeing_needs_a_text_and_one_that_was_seen(ground: DisputeGround) -> None:
    """D1: no text on the table, or another than the one somebody was asked about."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    assert (await dispute.agrees(APPLICANT)).code == "missing"
    assert (await dispute.agrees(APPLICANT, {"cooperation": "联合投标"})).code == "missing"
    await dispute.agrees(APPLICANT, text(fan="60", jing="40"))
    # The other was asked before that text came: it is not theirs to confirm or to pass over unseen.
    assert (await dispute.agrees(HOLDER)).code == "agreement_outdated"
    assert (await dispute.agrees(HOLDER, text(fan="10", jing="90"))).code == "agreement_outdated"
    old = dispute.tasks[HOLDER]
    await dispute.asks(HOLDER)
    said = dispute.says(AnswerTask, HOLDER, task_id=old.id, choice="agree")
    assert (await dispute.hears(said)).code == "agreement_superseded"
    assert (await dispute.agrees(HOLDER)).accepted


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (split(fan="60", jing="39.99"), "split_not_100"),
        (split(fan="60", jing="40.01"), "split_not_100"),
        ([*split(fan="60"), *split(fan="40")], "split_person_twice"),
        (split(fan="60", clark="40"), "split_names_stranger"),
        (split(fan="60", nobody="40"), "split_names_stranger"),
        (split(fan="100", jing="0"), "greater_than"),
        ([], "too_short"),
        ([{"person": APPLICANT, "percent": 100.0}], "money_as_text"),
    ],
)
async def test_d3_a_split_that_does_not_divide_among_the_sides_is_refused(
    ground: DisputeGround, wrong: Any, code: str
) -> None:
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    refused = await dispute.agrees(APPLICANT, {"responsible": HOLDER, "cooperation": "联合投标", "split": wrong})
    assert (refused.accepted, refused.code) == (False, code)
    assert (await dispute.row()).proposal is None


async def test_d1_three_sides_agree_only_when_all_three_have_confirmed_the_very_same_text(
    ground: DisputeGround,
) -> None:
    shares = {"fan": "40", "jing": "40", "clark": "20"}
    dispute = await ground.disputed("p1", HOLDER, THIRD)
    opened = await dispute.negotiates()
    assert opened.sides == (APPLICANT, HOLDER, THIRD)
    first = await dispute.agrees(APPLICANT, text(**shares))
    assert first.decision is not None
    assert first.decision.names == (HOLDER, THIRD)
    await dispute.asks(HOLDER, THIRD)
    second = await dispute.agrees(HOLDER)
    assert second.decision is not None
    assert second.decision.outcome == AnswerOutcome.CONFIRMED
    with pytest.raises(IllegalTransition):
        await agreed(dispute)
    # The third has another text: who confirmed the old one is asked again.
    third = await dispute.agrees(THIRD, text(fan="30", jing="30", clark="40"))
    assert third.decision is not None
    assert (third.decision.outcome, third.decision.names) == (AnswerOutcome.PROPOSED, (APPLICANT, HOLDER))
    await dispute.asks(APPLICANT, HOLDER)
    outcomes = [(await dispute.agrees(person)).decision for person in (HOLDER, APPLICANT)]
    assert [taken and taken.outcome for taken in outcomes] == [AnswerOutcome.CONFIRMED, AnswerOutcome.AGREED]
    await agreed(dispute)
    project = await ground.project_now("p1")
    assert project.agreement is not None
    assert {share["percent"] for share in project.agreement["split"]} == {"30", "40"}


async def test_d2_the_meeting_is_called_held_and_binds(ground: DisputeGround) -> None:
    """D2: commerce calls it, who is invited gets it for the calendar, the VP's delegate records, and it binds."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    refused = await dispute.answers(APPLICANT, AnswerChoice.DISAGREE, reason="我方先报备")
    assert refused.accepted
    assert (await dispute.agrees(HOLDER, text())).code == "task_withdrawn", "the meeting is wanted"
    await dispute.wants_meeting()
    everybody = sorted([APPLICANT, HOLDER, *LEADERS])
    assert await ground.told("meeting_wanted", "p1") == everybody
    assert [asked.person for asked in dispute.tasks[""].asked] == [COMMERCE]
    note = await dispute.note("")
    assert (note["reason"], note["wanted_by"]["person"]) == ("我方先报备", APPLICANT)
    suggested = [person["person"] for person in note["participants"]]
    assert suggested == ["zhao.lei", HOLDERS_GM, APPLICANTS_VP, HOLDERS_VP, COO, GENERAL_MANAGER]
    assert note["precedents"] == []

    past = await dispute.answers(
        "", AnswerChoice.CALLED, meeting(starts_at="2026-12-01T10:00:00+08:00"), person=COMMERCE
    )
    assert past.code == "meeting_in_the_past"
    stranger = await dispute.answers(
        "", AnswerChoice.CALLED, meeting(participants=[*meeting()["participants"], "no.body"]), person=COMMERCE
    )
    assert stranger.code == "not_among_options"
    assert (await dispute.answers("", AnswerChoice.CALLED, meeting(), person=APPLICANT)).code == "own_application"
    assert (await dispute.answers("", AnswerChoice.CALLED, meeting(), person=COMMERCE)).accepted
    await dispute.meets()
    assert await ground.told("meeting_called", "p1") == sorted(meeting()["participants"])
    mail = await ground.mail("meeting_called", "p1", COO)
    rows = {fact["label_key"]: fact["value"] for fact in mail["facts"]}
    assert rows["mail.label.meeting_at"].endswith("09:30 – 11:00")
    assert rows["mail.label.place"] == "总部三楼会议室"
    calendar = mail["invitation"].replace("\r\n ", "")
    assert "METHOD:REQUEST\r\n" in calendar
    assert "DTSTART:20261203T013000Z\r\n" in calendar
    assert "DTEND:20261203T030000Z\r\n" in calendar
    assert f"UID:{dispute.id}@baobei\r\n" in calendar
    assert calendar.count("\r\nATTENDEE;") == 6

    assert [asked.person for asked in dispute.tasks[HOLDER].asked] == [HOLDERS_VP, HOLDERS_VPS_DELEGATE]
    for wrong, code in (
        (ruling(responsible=THIRD), "not_among_options"),
        (ruling(split=split(fan="30", jing="69.99")), "split_not_100"),
        (ruling(split=split(fan="30", nobody="70")), "split_names_stranger"),
        (ruling(summary="  "), "missing"),
    ):
        assert (await dispute.answers(HOLDER, AnswerChoice.RECORD, wrong, person=HOLDERS_VP)).code == code
    assert (await dispute.answers(HOLDER, AnswerChoice.RECORD, ruling(), person=APPLICANTS_VP)).code == "not_asked"
    assert (await dispute.answers(HOLDER, AnswerChoice.RECORD, ruling(), person=HOLDER)).code == "not_asked"
    recorded = await dispute.answers(HOLDER, AnswerChoice.RECORD, ruling(), person=HOLDERS_VPS_DELEGATE)
    assert recorded.decision is not None
    assert recorded.decision.on_behalf_of == HOLDERS_VP
    moved = await decided(dispute)
    assert moved.outcome.model_dump(mode="json") == {
        "stage": "decided",
        "responsible": HOLDER,
        "decided_by_vp_of": HOLDER,
        "merged_into": "",
        "stepped_in": False,
    }
    project = await ground.project_now("p1")
    assert (project.applicant, project.salesperson, project.department) == (APPLICANT, HOLDER, "east")
    assert project.agreement is not None
    assert (project.agreement["how"], project.agreement["split"]) == ("decided", split(fan="30", jing="70"))
    told = await ground.told("meeting_recorded", "p1")
    assert told == sorted({*everybody, *meeting()["participants"]})


async def test_d2_sides_their_vps_and_the_general_manager_call_for_the_meeting_and_nobody_else(
    ground: DisputeGround,
) -> None:
    for number, person in enumerate((APPLICANT, HOLDER, APPLICANTS_VP, HOLDERS_VP, GENERAL_MANAGER)):
        dispute = await ground.disputed(f"p{number}")
        await dispute.negotiates()
        for stranger in (THIRD, COMMERCE, COO, HOLDERS_GM, "no.body"):
            assert (await dispute.calls_for_meeting(stranger)).code == "may_not_call_meeting", stranger
        with pytest.raises(IllegalTransition):
            await dispute.wants_meeting()
        assert (await dispute.calls_for_meeting(person)).accepted, person
        await dispute.wants_meeting()
        assert (await dispute.note(""))["wanted_by"]["person"] == person
        assert (await dispute.calls_for_meeting(person)).code == "meeting_already_wanted"


async def test_p8_the_applicants_vp_records_and_both_registrations_are_bound(ground: DisputeGround) -> None:
    """P8, D2: no negotiation; the objection's reason reaches commerce, the outcome both registrations."""
    dispute = await ground.disputed("p1", origin=Origin.OBJECTION, objection={"reason": "不同机房的项目"})
    with pytest.raises(IllegalTransition):
        await dispute.opens()  # nobody has the meeting called yet
    await ground.objection_reviewed("p1")
    await dispute.opens()
    with pytest.raises(IllegalTransition):
        await dispute.asks(APPLICANT, HOLDER)
    await dispute.wants_meeting()
    note = await dispute.note("")
    assert (note["reason"], note["wanted_by"]["person"]) == ("不同机房的项目", APPLICANTS_VP)
    evidence = await ground.mail("task", "p1", COMMERCE)
    assert [line["salesperson_name"] for line in evidence["matches"]] == ["徐静", "杨帆"], "A5: who was first"
    assert evidence["matches"][1]["vendor_registered"] is True
    await dispute.answers("", AnswerChoice.CALLED, meeting(), person=COMMERCE)
    await dispute.meets(APPLICANT)
    assert [asked.person for asked in dispute.tasks[APPLICANT].asked] == [APPLICANTS_VP]
    await dispute.answers(APPLICANT, AnswerChoice.RECORD, ruling(responsible=APPLICANT), person=APPLICANTS_VP)
    moved = await decided(dispute)
    assert moved.outcome.decided_by_vp_of == APPLICANT
    mine, theirs = [await ground.project_now(name) for name in ("p1", f"p1-of-{HOLDER}")]
    assert mine.agreement is not None
    assert mine.agreement == theirs.agreement
    assert mine.agreement["split"] == split(fan="30", jing="70")
    assert (mine.salesperson, theirs.salesperson) == (APPLICANT, APPLICANT)


async def test_d2_a_vp_who_is_a_side_records_nothing_on_it(ground: DisputeGround) -> None:
    """D2, P8: the applicant's VP has registered the same project; the general manager records in their place."""
    dispute = await ground.disputed("p1", APPLICANTS_VP, origin=Origin.OBJECTION, objection={"reason": "不同机房"})
    await ground.objection_reviewed("p1")
    await dispute.opens()
    await dispute.wants_meeting()
    here = meeting(participants=[APPLICANTS_GM, APPLICANTS_VP, COO, GENERAL_MANAGER])
    await dispute.answers("", AnswerChoice.CALLED, here, person=COMMERCE)
    await dispute.meets(APPLICANT)
    assert [asked.person for asked in dispute.tasks[APPLICANT].asked] == [GENERAL_MANAGER]
    mine = ruling(responsible=APPLICANTS_VP, split=[{"person": APPLICANTS_VP, "percent": "100"}])
    assert (await dispute.answers(APPLICANT, AnswerChoice.RECORD, mine, person=APPLICANTS_VP)).code == "not_asked"
    assert (await dispute.answers(APPLICANT, AnswerChoice.RECORD, mine, person=GENERAL_MANAGER)).accepted


async def test_d2_past_rulings_on_the_same_customer_are_precedents(ground: DisputeGround) -> None:
    """D2: by name or credit code, of other customers never; when, who and which split."""
    first = await ground.disputed("p1")
    await to_the_meeting(first)
    await first.answers(HOLDER, AnswerChoice.RECORD, ruling(), person=HOLDERS_VP)
    await decided(first)
    other = await ground.disputed("p2", form=project_form("别的客户有限公司"))
    await to_the_meeting(other)
    assert (await other.note(HOLDER))["precedents"] == []
    unsettled = await ground.disputed("p3")
    await unsettled.negotiates()
    again = await ground.disputed("p4")
    again.now = NOW + timedelta(minutes=1)
    await to_the_meeting(again)
    (precedent,) = (await again.note(HOLDER))["precedents"]
    assert precedent == {
        "at": NOW.isoformat(),
        "how": "decided",
        "responsible": {"person": HOLDER, "name": "徐静"},
        "split": [
            {"person": APPLICANT, "name": "杨帆", "percent": "30"},
            {"person": HOLDER, "name": "徐静", "percent": "70"},
        ],
    }
    assert (await again.note(HOLDER))["meeting"]["place"] == "总部三楼会议室"


async def test_d2_precedents_go_by_the_credit_code_before_the_name(ground: DisputeGround) -> None:
    """D2: renamed, it is the same customer; of the same name with another code, it is another one."""
    first = await ground.disputed("p1", form=project_form("云岭精密有限公司", code=uscc(1)))
    await first.negotiates()
    await first.agrees(APPLICANT, text())
    await first.asks(HOLDER)
    await first.agrees(HOLDER)
    await agreed(first)
    for number, (name, code, known) in enumerate(
        [
            ("云岭科技有限公司", uscc(1), 1),
            ("云岭精密有限公司", uscc(2), 0),
            ("云岭精密有限公司", "320594000000101", 1),
            ("云岭精密有限公司", None, 1),
            ("云岭科技有限公司", None, 0),
        ]
    ):
        later = await ground.disputed(f"later-{number}", form=project_form(name, code=code))
        await to_the_meeting(later)
        assert len((await later.note(HOLDER))["precedents"]) == known, (name, code)


async def test_d2_precedents_are_found_under_a_name_that_somebody_has_found_to_be_the_customers(
    ground: DisputeGround,
) -> None:
    """D2, N3: until it is taken back."""
    first = await ground.disputed("p1", form=project_form("中石油"))
    await first.negotiates()
    await first.agrees(APPLICANT, text())
    await first.asks(HOLDER)
    await first.agrees(HOLDER)
    await agreed(first)
    full = "中国石油天然气集团有限公司"
    before = await ground.disputed("before", form=project_form(full))
    await to_the_meeting(before)
    assert (await before.note(HOLDER))["precedents"] == []
    async with ground.engine.begin() as connection:
        (key, name), (other_key, other) = sorted((name_key(name), name) for name in ("中石油", full))
        await rulings.learn(
            connection,
            [
                LearnedAlias(
                    name_key=key,
                    name=name,
                    other_key=other_key,
                    other=other,
                    person=HOLDERS_VP,
                    at=NOW,
                    reason="同一家公司",
                    subject_id="p1",
                    task_id=(await before.task(HOLDER)).id,
                )
            ],
        )
    after = await ground.disputed("after", form=project_form(full))
    await to_the_meeting(after)
    assert len((await after.note(HOLDER))["precedents"]) == 1

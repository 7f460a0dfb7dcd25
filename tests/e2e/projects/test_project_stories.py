"""Projects from form to their end over HTTP and mail, on real parts (acceptance of project registration); and the lists
of them that docs/operators.md gives to operators, asked of the real engine.

P2, D1, D2, U1, U2: what waits for a VP, what is due this week, what has been silent for two weeks.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from domain.reviews.periods import Rhythm
from embedded.demo.driver import until
from tests.e2e.support.journey import CLERK, COMMERCE_MANAGER, GENERAL_MANAGER, NO_LONGER_ASKED
from tests.e2e.support.project_journey import (
    COO,
    EAST_GM,
    EAST_VP,
    NORTH_GM,
    NORTH_VP,
    ProjectJourney,
    named_account,
    new_project,
)
from tests.e2e.support.stack import Stack

ASKED = "请您处理"


def test_p1_p2_p9_a_project_under_ones_own_named_account_goes_straight_to_the_vp(stack: Stack) -> None:
    """P1, P2, P9, A2, X4: by the page behind the mail; the number is there and another system can check it."""
    customer = named_account(stack, "yang.fan")
    story = ProjectJourney(stack, "yang.fan", new_project(customer))
    seen = story.reaches("approval")
    assert (seen["status"], seen["track"]) == ("registering", "own_account")
    page = story.link(NORTH_VP).open()
    for shown in (story.form["name"], "2,680,000", "每月例会"):  # A5
        assert shown in page.words
    assert story.link(NORTH_VP).answer("hold").status == 422  # P2: with a reason
    assert story.link(NORTH_VP).answer("approve").status == 200
    done = story.reaches("active")
    assert done["number"].startswith("P20")
    check = stack.portal.call("gao.yuan", "GET", f"/project-numbers/{done['number']}?purpose=early_order")
    assert (check.status, check.json["allowed"]) == (200, True)
    assert check.json["project"]["id"] == story.id
    told = story.told()
    assert set(told) == {NORTH_VP, "yang.fan", NORTH_GM, COMMERCE_MANAGER}
    assert told[NORTH_VP] == [ASKED]
    account = stack.portal.call("yang.fan", "GET", f"/accounts/{seen['account_id']}").json
    assert [project["id"] for project in account["projects"]] == [story.id]


def test_p2_a_held_project_returns_to_the_vp_once_the_salesperson_has_completed_it(stack: Stack) -> None:
    customer = named_account(stack, "huang.lei")
    story = ProjectJourney(stack, "huang.lei", new_project(customer))
    story.answer(NORTH_VP, "hold", "请补充招标编号")
    assert story.reaches("held")["status"] == "held"
    page = story.link("huang.lei").open()
    assert "请补充招标编号" in page.words
    completed = story.form | {"tender_number": "ZB-2027-018"}
    story.answer("huang.lei", "supply", fields={"project": completed})
    seen = story.reaches("approval")
    assert (seen["round"], seen["form"]["tender_number"]) == (2, "ZB-2027-018")
    story.answer(NORTH_VP, "reject", "毛利过低")
    ended = story.reaches("rejected")
    assert ended["status"] == "rejected"
    assert "毛利过低" in stack.mailbox.wait("huang.lei", story.id, "毛利过低").text


def test_p4_p6_p9_a_project_of_a_non_named_account_is_assigned_checked_and_approved(stack: Stack) -> None:
    """P4, P6, P9, A4: nobody but those concerned is told."""
    story = ProjectJourney(stack, "xu.jing")
    page = story.link(COMMERCE_MANAGER)
    assert page.open().status == 200
    assert page.answer("assign", clerk=CLERK).status == 200
    story.reaches("conflict_check")
    assert story.link(CLERK).answer("clear").status == 200
    story.reaches("approval")
    assert story.link(EAST_VP).answer("approve").status == 200
    done = story.reaches("active")
    assert (done["track"], done["salesperson"]["id"]) == ("non_named", "xu.jing")
    events = done["next_events"]
    assert [event["what"] for event in events] == ["two_weeks", "one_month", "three_months"]  # U2-U4
    assert done["what_prevents"]
    assert set(story.told()) == {COMMERCE_MANAGER, CLERK, EAST_VP, "xu.jing", EAST_GM}


def test_p5_p7_p8_p10_a_confirmed_conflict_is_refused_objected_to_and_settled_by_the_meeting(stack: Stack) -> None:
    """P5, P7, P8, P10, D2, D3."""
    first = ProjectJourney(stack, "yang.fan").active()
    second = ProjectJourney(stack, "ma.chao", new_project(first.form["customer"]["name"]))
    second.to_clerk()
    shown = stack.portal.call(CLERK, "GET", f"/tasks/{stack.portal.open_task(CLERK, second.id)['id']}").json
    assert first.id in str(shown)
    second.answer(CLERK, "suspect", "客户与项目相同", fields={"suspects": [first.id]})
    second.reaches("conflict_confirmation")
    second.answer(NORTH_VP, "conflict", "杨帆已跟进半年")  # P5: the VP of the one registered before
    refused = second.reaches("refused")
    assert refused["status"] == "refused"
    mail = stack.mailbox.wait("ma.chao", second.id, "杨帆已跟进半年")  # P7
    assert "P8" in mail.text
    assert set(second.told()) == {COMMERCE_MANAGER, CLERK, NORTH_VP, "ma.chao", EAST_VP}
    third = ProjectJourney(stack, "zhu.hong", new_project(first.form["customer"]["name"]))  # P10
    third.to_clerk()
    choices = stack.portal.open_task(CLERK, third.id)["choices"]
    suspects = [field["options"] for choice in choices for field in choice["fields"] if field["name"] == "suspects"]
    assert suspects == [[first.id]]
    assert second.say("objection", {"reason": " "}).status == 422
    assert second.say("objection", {"reason": "两个项目内容不同"}, by="yang.fan").status in (403, 404)
    assert second.say("objection", {"reason": "两个项目内容不同"}).status == 200
    assert second.say("objection", {"reason": "再次"}).status == 409
    second.answer(EAST_VP, "call_meeting")
    second.reaches("disputed")
    number = first.seen_by(GENERAL_MANAGER)["number"]
    people = [NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, COO, GENERAL_MANAGER, "yang.fan", "ma.chao"]
    meeting = {
        "starts_at": "2030-12-03T14:00:00+08:00",
        "duration_minutes": 60,
        "place": "三号会议室",
        "participants": people,
    }
    past = stack.portal.open_task(COMMERCE_MANAGER, second.id)
    late = stack.portal.answer(
        COMMERCE_MANAGER, past["id"], "called", fields=meeting | {"starts_at": "2020-01-01T09:00:00+08:00"}
    )
    assert late.status in (409, 422)
    few = {"participants": ["yang.fan", "ma.chao", "song.jie"]}
    wrong_people = stack.portal.answer(COMMERCE_MANAGER, past["id"], "called", fields=meeting | few)
    assert (wrong_people.status, wrong_people.json["errors"][0]["field"]) == (422, "fields.participants")  # D5
    alone = stack.portal.answer(COMMERCE_MANAGER, past["id"], "called", fields=meeting | {"participants": people[6:]})
    assert (alone.status, [error["rule"] for error in alone.json["errors"]]) == (422, ["D5"])
    second.answer(COMMERCE_MANAGER, "called", fields=meeting)
    for person in people:
        invitation = stack.mailbox.wait(person, second.id, "三号会议室").calendar
        assert "METHOD:REQUEST" in invitation
        assert "DTSTART" in invitation
    moved = meeting | {"starts_at": "2030-12-04T10:00:00+08:00", "reason": "总经理出差"}
    assert second.say("meeting/move", moved, by=EAST_VP).status == 403  # D5
    assert second.say("meeting/move", moved, by=COMMERCE_MANAGER).status == 200
    for person in people:
        assert "SEQUENCE:1" in stack.mailbox.wait(person, second.id, "总经理出差").calendar
    wrong = {"responsible": "yang.fan", "split": [{"person": "yang.fan", "percent": "60"}], "summary": "各自负责"}
    task = stack.portal.open_task(EAST_VP, second.id)
    assert stack.portal.answer(EAST_VP, task["id"], "record", fields=wrong).status == 422  # D3
    split = [{"person": "yang.fan", "percent": "60"}, {"person": "ma.chao", "percent": "40"}]
    second.answer(EAST_VP, "record", fields=wrong | {"split": split})
    seen = second.reaches("approval")
    assert seen["salesperson"]["id"] == "yang.fan"  # D2
    merged = first.reaches("merged")  # D6
    assert (merged["status"], merged["end_reason"]["merged_into"]) == ("ended", second.id)
    check = stack.portal.call("gao.yuan", "GET", f"/project-numbers/{number}?purpose=early_order").json
    assert (check["allowed"], "D6" in check["reason"]) == (False, True)
    assert first.say("updates", {"progress": "x", "next_steps": "y"}).status == 409
    second.answer(EAST_VP, "approve")
    done = second.reaches("active")
    assert "已批准立项" in second.told()["ma.chao"]  # P2: also who registered it and is not responsible any more
    for bound in (done, first.seen_by(GENERAL_MANAGER)):  # it binds both
        shares = bound["agreement"]["split"]
        assert [(share["person"]["id"], share["percent"]) for share in shares] == [
            ("yang.fan", "60"),
            ("ma.chao", "40"),
        ]


def test_p3_d1_a_project_under_anothers_account_is_agreed_by_both_and_decided_by_the_responsible_vp(
    stack: Stack,
) -> None:
    """P3, D1: also where the Named Account is only the end user."""
    account = named_account(stack, "hu.bin")
    form = new_project(end_user={"name": account, "uscc": None})
    story = ProjectJourney(stack, "zhou.min", form)
    seen = story.reaches("disputed")
    assert (seen["status"], seen["track"]) == ("disputed", "other_account")
    for told in ("hu.bin", NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, GENERAL_MANAGER):
        assert stack.mailbox.wait(told, story.id, "P3")
    split = [{"person": "hu.bin", "percent": "50"}, {"person": "zhou.min", "percent": "50"}]
    text = {"responsible": "zhou.min", "cooperation": "胡斌负责客户关系，周敏负责渠道交付", "split": split}
    assert story.say("agreement", text | {"split": split[:1]}).status == 422  # D3
    old = stack.portal.open_task("hu.bin", story.id)["id"]
    unnamed = {name: said for name, said in text.items() if name != "responsible"}
    assert [error["field"] for error in story.say("agreement", unnamed).json["errors"]] == ["responsible"]  # D1
    assert story.say("agreement", text).status == 200
    other = stack.portal.open_task("hu.bin", story.id)
    late = stack.portal.answer("hu.bin", old, "agree")
    assert (late.status, late.json["code"], late.json["newer_task"]) == (409, "agreement_superseded", other["id"])
    assert "周敏负责渠道交付" in stack.portal.call("hu.bin", "GET", f"/tasks/{other['id']}").text
    page = story.link("hu.bin", nth=2)
    assert "周敏负责渠道交付" in page.open().words
    assert page.answer("agree").status == 200
    story.reaches("approval")
    for told in (NORTH_VP, EAST_VP, GENERAL_MANAGER):
        assert stack.mailbox.wait(told, story.id, "D1")
    story.answer(EAST_VP, "approve")  # D1: the responsible salesperson's VP
    done = story.reaches("active")
    assert done["agreement"]["how"] == "agreed"
    credited_in_the_forecast(stack, story.id, done["number"], {"hu.bin": "1340000.00", "zhou.min": "1340000.00"})


def credited_in_the_forecast(stack: Stack, project: str, number: str, credits: dict[str, str]) -> None:
    """D3, P9, U9: the forecast that is made next credits each with their share, in JSON, sheet and mail."""
    month = stack.opens(Rhythm.MONTHLY).id

    def row() -> dict[str, Any] | None:
        made = stack.portal.call(COMMERCE_MANAGER, "GET", f"/reports/forecast?period={month}")
        return next((row for row in made.json.get("rows", ()) if row["project"] == project), None)

    told = until("the project is in the forecast", row)
    assert {credit["person"]: credit["amount"] for credit in told["credits"]} == credits
    assert told["approved_since"], "the month was over before"
    for person, amount in credits.items():
        theirs = stack.portal.call(person, "GET", f"/reports/forecast?period={month}").json
        assert [row["number"] for row in theirs["rows"] if row["project"] == project] == [number]
        by_person = {row["key"]: row["totals"]["amount"] for row in theirs["by_salesperson"]}
        assert Decimal(by_person[person]) >= Decimal(amount)
        assert stack.portal.call(person, "GET", f"/reports/forecast.xlsx?period={month}").status == 200
    for person in (NORTH_VP, EAST_VP):
        mail = stack.mailbox.wait(person, month, number)
        assert "50% 计入 ¥1,340,000" in mail.text


def test_d2_who_cannot_agree_gets_a_meeting_and_a_vp_may_call_for_it(stack: Stack) -> None:
    """D2, P3."""
    account = named_account(stack, "zhu.hong")
    story = ProjectJourney(stack, "wu.qiang", new_project(account))
    assert stack.portal.open_task("zhu.hong", story.id)["kind"] == "agree_split"
    assert story.say("meeting", {"reason": "x"}, by="xu.jing").status in (403, 404)
    for leader in (EAST_VP, EAST_GM, NORTH_VP, NORTH_GM):  # D4: of every side
        assert stack.portal.call(leader, "GET", f"/projects/{story.id}").status == 200, leader
    assert story.say("meeting", {"reason": "x"}, by=EAST_GM).status == 403
    assert story.say("meeting", {"reason": "金额较大，直接开会"}, by=EAST_VP).status == 200
    assert story.say("meeting", {"reason": "也要开会"}, by=GENERAL_MANAGER).status == 409
    task = stack.portal.open_task(COMMERCE_MANAGER, story.id)
    assert task["kind"] == "call_meeting"
    fields = {
        "starts_at": "2030-12-03T14:00:00+08:00",
        "place": "视频会议",
        "participants": [NORTH_VP, EAST_VP, "wu.qiang", "zhu.hong"],
        "missing_because": "总经理和部门总经理授权两位主管VP决定",
    }
    story.answer(COMMERCE_MANAGER, "called", fields=fields)
    assert story.mailbox.wait("wu.qiang", story.id, NO_LONGER_ASKED)
    split = [{"person": "zhu.hong", "percent": "33.33"}, {"person": "wu.qiang", "percent": "66.67"}]
    outcome = {"responsible": "wu.qiang", "split": split, "summary": "由吴强负责"}
    story.answer(EAST_VP, "record", fields=outcome)  # D2: the responsible salesperson's VP
    story.answer(EAST_VP, "reject", "预算未落实")
    assert story.reaches("rejected")["agreement"]["how"] == "decided"
    for side in ("wu.qiang", "zhu.hong"):  # P2: both sides learn what became of it
        assert story.mailbox.wait(side, story.id, "预算未落实")


def test_d4_a_vp_steps_in_after_the_agreement_and_the_meeting_is_called_off_with_the_project(stack: Stack) -> None:
    """D4, D5: the agreement waits; the project is withdrawn, and everybody who was invited is told."""
    story = ProjectJourney(stack, "zhu.hong", new_project(named_account(stack, "huang.lei")))
    story.reaches("disputed")
    stack.portal.open_task("huang.lei", story.id)
    split = [{"person": "zhu.hong", "percent": "100"}]
    text = {"responsible": "zhu.hong", "cooperation": "由朱红负责", "split": split}
    assert story.say("agreement", text).status == 200
    assert story.say("agreement", text, by="huang.lei").status == 200
    story.reaches("approval")
    assert story.say("meeting", {"reason": "x"}).status == 409  # it binds who has made it
    assert story.say("meeting", {"reason": "份额不妥"}, by=NORTH_VP).status == 200
    waiting = story.reaches("disputed")
    assert waiting["agreement"]["waits"]["reason"] == "份额不妥"
    task = stack.portal.open_task(COMMERCE_MANAGER, story.id)
    assert task["kind"] == "call_meeting"
    people = [NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, COO, GENERAL_MANAGER]
    fields = {"starts_at": "2030-12-03T14:00:00+08:00", "place": "视频会议", "participants": people}
    story.answer(COMMERCE_MANAGER, "called", fields=fields)
    assert story.say("withdraw", {"reason": "客户取消"}).status == 200
    story.reaches("withdrawn")
    for person in people:
        assert "METHOD:CANCEL" in stack.mailbox.wait(person, story.id, "D5").calendar


def test_u1_u7_u8_updates_contract_and_loss(stack: Stack) -> None:
    """U1, U7, U8, P9, A6."""
    won = ProjectJourney(stack, "hu.bin").active(EAST_VP)
    news = {"progress": "完成方案交流", "next_steps": "提交报价", "stage": "tender", "amount": "2800000.00"}
    got = won.say("updates", news)
    assert (got.status, got.json["number"]) == (200, 1)
    assert won.say("updates", {"progress": "x"}).status == 422
    assert won.say("updates", news, by="xu.jing").status in (403, 404)
    seen = won.seen_by("hu.bin")
    assert (seen["updates"][0]["progress"], seen["form"]["amount"]) == ("完成方案交流", "2800000.00")
    number = seen["number"]
    assert won.say("contract-review", {"amount": "9750000.00"}).status == 200  # U7: handed in, and no more
    assert won.seen_by("hu.bin")["status"] == "active"
    assert won.say("contract-review", {"amount": "9750000.00"}).status == 409
    assert "9,750,000.00" in won.link(CLERK, 2).open().text
    won.answer(CLERK, "send_back", "缺少合同编号")
    assert "缺少合同编号" in stack.mailbox.wait("hu.bin", won.id, "U7").text
    assert won.say("contract-review", {"amount": "2750000.00", "contract_number": "HT-7"}).status == 200
    wrong = won.say("contract-review", {"amount": "0", "received_on": "2999-01-01"}, by=CLERK)
    assert {(error["field"], error["rule"]) for error in wrong.json["errors"]} == {
        *(("amount", "U7"), ("contract_number", "U7"), ("received_on", "U7")),
    }
    assert won.link(CLERK, 3).answer("received", number="HT-7", amount="2,750,000.00").status == 200
    signed = won.reaches("contract_signed")
    assert (signed["status"], signed["contract"]["amount"]) == ("contract_signed", "2750000.00")
    told = stack.mailbox.wait("hu.bin", won.id, "HT-7").text
    assert "2,750,000.00" in told
    assert won.say("updates", news).status == 409
    right = {"amount": "2570000.00", "reason": "录入时颠倒了数字"}
    assert won.say("contract-correction", right).status == 403
    assert won.say("contract-correction", right | {"amount": "2750000"}, by=CLERK).status == 422
    assert won.say("contract-correction", right, by=CLERK).status == 200
    corrected = won.seen_by("hu.bin")["contract"]
    assert (corrected["amount"], corrected["corrections"][0]["amount_before"]) == ("2570000.00", "2750000.00")
    told = stack.mailbox.wait("hu.bin", won.id, "录入时颠倒了数字").text
    assert "2,570,000.00" in told
    assert "2,750,000.00" in told
    lost = ProjectJourney(stack, "zhu.hong").active(EAST_VP)
    assert lost.say("loss", {}).status == 422
    assert lost.say("loss", {"reason": "价格高于竞争对手", "competitor": "某公司"}).status == 200
    ended = lost.reaches("ended")
    assert ended["status"] == "ended"
    products = [
        person["id"] for person in stack.web.request("GET", "/dev/people").json if "product_manager" in person["roles"]
    ]
    for told in (*products, EAST_GM):  # U8
        loss = stack.mailbox.wait(told, lost.id, "U8").text
        assert "价格高于竞争对手" in loss
        assert "某公司" in loss
    assert not stack.mailbox.mails("david.brown", lost.id)  # neither their department nor a side of it
    check = stack.portal.call("gao.yuan", "GET", f"/project-numbers/{number}?purpose=contract_review").json
    assert check["project"]["number"] == number
    assert not check["allowed"]
    stranger = stack.portal.call("guo.tao", "GET", f"/project-numbers/{number}?purpose=contract_review").json
    assert (stranger["allowed"], stranger["project"]) == (False, None)  # P9, X2
    assert "签署合同" not in stranger["reason"]
    none = stack.portal.call("gao.yuan", "GET", "/project-numbers/P1999-00001?purpose=early_order").json
    assert (none["allowed"], none["project"]) == (False, None)


def test_a_registration_is_withdrawn_at_any_time_before_its_approval_and_not_after(stack: Stack) -> None:
    """X3, P2: also in the middle of a dispute."""
    account = named_account(stack, "xu.jing")
    story = ProjectJourney(stack, "huang.lei", new_project(account))
    story.reaches("disputed")
    stack.portal.open_task("xu.jing", story.id)
    assert story.say("withdraw", {"reason": "客户取消"}, by="xu.jing").status == 403
    assert story.say("withdraw", {"reason": "客户取消"}).status == 200
    story.reaches("withdrawn")

    def none_open() -> bool:
        tasks = [task for task in stack.portal.tasks("xu.jing") if task["subject"]["id"] == story.id]
        return bool(tasks) and all(task["status"] != "open" for task in tasks)

    until("the dispute's tasks are withdrawn", none_open)
    active = ProjectJourney(stack, "huang.lei").active()
    assert active.say("withdraw", {"reason": "x"}).status == 409


def test_a_salesperson_leaves_and_their_projects_go_to_another(stack: Stack) -> None:
    """A4, A6: by one command of an operator, with a reason."""
    story = ProjectJourney(stack, "ma.chao").active(EAST_VP)
    refused = stack.cli("reassign", "ma.chao", "hu.bin")
    assert refused.exit_code == 1
    done = stack.cli("reassign", "ma.chao", "hu.bin", "--reason", "马超离职")
    assert done.exit_code == 0, done.stderr
    seen = story.seen_by(GENERAL_MANAGER)
    assert (seen["salesperson"]["id"], seen["applicant"]["id"]) == ("hu.bin", "ma.chao")
    assert story.say("updates", {"progress": "交接完成", "next_steps": "拜访"}, by="hu.bin").status == 200
    assert story.say("updates", {"progress": "x", "next_steps": "y"}, by="ma.chao").status == 403
    assert "马超离职" in stack.mailbox.wait("hu.bin", story.id, "马超离职").text


def test_whoever_follows_somebody_who_leaves_speaks_for_their_side_of_a_dispute(stack: Stack) -> None:
    """A6, D1: also for the text that the one who left had put on the table."""
    account = named_account(stack, "zhou.min")
    story = ProjectJourney(stack, "wu.qiang", new_project(account))
    story.reaches("disputed")
    stack.portal.open_task("wu.qiang", story.id)
    done = stack.cli("reassign", "wu.qiang", "huang.lei", "--reason", "吴强离职")
    assert done.exit_code == 0, done.stderr
    asked = stack.portal.open_task("huang.lei", story.id)
    assert asked["kind"] == "agree_split"
    split = [{"person": "zhou.min", "percent": "70"}, {"person": "huang.lei", "percent": "30"}]
    stack.portal.answer(
        "huang.lei",
        asked["id"],
        "agree",
        fields={"responsible": "huang.lei", "cooperation": "周敏负责，黄磊支持", "split": split},
    )
    assert story.say(
        "agreement", {"responsible": "zhou.min", "cooperation": "x", "split": split}, by="wu.qiang"
    ).status in (403, 404, 409)
    story.link("zhou.min", nth=2).answer("agree")
    story.answer(NORTH_VP, "approve")
    assert story.reaches("active")["salesperson"]["id"] == "huang.lei"


def test_whoever_follows_an_account_holder_who_leaves_agrees_in_a_running_dispute(stack: Stack) -> None:
    """A2, D1: the account stays; the side of the dispute, and its decision by their VP, go to the successor."""
    account = named_account(stack, "he.xin")
    story = ProjectJourney(stack, "ma.chao", new_project(account))
    story.reaches("disputed")
    stack.portal.open_task("he.xin", story.id)
    done = stack.cli("reassign", "he.xin", "emily.clark", "--reason", "何鑫离职")
    assert done.exit_code == 0, done.stderr
    asked = stack.portal.open_task("emily.clark", story.id)
    split = [{"person": "emily.clark", "percent": "70"}, {"person": "ma.chao", "percent": "30"}]
    stack.portal.answer(
        "emily.clark",
        asked["id"],
        "agree",
        fields={"responsible": "ma.chao", "cooperation": "由她负责，马超支持", "split": split},
    )
    story.link("ma.chao", nth=2).answer("agree")
    story.answer(NORTH_VP, "approve")
    assert story.reaches("active")["salesperson"]["id"] == "ma.chao"


def test_outside_a_rehearsal_no_clock_is_moved_and_the_refusal_says_what_to_do(stack: Stack) -> None:
    story = ProjectJourney(stack, "hu.bin")
    refused = stack.portal.fast_forward(f"project-{story.id}", "P1D")
    assert refused.status == 409
    assert "--rehearsal" in refused.json["detail"]

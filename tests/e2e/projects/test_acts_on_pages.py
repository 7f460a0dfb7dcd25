"""Every act of a salesperson and of commerce about a project, from the form of its page to its effect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from embedded.demo.driver import until
from tests.e2e.support.console import Console
from tests.e2e.support.journey import CLERK, COMMERCE_MANAGER, GENERAL_MANAGER
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

ATTENDING = (NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, COO, GENERAL_MANAGER)


def test_u1_an_update_and_no_change_by_their_pages(stack: Stack) -> None:
    story = ProjectJourney(stack, "yang.fan").active()
    desk = Console(stack.web, "yang.fan")
    shown = desk.does(
        f"/projects/{story.id}/update",
        {"progress": "完成现场勘察", "next_steps": "提交方案", "stage": "solution", "amount": "3000000"},
    )
    assert "更新已记录" in shown.words
    seen = story.seen_by("yang.fan")
    assert (seen["updates"][0]["progress"], Decimal(seen["amount"])) == ("完成现场勘察", Decimal(3000000))
    assert seen["form"]["stage"] == "solution"
    assert "完成现场勘察" in desk.open("/updates").words
    saved = desk.does(f"/updates/{story.id}", {"no_change": "yes"}, page="/updates")
    assert "已保存" in saved.words
    updates = story.seen_by("yang.fan")["updates"]
    assert [update["progress"] for update in updates] == ["本周无变化。", "完成现场勘察"]


def test_u8_a_loss_by_its_page_ends_the_project(stack: Stack) -> None:
    story = ProjectJourney(stack, "yang.fan").active()
    desk = Console(stack.web, "yang.fan")
    empty = desk.send(f"/projects/{story.id}/loss", {"reason": " ", "competitor": "某公司"})
    assert empty.status == 422
    assert 'value="某公司"' in empty.text or "某公司</textarea>" in empty.text
    desk.does(f"/projects/{story.id}/loss", {"reason": "价格", "competitor": "某公司"})
    assert story.reaches("ended")["loss"]["competitor"] == "某公司"
    assert "只有进行中的项目才能这样做" in desk.open(f"/projects/{story.id}/update").words


def test_u7_a_contract_is_submitted_recorded_and_corrected_by_pages(stack: Stack) -> None:
    story = ProjectJourney(stack, "yang.fan").active()
    desk, commerce = Console(stack.web, "yang.fan"), Console(stack.web, CLERK)
    desk.does(f"/projects/{story.id}/contract", {"amount": "2600000", "contract_number": "HT-1"})
    until("commerce has it", lambda: story.seen_by("yang.fan")["contract_application"])
    again = desk.open(f"/projects/{story.id}/contract")
    assert "合同审核申请已在项目商务部处理" in again.words
    missing = commerce.send(f"/projects/{story.id}/contract", {"contract_number": ""})
    assert missing.status == 422
    commerce.does(f"/projects/{story.id}/contract", {"contract_number": "HT-1", "amount": "2,600,000"})
    assert Decimal(story.reaches("contract_signed")["contract"]["amount"]) == 2600000
    commerce.does(f"/projects/{story.id}/correction", {"amount": "2500000", "reason": "税率有误"})
    corrected = until(
        "it is corrected",
        lambda: Decimal((contract := story.seen_by(CLERK)["contract"])["amount"]) == 2500000 and contract,
    )
    assert corrected["corrections"][0]["reason"] == "税率有误"


def test_n13_a_registration_is_withdrawn_by_its_page(stack: Stack) -> None:
    story = ProjectJourney(stack, "yang.fan")
    story.reaches("assignment")
    desk = Console(stack.web, "yang.fan")
    assert "登记已撤回" in desk.does(f"/projects/{story.id}/withdraw", {"reason": "客户取消"}).words
    story.reaches("withdrawn")


def test_p8_d2_d5_an_objection_and_the_meeting_by_pages(stack: Stack) -> None:
    """P8: objected to by its page; D5: the meeting is moved and called off by theirs."""
    first = ProjectJourney(stack, "yang.fan").active()
    second = ProjectJourney(stack, "xu.jing", new_project(first.form["customer"]["name"])).suspected(first.id)
    second.answer(NORTH_VP, "conflict", "同一个项目")
    second.reaches("refused")
    desk, commerce = Console(stack.web, "xu.jing"), Console(stack.web, COMMERCE_MANAGER)
    page = desk.open(f"/projects/{second.id}/object")
    assert "提出异议" in page.words
    desk.does(f"/projects/{second.id}/object", {"reason": "不同的机房"})
    second.answer(EAST_VP, "call_meeting")
    second.reaches("disputed")
    starts = (datetime.now(UTC) + timedelta(days=9)).replace(microsecond=0)
    task = stack.portal.open_task(COMMERCE_MANAGER, second.id)
    fields = {"starts_at": starts.isoformat(), "place": "三楼会议室", "participants": [*ATTENDING]}
    assert stack.portal.answer(COMMERCE_MANAGER, task["id"], "called", fields=fields).status == 200
    until("the meeting is called", lambda: meeting(second).get("place") == "三楼会议室")
    moved = commerce.does(f"/projects/{second.id}/move-meeting", {"place": "五楼会议室", "reason": "三楼装修"})
    assert "会议已改期" in moved.words
    until("the meeting is moved", lambda: meeting(second).get("place") == "五楼会议室")
    commerce.does(f"/projects/{second.id}/call-off-meeting", {"reason": "等总经理回来"})
    until("the meeting is called off", lambda: meeting(second).get("called_off"))
    assert "目前没有已召集的会议" in commerce.open(f"/projects/{second.id}/move-meeting").words


def test_d1_d2_an_agreement_is_proposed_and_confirmed_by_pages_and_a_meeting_asked_for(stack: Stack) -> None:
    customer = named_account(stack, "yang.fan")
    story = ProjectJourney(stack, "xu.jing", new_project(customer))
    story.reaches("disputed")
    theirs, mine = Console(stack.web, "xu.jing"), Console(stack.web, "yang.fan")
    proposal = {"responsible": "yang.fan", "cooperation": "杨帆主导，徐静支持"}
    wrong = theirs.send(f"/projects/{story.id}/agree", proposal | shares("yang.fan", "70", "xu.jing", "20"))
    assert wrong.status == 422
    assert "杨帆主导，徐静支持" in wrong.text
    theirs.does(f"/projects/{story.id}/agree", proposal | shares("yang.fan", "70", "xu.jing", "30"))
    until("the proposal is on the table", lambda: story.seen_by("yang.fan")["dispute"]["proposal"])
    assert "您的文本正等待对方确认" in theirs.open(f"/projects/{story.id}/agree").words
    mine.does(f"/projects/{story.id}/agree", {})  # sent as it stands, it is confirmed
    agreed = story.reaches("approval")
    assert agreed["agreement"]["cooperation"] == "杨帆主导，徐静支持"
    other = ProjectJourney(stack, "xu.jing", new_project(customer))
    other.reaches("disputed")
    theirs.does(f"/projects/{other.id}/meeting", {"reason": "谈不拢"})
    until("the meeting is asked for", lambda: meeting(other).get("wanted"))
    assert "协调会议已有人要求" in theirs.open(f"/projects/{other.id}/meeting").words


def shares(*pairs: str) -> dict[str, str]:
    rows = zip(pairs[::2], pairs[1::2], strict=True)
    return {
        f"split.{number}.{part}": value
        for number, row in enumerate(rows)
        for part, value in zip(("person", "percent"), row, strict=True)
    }


def meeting(story: ProjectJourney) -> dict[str, Any]:
    found = story.seen_by(CLERK)["dispute"]
    return (found or {}).get("meeting") or {}


def test_x3_a_form_that_is_stored_is_followed_on_the_page_of_its_receipt(stack: Stack) -> None:
    story = ProjectJourney(stack, "yang.fan").active()
    desk = Console(stack.web, "yang.fan")
    stack.stop(stack.worker)
    try:
        sent = desk.send(f"/projects/{story.id}/update", {"progress": "完成现场勘察", "next_steps": "提交方案"})
        receipt = sent.headers["location"]
        assert (sent.status, receipt.startswith("/receipts/")) == (303, True)
        assert "尚未记入档案" in desk.open(receipt).words
        assert "hx-trigger" in desk.open(receipt).text
    finally:
        stack.start(stack.worker)
    until("it is recorded", lambda: "已记录" in desk.open(receipt).words)
    assert f'href="/projects/{story.id}"' in desk.open(receipt).text
    assert story.seen_by("yang.fan")["updates"][0]["progress"] == "完成现场勘察"

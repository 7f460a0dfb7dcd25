"""Every act about an application, from the form of its page to its effect (N10, N13, N15)."""

from __future__ import annotations

from embedded.demo.driver import until
from tests.e2e.support.console import Console
from tests.e2e.support.journey import CLERK, GENERAL_MANAGER, Journey
from tests.e2e.support.stack import Stack


def test_n13_an_application_is_withdrawn_by_its_page(stack: Stack) -> None:
    story = Journey(stack)
    story.reaches("commerce_check")
    desk = Console(stack.web, story.salesperson)
    page = desk.open(f"/applications/{story.id}")
    assert f'href="/applications/{story.id}/withdraw"' in page.text
    assert "申请目前所处的阶段不允许" in page.words
    assert "申请已撤回" in desk.does(f"/applications/{story.id}/withdraw", {"reason": "客户合并"}).words
    story.reaches("withdrawn")


def test_n10_n15_whoever_has_it_is_reminded_evidence_gathered_again_and_a_rejection_appealed(stack: Stack) -> None:
    story = Journey(stack)
    story.reaches("commerce_check")
    commerce = Console(stack.web, CLERK)
    waiting = Console(stack.web, story.salesperson)
    task = stack.portal.open_task(CLERK, story.id)["id"]
    reminded = waiting.does(f"/applications/{story.id}/remind/{task}", {}, page=f"/applications/{story.id}")
    assert "已发送提醒邮件" in reminded.words
    assert "起可再次提醒" in reminded.words
    mail = stack.mailbox.wait(CLERK, story.id, "在等您的答复")
    assert mail.decision_url
    before = len([event for event in story.event_names() if event == "evidence_gathered_again"])
    commerce.does(f"/applications/{story.id}/evidence", {})
    until(
        "gathered again",
        lambda: len([event for event in story.event_names() if event == "evidence_gathered_again"]) > before,
    )
    story.to_vps()
    story.answer("li.ming", "reject", "毛利预测过于乐观")
    story.reaches("rejected")
    desk = Console(stack.web, story.salesperson)
    assert "毛利预测过于乐观" in desk.open(f"/applications/{story.id}/appeal").words
    desk.does(f"/applications/{story.id}/appeal", {"reason": "已签框架协议"})
    story.reaches("gm_appeal")
    dossier = desk.open(f"/applications/{story.id}/dossier")
    assert dossier.status == 200
    assert "已签框架协议" in dossier.words
    story.answer(GENERAL_MANAGER, "approve")
    account = story.reaches("active")["account_id"]
    page = desk.open(f"/accounts/{account}")
    assert story.customer in page.words
    assert f'href="/accounts/{account}"' in desk.open("/accounts").text

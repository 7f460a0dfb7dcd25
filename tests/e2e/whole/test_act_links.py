"""What notices ask for is done by their personal links, without signing in: from the mail to the effect."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from embedded.demo.driver import Answer, until
from tests.e2e.support.console import FORM, held
from tests.e2e.support.journey import CLERK, COMMERCE_MANAGER, GENERAL_MANAGER, VPS, Journey, SubjectJourney
from tests.e2e.support.project_journey import NORTH_VP, ProjectJourney, named_account, new_project
from tests.e2e.support.stack import Stack


def acts(stack: Stack, story: SubjectJourney, person: str, words: str, **typed: str) -> Answer:
    """Open the link of the mail to `person` that says `words`, fill in its form, and follow it until it is recorded."""
    mail = stack.mailbox.wait(person, story.id, words)
    assert mail.act_url, mail.text
    path = urlsplit(mail.act_url).path
    shown = stack.web.request("GET", path)
    assert shown.status == 200, shown.words
    sent = stack.web.request("POST", path, urlencode({**held(shown.text, path), **typed}).encode(), FORM)
    assert sent.status == 303, sent.words
    assert "set-cookie" not in sent.headers

    def recorded() -> Answer | None:
        page = stack.web.request("GET", sent.headers["location"])
        return None if "hx-trigger" in page.text else page

    return until(f"{path} is recorded", recorded)


def test_n10_a_rejection_is_appealed_against_by_the_link_of_its_mail(stack: Stack) -> None:
    story = Journey(stack).to_vps()
    story.answer(VPS[0], "reject", "毛利预测过于乐观")
    story.reaches("rejected")
    told = stack.mailbox.wait(COMMERCE_MANAGER, story.id, "未获通过")
    assert told.act_url is None
    assert "目前无需您处理" in told.text
    done = acts(stack, story, story.salesperson, "二次审核", reason="已签框架协议")
    assert "已记录" in done.words
    assert f'href="/applications/{story.id}"' in done.text
    story.reaches("gm_appeal")
    asked = stack.mailbox.wait(GENERAL_MANAGER, story.id, "已签框架协议")
    assert "毛利预测过于乐观" in asked.text.split("http")[0], "what decides stands before everything else"
    story.answer(GENERAL_MANAGER, "reject", "维持")
    story.reaches("closed_rejected")
    final = stack.mailbox.wait(story.salesperson, story.id, "流程结束")
    assert final.act_url is None


def test_p8_a_refusal_is_objected_to_by_the_link_of_its_mail(stack: Stack) -> None:
    first = ProjectJourney(stack, "xu.jing").to_clerk()
    first.answer(CLERK, "clear")
    story = ProjectJourney(stack, "guo.tao", new_project(first.form["customer"]["name"])).to_clerk()
    story.answer(CLERK, "suspect", "同一客户同一需求", fields={"suspects": [first.id]})
    story.reaches("conflict_confirmation")
    story.answer("wang.fang", "conflict", "登记在先")
    story.reaches("refused")
    acts(stack, story, story.salesperson, "提出异议", reason="两期工程，预算分开")
    story.reaches("objection")


def test_d2_a_vp_asks_for_the_meeting_by_the_link_of_the_mail_that_tells_them(stack: Stack) -> None:
    customer = named_account(stack, "xu.jing")
    story = ProjectJourney(stack, "yang.fan", new_project(customer))
    story.reaches("disputed")
    acts(stack, story, NORTH_VP, "涉及其他销售名下的大客户", reason="两个大区，需要协调")
    assert "两个大区，需要协调" in stack.mailbox.wait(COMMERCE_MANAGER, story.id, "召集协调会议").text


def test_every_submission_is_confirmed_by_a_mail_with_its_number_and_what_comes_next(stack: Stack) -> None:
    """N2, P4: who decides next, by when, and a link to the page."""
    story = Journey(stack)
    mail = stack.mailbox.wait(story.salesperson, story.id, "申请已提交")
    assert mail.subject.endswith(story.id[:8])
    assert f"/applications/{story.id}" in mail.text
    assert "商务核查" in mail.text
    assert "最迟" in mail.text
    project = ProjectJourney(stack, "yang.fan")
    mail = stack.mailbox.wait("yang.fan", project.id, "已登记")
    assert f"/projects/{project.id}" in mail.text
    assert "指定专人进行冲突检测" in mail.text

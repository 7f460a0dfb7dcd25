"""Applications from form to account over HTTP and mail, on real parts (acceptance of the Named Account application);
who acts for whom, who may see what, and that nobody outside the front door is believed."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from domain.accounts.evidence import EvidenceKind
from embedded.demo.driver import Portal
from tests.e2e.support.journey import CLERK, COMMERCE_MANAGER, GENERAL_MANAGER, NO_LONGER_ASKED, VPS, Journey
from tests.e2e.support.names import company_name
from tests.e2e.support.stack import Stack, new_form
from tests.samples import uscc

# ---- from form to account ----------------------------------------


COUNTED = "emily.clark"
"""Tests share one product: no other test gives her an account."""


def test_n1_to_n7_an_application_becomes_an_account_and_everyone_concerned_is_told_and_nobody_else(
    stack: Stack,
) -> None:
    story = Journey(stack)
    check = stack.portal.open_task(CLERK, story.id)
    assert check["kind"] == "commerce_check"  # N2: commerce first
    assert not [task for vp in VPS for task in stack.portal.tasks(vp) if task["subject"]["id"] == story.id]
    evidence = {item["kind"] for item in story.seen_by(CLERK)["evidence"]}
    assert evidence == {kind.value for kind in EvidenceKind}  # N3, N4
    got = stack.portal.answer(CLERK, check["id"], "pass", fields={"note_credit": "已电话核实，付款良好"})
    assert got.status == 200
    for vp in VPS:  # N6: each by themselves, in parallel
        page = story.link(vp).open()
        assert page.status == 200
        for shown in (story.customer, "已电话核实，付款良好", "680,000", story.form["account_plan"]["goals"][:30]):
            assert shown in page.words
    story.by_link(VPS[0], "approve")
    assert story.seen_by("yang.fan")["stage"] == "vp_review"
    story.by_link(VPS[1], "approve", "同意")
    done = story.reaches("active")  # N7
    assert done["account_id"]
    assert [(d["kind"], d["person"]["id"], d["choice"]) for d in done["decisions"]] == [
        ("commerce_check", CLERK, "pass"),
        ("vp_review", VPS[0], "approve"),
        ("vp_review", VPS[1], "approve"),
    ]
    account = stack.portal.call("yang.fan", "GET", f"/accounts/{done['account_id']}").json
    assert (account["name"], account["salesperson"]["id"]) == (story.customer, "yang.fan")  # A2
    told = story.told()
    assert set(told) == {CLERK, "anna.miller", *VPS, "yang.fan", "zhao.lei", COMMERCE_MANAGER}
    assert told[CLERK] == ["请您处理"]
    assert told["anna.miller"] == ["Your decision is requested"]
    for vp in VPS:
        assert told[vp] == ["请您处理", "已生效"]
    assert told["yang.fan"] == ["已提交", "已生效"]
    assert told["zhao.lei"] == told[COMMERCE_MANAGER] == ["已生效"]


def test_n9_one_rejection_is_enough_and_the_other_vp_is_told_that_nothing_is_needed_any_more(stack: Stack) -> None:
    story = Journey(stack, "huang.lei").to_vps()
    other = story.link(VPS[1])
    refused = story.link(VPS[0]).answer("reject")
    assert refused.status == 422  # N9: with a reason
    story.by_link(VPS[0], "reject", "潜力说明不足")
    seen = story.reaches("rejected")
    assert seen["rejection"]["reason"] == "潜力说明不足"
    assert seen["rejection"]["appeal_until"]  # N10
    late = other.answer("approve")
    assert late.status == 409
    assert "李明已驳回申请" in late.words  # who, and what
    told = story.told()
    assert set(told) == {CLERK, "anna.miller", *VPS, "huang.lei", "zhao.lei", COMMERCE_MANAGER}
    assert told[VPS[1]] == ["请您处理", NO_LONGER_ASKED]
    assert told["huang.lei"] == ["已提交", "已驳回"]
    assert "潜力说明不足" in stack.mailbox.wait("huang.lei", story.id, "很遗憾").text


def test_n10_a_successful_appeal_makes_the_account_by_the_general_managers_decision(stack: Stack) -> None:
    story = Journey(stack, "zhou.min").to_vps()
    story.by_link(VPS[1], "reject", "预算未落实")
    story.reaches("rejected")
    assert stack.portal.appeal(VPS[1], story.id, "代为申请").status == 403
    assert stack.portal.appeal("zhou.min", story.id, " ").status == 422
    assert stack.portal.appeal("zhou.min", story.id, "预算已于本周批复").status == 200
    page = story.link(GENERAL_MANAGER)
    assert "预算已于本周批复" in page.open().words
    assert "预算未落实" in page.open().words
    story.by_link(GENERAL_MANAGER, "approve", "情况属实")
    done = story.reaches("active")
    assert done["decisions"][-1]["kind"] == "gm_appeal"
    assert stack.portal.call("zhou.min", "GET", f"/accounts/{story.id}").json["approved_by_general_manager"]


def test_n14_of_eight_who_submit_in_the_same_moment_everybody_later_is_told_of_all_before(stack: Stack) -> None:
    """N14: in the answer, in the view and by mail, and commerce is shown it; the first is told nothing."""
    name = company_name()
    people = "yang.fan huang.lei zhou.min wu.qiang xu.jing guo.tao he.xin emily.clark".split()
    with ThreadPoolExecutor(len(people)) as pool:
        stories = list(pool.map(lambda person: Journey(stack, person, new_form(name)), people))
    stories.sort(key=lambda story: len(story.submitted.json["conflicts"]))
    assert [len(story.submitted.json["conflicts"]) for story in stories] == list(range(len(people)))
    for number, story in enumerate(stories):
        seen = story.reaches("commerce_check")
        before = {earlier.id for earlier in stories[:number]}
        assert len(story.seen_by(story.salesperson)["conflicts"]) == number
        (shown,) = [item["findings"] for item in seen["evidence"] if item["kind"] == "applications"]
        assert {finding["subject_id"] for finding in shown if finding["earlier"]} == before
        if number:
            assert "N14" in stack.mailbox.wait(story.salesperson, story.id, "N14").text


def test_n15_the_general_manager_hears_an_appeal_on_what_is_so_by_then(stack: Stack) -> None:
    """N14, N15: another has become the holder since the VPs looked; commerce can have it gathered again at any time."""
    story = Journey(stack, "zhou.min").to_vps()
    nobody_knows = story.link(VPS[0]).open().words
    assert "没有资料" in nobody_knows  # E2: of a company that no register knows
    assert "以来有变化" not in nobody_knows
    story.by_link(VPS[1], "reject", "预算未落实")
    story.reaches("rejected")
    holder = Journey(stack, "he.xin", new_form(story.customer)).activate()
    assert stack.portal.appeal("zhou.min", story.id, "预算已于本周批复").status == 200
    page = story.link(GENERAL_MANAGER).open().words
    assert "以来有变化" in page
    assert story.customer in page.partition("与现有大客户的冲突")[2]
    mail = stack.mailbox.wait(GENERAL_MANAGER, story.id, "请您处理")
    assert "以来有变化" in mail.text
    told = stack.mailbox.wait("zhou.min", story.id, "已有在先的登记")
    assert holder.id not in told.text
    assert "何欣" not in told.text
    assert [conflict["kind"] for conflict in story.seen_by("zhou.min")["conflicts"]] == ["account"]

    def accounts() -> dict[str, Any]:
        seen = story.seen_by(CLERK)
        return next(item for item in seen["evidence"] if item["kind"] == "accounts")

    before = accounts()
    assert [finding["changed"] for finding in before["findings"]] == [True]
    again = stack.portal.call(CLERK, "POST", f"/applications/{story.id}/evidence", {})
    assert again.status == 200, again.text
    assert again.json["changed"] == ["accounts"]
    assert accounts()["gathered_at"] > before["gathered_at"]
    assert accounts()["changed_since"] == before["changed_since"]
    for person, status in (("zhou.min", 403), (VPS[0], 403), ("guo.tao", 404)):
        assert stack.portal.call(person, "POST", f"/applications/{story.id}/evidence", {}).status == status


def test_e2_what_a_clerk_corrects_with_its_source_decides_for_everybody_who_reads_on(stack: Stack) -> None:
    """N5, N15: on the page behind the mail; a fact without its source is not taken."""
    story = Journey(stack, "wu.qiang")
    link = story.link(CLERK)
    assert "诉讼情况的出处" in link.open().words
    alone = link.answer("pass", lawsuit_with_us="no")
    assert alone.status == 422
    assert "诉讼情况的出处" in alone.words
    before = link.open().text
    moment = re.search(r'name="gather_again" value="([^"]+)"', before)
    assert moment, "N15: commerce can have it gathered again on the page"
    earlier = Journey(stack, "he.xin", new_form(story.customer))
    again = link.post({"gather_again": moment[1], "lawsuit_with_us_source": "裁判文书网", "confirm": "yes"})
    assert (again.status, earlier.id in again.text, earlier.id in before) == (200, True, False)
    assert 'value="裁判文书网"' in again.text  # what was typed stays
    assert not re.search(r'name="confirm"[^>]* checked', again.text)  # the new evidence is confirmed anew
    assert story.seen_by(CLERK)["stage"] == "commerce_check"  # and nothing is answered
    assert 'name="gather_again"' not in Journey(stack, "xu.jing").to_vps().link(VPS[0]).open().text
    both = {"malicious_arrears": "no", "malicious_arrears_source": "财务部台账"}
    assert link.answer("pass", lawsuit_with_us="no", lawsuit_with_us_source="裁判文书网", **both).status == 200
    story.reaches("vp_review")
    judged = {clause["clause"]: clause["passed"] for clause in story.seen_by(CLERK)["eligibility"]["clauses"]}
    assert (judged["E2-lawsuit"], judged["E2-arrears"]) == (True, True)
    page = story.link(VPS[0]).open().words
    assert "裁判文书网" in page
    assert "没有资料" not in page


def test_n14_one_full_name_with_another_code_is_a_collision_until_commerce_has_said_which_is_right(
    stack: Stack,
) -> None:
    name = company_name()
    first, second = new_form(name), new_form(name)
    first["customer"]["uscc"], second["customer"]["uscc"] = uscc(1), uscc(2)
    Journey(stack, "guo.tao", first).activate()
    story = Journey(stack, "he.xin", second)
    assert [(conflict["kind"], conflict["rule"]) for conflict in story.submitted.json["conflicts"]] == [
        ("account", "N14")
    ]
    page = story.link(CLERK).open().words
    assert "在商务部核实哪个代码正确之前" in page
    story.to_vps()
    for vp in VPS:
        story.answer(vp, "approve")
    assert story.reaches("refused")["end_reason"]["rule"] == "N14"


def test_n10_a_failed_appeal_is_final(stack: Stack) -> None:
    story = Journey(stack, "wu.qiang").to_vps()
    story.by_link(VPS[0], "reject", "不符合区域规划")
    story.reaches("rejected")
    assert stack.portal.appeal("wu.qiang", story.id, "区域已调整").status == 200
    story.by_link(GENERAL_MANAGER, "reject", "维持原决定")
    seen = story.reaches("closed_rejected")
    assert seen["outcome"] == "closed_rejected"
    again = stack.portal.appeal("wu.qiang", story.id, "再次申请")
    assert again.status == 409
    assert "已驳回，流程结束" in story.told()["wu.qiang"]


def test_n5_a_returned_application_is_completed_on_the_page_and_earlier_links_die_calmly(stack: Stack) -> None:
    story = Journey(stack, "xu.jing")
    first = story.link(CLERK)
    answer = first.answer("return", "请补充客户联系人和里程碑", note_credit="待核")
    assert answer.status == 200
    supply = story.link("xu.jing")
    page = supply.open()
    assert "请补充客户联系人和里程碑" in page.words
    assert 'name="customer.contacts.0.name"' in page.text
    typed = _inputs(page.text)
    wrong = supply.post({**typed, "customer.name": "", "forecast.annual_contracts": "很多", "confirm": "yes"})
    assert wrong.status == 422
    assert wrong.text.count('role="alert"') >= 1
    assert 'value="很多"' in wrong.text  # what was typed is kept
    refused = {"customer.industry": "telecom", "centralised_procurement": "true", "customer.legal_person": "false"}
    refusing = supply.post({**typed, **refused, "customer.name": "", "confirm": "yes"})
    assert refusing.status == 422
    for said in ("（E3）", "（E2）", "客户名称"):  # E2, E3, N1: beside the fields, together with all else that is wrong
        assert said in refusing.words, said
    for field in ("centralised_procurement", "customer-legal_person", "customer-name"):
        assert f'href="#f-{field}"' in refusing.text, field
    assert story.seen_by("xu.jing")["round"] == 1
    done = supply.post({**typed, "account_plan.milestones": "2027-03-31 立项", "confirm": "yes"})
    assert done.status == 200, done.words
    seen = story.reaches("commerce_check")
    assert seen["round"] == 2
    assert seen["form"]["account_plan"]["milestones"] == "2027-03-31 立项"
    for dead in (first, supply):
        assert dead.open().status == 200
        assert dead.answer("pass").status == 409
    story.by_link(CLERK, "pass", nth=2)
    story.link(VPS[0])
    assert [entry["round"] for entry in stack.portal.dossier(CLERK, story.id)["rounds"]] == [1, 2]  # N11


def test_n5_the_salesperson_completes_in_the_portal_and_the_links_of_the_old_round_say_what_happened(
    stack: Stack,
) -> None:
    story = Journey(stack, "ma.chao")
    old = story.link("anna.miller")
    story.commerce("return", "请补充")
    form = {**story.form, "cooperation": "2022 年起合作，累计三个项目。"}
    task = stack.portal.open_task("ma.chao", story.id)
    bad = stack.portal.answer("ma.chao", task["id"], "supply", fields={"application": {**form, "products": []}})
    assert bad.status == 422
    assert [error["field"] for error in bad.json["errors"]] == ["fields.application.products"]
    assert stack.portal.answer("ma.chao", task["id"], "supply", fields={"application": form}).status == 200
    story.reaches("commerce_check")
    page = old.open()
    assert page.status == 200
    assert "高媛 decided “Send back for completion”" in page.words
    assert old.answer("pass").status == 409


def test_n13_the_salesperson_withdraws_and_everyone_asked_is_told_and_their_links_are_calm(stack: Stack) -> None:
    story = Journey(stack, "zhu.hong").to_vps()
    link = story.link(VPS[0])
    assert stack.portal.withdraw(CLERK, story.id, "不该由我").status == 403
    assert stack.portal.withdraw("zhu.hong", story.id, "客户项目暂停").status == 200
    seen = story.reaches("withdrawn")
    assert not seen["tasks"]
    assert link.open().status == 200
    assert "已撤回" in link.open().words
    assert link.answer("approve").status == 409
    told = story.told()
    assert told["zhu.hong"] == ["已提交", "已撤回"]
    assert told[VPS[0]] == told[VPS[1]] == ["请您处理", "已撤回"]
    assert stack.portal.withdraw("zhu.hong", story.id, "再撤一次").status == 409


def test_n14_a_later_application_for_the_same_customer_is_told_and_exactly_one_is_activated(stack: Stack) -> None:
    first = Journey(stack, "guo.tao")
    form = new_form()
    form["customer"]["related_parties"] = [{"name": first.customer, "relation": "母公司"}]
    second = Journey(stack, "he.xin", form)
    told = second.submitted.json
    assert [(conflict["kind"], conflict["rule"]) for conflict in told["conflicts"]] == [("application", "N14")]
    assert told["notice"]
    assert first.id not in second.submitted.text  # whose it is, is not theirs to know
    assert "guo.tao" not in second.submitted.text
    assert "N14" in stack.mailbox.wait("he.xin", second.id, "已提交").text
    page = second.link(CLERK).open()
    assert first.customer in page.words  # shown to commerce
    for story in (second, first):
        story.to_vps()
        for vp in VPS:
            story.answer(vp, "approve")
    assert {first.reaches("active")["stage"], second.reaches("refused")["stage"]} == {"active", "refused"}
    assert second.seen_by("he.xin")["end_reason"]["rule"] == "N14"
    third = Journey(stack, "emily.clark", new_form(first.customer))
    assert [conflict["kind"] for conflict in third.submitted.json["conflicts"]] == ["account"]
    for vp in ("li.ming",):
        third.to_vps()
        third.answer(vp, "reject", "已有大客户")
    accounts = stack.query("select count(*) as n from claim where name = $1 and live", first.customer)
    assert accounts[0]["n"] == 1


@pytest.mark.timeout(300)
def test_n8_a_sixth_account_needs_special_reasons_and_the_general_manager(stack: Stack) -> None:
    for _ in range(4):
        Journey(stack, COUNTED).activate()
    # Two at once, each of which would be the fifth: one of them must become the sixth.
    pair = [Journey(stack, COUNTED).to_vps(), Journey(stack, COUNTED).to_vps()]
    for story in pair:
        story.answer(VPS[0], "approve")
    last = [stack.portal.open_task(VPS[1], story.id)["id"] for story in pair]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda task: stack.portal.answer(VPS[1], task, "approve"), last))
    assert {got.status for got in answers} <= {200, 422}
    stages = {story.seen_by(GENERAL_MANAGER)["stage"]: story for story in pair}
    assert set(stages) == {"active", "vp_review"}
    sixth = stages["vp_review"]
    # Whoever approved without a special reason is asked for it; first the second VP, when their answer came late.
    for _ in VPS:
        task = next(iter(sixth.seen_by(CLERK)["tasks"]))
        vp = task["asked"][0]["person"]["id"]
        bare = stack.portal.answer(vp, task["id"], "approve")
        assert bare.status == 422
        assert [(error["field"], error["rule"]) for error in bare.json["errors"]] == [("reason", "N8")]
        assert stack.portal.answer(vp, task["id"], "approve", reason="战略客户，团队已扩充").status == 200
    assert sixth.reaches("gm_approval")["stage"] == "gm_approval"
    page = sixth.link(GENERAL_MANAGER).open()
    assert "战略客户，团队已扩充" in page.words
    assert "5 个大客户" in page.words
    sixth.by_link(GENERAL_MANAGER, "approve")
    sixth.reaches("active")
    held = stack.query("select slot, gm_decision is not null as gm from account where salesperson = $1", COUNTED)
    assert sorted((row["slot"], row["gm"]) for row in held) == [(n, n == 6) for n in range(1, 7)]
    _the_general_manager_says_no(stack, stack.portal)


def _the_general_manager_says_no(stack: Stack, portal: Portal) -> None:
    """N8, N10: above the limit from the start; what the general manager rejects is final."""
    seventh = Journey(stack, COUNTED).to_vps()
    task = portal.open_task(VPS[0], seventh.id)
    assert {choice["choice"]: choice["reason_required"] for choice in task["choices"]} == {
        "approve": True,
        "reject": True,
    }
    bare = portal.answer(VPS[0], task["id"], "approve")
    assert bare.status == 422
    assert [(error["field"], error["rule"]) for error in bare.json["errors"]] == [("reason", "N8")]
    for vp in VPS:
        seventh.answer(vp, "approve", "特别理由")
    seventh.by_link(GENERAL_MANAGER, "reject", "名额已满")
    seen = seventh.reaches("closed_rejected")
    assert seen["account_id"] is None


def _inputs(html: str) -> dict[str, str]:
    """What a browser would send of a form: its inputs, texts and chosen options."""
    from html.parser import HTMLParser

    class Inputs(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.values: dict[str, str] = {}
            self.text: str | None = None
            self.select: str | None = None

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            name, value = given.get("name"), given.get("value") or ""
            if tag == "select":
                self.select = name
            elif tag == "option" and self.select and "selected" in given:
                self.values[self.select] = value
            elif tag == "textarea" and name:
                self.text, self.values[name] = name, ""
            elif (
                tag == "input"
                and name
                and (given.get("type") not in ("checkbox", "radio", "submit") or "checked" in given)
            ):
                self.values[name] = value

        def handle_endtag(self, tag: str) -> None:
            if tag in ("textarea", "select"):
                self.text = self.select = None

        def handle_data(self, data: str) -> None:
            if self.text is not None:
                self.values[self.text] += data.removeprefix("\n") if not self.values[self.text] else data

    parser = Inputs()
    parser.feed(html)
    return parser.values

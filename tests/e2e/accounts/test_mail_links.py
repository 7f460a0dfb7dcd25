"""The pages behind the links of mails, as a browser without script sends them: looking changes nothing, answering needs
a choice and a confirmation, and every kind of field gets through."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from crypto.keyring import Keyring
from crypto.links import link_token
from domain.reviews.periods import Rhythm
from embedded.demo.driver import Answer, PageLink
from tests.e2e.support.journey import CLERK, COMMERCE_MANAGER, GENERAL_MANAGER, VPS, Journey
from tests.e2e.support.project_journey import COO, EAST_VP, NORTH_VP, ProjectJourney, named_account, new_project
from tests.e2e.support.stack import Stack
from tests.inputs import Inputs

SECURITY_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def calm(page: Answer) -> bool:
    return "<form" not in page.text and "<script" not in page.text


def test_opening_a_link_however_often_and_by_whatever_changes_nothing(stack: Stack) -> None:
    story = Journey(stack).to_vps()
    link = story.link(VPS[0])
    story.told()
    before = stack.quiet()
    pages = [link.open(headers={"User-Agent": agent}) for agent in ("Outlook SafeLinks", "curl/8", "Mozilla/5.0")]
    assert {page.status for page in pages} == {200}
    assert pages[0].words == pages[2].words
    assert link.open(method="HEAD").status == 200
    for method in ("PUT", "DELETE", "PATCH"):
        assert link.open(method=method).status == 405
    assert stack.web.request("GET", f"{link.path}?choice=approve&confirm=yes").status == 200
    assert stack.counts() == before
    assert link.answer("approve").status == 200  # and it still works


def test_security_headers_stand_on_every_page(stack: Stack) -> None:
    link = Journey(stack).to_vps().link(VPS[0])
    for page in (link.open(), link.post({}), stack.web.request("GET", "/d/forged")):
        for name, value in SECURITY_HEADERS.items():
            assert page.headers[name] == value
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "server" not in page.headers
        assert "set-cookie" not in page.headers


@pytest.mark.parametrize(
    ("missing", "values"),
    [
        ("choice", {"reason": "我的理由", "confirm": "yes"}),
        ("confirm", {"choice": "approve", "reason": "我的理由"}),
        ("reason", {"choice": "reject", "reason": "  ", "confirm": "yes", "note": "x"}),
        ("choice", {"choice": "pass", "reason": "我的理由", "confirm": "yes"}),
    ],
)
def test_n9_a_form_without_choice_confirmation_or_required_reason_decides_nothing_and_keeps_what_was_typed(
    stack: Stack, missing: str, values: dict[str, str]
) -> None:
    story = Journey(stack).to_vps()
    link = story.link(VPS[0])
    page = link.post(values)
    assert page.status == 422
    assert f'id="f-{missing}-error"' in page.text
    if values["reason"].strip():
        assert values["reason"] in page.text
    if values.get("choice") in ("approve", "reject"):
        chosen = re.search(r'<input type="radio" name="choice" value="(\w+)" checked>', page.text)
        assert chosen is not None
        assert chosen.group(1) == values["choice"]
    assert not [d for d in story.seen_by(CLERK)["decisions"] if d["kind"] == "vp_review"]


def test_a_forged_or_damaged_link_says_nothing_about_what_exists(stack: Stack) -> None:
    story = Journey(stack).to_vps()
    real = story.link(VPS[0]).path.removeprefix("/d/")
    link_id, _, signature = real.partition(".")
    last = "A" if signature[-1] != "A" else "B"
    foreign = Keyring.parse("k1:" + base64.b64encode(bytes(range(32))).decode())
    forged = [
        f"{link_id}.{signature[:-1]}{last}",
        f"{link_id}x.{signature}",
        f"{link_id[:-1]}.{signature}",
        f"{link_id}.",
        link_id,
        real + "=",
        real.upper(),
        link_token(link_id, foreign),
        "%00" + real,
        "x" * 5000,
        "..%2f..%2fetc%2fpasswd",
        "%F0%9F%92%A9.abc",
        "%ff%fe.abc",
    ]
    stack.quiet()
    before = stack.counts()
    for token in forged:
        link = PageLink(stack.web, f"/d/{token}")
        for page in (link.open(), link.answer("approve")):
            assert page.status in (404, 409), token
            assert story.customer not in page.text
            if "%2f" not in token:
                assert calm(page)
    assert stack.counts() == before
    assert story.link(VPS[0]).answer("approve").status == 200


def test_a_used_link_shows_who_decided_what_and_the_first_answer_stands(stack: Stack) -> None:
    story = Journey(stack).to_vps()
    link = story.link(VPS[0])
    values = {"choice": "approve", "reason": "看好", "confirm": "yes"}
    assert link.post(values).status == 200
    again = link.post(values)
    assert again.status == 200, "the same answer twice is one answer"
    assert "李明" in again.words
    other = link.answer("reject", "改主意了")
    assert other.status == 409
    page = link.open()
    assert page.status == 200
    assert calm(page)
    assert "李明" in page.words
    assert "同意" in page.words
    decided = [d for d in story.seen_by(CLERK)["decisions"] if d["kind"] == "vp_review"]
    assert [(d["choice"], d["reason"]) for d in decided] == [("approve", "看好")]


def test_one_link_answered_in_many_windows_at_once_decides_once(stack: Stack) -> None:
    story = Journey(stack).to_vps()
    link = story.link(VPS[0])
    with ThreadPoolExecutor(6) as pool:
        pages = list(pool.map(lambda n: link.answer("approve" if n % 2 else "reject", f"窗口{n}"), range(6)))
    assert sorted(page.status for page in pages) == [200, 409, 409, 409, 409, 409]
    taken = next(n for n, page in enumerate(pages) if page.status == 200)
    decided = [d for d in story.seen_by(CLERK)["decisions"] if d["kind"] == "vp_review"]
    assert [d["reason"] for d in decided] == [f"窗口{taken}"]


def test_an_expired_link_is_calm_and_decides_nothing_while_the_portal_still_does(stack: Stack) -> None:
    story = Journey(stack).to_vps()
    link = story.link(VPS[0])
    rows = stack.query(
        "update task_person set link_expires_at = now() - $1::interval where person = $2 and task_id in"
        " (select id from task where subject_id = $3) returning link_id",
        timedelta(minutes=1),
        VPS[0],
        story.id,
    )
    assert len(rows) == 1
    page = link.open()
    assert page.status == 410
    assert 'name="choice"' not in page.text
    assert f'action="{link.path}/renew"' in page.text
    assert "链接已过期" in page.words
    assert link.answer("approve").status == 410
    assert not [d for d in story.seen_by(CLERK)["decisions"] if d["kind"] == "vp_review"]
    story.answer(VPS[0], "approve")


def test_x4_a_page_is_in_the_readers_language_and_in_the_other_one_on_request(stack: Stack) -> None:
    link = Journey(stack).link("anna.miller")
    page = link.open(headers={"Accept-Language": "zh"})
    assert "Confirm" in page.words or "commerce" in page.words.lower()
    assert '<html lang="en"' in page.text
    chinese = stack.web.request("GET", f"{link.path}?lang=zh")
    assert "商务核查" in chinese.words
    assert '<html lang="zh' in chinese.text
    assert stack.web.request("GET", f"{link.path}?lang=%3Cscript%3E").status == 200


def test_n9_a_page_names_everything_that_is_missing_at_once(stack: Stack) -> None:
    link = Journey(stack).to_vps().link(VPS[0])
    without_reason = link.post({"choice": "reject"})
    assert without_reason.status == 422
    assert "须说明理由" in without_reason.words
    assert "请勾选确认" in without_reason.words
    nothing_chosen = link.post({"confirm": "yes"})
    assert nothing_chosen.status == 422
    assert "请先选择您的决定" in nothing_chosen.words


def test_n9_who_is_no_longer_asked_reads_where_the_application_stands_now(stack: Stack) -> None:
    story = Journey(stack).to_vps()
    story.by_link(VPS[0], "reject", "毛利过低")
    mail = stack.mailbox.wait(VPS[1], story.id, "无需再处理")
    assert "主管VP审核中" not in mail.text
    assert "已驳回" in mail.text


# ---- projects: every kind of field ----------------------------------------


MINE, THEIRS = "yang.fan", "xu.jing"


def by_link(story: ProjectJourney, person: str, typed: Mapping[str, str], nth: int = 1) -> Answer:
    """Open the page and send its inputs as they stand, with `typed` over them."""
    link = story.link(person, nth)
    shown = link.open()
    assert shown.status == 200, shown.words
    return link.post({**Inputs(shown.text).values, "confirm": "yes", **typed})


def mark_of(story: ProjectJourney, person: str, registration: str) -> str:
    """The name of the control that says what `registration` is."""
    values = Inputs(story.link(person).open().text).values
    return next(f"{name.removesuffix('.id')}.ruling" for name, value in values.items() if value == registration)


def test_p4_p5_p2_a_project_goes_from_assignment_to_approval_by_mail_alone(stack: Stack) -> None:
    """P4, P5, P2, P6, P9, A5: a person from a list, registrations marked, the form completed."""
    first = ProjectJourney(stack, "ma.chao").active(EAST_VP)
    story = ProjectJourney(stack, MINE, new_project(first.form["customer"]["name"]))
    story.reaches("assignment")
    assert by_link(story, COMMERCE_MANAGER, {"choice": "assign"}).status == 422  # nobody chosen
    assert by_link(story, COMMERCE_MANAGER, {"choice": "assign", "clerk": CLERK}).status == 200
    story.reaches("conflict_check")
    page = story.link(CLERK).open().words
    for shown in (first.form["name"], "马超", first.form["relationship"], story.form["relationship"], "登记先后"):
        assert shown in page
    marked = {mark_of(story, CLERK, first.id): "suspected"}
    assert by_link(story, CLERK, {"choice": "clear", **marked}).status == 422  # suspected and cleared at once
    assert by_link(story, CLERK, {"choice": "suspect", "reason": "客户相同", **marked}).status == 200
    story.reaches("conflict_confirmation")
    assert "客户相同" in story.link(EAST_VP).open().words
    assert by_link(story, EAST_VP, {"choice": "no_conflict"}).status == 200
    story.reaches("approval")
    assert by_link(story, NORTH_VP, {"choice": "hold", "reason": "请补充毛利"}).status == 200
    story.reaches("held")
    assert "请补充毛利" in story.link(MINE).open().words
    wrong = by_link(story, MINE, {"gross_margin": "很多"})
    assert wrong.status == 422
    assert "很多" in wrong.text
    assert by_link(story, MINE, {"gross_margin": "¥123,456.00"}).status == 200
    story.reaches("approval")
    assert by_link(story, NORTH_VP, {"choice": "approve"}, 2).status == 200
    done = story.reaches("active")
    assert done["form"]["gross_margin"] == "123456.00"
    assert done["number"]


def test_p5_a5_p2_a_clerk_names_what_was_not_found_and_a_renamed_project_comes_back(stack: Stack) -> None:
    """P5, A5, P2, P4: by its project number; the VP sees both sides; held, it is made into the other project."""
    theirs = new_project(vendor_position="原厂商支持马超团队")
    first = ProjectJourney(stack, "ma.chao", theirs).active(EAST_VP)
    number = first.seen_by("ma.chao")["number"]
    story = ProjectJourney(stack, MINE, new_project(vendor_position="原厂商支持杨帆团队")).to_clerk()
    named = {"choice": "suspect", "reason": "同一机房，客户写法不同"}
    wrong = by_link(story, CLERK, {**named, "suspects_others": "P2099-99999"})
    assert wrong.status == 422
    assert "没有找到“P2099-99999”" in wrong.words
    assert Inputs(wrong.text).values["suspects_others"] == "P2099-99999"
    assert by_link(story, CLERK, {**named, "suspects_others": number}).status == 200
    story.reaches("conflict_confirmation")
    mail = stack.mailbox.wait(EAST_VP, story.id, "请您处理")
    for shown in (story.link(EAST_VP).open().words, mail.text):
        assert 0 < shown.index("原厂商支持马超团队") < shown.rindex("原厂商支持杨帆团队")
        assert "由商务指明" in shown
    assert by_link(story, EAST_VP, {"choice": "no_conflict"}).status == 200
    story.reaches("approval")
    assert by_link(story, NORTH_VP, {"choice": "hold", "reason": "请补充"}).status == 200
    story.reaches("held")
    assert by_link(story, MINE, {"name": first.form["name"]}).status == 200
    story.to_clerk()
    (suspect,) = [
        choice for choice in stack.portal.open_task(CLERK, story.id)["choices"] if choice["choice"] == "suspect"
    ]
    assert first.id in suspect["fields"][0]["options"]


def test_d1_d3_both_sides_agree_on_a_split_by_mail_alone(stack: Stack) -> None:
    """D1, D3: a proposal made, and the very same proposal agreed to by the other side."""
    story = ProjectJourney(stack, MINE, new_project(named_account(stack, THEIRS)))
    story.reaches("disputed")
    short = by_link(
        story,
        MINE,
        {
            "choice": "propose",
            "responsible": MINE,
            "cooperation": "联合投标",
            "split.0.percent": "60",
            "split.1.percent": "39.99",
        },
    )
    assert short.status == 422
    assert "99.99" in short.words
    typed = {"split.0.percent": "60", "split.1.percent": "40"}
    assert (
        by_link(story, MINE, {"choice": "propose", "responsible": MINE, "cooperation": "联合投标", **typed}).status
        == 200
    )
    page = story.link(THEIRS, 2).open().words
    assert "联合投标" in page
    overtaken = story.link(THEIRS).open()
    assert "已有新的方案" in overtaken.words
    assert story.link(THEIRS, 2).path in overtaken.text, "where the newest text is (D1)"
    assert by_link(story, THEIRS, {"choice": "agree"}, 2).status == 200
    agreed = story.reaches("approval")["agreement"]
    assert [(share["person"]["id"], share["percent"]) for share in agreed["split"]] in (
        [(MINE, "60"), (THEIRS, "40")],
        [(THEIRS, "60"), (MINE, "40")],
    )
    old = story.link(THEIRS).open()
    assert "<form" not in old.text  # the request of before the text no longer counts
    assert agreed["responsible"]["id"] == MINE


def test_d2_a_meeting_is_called_and_recorded_by_mail_alone(stack: Stack) -> None:
    """D2, D3: when in the business time zone, whom, and what was decided."""
    story = ProjectJourney(stack, MINE, new_project(named_account(stack, THEIRS)))
    story.reaches("disputed")
    assert by_link(story, THEIRS, {"choice": "disagree", "reason": "无法一致"}).status == 200
    asking = story.link(COMMERCE_MANAGER).open()
    assert "无法一致" in asking.words
    suggested = [value for name, value in Inputs(asking.text).values.items() if name.startswith("participants.")]
    assert {COO, GENERAL_MANAGER, NORTH_VP, EAST_VP} <= set(suggested)
    past = by_link(story, COMMERCE_MANAGER, {"choice": "called", "starts_at": "2020-01-01T09:00", "place": "三楼"})
    assert past.status in (409, 422)
    called = by_link(story, COMMERCE_MANAGER, {"choice": "called", "starts_at": "2030-12-03T14:00", "place": "三楼"})
    assert called.status == 200, called.words
    meeting = story.reaches("disputed")["dispute"]["meeting"]
    assert meeting["starts_at"] == "2030-12-03T14:00:00+08:00"
    assert "三楼" in story.link(EAST_VP).open().words
    recorded = by_link(
        story, EAST_VP, {"choice": "record", "responsible": THEIRS, "summary": "由徐静负责", "split.0.percent": "100"}
    )
    assert recorded.status == 200, recorded.words
    assert story.reaches("approval")["salesperson"]["id"] == THEIRS


# ---- reviews (R1, R2) ----------------------------------------


SALESPERSON, DEPARTMENT_GM, VP = "yang.fan", "zhao.lei", "li.ming"


def send(link: PageLink, typed: Mapping[str, str]) -> Answer:
    """Open the page and send its inputs as they stand, with `typed` over them."""
    shown = link.open()
    assert shown.status == 200, shown.words
    return link.post({**Inputs(shown.text).values, "confirm": "yes", **typed})


@pytest.fixture(scope="module")
def held(stack: Stack) -> Journey:
    return Journey(stack, SALESPERSON).activate()


def test_r1_a_week_is_reported_and_planned_by_mail_alone(stack: Stack, held: Journey) -> None:
    before = stack.portal.call(SALESPERSON, "GET", f"/accounts/{held.id}").json["reviews"]
    stack.opens(Rhythm.WEEKLY)
    mine = stack.mailbox.link(SALESPERSON, "周回顾")
    assert held.customer in mine.open().words
    half = send(mine, {"accounts.0.work": "拜访信息中心"})
    assert half.status == 422
    assert "拜访信息中心" in half.text
    assert "进展：此项必填" in half.words
    done = send(mine, {"accounts.0.work": "拜访信息中心", "accounts.0.progress": "方案已提交"})
    assert done.status == 200
    assert "提交本周情况" in done.words
    assert "<form" not in mine.open().text  # answered: nothing is left to do here
    theirs = stack.mailbox.link(DEPARTMENT_GM, "周回顾", held.customer)
    shown = theirs.open().words
    assert "拜访信息中心" in shown
    assert "方案已提交" in shown
    assert send(theirs, {"accounts.0.plan": "约见分管领导"}).status == 200
    said = stack.portal.call(SALESPERSON, "GET", f"/accounts/{held.id}").json["reviews"]
    assert [review["fields"] for review in said if review not in before] == [
        {"plan": "约见分管领导"},
        {"work": "拜访信息中心", "progress": "方案已提交"},
    ]


def test_r2_a_month_is_judged_and_the_next_one_set_by_mail_alone(stack: Stack, held: Journey) -> None:
    stack.opens(Rhythm.MONTHLY)
    link = stack.mailbox.link(VP, "月度回顾", held.customer)
    assert "目标与完成" in link.open().words
    typed = {
        "accounts.0.plan_progress": "behind",
        "accounts.0.action_plan": "完成方案评审",
        "accounts.0.target_contracts": "¥1,250,000.00",
        "accounts.0.target_revenue": "很多",
    }
    wrong = send(link, typed)
    assert wrong.status == 422
    assert Inputs(wrong.text).values["accounts.0.plan_progress"] == "behind"
    assert "很多" in wrong.text
    assert send(link, typed | {"accounts.0.target_revenue": "300000"}).status == 200
    (target,) = stack.portal.call(SALESPERSON, "GET", f"/accounts/{held.id}").json["targets"]
    assert (target["contracts"], target["revenue"]) == ("1250000.00", "300000.00")
    assert target["action_plan"] == "完成方案评审"
    assert target["set_by"]["id"] == VP

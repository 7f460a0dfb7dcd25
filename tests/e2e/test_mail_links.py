"""The page behind a mail's link: looking changes nothing, answering needs a choice and a confirmation."""

from __future__ import annotations

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from crypto.keyring import Keyring
from crypto.links import link_token
from embedded.driver import Answer, PageLink
from tests.e2e.journey import CLERK, VPS, Journey
from tests.e2e.stack import Stack

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
    assert calm(page)
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

"""The inbox in a browser: lists, details, decisions by mouse and by keyboard alone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SeatMaker
from tests.e2e.support.journey import Journey
from tests.e2e.support.stack import Stack


@pytest.mark.parametrize(("width", "script", "language"), [(1440, True, "zh"), (360, True, "zh"), (1440, False, "en")])
def test_n6_both_vps_decide_in_their_inbox(
    seat: SeatMaker, stack: Stack, width: int, script: bool, language: str
) -> None:
    story = Journey(stack, "zhou.min").to_vps()
    for vp in ("li.ming", "wang.fang"):
        here = seat(width=width, script=script)
        page = here.sign_in(vp, "/inbox")
        if language == "en":
            page.get_by_role("button", name="English").click()
        if script:
            here.is_accessible()
            here.fits()
        page.locator(".rows-of-inbox a", has_text=story.customer).click()
        expect(page.locator("#detail h1")).to_contain_text(story.customer)
        if script:
            here.is_accessible()
            here.fits()
        page.locator('#detail input[name="choice"][value="approve"]').check()
        page.locator("#detail form button").last.click()
        expect(page.locator("#detail .errors")).to_be_visible()  # not confirmed yet
        page.locator('#detail input[name="confirm"]').check()
        page.locator("#detail form button").last.click()
        page.wait_for_url(re.compile(r"done="))
        expect(page.locator(".done")).to_be_visible()
        page.goto(f"{here.address}/inbox?list=decided")
        expect(page.locator(".rows-of-inbox a", has_text=story.customer)).to_be_visible()
    story.reaches("active")


def test_n6_an_inbox_of_twenty_is_decided_by_keyboard_alone(seat: SeatMaker, stack: Stack) -> None:
    stories = [Journey(stack, "huang.lei").to_vps() for _ in range(20)]
    here = seat()
    page = here.sign_in("li.ming", "/inbox")
    keys = page.keyboard
    page.wait_for_load_state()  # the script that listens has run
    before = page.locator(".rows-of-inbox a").count()
    keys.press("j")
    ticked = page.locator('.rows-of-inbox input[name="task"]').first
    for expected in (True, False):
        keys.press("x")
        assert ticked.is_checked() is expected
    keys.press("Enter")
    for _ in stories:
        expect(page.locator("#detail h1")).to_be_visible()
        address = page.url
        keys.press("a")
        assert page.evaluate("document.activeElement.value") == "approve"
        while page.evaluate("document.activeElement.name") != "confirm":
            keys.press("Tab")
        keys.press("Space")
        keys.press("Enter")
        page.wait_for_url(re.compile(f"^(?!{re.escape(address)}$)"))
        expect(page.locator(".done")).to_be_visible()
    page.goto(f"{here.address}/inbox")
    assert page.locator(".rows-of-inbox a").count() == before - len(stories)


def test_x2_a_link_of_another_person_is_refused_to_whoever_is_signed_in(seat: SeatMaker, stack: Stack) -> None:
    story = Journey(stack, "zhou.min").to_vps()
    link = story.link("wang.fang")
    here = seat()
    here.sign_in("li.ming")
    here.open(link.path)
    assert here.page.locator("h1").inner_text() == "这是他人的链接"
    assert "王芳" in here.page.locator("main").inner_text()
    assert here.page.locator("form input[name=choice]").count() == 0


@pytest.mark.parametrize(("width", "script"), [(1440, True), (360, True), (360, False)])
def test_n6_several_are_decided_at_once_after_a_look_at_each(
    seat: SeatMaker, stack: Stack, width: int, script: bool
) -> None:
    stories = [Journey(stack, "he.xin").to_vps() for _ in range(2)]
    here = seat(width=width, script=script)
    page = here.sign_in("wang.fang", "/inbox?order=newest")
    for story in stories:
        page.locator(".rows-of-inbox li", has_text=story.customer).locator('input[name="task"]').check()
    page.get_by_role("button", name="一并处理所选").click()
    if script:
        here.is_accessible()
        here.fits()
    expect(page.locator(".together .card")).to_have_count(2)
    page.get_by_role("button", name="确认处理这 2 项").click()
    for story in stories:
        expect(page.locator(".together .card", has_text=story.customer)).to_contain_text("已记录：同意")
    if script:
        here.is_accessible()
        here.fits()

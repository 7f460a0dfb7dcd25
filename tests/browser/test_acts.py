"""Every act of a salesperson, a VP and the general manager in a browser, from signing in to its effect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Seat, SeatMaker
from tests.e2e.support.journey import GENERAL_MANAGER, VPS, Journey
from tests.e2e.support.project_journey import EAST_VP, NORTH_VP, ProjectJourney, named_account, new_project
from tests.e2e.support.stack import Stack

WAYS: Final = (
    {"width": 1440, "script": True, "english": False},
    {"width": 360, "script": False, "english": True},
)
"""On a desk and a phone, with script and without, in both languages."""


@pytest.fixture(params=WAYS, ids=lambda way: f"{way['width']}{'' if way['script'] else ' no script'}")
def way(request: pytest.FixtureRequest) -> Mapping[str, object]:
    chosen: Mapping[str, object] = request.param
    return chosen


def sit(seat: SeatMaker, way: Mapping[str, object], person: str, path: str) -> Seat:
    """`person` in front of `path`, which is accessible and fits."""
    here = seat(width=way["width"], script=way["script"])
    page = here.sign_in(person, path)
    if way["english"]:
        page.get_by_role("button", name="English").click()
    looks_right(here, way)
    return here


def looks_right(here: Seat, way: Mapping[str, object]) -> None:
    expect(here.page.locator("h1")).to_have_count(1)
    if way["script"]:  # both are asked by script
        here.is_accessible()
        here.fits()


def does(here: Seat, way: Mapping[str, object], path: str, fields: Mapping[str, str]) -> Page:
    """Follow the link to an act on the page of its subject, fill it in, and wait until it is recorded."""
    page = here.page
    page.locator(f'a[href="{path}"]').first.click()
    expect(page).to_have_url(re.compile(re.escape(path)))
    looks_right(here, way)
    for name, value in fields.items():
        given = page.locator(f'.act-form [name="{name}"]')
        if given.evaluate("element => element.tagName") == "SELECT":
            given.select_option(value)
        else:
            given.fill(value)
    page.locator(".act-form button").last.click()
    subject = path.rpartition("/")[0]
    expect(page).to_have_url(re.compile(rf"{re.escape(subject)}\?done=|/receipts/"))
    looks_right(here, way)
    return page


def decides(here: Seat, way: Mapping[str, object], name: str, choice: str) -> None:
    """Decide the task about `name` in the inbox."""
    page = here.page
    page.locator(".rows-of-inbox a", has_text=name).first.click()
    page.locator(f'#detail input[name="choice"][value="{choice}"]').check()
    page.locator('#detail input[name="confirm"]').check()
    page.locator("#detail form button").last.click()
    expect(page.locator(".done")).to_be_visible()
    looks_right(here, way)


def test_n13_an_application_is_withdrawn(seat: SeatMaker, stack: Stack, way: Mapping[str, object]) -> None:
    story = Journey(stack, "zhou.min")
    story.reaches("commerce_check")
    here = sit(seat, way, "zhou.min", f"/applications/{story.id}")
    does(here, way, f"/applications/{story.id}/withdraw", {"reason": "客户合并"})
    story.reaches("withdrawn")


def test_n10_a_rejection_is_appealed_against_and_decided_by_the_general_manager(
    seat: SeatMaker, stack: Stack, way: Mapping[str, object]
) -> None:
    story = Journey(stack, "he.xin").to_vps()
    story.answer(VPS[0], "reject", "毛利过低")
    story.reaches("rejected")
    here = sit(seat, way, "he.xin", f"/applications/{story.id}")
    does(here, way, f"/applications/{story.id}/appeal", {"reason": "已签框架协议"})
    story.reaches("gm_appeal")
    chair = sit(seat, way, GENERAL_MANAGER, "/inbox?order=newest")
    decides(chair, way, story.customer, "approve")
    assert story.reaches("active")["account_id"]


def test_u1_u7_u8_a_project_is_updated_its_contract_handed_in_and_another_lost(
    seat: SeatMaker, stack: Stack, way: Mapping[str, object]
) -> None:
    won, lost = (ProjectJourney(stack, "yang.fan").active() for _ in range(2))
    here = sit(seat, way, "yang.fan", f"/projects/{won.id}")
    does(here, way, f"/projects/{won.id}/update", {"progress": "完成方案", "next_steps": "报价"})
    here.open(f"/projects/{won.id}")
    contract = {"amount": "2600000", "contract_number": "HT-2026-119"}
    does(here, way, f"/projects/{won.id}/contract", contract)
    here.open(f"/projects/{lost.id}")
    does(here, way, f"/projects/{lost.id}/loss", {"reason": "价格高于竞争对手", "competitor": "某集成商"})
    lost.reaches("ended")
    assert stack.portal.open_task("gao.yuan", won.id)["kind"] == "contract_review"


def test_p8_a_refusal_is_objected_to(seat: SeatMaker, stack: Stack, way: Mapping[str, object]) -> None:
    first = ProjectJourney(stack, "yang.fan").active()
    story = ProjectJourney(stack, "xu.jing", new_project(first.form["customer"]["name"])).suspected(first.id)
    story.answer(NORTH_VP, "conflict", "同一个项目")
    story.reaches("refused")
    here = sit(seat, way, "xu.jing", f"/projects/{story.id}")
    does(here, way, f"/projects/{story.id}/object", {"reason": "不同的机房"})
    story.reaches("objection")


def test_d1_d2_two_salespeople_agree_and_a_vp_asks_for_the_meeting(
    seat: SeatMaker, stack: Stack, way: Mapping[str, object]
) -> None:
    story = ProjectJourney(stack, "xu.jing", new_project(named_account(stack, "zhu.hong")))
    story.reaches("disputed")
    theirs = sit(seat, way, "xu.jing", f"/projects/{story.id}")
    proposal = {"responsible": "zhu.hong", "cooperation": "朱红主导，徐静支持"}
    shares = {
        f"split.{number}.{part}": value
        for number, share in enumerate((("zhu.hong", "70"), ("xu.jing", "30")))
        for part, value in zip(("person", "percent"), share, strict=True)
    }
    does(theirs, way, f"/projects/{story.id}/agree", proposal | shares)
    mine = sit(seat, way, "zhu.hong", f"/projects/{story.id}")
    expect(mine.page.locator("#dispute")).to_contain_text("朱红主导，徐静支持")
    does(mine, way, f"/projects/{story.id}/agree", {})
    story.reaches("approval")
    chair = sit(seat, way, EAST_VP, f"/projects/{story.id}")
    does(chair, way, f"/projects/{story.id}/meeting", {"reason": "两个大区，需要协调"})
    story.reaches("disputed")

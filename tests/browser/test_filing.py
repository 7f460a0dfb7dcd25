"""Applying for a Named Account, and registering a project, in a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WIDTHS, SeatMaker
from tests.browser.forms import fill_in
from tests.e2e.support.journey import Journey
from tests.e2e.support.names import company_name
from tests.e2e.support.project_journey import new_project
from tests.e2e.support.stack import Stack, new_form


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("width", WIDTHS)
def test_n1_a_salesperson_applies_with_a_preview_of_who_decides(
    seat: SeatMaker, stack: Stack, width: int, script: bool
) -> None:
    here, form = seat(width=width, script=script), new_form()
    page = here.sign_in("yang.fan", "/apply")
    page.get_by_role("button", name="下一步").last.click()
    wrong = page.locator(".card.errors li")
    expect(wrong.nth(9)).to_be_visible()  # every field that is missing, at once
    wrong.first.get_by_role("link").click()
    assert "#f-" in page.url
    if script:
        here.is_accessible()
        here.fits()
    fill_in(page, form)
    page.get_by_role("button", name="下一步").last.click()
    steps = page.locator(".steps li")
    expect(steps.locator("strong")).to_have_text(["商务核查", "主管VP审核"])
    assert "李明、王芳" in steps.nth(1).inner_text()
    if script:
        here.is_accessible()
        here.fits()
    page.get_by_role("button", name="返回修改").click()
    expect(page.locator('[name="customer.name"]')).to_have_value(form["customer"]["name"])
    page.get_by_role("button", name="下一步").last.click()
    page.get_by_role("button", name="确认提交").click()
    page.wait_for_url(re.compile(r"/applications/[0-9a-f]{16}"))
    [applied] = [
        row
        for row in stack.portal.call("yang.fan", "GET", "/applications").json["items"]
        if row["customer_name"] == form["customer"]["name"]
    ]
    assert applied["id"] in page.url
    assert form["customer"]["name"] not in here.open("/apply").locator("main").inner_text(), "the draft is gone"


def test_n3_the_form_looks_for_conflicts_and_saves_itself_while_somebody_types(seat: SeatMaker) -> None:
    here, name = seat(), company_name()
    page = here.sign_in("yang.fan", "/apply")
    page.locator('[name="customer.name"]').press_sequentially(name, delay=5)
    expect(page.locator("#conflicts .card")).to_be_visible()
    expect(page.locator("#saved")).to_contain_text("草稿已自动保存")
    assert page.evaluate("document.activeElement.name") == "customer.name", "the focus stays"
    page.get_by_role("button", name="退出").click()
    here.sign_in("yang.fan", "/apply").get_by_role("link", name=name).click()
    assert page.locator('[name="customer.name"]').input_value() == name
    other, draft = seat(), page.url
    other.sign_in("xu.jing").goto(draft)
    assert other.page.locator("h1").inner_text() == "没有找到"
    manager = seat()
    manager.sign_in("li.ming", "/apply")
    assert manager.page.locator("h1").inner_text() == "您无权进行此操作"


def test_p4_a_project_is_registered_and_the_preview_says_who_looks_at_it(seat: SeatMaker) -> None:
    here, form = seat(), new_project()
    page = here.sign_in("yang.fan", "/register")
    page.get_by_role("button", name="English").click()
    assert page.locator("h1").inner_text() == "Register a project"
    fill_in(page, form)
    page.locator('button[name="step"][value="preview"]').last.click()
    steps = page.locator(".steps li")
    assert steps.count() == 3, "P4: commerce assigns a clerk, who looks for conflicts; then the VP"
    assert "whoever the commerce manager assigns" in steps.nth(1).inner_text()
    here.is_accessible()
    page.locator('button[name="step"][value="submit"]').click()
    page.wait_for_url(re.compile(r"/projects/[0-9a-f]{16}"))


def test_n3_the_conflict_check_finds_while_somebody_types(seat: SeatMaker, stack: Stack) -> None:
    story = Journey(stack, "zhou.min")
    story.reaches("commerce_check")
    here = seat()
    page = here.sign_in("xu.jing")
    here.open("/check")
    here.is_accessible()
    page.locator("#f-customer").press_sequentially(story.customer)
    expect(page.locator("#result")).to_contain_text("受保护，登记在先")
    expect(page.locator("#f-customer")).to_be_focused()
    here.is_accessible()

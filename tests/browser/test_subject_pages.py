"""Lists, subject pages and forms of acts in a browser: with script and without, on a desk and on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WIDTHS, SeatMaker
from tests.e2e.support.journey import Journey
from tests.e2e.support.project_journey import ProjectJourney
from tests.e2e.support.stack import Stack

LISTS = ("/applications", "/accounts", "/projects", "/projects?view=board", "/updates")


@pytest.fixture(scope="module")
def project(stack: Stack) -> ProjectJourney:
    """An active project of yang.fan."""
    return ProjectJourney(stack, "yang.fan").active()


@pytest.fixture(scope="module")
def application(stack: Stack) -> Journey:
    """An application of yang.fan that commerce has."""
    story = Journey(stack)
    story.reaches("commerce_check")
    return story


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_x4_every_page_is_accessible_and_fits(
    seat: SeatMaker, project: ProjectJourney, application: Journey, width: int, language: str
) -> None:
    here = seat(width=width)
    page = here.sign_in("yang.fan")
    if language == "en":
        page.get_by_role("button", name="English").click()
    of_project = [f"/projects/{project.id}{act}" for act in ("", "/update", "/contract", "/loss", "/withdraw")]
    of_application = [f"/applications/{application.id}{act}" for act in ("", "/withdraw", "/appeal")]
    for path in (*LISTS, *of_project, *of_application):
        here.open(path)
        assert page.locator("h1").count() == 1, path
        here.is_accessible()
        here.fits()


def test_u1_an_update_is_saved_in_place_and_the_focus_stays_in_its_row(seat: SeatMaker, stack: Stack) -> None:
    story = ProjectJourney(stack, "huang.lei").active()
    here = seat()
    page = here.sign_in("huang.lei", "/updates")
    row = page.locator(f"#project-{story.id}")
    row.get_by_role("button", name=re.compile("^保存")).click()
    expect(row.locator(".error").first).to_be_visible()
    expect(row.locator("h2")).to_be_focused()
    row.get_by_label("本周进展").fill("完成现场勘察")
    row.get_by_label("下一步计划").fill("提交方案")
    row.get_by_role("button", name=re.compile("^保存")).click()
    expect(row.locator(".done")).to_be_visible()
    expect(row.locator("h2")).to_be_focused()
    expect(row.locator(".last-week")).to_contain_text("完成现场勘察")
    assert page.url.endswith("/updates")
    here.is_accessible()
    assert story.seen_by("huang.lei")["updates"][0]["progress"] == "完成现场勘察"


def test_u1_an_update_is_saved_without_script(seat: SeatMaker, stack: Stack) -> None:
    story = ProjectJourney(stack, "zhou.min").active()
    here = seat(width=360, script=False)
    page = here.sign_in("zhou.min", "/updates")
    page.locator(f"#project-{story.id}").get_by_role("button", name=re.compile("^本周无变化")).click()
    expect(page.locator(f"#project-{story.id} .done")).to_be_visible()
    assert story.seen_by("zhou.min")["updates"][0]["progress"] == "本周无变化。"

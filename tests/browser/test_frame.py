"""The frame of the console in a browser: signing in, the languages, signing out."""

from __future__ import annotations

import pytest

from tests.browser.conftest import WIDTHS, SeatMaker


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("width", WIDTHS)
def test_x4_somebody_signs_in_changes_the_language_and_signs_out(seat: SeatMaker, width: int, script: bool) -> None:
    here = seat(width=width, script=script)
    page = here.sign_in("yang.fan")
    assert page.url == f"{here.address}/"
    assert page.locator("h1").inner_text() == "工作台"
    if script:
        here.is_accessible()
        here.fits()
    page.get_by_role("button", name="English").click()
    assert page.locator("h1").inner_text() == "Desk"
    page.get_by_role("link", name="My sessions").click()
    assert page.locator("main li").count() == 1
    if script:
        here.is_accessible()
        here.fits()
    page.get_by_role("button", name="Sign out", exact=True).click()
    here.open("/session")
    assert page.url.startswith(f"{here.address}/dev/sign-in")

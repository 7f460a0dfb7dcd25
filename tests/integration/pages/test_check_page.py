"""The conflict check in the console: no token is asked for, and the page of another site cannot use it."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.conflicts.collisions import keyed_parties
from db.accounts import applications
from tests.integration.accounts.account_ground import add_account
from tests.integration.pages.page_door import Pages, words
from tests.integration.projects.project_door import APPLICANT, HOLDER, NOW
from tests.samples import application_form

CUSTOMER = "杭州海棠纺织有限公司"


async def taken(connection: AsyncConnection) -> None:
    await add_account(connection, "taken", CUSTOMER, salesperson=HOLDER)
    parties = keyed_parties(application_form(CUSTOMER))
    await applications.set_parties(connection, "account", "taken", parties, since=NOW, live=True)
    await connection.commit()


async def test_n3_whoever_is_signed_in_looks_without_a_token(connection: AsyncConnection, pages: Pages) -> None:
    await taken(connection)
    empty = await pages.get(APPLICANT, "/check")
    assert 'name="token"' not in empty.text
    assert 'href="/inbox"' in empty.text
    assert "script-src 'self'" in empty.headers["content-security-policy"]
    found = await pages.post(APPLICANT, "/check", {"customer": CUSTOMER})
    assert "受保护，登记在先" in words(found)
    assert 'class="grave"' in found.text
    mine = await pages.post(HOLDER, "/check", {"customer": CUSTOMER})
    assert "您登记的" in words(mine)
    part = await pages.post(APPLICANT, "/check", {"customer": CUSTOMER}, **{"X-Part": "result"})
    assert "<html" not in part.text
    assert "受保护，登记在先" in words(part)


async def test_x2_a_page_of_another_site_cannot_look(pages: Pages) -> None:
    refused = await pages.post(APPLICANT, "/check", {"customer": CUSTOMER}, **{"Sec-Fetch-Site": "cross-site"})
    assert refused.status_code == 403
    without = await pages.post(APPLICANT, "/check", {"customer": CUSTOMER, "csrf": "x"})
    assert without.status_code == 403


async def test_n3_what_cannot_be_looked_up_is_said_and_kept(pages: Pages) -> None:
    wrong = await pages.post(APPLICANT, "/check", {"customer": CUSTOMER, "uscc": "123"})
    assert wrong.status_code == 422
    assert 'role="alert"' in wrong.text
    assert CUSTOMER in wrong.text

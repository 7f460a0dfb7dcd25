"""What a salesperson reads before they submit: who decides, and what is asked in addition or refused."""

from __future__ import annotations

import re
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.conflicts.collisions import keyed_parties
from api.conflicts.matches_now import look
from conflicts.inquiry import Inquiry
from db.accounts import applications
from db.conflicts import rulings
from db.conflicts.rulings import RulingRow
from domain.conflicts.draft import ConflictDraft
from domain.conflicts.rulings import Ruling
from domain.policy import load_policy
from tests.integration.accounts.account_ground import add_account
from tests.integration.pages.page_door import Pages, words
from tests.integration.projects.project_door import APPLICANT, CLERK, HOLDER, NOW
from tests.samples import application_body, application_form, project_body
from web.forms.form import flatten

CUSTOMER = "杭州海棠纺织有限公司"


async def preview(pages: Pages, person: str, path: str, form: dict[str, str]) -> httpx.Response:
    shown = await pages.get(person, path)
    draft = re.findall(r'name="draft" value="([0-9a-f]+)"', shown.text)[0]
    return await pages.post(person, path, {**form, "draft": draft, "step": "preview"})


def application(**changes: str) -> dict[str, str]:
    return {**of_another_customer(application_body()), **changes}


def of_another_customer(body: dict[str, Any]) -> dict[str, str]:
    """A form as a browser sends it, without the companies of the sample: lists that are left empty have a blank row."""
    kept = {name: value for name, value in flatten(body).items() if not name.startswith("customer.related_parties")}
    return {**kept, "customer.uscc": "", "customer.related_parties.0.name": "", "customer.aliases.0": ""}


async def taken(connection: AsyncConnection) -> None:
    """Somebody else has an account of `CUSTOMER`, which detection finds."""
    await add_account(connection, "taken", CUSTOMER, salesperson=HOLDER)
    parties = keyed_parties(application_form(CUSTOMER))
    await applications.set_parties(connection, "account", "taken", parties, since=NOW, live=True)
    await connection.commit()


async def cleared(connection: AsyncConnection, project: dict[str, Any]) -> None:
    """Commerce has said that the customer of `project` is another company than that of the account."""
    inquiry = Inquiry.about(ConflictDraft.model_validate({**project, "project": project}))
    found, _ = await look(connection, inquiry, now=NOW, bounds=load_policy().matching)
    await rulings.add(
        connection,
        [
            RulingRow(
                fingerprint=link.fingerprint,
                ruling=Ruling.CLEARED,
                person=CLERK,
                at=NOW,
                reason="两家公司，地址不同",
                task_id="t1",
                subject_id="p1",
                other_type="account",
                other_id="taken",
            )
            for match in found
            for link in match.links
        ],
    )
    await connection.commit()


async def test_n8_the_sixth_account_asks_for_the_general_manager(connection: AsyncConnection, pages: Pages) -> None:
    form = application(**{"customer.name": CUSTOMER})
    before = words(await preview(pages, APPLICANT, "/apply", form))
    assert "总经理加批（N8）" not in before
    for number in range(2, 6):
        await add_account(connection, f"account-{number}", f"第{number}家纺织有限公司", slot=number)
    await connection.commit()
    sixth = words(await preview(pages, APPLICANT, "/apply", form))
    assert "总经理加批（N8）" in sixth
    assert "张伟" in sixth


async def test_n14_a_customer_that_is_taken_is_said_before_submitting(
    connection: AsyncConnection, pages: Pages
) -> None:
    await taken(connection)
    form = application(**{"customer.name": CUSTOMER})
    assert "以先登记者为准" in words(await preview(pages, APPLICANT, "/apply", form))
    assert "已是您名下的大客户" in words(await preview(pages, HOLDER, "/apply", form))


async def test_n3_n14_an_account_of_a_related_party_is_said_before_submitting(
    connection: AsyncConnection, pages: Pages
) -> None:
    await taken(connection)
    form = application(**{"customer.name": "青岛远帆集团有限公司"})
    assert "以先登记者为准" not in words(await preview(pages, APPLICANT, "/apply", form))
    related = {"customer.related_parties.0.name": CUSTOMER, "customer.related_parties.0.relation": "subsidiary"}
    assert "以先登记者为准" in words(await preview(pages, APPLICANT, "/apply", {**form, **related}))


async def test_n14_p3_an_account_that_commerce_has_cleared_alarms_nobody(
    connection: AsyncConnection, pages: Pages
) -> None:
    """Not even those who may not see whose it is."""
    await taken(connection)
    project = {**project_body(), "name": "织造车间无线网络", "products": ["无线控制器"]}
    project["customer"] = {**project["customer"], "name": CUSTOMER, "uscc": ""}
    form = of_another_customer(project)
    before = await preview(pages, APPLICANT, "/register", form)
    assert 'class="grave"' in before.text
    assert "双方先协商业绩分配（P3）" in words(before)
    await cleared(connection, project)
    after = await preview(pages, APPLICANT, "/register", form)
    assert "受保护，登记在先" in words(after), "still shown"
    assert 'class="grave"' not in after.text
    assert "card bad" not in after.text
    assert "双方先协商业绩分配（P3）" not in words(after)
    assert "P4" in words(after), "as for a customer without an account"


async def test_e2_e3_what_is_refused_outright_is_said_at_its_field(pages: Pages) -> None:
    form = application(**{"customer.industry": "power", "centralised_procurement": "true"})
    refused = await preview(pages, APPLICANT, "/apply", form)
    assert refused.status_code == 422
    assert 'href="#f-centralised_procurement"' in refused.text


async def test_p1_p3_the_preview_of_a_project_follows_from_whose_account_it_is(
    connection: AsyncConnection, pages: Pages
) -> None:
    await taken(connection)
    form = {**of_another_customer(project_body()), "customer.name": CUSTOMER}
    mine = words(await preview(pages, HOLDER, "/register", form))
    assert "由主管VP直接审批（P1）" in mine
    others = words(await preview(pages, APPLICANT, "/register", form))
    assert "双方先协商业绩分配（P3）" in others

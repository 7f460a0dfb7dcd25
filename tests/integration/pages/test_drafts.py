"""Drafts: kept by themselves, deleted by whoever wrote them, and not without end."""

from __future__ import annotations

import re

from sqlalchemy.ext.asyncio import AsyncConnection

from db import drafts
from db.drafts import MOST_KEPT, DraftRow
from tests.integration.pages.page_door import Pages, words
from tests.integration.projects.project_door import APPLICANT, HOLDER, NOW


def draft(number: int, person: str = APPLICANT) -> DraftRow:
    fields = {"customer.name": f"第{number}家客户"}
    return DraftRow(
        id=f"{number:032x}",
        person=person,
        kind="application",
        title=fields["customer.name"],
        fields=fields,
        saved_at=NOW,
    )


async def kept(connection: AsyncConnection, person: str) -> int:
    await connection.rollback()
    return len(await drafts.of_person(connection, person, "application"))


async def test_n1_whoever_wrote_a_draft_deletes_it_and_nobody_else(connection: AsyncConnection, pages: Pages) -> None:
    await drafts.save(connection, draft(1))
    await connection.commit()
    shown = await pages.get(APPLICANT, "/apply")
    (address,) = re.findall(r'action="(/apply/draft/[0-9a-f]+/drop)"', shown.text)
    await pages.post(HOLDER, address, {}, form_on="/apply")
    assert await kept(connection, APPLICANT) == 1
    assert (await pages.post(APPLICANT, address, {}, form_on="/apply")).status_code == 303
    assert await kept(connection, APPLICANT) == 0
    assert "第1家客户" not in words(await pages.get(APPLICANT, "/apply"))


async def test_n1_one_draft_too_many_is_not_kept_and_said_so(connection: AsyncConnection, pages: Pages) -> None:
    for number in range(MOST_KEPT):
        assert await drafts.save(connection, draft(number))
    await connection.commit()
    refused = await pages.post(
        APPLICANT, "/apply/draft", {"draft": "f" * 32, "customer.name": "又一家客户"}, form_on="/apply"
    )
    assert "草稿未能保存" in refused.text
    again = await pages.post(
        APPLICANT, "/apply/draft", {"draft": f"{1:032x}", "customer.name": "改名客户"}, form_on="/apply"
    )
    assert "草稿未能保存" not in again.text, "one that is kept may change"
    assert await kept(connection, APPLICANT) == MOST_KEPT

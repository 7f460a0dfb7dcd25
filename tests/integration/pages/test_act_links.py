"""The personal links of notices: whom they lead where, without a session; and a new link for one that has expired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretBytes
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crypto.keyring import Keyring
from crypto.links import link_token
from db import messages
from db.disputes import disputes
from db.messages import MailRow
from db.projects import projects
from db.tables.messages import mail
from db.tasks import tasks
from domain.notices import LinkedAct, Notice
from domain.projects.project import ProjectStage
from domain.tasks.task import TaskKind, TaskStatus
from tests.inputs import Inputs
from tests.integration.pages.page_door import Pages, words
from tests.integration.projects.project_door import (
    APPLICANT,
    HOLDER,
    NOW,
    VP,
    Call,
    asked,
    dispute,
    door,
    filled,
    row,
    task,
)

KEYS = Keyring((("1", SecretBytes(bytes(range(7, 39)))),))
OLD = NOW - timedelta(days=61)
UPDATE, MEETING, EXPIRED = (f"/a/{link_token(link, KEYS)}" for link in ("update", "meeting", "expired"))
ASKED = f"/d/{link_token('t1-old', KEYS)}"


def notice(link: str, kind: Notice, act: LinkedAct, subject: str, person: str, at: datetime = NOW) -> MailRow:
    facts = {"kind": kind.value, "act": act.value, "subject_type": "project", "subject_id": subject}
    key = f"{kind}:{subject}:{person}:{link}"
    return MailRow(
        key=key, subject_id=subject, person=person, facts=facts, link_id=None, act_link_id=link, created_at=at
    )


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with filled(engine) as tx:
        await projects.add(tx, row("p1", stage=ProjectStage.ACTIVE, updated_at=NOW))
        await projects.add(tx, row("p2", stage=ProjectStage.DISPUTED))
        await projects.add(tx, row("p3"))
        await disputes.add(tx, dispute("p2"))
        person = asked("t1", VP).model_copy(update={"link_id": "t1-old", "link_expires_at": NOW})
        await tasks.open_task(tx, task("t1", TaskKind.PROJECT_APPROVAL, subject="p3"), [person])
        asking = {"kind": "task", "subject_type": "project", "subject_id": "p3", "task_kind": "project_approval"}
        await messages.queue(
            tx,
            [
                notice("update", Notice.SILENT_TWO_WEEKS, LinkedAct.UPDATE, "p1", APPLICANT),
                notice("expired", Notice.SILENT_TWO_WEEKS, LinkedAct.UPDATE, "p1", APPLICANT, OLD),
                notice("meeting", Notice.REGISTERED_UNDER_ACCOUNT, LinkedAct.MEETING, "p2", VP),
                MailRow(
                    key=f"task:t1:{VP}:0", subject_id="p3", person=VP, facts=asking, link_id="t1-old", created_at=OLD
                ),
            ],
        )
        await tx.commit()
        yield tx


@pytest.fixture
async def call(connection: AsyncConnection, engine: AsyncEngine, database_url: str) -> AsyncIterator[Call]:
    assert not connection.closed, "filled before anybody looks"
    async with door(
        engine, database_url, base_url="http://here", link_keys=KEYS, seal_keys=KEYS, public_url="http://here"
    ) as asking:
        yield asking


async def sent(connection: AsyncConnection) -> Sequence[Any]:
    """The mails queued by what a page did, oldest first."""
    await connection.rollback()
    return (await connection.execute(select(mail).where(mail.c.created_at == NOW, mail.c.key.like("%renewed%")))).all()


async def test_u1_the_link_of_a_reminder_opens_the_form_without_signing_in(call: Call) -> None:
    page = await call(HOLDER, "GET", UPDATE)  # whoever holds it: the link is the authority
    assert page.status_code == 200
    assert {"progress", "next_steps"} <= Inputs(page.text).values.keys()
    assert f'action="{UPDATE}"' in page.text
    assert 'aria-label="导航"' not in page.text
    assert "set-cookie" not in page.headers
    english = await call(HOLDER, "GET", f"{UPDATE}?lang=en")
    assert "Update" in words(english)


async def test_d2_a_vp_who_is_told_asks_for_the_meeting_by_the_link(call: Call) -> None:
    page = await call(HOLDER, "GET", MEETING)
    assert page.status_code == 200
    assert "reason" in Inputs(page.text).values


@pytest.mark.parametrize("path", ["/a/forged", f"/a/{link_token('unknown', KEYS)}", f"/a/{link_token('t1-old', KEYS)}"])
async def test_a_link_that_is_not_ours_leads_nowhere(call: Call, path: str) -> None:
    for method in ("GET", "POST"):
        assert (await call(APPLICANT, method, path)).status_code == 404


async def test_a_post_from_another_site_or_without_the_page_does_nothing(call: Call) -> None:
    form = Inputs((await call(HOLDER, "GET", UPDATE)).text).values
    typed = {**form, "progress": "完成方案", "next_steps": "报价"}
    without = {name: value for name, value in typed.items() if name != "csrf"}
    assert (await call(HOLDER, "POST", UPDATE, data=without)).status_code == 403
    elsewhere = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert (await call(HOLDER, "POST", UPDATE, data=typed, headers=elsewhere)).status_code == 403


async def test_u1_bad_input_is_shown_beside_its_field_and_kept(call: Call) -> None:
    form = Inputs((await call(HOLDER, "GET", UPDATE)).text).values
    wrong = await call(HOLDER, "POST", UPDATE, data={**form, "progress": "完成方案", "amount": "很多"})
    assert wrong.status_code == 422
    assert "完成方案" in wrong.text
    assert {"f-amount", "f-next_steps"} <= set(Inputs(wrong.text).anchors)


async def test_in_the_session_of_another_person_it_says_so_and_refuses(call: Call, engine: AsyncEngine) -> None:
    pages = Pages(engine, call)
    refused = await pages.get(HOLDER, UPDATE)
    assert refused.status_code == 403
    assert "徐静" in words(refused)
    assert (await pages.get(APPLICANT, UPDATE)).status_code == 200


async def test_an_expired_link_to_an_act_is_sent_anew_to_the_address_on_file(
    call: Call, connection: AsyncConnection
) -> None:
    expired = await call(HOLDER, "GET", EXPIRED)
    assert expired.status_code == 410
    assert f'action="{EXPIRED}/renew"' in expired.text
    assert (await call(HOLDER, "POST", EXPIRED)).status_code == 410
    impatient = await asyncio.gather(*(call(HOLDER, "POST", f"{EXPIRED}/renew") for _ in range(3)))
    assert {answer.status_code for answer in impatient} == {200}
    (new,) = await sent(connection)
    assert (new.person, new.facts["act"], new.link_id) == (APPLICANT, "update", None)
    assert (await call(HOLDER, "GET", f"/a/{link_token(new.act_link_id, KEYS)}")).status_code == 200
    assert (await call(HOLDER, "GET", EXPIRED)).status_code == 410


async def test_an_expired_link_to_a_task_is_sent_anew_and_stays_expired(
    call: Call, connection: AsyncConnection
) -> None:
    expired = await call(HOLDER, "GET", ASKED)
    assert expired.status_code == 410
    impatient = await asyncio.gather(*(call(HOLDER, "POST", f"{ASKED}/renew") for _ in range(3)))
    assert {answer.status_code for answer in impatient} == {200}
    (new,) = await sent(connection)
    assert (new.person, new.facts["task_kind"], new.act_link_id) == (VP, "project_approval", None)
    assert (await call(HOLDER, "GET", f"/d/{link_token(new.link_id, KEYS)}")).status_code == 200
    again = await call(HOLDER, "GET", ASKED)
    assert again.status_code == 410, "the old one never works again"
    assert f'action="{ASKED}/renew"' in again.text
    noted = await connection.execute(select(mail.c.key).where(mail.c.person == VP))
    assert len(noted.all()) == 3


async def test_nothing_is_sent_for_a_task_that_is_closed(call: Call, connection: AsyncConnection) -> None:
    await tasks.close(connection, ["t1"], TaskStatus.WITHDRAWN, at=NOW, because="withdrawn")
    await connection.commit()
    assert (await call(HOLDER, "POST", f"{ASKED}/renew")).status_code == 200
    assert await sent(connection) == []

"""Whoever waits reminds whoever is asked, kindly: once a day for each task, and the process is not touched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.steps import Moved
from db import messages
from db.messages import MailRow
from tests.integration.pages.page_door import Pages, words
from tests.integration.projects.project_door import APPLICANT, CLERK, HOLDER, NOW, VP, fill, filled

ASKS = {"kind": "task", "subject_id": "p1", "subject_type": "project", "task_kind": "conflict_check"}


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with filled(engine) as connection:
        await fill(connection)
        asked = MailRow(key="task:t1", subject_id="p1", person=CLERK, facts=ASKS, link_id=f"t1-{CLERK}", created_at=NOW)
        await messages.keep_step(connection, "project-p1", "asks", Moved(), [asked])
        await connection.commit()
        yield connection


async def kind_mails(connection: AsyncConnection) -> list[tuple[str, str, str]]:
    found = await connection.execute(
        text("SELECT person, link_id, facts->>'decided_by_name' FROM mail WHERE facts->>'kind' = 'asked_kindly'")
    )
    rows = [tuple(row) for row in found]
    await connection.commit()
    return rows


async def test_n12_whoever_waits_reminds_once_a_day(pages: Pages, connection: AsyncConnection) -> None:
    assert 'action="/projects/p1/remind/t1"' in (await pages.get(APPLICANT, "/projects/p1")).text
    sent = await pages.post(APPLICANT, "/projects/p1/remind/t1", {}, form_on="/projects/p1")
    assert sent.status_code == 303
    assert await kind_mails(connection) == [(CLERK, f"t1-{CLERK}", "杨帆")]
    shown = await pages.get(APPLICANT, "/projects/p1?done=kindly")
    assert "已发送提醒邮件" in words(shown)
    assert "起可再次提醒" in words(shown)
    again = await pages.post(APPLICANT, "/projects/p1/remind/t1", {}, form_on="/projects/p1")
    assert again.status_code == 409
    assert "请稍等一天" in words(again)
    assert len(await kind_mails(connection)) == 1
    events = await connection.execute(text("SELECT actor FROM audit WHERE event = 'reminded_kindly'"))
    assert [actor for (actor,) in events] == [APPLICANT]
    earlier = {"at": NOW - timedelta(hours=24)}
    await connection.execute(
        text("UPDATE mail SET created_at = :at, key = key || '-old' WHERE facts->>'kind' = 'asked_kindly'"), earlier
    )
    await connection.commit()
    assert (await pages.post(APPLICANT, "/projects/p1/remind/t1", {}, form_on="/projects/p1")).status_code == 303
    assert len(await kind_mails(connection)) == 2


async def test_n12_two_reminders_at_once_are_one_mail(pages: Pages, connection: AsyncConnection) -> None:
    await pages.cookie(APPLICANT)
    both = await asyncio.gather(
        *(pages.post(APPLICANT, "/projects/p1/remind/t1", {}, form_on="/projects/p1") for _ in range(2))
    )
    assert sorted(answer.status_code for answer in both) == [303, 409]
    assert len(await kind_mails(connection)) == 1


@pytest.mark.parametrize(("person", "status"), [(VP, 403), (HOLDER, 404), (CLERK, 403)])
async def test_x2_nobody_else_reminds(person: str, status: int, pages: Pages, connection: AsyncConnection) -> None:
    sent = await pages.post(person, "/projects/p1/remind/t1", {}, form_on="/projects")
    assert sent.status_code == status
    assert await kind_mails(connection) == []


async def test_a_task_of_something_else_is_not_found(pages: Pages) -> None:
    sent = await pages.post(APPLICANT, "/projects/p2/remind/t1", {}, form_on="/projects")
    assert sent.status_code == 404

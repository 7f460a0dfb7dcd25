"""The mails that real reviews send: who is told what of which accounts (R1–R6, X2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.reviews.periods import Rhythm
from domain.reviews.review import ReviewStage
from domain.tasks.task import TaskKind
from tests.integration.projects.people import FAN, JING
from tests.integration.reviews.test_review_rounds import begins
from tests.integration.reviews.year_ground import YearGround, reviews_on
from tests.integration.tasks.race_ground import KEYS
from texts.mails.facts import MailFacts
from texts.mails.mail import RenderedMail, render_mail

OURS, THEIRS = "北方重工测试有限公司", "江南纺织测试有限公司"


@pytest.fixture
async def ground(engine: AsyncEngine) -> AsyncIterator[YearGround]:
    async with reviews_on(engine, KEYS) as made:
        await made.holds("account-ours", FAN, OURS)
        await made.holds("account-theirs", JING, THEIRS)
        yield made


async def written(ground: YearGround, kind: str, person: str) -> RenderedMail:
    """The only mail of that kind to somebody."""
    found: list[dict[str, Any]] = [mail for mail in await ground.mails(kind) if mail["person"] == person]
    assert len(found) == 1
    return render_mail(MailFacts.model_validate(found[0] | {"link": "https://oa.example.cn/d/x"}))


async def test_r1_x2_each_salesperson_is_mailed_about_their_own_accounts(ground: YearGround) -> None:
    week = await begins(ground, Rhythm.WEEKLY)
    for unit in ("north", "east"):
        await ground.comes_to(f"{week.id}-{unit}", ReviewStage.UPDATES)
    mail = await written(ground, "task", FAN)
    assert mail.subject.endswith(f"{week.id} 周回顾 · 北方区")
    assert OURS in mail.text
    assert THEIRS not in mail.text
    assert "您负责的各个大客户：做了哪些工作" in mail.text
    assert "本期截止" in mail.text


async def test_r5_who_is_told_of_a_revocation_reads_the_reason_and_the_figures(ground: YearGround) -> None:
    year = await begins(ground, Rhythm.YEARLY)
    await ground.comes_to(year.id, ReviewStage.STARTING)
    (start,) = await ground.tasks(year.id)
    await ground.answers(start)
    await ground.comes_to(year.id, ReviewStage.MANAGEMENT_REVIEW)
    decide = {task.slot: task for task in await ground.tasks(year.id, TaskKind.ANNUAL_REVIEW)}
    revoked = {"account-ours": {"decision": "revoke", "reason": " 全年没有新签合同\n计划未执行 "}}
    assert await ground.answers(decide["north"], revoked) == "accepted"
    mail = await written(ground, "revoked", FAN)
    (facts,) = [MailFacts.model_validate(sent) for sent in await ground.mails("revoked") if sent["person"] == FAN]
    assert facts.page == "/accounts/account-ours"  # the review is not theirs to see
    assert f"{year.id} 年度回顾 · " in mail.subject
    assert OURS in mail.subject
    for words in ("R5", "A4", "A3", "> 全年没有新签合同", "> 计划未执行", "合同签约：¥0.00，", "决定人"):
        assert words in mail.text
    assert THEIRS not in mail.text

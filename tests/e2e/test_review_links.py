"""The pages behind the mails of reviews, as a browser without script sends them (R1, R2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from temporalio.client import Client

from embedded.driver import Answer, PageLink
from tests.e2e.journey import Journey
from tests.e2e.stack import Stack
from tests.unit.test_pages import Inputs

SALESPERSON, DEPARTMENT_GM, VP = "yang.fan", "zhao.lei", "li.ming"


def trigger(stack: Stack, schedule: str) -> None:
    """As an operator does it in the Temporal UI."""

    async def now() -> None:
        client = await Client.connect(stack.environment["TEMPORAL_ADDRESS"])
        await client.get_schedule_handle(schedule).trigger()

    asyncio.run(now())


def send(link: PageLink, typed: Mapping[str, str]) -> Answer:
    """Open the page and send its inputs as they stand, with `typed` over them."""
    shown = link.open()
    assert shown.status == 200, shown.words
    return link.post({**Inputs(shown.text).values, "confirm": "yes", **typed})


@pytest.fixture(scope="module")
def held(stack: Stack) -> Journey:
    return Journey(stack, SALESPERSON).activate()


def test_r1_a_week_is_reported_and_planned_by_mail_alone(stack: Stack, held: Journey) -> None:
    trigger(stack, "period-weekly")
    mine = stack.mailbox.link(SALESPERSON, "周回顾")
    assert held.customer in mine.open().words
    half = send(mine, {"accounts.0.work": "拜访信息中心"})
    assert half.status == 422
    assert "拜访信息中心" in half.text
    assert "进展：此项必填" in half.words
    done = send(mine, {"accounts.0.work": "拜访信息中心", "accounts.0.progress": "方案已提交"})
    assert done.status == 200
    assert "提交本周情况" in done.words
    assert "<form" not in mine.open().text  # answered: nothing is left to do here
    theirs = stack.mailbox.link(DEPARTMENT_GM, "周回顾", held.customer)
    shown = theirs.open().words
    assert "拜访信息中心" in shown
    assert "方案已提交" in shown
    assert send(theirs, {"accounts.0.plan": "约见分管领导"}).status == 200
    said = stack.portal.call(SALESPERSON, "GET", f"/accounts/{held.id}").json["reviews"]
    assert [one["fields"] for one in said] == [
        {"plan": "约见分管领导"},
        {"work": "拜访信息中心", "progress": "方案已提交"},
    ]


def test_r2_a_month_is_judged_and_the_next_one_set_by_mail_alone(stack: Stack, held: Journey) -> None:
    trigger(stack, "period-monthly")
    link = stack.mailbox.link(VP, "月度回顾", held.customer)
    assert "目标与完成" in link.open().words
    typed = {
        "accounts.0.plan_progress": "behind",
        "accounts.0.action_plan": "完成方案评审",
        "accounts.0.target_contracts": "¥1,250,000.00",
        "accounts.0.target_revenue": "很多",
    }
    wrong = send(link, typed)
    assert wrong.status == 422
    assert Inputs(wrong.text).values["accounts.0.plan_progress"] == "behind"
    assert "很多" in wrong.text
    assert send(link, typed | {"accounts.0.target_revenue": "300000"}).status == 200
    (target,) = stack.portal.call(SALESPERSON, "GET", f"/accounts/{held.id}").json["targets"]
    assert (target["contracts"], target["revenue"]) == ("1250000.00", "300000.00")
    assert target["action_plan"] == "完成方案评审"
    assert target["set_by"]["id"] == VP

"""What the front door asks with every message: bound keys, tasks, receipts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from api.gateway.gateway import Receipts
from db import messages
from db.connection.engine import AsyncConnection, AsyncEngine, autocommit
from db.connection.listen import Listener
from db.messages import Receipt
from db.reads import gateway_reads

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
TASK = (
    "INSERT INTO task VALUES ('t', 'application-a1', 'application', 'a1', 'vp_review', 'wang.fang', 1,"
    " 'open', '[]', NULL, now(), now(), false)"
)
ASKED = "INSERT INTO task_person VALUES ('t', 'li.ming', 'delegate', 'wang.fang', 'link', now(), now(), now())"


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with autocommit(engine) as opened:
        yield opened


def receipt(message_id: str, body_hash: str) -> Receipt:
    return Receipt(
        message_id=message_id,
        workflow_id="application-a1",
        person="li.ming",
        body_hash=body_hash,
        accepted=True,
        result={"choice": "approve", "说": [1, None]},
        recorded_at=NOW,
        settled=True,
    )


async def test_a_key_is_bound_to_the_body_it_first_came_with(connection: AsyncConnection) -> None:
    assert await gateway_reads.bind_message(connection, "m1", "li.ming", "one") == "one"
    assert await gateway_reads.bind_message(connection, "m1", "li.ming", "two") == "one"
    assert await gateway_reads.bind_message(connection, "m1", "li.ming", "one") == "one"


async def test_a_receipt_is_found_by_its_message(connection: AsyncConnection) -> None:
    await messages.give_receipt(connection, receipt("m1", "one"))
    assert await messages.find_receipt(connection, "m1") == receipt("m1", "one")
    assert await messages.find_receipt(connection, "m2") is None


async def test_x2_a_message_was_sent_by_whoever_sent_it(connection: AsyncConnection) -> None:
    await gateway_reads.bind_message(connection, "m1", "li.ming", "one")
    sent = [
        await gateway_reads.was_sent(connection, message_id, person)
        for message_id, person in (("m1", "li.ming"), ("m2", "li.ming"), ("m1", "wang.fang"))
    ]
    assert sent == [True, False, False]


async def test_of_racing_callers_with_one_key_all_see_the_same_body(engine: AsyncEngine) -> None:
    async def bind(body: str) -> str:
        async with autocommit(engine) as connection:
            return await gateway_reads.bind_message(connection, "m1", "li.ming", body)

    assert len(set(await asyncio.gather(*(bind(f"body {number}") for number in range(12))))) == 1


@pytest.mark.parametrize("told", [True, False], ids=["told", "nobody tells"])
async def test_whoever_waits_gets_a_receipt_given_before_they_began_to_wait(
    engine: AsyncEngine, database_url: str, told: bool
) -> None:
    listener = Listener(database_url)
    receipts = Receipts(engine, listener)
    if told:
        listener.start()
    try:
        with receipts.expecting("m1") as heard, receipts.expecting("m2") as other:
            async with engine.begin() as connection:
                await messages.give_receipt(connection, receipt("m1", "one"))
            assert await receipts.wait("m1", heard) == receipt("m1", "one")
            assert await receipts.wait("m2", other) is None
    finally:
        await listener.close()


async def test_a_task_is_found_only_by_those_it_asks_or_asked(connection: AsyncConnection) -> None:
    await connection.execute(text(TASK))
    await connection.execute(text(ASKED))
    found = await gateway_reads.link_holder(connection, "t", "li.ming")
    assert found is not None
    assert (found.task.id, found.task.choices) == ("t", ())
    assert (found.asked.person, found.asked.on_behalf_of, found.asked.link_id) == ("li.ming", "wang.fang", "link")
    assert found.asked.removed_at is not None
    assert await gateway_reads.link_holder(connection, "t", "wang.fang") is None
    assert await gateway_reads.link_holder(connection, "t2", "li.ming") is None

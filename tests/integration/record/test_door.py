"""What the front door asks with every message: bound keys, tasks, receipts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy import text

from api.gateway.gateway import Receipts
from db import messages
from db.connection.direct import Direct
from db.connection.engine import AsyncEngine, DatabaseUnavailable
from db.connection.listen import Listener
from db.messages import Receipt
from db.reads import gateway_reads
from tests.workflow.story import eventually

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
TASK = (
    "INSERT INTO task VALUES ('t', 'application-a1', 'application', 'a1', 'vp_review', 'wang.fang', 1,"
    " 'open', '[]', NULL, now(), now(), false)"
)
ASKED = "INSERT INTO task_person VALUES ('t', 'li.ming', 'delegate', 'wang.fang', 'link', now(), now(), now())"


@pytest.fixture
async def record(database_url: str) -> AsyncIterator[Direct]:
    async with Direct(database_url, process="test", size=4) as opened:
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


async def test_a_key_is_bound_to_the_body_it_first_came_with(record: Direct, engine: AsyncEngine) -> None:
    assert await gateway_reads.bind_message(record, "m1", "li.ming", "one") == ("one", None)
    assert await gateway_reads.bind_message(record, "m1", "li.ming", "two") == ("one", None)
    async with engine.begin() as connection:
        await messages.give_receipt(connection, receipt("m1", "one"))
    assert await gateway_reads.bind_message(record, "m1", "li.ming", "one") == ("one", receipt("m1", "one"))
    assert await gateway_reads.find_receipt(record, "m1") == receipt("m1", "one")
    assert await gateway_reads.find_receipt(record, "m2") is None


async def test_a_key_whose_row_was_deleted_still_finds_its_receipt(record: Direct, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await messages.give_receipt(connection, receipt("m1", "one"))
    assert await gateway_reads.bind_message(record, "m1", "li.ming", "one") == ("one", receipt("m1", "one"))


async def test_x2_only_the_sender_gets_the_receipt_of_a_message(record: Direct, engine: AsyncEngine) -> None:
    await gateway_reads.bind_message(record, "m1", "li.ming", "one")
    await gateway_reads.bind_message(record, "m2", "li.ming", "two")
    async with engine.begin() as connection:
        await messages.give_receipt(connection, receipt("m1", "one"))
    found = [await gateway_reads.sent(record, message, "li.ming") for message in ("m1", "m2", "m3")]
    assert found == [(True, receipt("m1", "one")), (True, None), (False, None)]
    assert [await gateway_reads.sent(record, message, "wang.fang") for message in ("m1", "m2")] == [(False, None)] * 2


async def test_of_racing_callers_with_one_key_all_see_the_same_body(record: Direct) -> None:
    bodies = [f"body {number}" for number in range(12)]
    bound = await asyncio.gather(*(gateway_reads.bind_message(record, "m1", "li.ming", body) for body in bodies))
    assert len({claim.body_hash for claim in bound}) == 1


@pytest.mark.parametrize("told", [True, False], ids=["told", "nobody tells"])
async def test_a_receipt_settled_before_the_wait_is_returned(
    record: Direct, engine: AsyncEngine, database_url: str, told: bool
) -> None:
    listener = Listener(database_url)
    receipts = Receipts(record, listener)
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


async def test_a_task_is_found_only_by_those_it_asks_or_asked(record: Direct, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(TASK))
        await connection.execute(text(ASKED))
        await messages.give_receipt(connection, receipt("m1", "one"))
    found = await gateway_reads.asked(record, "t", "li.ming", "m1")
    assert found is not None
    assert (found.task.id, found.task.choices, found.receipt) == ("t", (), receipt("m1", "one"))
    assert (found.mine.person, found.mine.on_behalf_of, found.mine.link_id) == ("li.ming", "wang.fang", "link")
    assert found.mine.removed_at is not None
    again = await gateway_reads.asked(record, "t", "li.ming", "m2")
    assert again is not None
    assert again.receipt is None
    assert await gateway_reads.asked(record, "t", "wang.fang", "m1") is None
    assert await gateway_reads.asked(record, "t2", "li.ming", "m1") is None


async def test_x3_a_server_lost_while_connecting_is_unavailable_for_every_driver_error(
    record: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object, **__: object) -> None:
        raise asyncpg.InternalClientError("got result for unknown protocol state 3")

    monkeypatch.setattr(asyncpg, "connect", lost)
    with pytest.raises(DatabaseUnavailable):
        await gateway_reads.find_receipt(record, "m1")


async def test_x3_a_server_lost_during_a_statement_is_unavailable(record: Direct, engine: AsyncEngine) -> None:
    """A connection that dies at work is given back as any other: nothing may be asked of it any more."""
    asked = asyncio.create_task(record.row("SELECT pg_sleep(30)"))
    ended = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE query = 'SELECT pg_sleep(30)' AND state = 'active'"
    )

    async def is_ended() -> bool:
        async with engine.connect() as other:
            return bool((await other.execute(ended)).scalar_one())

    await eventually(is_ended, "the statement under way")
    with pytest.raises(DatabaseUnavailable):
        await asked
    assert await record.row("SELECT 1") == (1,)


async def test_x3_who_leaves_in_the_middle_of_a_statement_leaves_their_place_to_others(
    database_url: str, engine: AsyncEngine
) -> None:
    """With half an answer on it, the connection is nobody's any more."""
    under_way = text("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(31)' AND state = 'active'")

    async def is_asked() -> bool:
        async with engine.connect() as other:
            return bool((await other.execute(under_way)).scalar_one())

    async with Direct(database_url, process="test", size=1) as record:
        asked = asyncio.create_task(record.row("SELECT pg_sleep(31)"))
        await eventually(is_asked, "the statement under way")
        asked.cancel()
        assert tuple(await asyncio.gather(record.row("SELECT 1"), record.row("SELECT 2"))) == ((1,), (2,))
        with pytest.raises(asyncio.CancelledError):
            await asked

"""Keys changed too early: a process that could not read what others say does not start, nor one they cannot read."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretBytes
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from crypto.keyring import Keyring
from db.running import Presence, Process
from runtime.keys_in_use import check_before_start, check_processes, check_running, process_of
from runtime.settings import Settings, SettingsError

PATIENCE = 30.0
"""Seconds after which a test gives up waiting."""


def ring(*ids: str) -> Keyring:
    return Keyring(tuple((key_id, SecretBytes(secrets.token_bytes(32))) for key_id in ids))


async def query(database_url: str, sql: str, *values: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""), timeout=5)
    try:
        return list(await connection.fetch(sql, *values))
    finally:
        await connection.close()


def process(kind: str, payload: str, seal: str = "s1") -> Process:
    settings = Settings(embedded=True, payload_keys=ring(*payload.split()), seal_keys=ring(*seal.split()))
    return process_of(kind, settings)


@pytest.fixture(scope="module")
async def engine_client() -> AsyncIterator[Client]:
    temporal = Path(sys.executable).with_name("temporal")
    async with await WorkflowEnvironment.start_local(dev_server_existing_path=str(temporal)) as env:
        yield env.client


@pytest.mark.parametrize(
    ("mine", "theirs", "complaint"),
    [
        (process("worker", "k1"), process("api", "k1"), ""),
        (process("worker", "k1"), process("api", "k2 k1"), ""),
        (process("worker", "k1 k2"), process("api", "k2 k1"), ""),
        (process("worker", "k1"), process("api", "k1 k2"), "BAOBEI_PAYLOAD_KEYS lacks the key k2, which a running api"),
        (process("worker", "k2"), process("api", "k1"), "BAOBEI_PAYLOAD_KEYS lacks the key k1"),
        (process("api", "k1 k2"), process("worker", "k1"), "would use the key k2, which a running worker does not"),
        (process("api", "k1", "s1 s2"), process("worker", "k1"), "BAOBEI_SEAL_KEYS would use the key s2"),
        (process("worker", "k1", "s1"), process("api", "k1", "s1 s2"), "BAOBEI_SEAL_KEYS lacks the key s2"),
    ],
)
def test_a_process_starts_when_it_and_those_that_run_can_read_each_other(
    mine: Process, theirs: Process, complaint: str
) -> None:
    if not complaint:
        check_running(mine, [theirs])
        return
    with pytest.raises(SettingsError, match=complaint) as error:
        check_running(mine, [theirs])
    assert "\n" not in str(error.value)


async def test_what_runs_is_known_from_its_start_to_its_end(database_url: str) -> None:
    early = process("worker", "k1 k2")
    await check_before_start(early, database_url)
    async with Presence(database_url, process("api", "k1")):
        with pytest.raises(SettingsError, match="k2"):
            await check_before_start(early, database_url)
    await check_before_start(early, database_url)


async def test_a_killed_process_blocks_others_only_briefly(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.running.SEEN_SECONDS", 0.02)
    others = Presence(database_url, process("api", "k2"))
    async with Presence(database_url, process("api", "k1")) as presence:
        seen = await query(database_url, "SELECT seen_at FROM running_process")

        async def seen_again() -> None:
            while await query(database_url, "SELECT seen_at FROM running_process") == seen:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

        await asyncio.wait_for(seen_again(), PATIENCE)
        assert await others.others() == (presence.process,)
        assert presence._task
        presence._task.cancel()
        await asyncio.gather(presence._task, return_exceptions=True)
        await query(database_url, "UPDATE running_process SET seen_at = now() - interval '1 minute' RETURNING id")
        assert await others.others() == ()
    await others.close()


async def test_x2_a_payload_key_may_go_once_the_engine_keeps_nothing_of_its_time(
    database_url: str, engine_client: Client
) -> None:
    async with Presence(database_url, process("worker", "k1")):
        pass
    new = process("worker", "k2")
    async with asyncio.timeout(PATIENCE):
        await engine_client.start_workflow("Anything", id="kept", task_queue="nobody")
        while not (await engine_client.count_workflows("")).count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    presence = Presence(database_url, new)
    with pytest.raises(SettingsError, match=r"lacks the key k1, in use until .* keeps 1 processes"):
        await check_processes(new, presence, engine_client)
    await check_processes(process("worker", "k1 k2"), presence, engine_client)
    long_ago = datetime.now(UTC) - timedelta(days=1)
    await query(database_url, "UPDATE payload_key SET used_until = $1 RETURNING id", long_ago)
    await check_processes(new, presence, engine_client)
    await presence.close()


async def test_x3_before_the_database_is_migrated_a_process_says_so_and_does_not_start(
    empty_database_url: str, database_url: str, superuser: asyncpg.Connection
) -> None:
    with pytest.raises(SettingsError, match=r"has no schema yet, and this worker needs \d{4}: run `cli.py migrate`"):
        await check_before_start(process("worker", "k1"), empty_database_url)
    await superuser.execute("UPDATE alembic_version SET version_num = '0003'")
    with pytest.raises(SettingsError, match="has schema 0003, and this api needs"):
        await check_before_start(process("api", "k1"), database_url)
    await superuser.execute("UPDATE alembic_version SET version_num = '9999'")  # migrated first for what comes next
    await check_before_start(process("api", "k1"), database_url)


async def test_x3_the_api_starts_while_the_database_is_unavailable() -> None:
    await check_before_start(process("api", "k1"), "postgresql+asyncpg://nobody@127.0.0.1:1/none")

"""The embedded PostgreSQL, Temporal and mail sink, each on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import asyncpg
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from embedded.errors import StartError
from embedded.mails import read_mails
from embedded.processes.ports import free_row
from embedded.servers.mailsink import MailSink, MailSinkService
from embedded.servers.postgres import PostgresServer
from embedded.servers.service import http_status, until
from embedded.servers.temporal import TemporalServer
from tests.servers.scratch import scratch
from workflows.messages import SEARCH_ATTRIBUTES


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch("servers") as path:
        yield path


@pytest.fixture
async def postgres(folder: Path) -> AsyncIterator[PostgresServer]:
    async with PostgresServer(folder, free_row(1), password="s3cret'word") as server:
        yield server


async def connect(server: PostgresServer, *, url: str | None = None) -> asyncpg.Connection:
    return await asyncpg.connect((url or server.url()).replace("+asyncpg", ""), timeout=5)


async def test_the_application_owns_its_database_and_is_no_superuser(postgres: PostgresServer) -> None:
    connection = await connect(postgres)
    try:
        await connection.execute("create extension btree_gist; create extension pg_trgm; create table t (a int)")
        assert await connection.fetchval("select rolsuper from pg_roles where rolname = current_user") is False
        assert await connection.fetchval("show fsync") == "on"
        assert await connection.fetchval("show server_version_num") >= "180000"
        assert await connection.fetchval("show listen_addresses") == "127.0.0.1"
    finally:
        await connection.close()
    copied = await postgres.create_database("copied", template="baobei")
    connection = await connect(postgres, url=copied)
    assert await connection.fetchval("select count(*) from t") == 0
    await connection.close()
    await postgres.drop_database("copied")


async def test_nobody_enters_postgresql_without_the_password(postgres: PostgresServer) -> None:
    for user in ("baobei", "postgres"):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(host="127.0.0.1", port=postgres.port, user=user, password="guess", database="baobei")


async def test_postgresql_recovers_what_was_committed_before_kill_9(postgres: PostgresServer) -> None:
    connection = await connect(postgres)
    await connection.execute("create table kept (a int); insert into kept values (7)")
    assert postgres.child is not None
    postgres.child.kill()
    await postgres.child.wait()
    # The old backends may need a moment to notice; the supervisor would try again as well.
    assert await until(lambda: started(postgres), 10)
    connection = await connect(postgres)
    assert await connection.fetchval("select a from kept") == 7
    await connection.close()


async def started(server: PostgresServer) -> bool:
    try:
        await server.start()
    except StartError:
        return False
    return True


async def test_a_stale_postmaster_pid_reused_by_another_process_is_ignored(folder: Path) -> None:
    server = PostgresServer(folder, free_row(1))
    async with server:
        pass
    other = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        pid_file = server.data / "postmaster.pid"
        pid_file.write_text(f"{other.pid}\n{server.data}\n1\n{server.port}\n\n127.0.0.1\n1 1\nready\n")
        async with server:
            assert await server.ready()
        assert other.returncode is None
    finally:
        other.kill()
        await other.wait()


async def test_an_interrupted_set_up_is_repeated(folder: Path) -> None:
    half = folder / "postgres" / "fresh"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    async with PostgresServer(folder, free_row(1), durable=False) as server:
        assert await server.ready()
    assert not half.exists()


async def test_a_password_that_does_not_fit_the_data_is_reported(folder: Path) -> None:
    port = free_row(1)
    async with PostgresServer(folder, port, password="first"):
        pass
    with pytest.raises(StartError, match=r"refuses the password that .*secrets\.json has"):
        await PostgresServer(folder, port, password="second").start()


async def test_a_server_that_cannot_start_shows_the_end_of_its_log(folder: Path) -> None:
    server = PostgresServer(folder, free_row(1), durable=False)
    async with server:
        pass
    with (server.data / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(StartError, match=r"(?s)stopped at once.*no_such_setting"):
        await server.start()


async def test_temporal_keeps_everything_and_gets_the_attributes_an_older_file_lacks(folder: Path) -> None:
    first = free_row(2)
    server = TemporalServer(folder, first, ui_port=first + 1)
    await server.prepare()
    older = await server.launch()
    await server.wait_ready()
    client = await Client.connect(server.address)
    await client.start_workflow("Unknown", id="kept", task_queue="nobody")
    assert not await attributes(server)
    older.kill()
    await older.wait()
    async with server:
        assert await attributes(server) == {key.name for key in SEARCH_ATTRIBUTES}
        client = await Client.connect(server.address)
        assert (await client.get_workflow_handle("kept").describe()).id == "kept"
        assert await http_status("127.0.0.1", first + 1, "/") == 200
    async with server:
        assert await attributes(server) == {key.name for key in SEARCH_ATTRIBUTES}


async def attributes(server: TemporalServer) -> set[str]:
    client = await Client.connect(server.address)
    listing = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    ours = {key.name for key in SEARCH_ATTRIBUTES}
    return ours & set(listing.custom_attributes)


def test_temporals_queue_gate_is_open(tmp_path: Path) -> None:
    assert "history.transferProcessorMaxPollRPS=1000" in TemporalServer(tmp_path, 7233).command().argv


def mail(subject: str, *, to: str = "li.ming@example.com") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "报备 <baobei@localhost.localdomain>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = f"<{abs(hash(subject))}@baobei>"
    message.set_content("请决定：http://127.0.0.1:8700/d/one。\n(http://127.0.0.1:8700/d/two)\n")
    message.add_alternative('<p><a href="http://127.0.0.1:8700/d/one?a=1&amp;b=2">决定</a></p>', subtype="html")
    return message


async def test_the_sink_keeps_every_mail_whole_in_the_order_of_arrival(tmp_path: Path) -> None:
    with MailSink(tmp_path / "mails", free_row(1)) as sink:
        for number in range(3):
            recipients = ["li.ming@example.com", f"Hidden{number}@example.com"]
            message = mail(f"审批 {number}")
            await aiosmtplib.send(
                message, hostname="127.0.0.1", port=sink.port, recipients=recipients, start_tls=False, use_tls=False
            )
        received = sink.mails()
        assert [found.subject for found in received] == ["审批 0", "审批 1", "审批 2"]
        assert received[1].links == (
            "http://127.0.0.1:8700/d/one",
            "http://127.0.0.1:8700/d/two",
            "http://127.0.0.1:8700/d/one?a=1&b=2",
        )
        assert received[0].message_id.startswith("<")
        assert "请决定" in received[0].text
        assert [found.subject for found in sink.mails("hidden1@EXAMPLE.com")] == ["审批 1"]
        assert received[0].date.tzinfo is not None
    assert not list((tmp_path / "mails").glob(".*"))


async def test_a_sink_that_cannot_store_rejects_the_mail(tmp_path: Path) -> None:
    with MailSink(tmp_path / "mails", free_row(1)) as sink:
        (tmp_path / "mails").rmdir()
        with pytest.raises(aiosmtplib.SMTPResponseException, match="cannot store"):
            await aiosmtplib.send(mail("lost?"), hostname="127.0.0.1", port=sink.port, start_tls=False)


async def test_the_sink_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    async with MailSinkService(tmp_path, free_row(1)) as sink:
        await aiosmtplib.send(mail("一"), hostname="127.0.0.1", port=sink.port, start_tls=False)
        assert [found.subject for found in read_mails(tmp_path / "mails")] == ["一"]
        assert sink.child is not None
        child = sink.child
    assert not child.running
    assert child.log.read_text() == ""

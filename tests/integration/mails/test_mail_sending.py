"""Mails leave beside the processes: a mail server that is down delays them and nothing else (X3)."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretBytes
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.steps import Moved
from crypto.keyring import Keyring
from crypto.links import link_id_of
from db import messages
from db.connection import channels
from db.connection.listen import Listener
from db.messages import MailRow
from db.reference_data import ReferenceData, import_organisation
from delivery.sender import LEASE, MailSender
from delivery.wake import Wake
from domain.policy import load_policy
from embedded.processes.ports import free_row
from embedded.servers.mailsink import MailSink
from embedded.welcome import sample_organisation
from runtime.settings import Settings

KEYS = Keyring((("1", SecretBytes(bytes(range(32)))),))
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


class Post:
    """A sender, its queue, and a mail server that can be started and stopped."""

    def __init__(self, engine: AsyncEngine, database_url: str, folder: Path, *, portal: str = "") -> None:
        self.engine = engine
        self.folder = folder
        self.port = free_row()
        settings = Settings(
            embedded=True,
            database_url=database_url,
            public_url="http://127.0.0.1:1",
            smtp_host="127.0.0.1",
            smtp_port=self.port,
            smtp_security="none",
            mail_from="baobei@example.com",
            link_keys=KEYS,
            portal_url=portal,
        )
        listener = Listener(database_url)
        self.sender = MailSender(engine, ReferenceData(load_policy()), settings, Wake(listener, channels.MAILS))

    async def queue(
        self, *keys: str, person: str = "li.ming", facts: dict[str, Any] | None = None, link_id: str | None = "5" * 32
    ) -> None:
        told = {"kind": "task", "subject_id": "a1", "customer_name": "测试客户", "task_kind": "vp_review"}
        mails = [
            MailRow(
                key=key,
                subject_id="a1",
                person=person,
                facts=facts or told,
                link_id=link_id,
                created_at=NOW,
            )
            for key in keys
        ]
        async with self.engine.begin() as connection:
            await messages.keep_step(connection, "application-a1", uuid4().hex, Moved(), mails)

    async def due_at_once(self) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text("UPDATE mail SET due = now()"))

    async def rows(self) -> list[Any]:
        async with self.engine.connect() as connection:
            return list(
                await connection.execute(
                    text(
                        "SELECT key, attempts, sent_at, last_error, due > now() AS later,"
                        " extract(epoch FROM due - now()) / 60 AS minutes FROM mail"
                    )
                )
            )


@pytest.fixture
async def post(engine: AsyncEngine, database_url: str, tmp_path: Path) -> AsyncIterator[Post]:
    made = Post(engine, database_url, tmp_path)
    async with engine.begin() as connection:
        await import_organisation(connection, sample_organisation(), now=NOW, by="test")
    yield made
    made.sender.hang_up()


async def test_x3_mails_wait_for_a_server_that_is_down_and_none_is_lost(post: Post) -> None:
    await post.queue("one", "two", "three")
    await post.sender.send_due()
    assert {(row.attempts, row.sent_at, row.later) for row in await post.rows()} == {(1, None, True)}
    with MailSink(post.folder, port=post.port) as sink:
        await post.due_at_once()
        await post.sender.send_due()
        assert len(sink.mails("li.ming@example.com")) == 3
    assert all(row.sent_at and row.last_error is None for row in await post.rows())


async def test_x3_a_repeated_mail_is_the_same_mail_with_the_same_link(post: Post) -> None:
    with MailSink(post.folder, port=post.port) as sink:
        await post.queue("one")
        await post.sender.send_due()
        async with (
            post.engine.begin() as connection
        ):  # as after a crash between the server's acceptance and our note of it
            await connection.execute(text("UPDATE mail SET sent_at = NULL, due = now()"))
        await post.sender.send_due()
        first, second = sink.mails("li.ming@example.com")
    assert first.message_id == second.message_id
    assert first.links == second.links
    assert link_id_of(first.links[0].rpartition("/")[2], KEYS) == "5" * 32


async def test_two_senders_never_take_the_same_mail(post: Post) -> None:
    await post.queue(*(f"mail-{number}" for number in range(30)))
    with MailSink(post.folder, port=post.port) as sink:
        other = MailSender(post.engine, ReferenceData(load_policy()), post.sender._settings, post.sender._wake)
        while sum(await asyncio.gather(post.sender.send_due(), other.send_due())):
            continue
        other.hang_up()
        assert len(sink.mails("li.ming@example.com")) == 30


async def test_a_mail_to_somebody_who_has_left_is_not_sent_and_the_record_does_not_say_it_was(post: Post) -> None:
    with MailSink(post.folder, port=post.port) as sink:
        await post.queue("gone", person="nobody.here")
        await post.queue("stays")
        await post.sender.send_due()
        assert [mail.to for mail in sink.mails()] == [("li.ming@example.com",)]
    gone, stays = sorted(await post.rows())
    assert (gone.sent_at, gone.last_error, gone.later) == (None, "nobody to write to", True)
    assert stays.sent_at
    assert await post.sender.send_due() == 0, "it is out of the way of the others"


async def test_a_batch_that_takes_long_is_put_back_before_its_lease_is_over(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise another sender takes the rest of it, and people get those mails twice."""
    await post.queue("one", "two", "three")
    sent: list[str] = []
    moments = itertools.count(0, LEASE.total_seconds() / 4)

    async def slowly(row: Any, *_: str) -> None:
        sent.append(row.key)

    monkeypatch.setattr(post.sender, "_send", slowly)
    monkeypatch.setattr("delivery.sender.monotonic", lambda: next(moments))
    assert await post.sender.send_due() == 3
    assert sent == ["one", "two"]
    rows = {row.key: row for row in await post.rows()}
    assert [bool(rows[key].sent_at) for key in ("one", "two", "three")] == [True, True, False]
    assert (rows["three"].later, rows["three"].attempts, rows["three"].last_error) == (False, 0, None)


async def test_x3_a_mail_server_that_takes_a_mail_drop_by_drop_is_one_that_is_down(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post.queue("one", "two")

    async def for_ever(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(post.sender, "_send", for_ever)
    monkeypatch.setattr("delivery.sender.SMTP_TIMEOUT", 0.05)
    async with asyncio.timeout(10):
        await post.sender.send_due()
    assert {(row.attempts, row.sent_at, row.later) for row in await post.rows()} == {(1, None, True)}


async def test_x3_a_report_whose_sheet_could_not_be_read_is_tried_again_soon(post: Post) -> None:
    """The database was unavailable for a moment: the mail is sound and must not wait for a day."""
    part = {
        "kind": "weekly_digest",
        "period": {"rhythm": "weekly", "id": "2026-W47", "first": "2026-11-16", "last": "2026-11-22"},
        "scope": {"person": "li.ming"},
    }
    await post.queue("one", facts={"kind": "weekly_digest", "subject_id": "a1", "report": part})
    uses = itertools.count(1)

    @event.listens_for(post.engine.sync_engine, "checkout")
    def cut(connection: Any, *_: Any) -> None:
        if next(uses) == 2:  # the first takes the mail from the queue, the second reads the report
            os.kill(connection.driver_connection.get_server_pid(), signal.SIGTERM)

    assert await post.sender.send_due() == 1
    (row,) = await post.rows()
    assert row.last_error.startswith("DatabaseUnavailable")
    assert row.minutes < 10


@pytest.mark.parametrize(
    ("facts", "page"),
    [
        ({"kind": "activated", "subject_id": "a1"}, "/applications/a1"),
        ({"kind": "shelved", "subject_type": "project", "subject_id": "p1", "project_name": "x"}, "/projects/p1"),
        ({"kind": "revoked", "subject_type": "review", "subject_id": "r1", "account_id": "na-1"}, "/accounts/na-1"),
        ({"kind": "task_withdrawn", "subject_id": "a1", "task_kind": "vp_review", "handed_on": True}, ""),
    ],
)
@pytest.mark.parametrize("portal", ["", "https://portal.example.com"])
async def test_x4_a_mail_that_asks_nothing_leads_to_the_page_of_its_subject(
    engine: AsyncEngine, database_url: str, tmp_path: Path, facts: dict[str, Any], page: str, portal: str
) -> None:
    post = Post(engine, database_url, tmp_path, portal=portal)
    async with engine.begin() as connection:
        await import_organisation(connection, sample_organisation(), now=NOW, by="test")
    with MailSink(post.folder, port=post.port) as sink:
        await post.queue("told", facts=facts | {"customer_name": "测试客户"}, link_id=None)
        await post.sender.send_due()
        (mail,) = sink.mails("li.ming@example.com")
    post.sender.hang_up()
    assert list(mail.links) == ([f"{portal or 'http://127.0.0.1:1'}{page}"] if page else [])

"""X3: the queue of mails goes on, whatever one mail, the mail server or the database does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from crypto.keyring import Keyring
from db.connection import channels
from db.connection.listen import Listener
from db.reference_data import ReferenceData, import_organisation
from db.tables.messages import mail
from delivery.sender import MailSender
from delivery.wake import Wake
from domain.accounts.application import Stage
from domain.notices import Notice
from domain.policy import load_policy
from embedded.mails import read_mails
from embedded.processes.ports import free_row
from embedded.servers.mailsink import MailSinkService
from embedded.servers.service import until
from embedded.welcome import sample_organisation
from runtime.settings import Settings
from texts.mails.facts import MailFacts

KEYS = Keyring.parse("k1:cdPUBaVTjNr1ksC6Ov5SpqQ4v+TKL1ZUBOIgk3CuBeU=")
NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def queued(key: str, facts: dict[str, Any] | None = None) -> dict[str, Any]:
    told = MailFacts(
        kind=Notice.ACTIVATED,
        language="zh",
        to_name="李明",
        subject_id=key,
        round=1,
        customer_name="客户",
        applicant_name="杨帆",
        department_name="北方区",
        stage_key=f"stage.{Stage.ACTIVE}",
        time_zone="Asia/Shanghai",
    )
    return {
        "key": key,
        "subject_id": key,
        "person": "li.ming",
        "facts": told.model_dump(mode="json", exclude_defaults=True) if facts is None else facts,
        "link_id": None,
        "created_at": NOW,
    }


class Post:
    """A sender at work, the sink it sends to, and the queue."""

    def __init__(self, engine: AsyncEngine, sink: MailSinkService, sending: asyncio.Task[None]) -> None:
        self.engine, self.sink, self.sending = engine, sink, sending

    async def queue(self, *mails: dict[str, Any]) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(insert(mail), list(mails))
            await connection.execute(text(f"NOTIFY {channels.MAILS}"))

    async def arrived(self, *keys: str) -> None:
        def subjects() -> list[str]:
            return [received.subject for received in read_mails(self.sink.mails)]

        async def there() -> bool:
            return all(key in " ".join(subjects()) for key in keys)

        assert await until(there, 20, give_up=self.sending.done), subjects()

    async def row(self, key: str) -> Any:
        async with self.engine.connect() as connection:
            return (await connection.execute(mail.select().where(mail.c.key == key))).one()


@pytest.fixture
async def post(engine: AsyncEngine, database_url: str, tmp_path: Path) -> AsyncIterator[Post]:
    async with engine.begin() as connection:
        await import_organisation(connection, sample_organisation(), now=NOW, by="test")
    sink = MailSinkService(tmp_path, free_row(1))
    settings = Settings(
        embedded=True,
        public_url="http://127.0.0.1:1",
        smtp_host="127.0.0.1",
        smtp_port=sink.port,
        smtp_security="none",
        mail_from="baobei@corp.example",
        link_keys=KEYS,
    )
    listener = Listener(database_url)
    sender = MailSender(engine, ReferenceData(load_policy()), settings, Wake(listener, channels.MAILS))
    listener.start()
    await sink.start()
    sending = asyncio.create_task(sender.run())
    yield Post(engine, sink, sending)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await listener.close()
    await sink.stop()


async def test_x3_a_mail_that_cannot_be_written_waits_with_its_reason_and_holds_up_no_other(post: Post) -> None:
    await post.queue(queued("m1"), queued("broken", {"kind": "of a later version"}), queued("m2"))
    await post.arrived("m1", "m2")
    await post.queue(queued("m3"))
    await post.arrived("m3")
    assert not post.sending.done()
    row = await post.row("broken")
    assert (row.sent_at, row.attempts >= 1) == (None, True)
    assert row.last_error.startswith("ValidationError")
    assert len(read_mails(post.sink.mails)) == 3


async def test_x3_mails_go_on_after_the_mail_server_and_the_connections_to_the_record_were_cut(
    post: Post, superuser: asyncpg.Connection
) -> None:
    await post.queue(queued("m1"))
    await post.arrived("m1")
    await post.sink.stop()
    await post.queue(queued("m2"))

    async def tried() -> bool:
        return (await post.row("m2")).last_error is not None

    assert await until(tried, 20, give_up=post.sending.done)
    for _ in range(3):
        await superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await asyncio.sleep(0.1)
    await post.sink.start()
    # No test waits for the pause between two attempts.
    await superuser.execute("UPDATE mail SET due = now() WHERE sent_at IS NULL")
    await post.arrived("m1", "m2")
    assert not post.sending.done()

"""The product as one command on one home, whose parts are killed without a word; and callers who do not give up."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from crypto.keyring import Keyring
from crypto.seal import head_seal_holds
from db import audit
from db.connection.engine import make_engine
from embedded.demo.driver import Answer, PageLink, Portal, Web, until
from embedded.home import read_environment
from embedded.mails import ReceivedMail, read_mails
from embedded.processes.ports import free_row
from tests.e2e.support.record import Record, Rows
from tests.e2e.support.stack import ROOT, new_form
from workflows.messages import application_workflow_id

PARTS = ("worker", "api", "postgres", "temporal", "mailsink")
CLERK, VPS = "gao.yuan", ("li.ming", "wang.fang")
SALESPEOPLE = (
    *("yang.fan", "huang.lei", "zhou.min", "wu.qiang", "xu.jing", "ma.chao", "zhu.hong", "hu.bin", "guo.tao"),
    *("he.xin", "emily.clark", "luo.dan"),
)
PATIENCE = 60.0
"""Seconds within which everything that was said must have been recorded, whatever was killed meanwhile."""
START = 180.0
"""Seconds until everything is up: many, for a machine busy with others."""


class Running:
    """`python cli.py up` as a process of its own; `words` are further words of that command."""

    def __init__(self, *words: str) -> None:
        self.words = words
        # Not pytest's own folder: PostgreSQL is another user when we are root, and that one is closed to others.
        self.folder = Path(tempfile.mkdtemp(prefix="baobei-crash-"))
        self.home = self.folder / "home"
        self.port = free_row()
        self.web = Web(f"http://127.0.0.1:{self.port}", timeout=15)
        self.portal = Portal(self.web)
        self._process: subprocess.Popen[bytes] | None = None
        self._record: Record | None = None

    def start(self) -> None:
        with (self.folder / "up.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "cli.py", "up", "--home", str(self.home), "--port", str(self.port), *self.words],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.ready()

    def ready(self) -> None:
        def answers() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.said()
            with suppress(OSError):
                return self.web.request("GET", "/readyz").status == 200
            return False

        until("everything is up", answers, START)

    def said(self) -> str:
        return (self.folder / "up.log").read_text()

    def stop(self) -> None:
        if self._record is not None:
            self._record.close()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGINT)
                self._process.wait(30)

    def pid(self, part: str) -> int:
        return int(json.loads((self.home / "run" / f"{part}.json").read_text())["pid"])

    def kill(self, part: str) -> None:
        """SIGKILL for a part and everything it has started, so that nothing of it can finish anything."""
        with suppress(OSError, psutil.Error):
            process = psutil.Process(self.pid(part))
            for victim in (process, *process.children(recursive=True)):
                with suppress(psutil.Error):
                    victim.kill()

    def worker_after(self, pid: int) -> None:
        """Wait until another worker than the process `pid` serves."""

        def serves() -> bool:
            with suppress(OSError):
                health = Web(f"http://127.0.0.1:{self.port + 5}", timeout=5)
                return self.pid("worker") != pid and health.request("GET", "/readyz").status == 200
            return False

        until("another worker serves", serves, PATIENCE)

    def kill_supervisor(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    # ---- what the record and the mail sink hold ----

    @property
    def database_url(self) -> str:
        return read_environment(self.home)["BAOBEI_DATABASE_URL"].replace("+asyncpg", "")

    def history(self, application_id: str) -> list[str]:
        """The names of everything that the engine noted of a process."""

        async def fetch() -> list[str]:
            client = await Client.connect(read_environment(self.home)["TEMPORAL_ADDRESS"])
            history = await client.get_workflow_handle(application_workflow_id(application_id)).fetch_history()
            return [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events]

        return asyncio.run(fetch())

    def query(self, statement: str, *values: Any) -> Rows:
        if self._record is None:
            self._record = Record(self.database_url)
        return self._record.query(statement, *values)

    def proof(self) -> audit.Proof:
        """X1."""
        settings = read_environment(self.home)
        keys = Keyring.parse(settings["BAOBEI_SEAL_KEYS"])

        async def prove() -> audit.Proof:
            engine = make_engine(settings["BAOBEI_DATABASE_URL"], process="test", pool_size=1)
            try:
                async with engine.begin() as connection:
                    return await audit.verify(
                        connection, lambda seq, digest, seal: head_seal_holds(seq, digest, seal, keys)
                    )
            finally:
                await engine.dispose()

        return asyncio.run(prove())

    def mails(self, application_id: str) -> list[ReceivedMail]:
        return [mail for mail in read_mails(self.home / "mails") if application_id in mail.text]

    def all_mails_are_out(self) -> None:
        def out() -> bool:
            # A sender that was killed keeps its lease for two minutes; the test does not wait for that clock.
            self.query("UPDATE mail SET due = now() WHERE sent_at IS NULL AND due > now() + interval '3 s'")
            return int(self.query("SELECT count(*) AS n FROM mail WHERE sent_at IS NULL")[0]["n"]) == 0

        until("all mails are out", out, PATIENCE)


class Caller:
    """Somebody's application, and people who send the same request again until they are told what became of it."""

    def __init__(self, running: Running, number: int) -> None:
        self.running = running
        self.number = number
        self.salesperson = SALESPEOPLE[number % len(SALESPEOPLE)]
        self.form = new_form()
        self.id = ""
        self.repeats = 0

    def told(self, request: Callable[[], Answer], *wanted: int) -> Answer:
        """The answer of the first request that came through. Only "away" and "stored" are asked again."""

        def once() -> Answer | None:
            try:
                got = request()
            except OSError:
                got = None
            if got is None or got.status in (202, 503):
                self.repeats += 1
                time.sleep(0.1)
                return None
            assert got.status in wanted, f"{got.status} {got.words}"
            return got

        return until("an answer", once, PATIENCE)

    def submit(self) -> None:
        key = f"submit-{self.number}"
        got = self.told(lambda: self.running.portal.submit(self.salesperson, self.form, key=key), 201)
        self.id = got.json["id"]

    def task_of(self, person: str) -> str:
        def asked() -> str | None:
            got = self.told(lambda: self.running.portal.call(person, "GET", "/tasks?status=open&limit=100"), 200)
            return next((task["id"] for task in got.json["items"] if task["subject"]["id"] == self.id), None)

        return until(f"{person} is asked about {self.id}", asked, PATIENCE)

    def answers(self, person: str, choice: str) -> Callable[[], None]:
        """What answers in the portal, made ready."""
        task, key = self.task_of(person), f"{person}-{self.id}"
        portal = self.running.portal
        return lambda: self._said(lambda: portal.answer(person, task, choice, reason="同意", key=key))

    def _said(self, request: Callable[[], Answer]) -> None:
        self.told(request, 200)

    def by_link(self, person: str, choice: str) -> Callable[[], None]:
        """What answers on the page behind the mail, made ready."""
        task = self.task_of(person)

        def linked() -> str | None:
            found = [m for m in self.running.mails(self.id) if any(person in to for to in m.to)]
            return next((link for m in found for link in m.links if "/d/" in link), None)

        def due_again() -> str | None:
            # As in `all_mails_are_out`: a killed sender's lease.
            with suppress(OSError, asyncpg.PostgresError):
                self.running.query("UPDATE mail SET due = now() WHERE sent_at IS NULL AND due > now() + '9 s'")
            return linked()

        page = PageLink(self.running.web, until(f"{person} is mailed about {task}", due_again, PATIENCE))
        return lambda: self._on_page(page, choice)

    def _on_page(self, page: PageLink, choice: str) -> None:
        """A browser that lost the answer sends the form again, and may then be told that it has decided already."""
        before = self.repeats
        got = self.told(lambda: page.answer(choice, "同意"), 200, 409)
        if got.status == 409:
            assert self.repeats > before, got.words
            assert "同意" in got.words, got.words

    def to(self, point: int) -> Callable[[], None]:
        """Go to just before the act number `point`, and hand that act over."""
        if point == 0:
            return self.submit
        self.submit()
        if point > 1:
            self.answers(CLERK, "pass")()
        if point > 2:
            self.answers(VPS[0], "approve")()
        return (
            self.answers(CLERK, "pass")
            if point == 1
            else self.by_link(VPS[0], "approve")
            if point == 2
            else self.answers(VPS[1], "approve")
        )

    def finish(self, point: int) -> None:
        """Everything after the act number `point`."""
        if point < 1:
            self.answers(CLERK, "pass")()
        if point < 2:
            self.answers(VPS[0], "approve")()
        if point < 3:
            self.answers(VPS[1], "approve")()
        self.active()

    def active(self) -> None:
        def stage() -> bool:
            path = f"/applications/{self.id}"
            got = self.told(lambda: self.running.portal.call(self.salesperson, "GET", path), 200)
            return bool(got.json["stage"] == "active")

        until(f"{self.id} is an account", stage, PATIENCE)

    def all(self) -> None:
        self.submit()
        self.finish(0)

    def is_whole(self) -> None:
        """X3: everything that was said is on record once; mails are repeated as themselves only."""
        query, mine = self.running.query, self.id
        assert query("SELECT stage, round FROM application WHERE id = $1", mine) == [{"stage": "active", "round": 1}]
        decided = query(
            "SELECT kind, slot, person, choice FROM decision JOIN task ON task.id = task_id WHERE subject_id = $1", mine
        )
        assert sorted((d["kind"], d["slot"], d["person"], d["choice"]) for d in decided) == [
            ("commerce_check", "", CLERK, "pass"),
            *(("vp_review", vp, vp, "approve") for vp in VPS),
        ]
        assert len(query("SELECT id FROM account WHERE application_id = $1", mine)) == 1
        events = Counter(row["event"] for row in query("SELECT event FROM audit WHERE subject_id = $1", mine))
        events.pop("mails_queued")
        # The third time when the VPs are asked (N15): again, if something near has come meanwhile.
        events["evidence_gathered"] += events.pop("evidence_gathered_again", 0)
        assert events == {
            "application_submitted": 1,
            "evidence_gathered": 3,
            "stage_moved": 2,
            "task_opened": 3,
            "answer_accepted": 3,
            "account_activated": 1,
        }
        receipts = query("SELECT accepted, settled FROM receipt WHERE workflow_id = $1", f"application-{mine}")
        assert [(r["accepted"], r["settled"]) for r in receipts] == [(True, True)] * 4
        queued = query("SELECT key FROM mail WHERE subject_id = $1", mine)
        versions: dict[str, set[tuple[str, str, tuple[str, ...]]]] = {}
        for mail in self.running.mails(mine):
            versions.setdefault(mail.message_id, set()).add((mail.subject, mail.text, mail.links))
        assert len(versions) == len(queued)
        assert [len(different) for different in versions.values()] == [1] * len(versions)


def side_by_side(acts: Iterable[Callable[[], None]]) -> None:
    """Do all at the same moment; raise the first failure once all have ended."""
    failed: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:  # handed to the test below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def wholeness(running: Running, callers: Iterable[Caller]) -> None:
    """Every application is whole and the record proves itself."""
    running.all_mails_are_out()
    for caller in callers:
        caller.is_whole()
    assert running.proof().faults == ()

"""X2, X3: who sees what of an application, and what a crafted or unlucky request gets, with the API in this process."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.client import Client

from api.dossier import dossier_of
from api.gateway.gateway import Caller, Receipts, SignalGateway
from api.paging import parse_cursor
from api.problems import Refusal, Unavailable
from api.state import Viewer
from api.views import Composer
from crypto.codec import data_converter
from crypto.keyring import Keyring
from db import audit
from db.accounts import applications
from db.accounts.applications import ApplicationRow
from db.connection.engine import DatabaseUnavailable, autocommit, is_unavailable, make_engine, transaction
from db.connection.listen import Listener
from db.readings import note_reading
from db.reads import detail_reads, lists
from db.reference_data import ReferenceData
from domain.access import scope_of
from domain.accounts.application import Stage
from domain.accounts.evidence import Evidence, EvidenceKind, Finding
from domain.policy import load_policy
from domain.statements import AnswerTask, Withdraw
from domain.tasks.answer_fields import answer_problems
from domain.tasks.task import Choice
from embedded.welcome import sample_organisation
from tests.samples import APPLICATION_FORM
from texts.catalogue import Texts

ORGANISATION = sample_organisation()
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
FACTS = ReferenceData(load_policy())
KEYS = Keyring.parse("k1:" + base64.b64encode(bytes(32)).decode())
A_WHILE = 30
"""Seconds after which something hangs, however busy the machine."""


@pytest.fixture
async def row(engine: AsyncEngine) -> ApplicationRow:
    """An application of yang.fan in the evidence stage, with a finding about another's customer; li.ming was asked."""
    person = ORGANISATION.person("yang.fan")
    assert person is not None
    async with engine.begin() as connection:
        made = ApplicationRow(
            id="a1",
            workflow_id="application-a1",
            applicant=person.id,
            department=person.department,
            stage=Stage.EVIDENCE,
            round=1,
            form=APPLICATION_FORM,
            policy_digest=await FACTS.pin_policy(connection),
            submitted_at=NOW,
            stage_since=NOW,
        )
        await applications.add(connection, made)
        found = [
            Evidence(
                kind=kind,
                source="account_register",
                gathered_at=NOW,
                available=True,
                findings=(Finding(subject_type="account", subject_id="A-9", name="别人的客户", detail=detail),),
            )
            for kind, detail in ((EvidenceKind.ACCOUNTS, {}), (EvidenceKind.LITIGATION, {"lawsuit_with_us": "yes"}))
        ]
        await applications.keep_evidence(connection, "a1", 1, found)
        noted = [
            audit.Event(event=name, at=NOW, actor="system", subject_id="a1", body=body)
            for name, body in (
                ("earlier_found", {"found": [["account", "A-9"]]}),
                ("evidence_gathered", {"counts": {"accounts": 1}}),
            )
        ]
        await audit.append(connection, noted, lambda _seq, _digest: "seal")
        await connection.execute(
            text(
                "INSERT INTO task VALUES ('t', 'application-a1', 'application', 'a1', 'vp_review', 'li.ming', 1,"
                " 'open', '[]', NULL, now(), now(), false)"
            )
        )
        await connection.execute(
            text("INSERT INTO task_person VALUES ('t', 'liu.yang', 'delegate', 'li.ming', 'link', now(), now())")
        )
    return made


def viewer(person_id: str) -> Viewer:
    person = ORGANISATION.person(person_id)
    assert person is not None
    return Viewer(person, ORGANISATION)


@pytest.mark.parametrize("person", ["yang.fan", "chen.jing"])
async def test_x2_neither_dossier_nor_record_tells_of_others_while_evidence_is_gathered(
    person: str, row: ApplicationRow, engine: AsyncEngine
) -> None:
    async with engine.connect() as connection:
        dossier = await dossier_of(connection, Composer(connection, FACTS, viewer(person), Texts("zh")), row)
        full = await dossier_of(connection, Composer(connection, FACTS, viewer("gao.yuan"), Texts("zh")), row)
    assert not dossier["rounds"][0]["evidence"]
    assert "A-9" not in json.dumps(dossier)
    assert "counts" not in json.dumps(dossier)
    verdicts = {clause["clause"]: clause["passed"] for clause in dossier["application"]["eligibility"]["clauses"]}
    assert (verdicts["E2-lawsuit"], verdicts["E2-arrears"]) == (None, None)
    assert verdicts["E1"] is not None  # E5: their own figures
    assert "A-9" in json.dumps(full)
    assert len(full["rounds"][0]["evidence"]) == 2


async def test_x2_whoever_was_taken_off_a_task_reads_no_further_unless_they_decided_it(
    row: ApplicationRow, engine: AsyncEngine
) -> None:
    async def sees() -> tuple[bool, bool, bool, bool]:
        async with engine.connect() as connection:
            scope = scope_of(viewer("liu.yang").person, ORGANISATION)
            return (
                await detail_reads.application_seen(connection, scope, "a1") is not None,
                bool(await lists.applications_seen(connection, scope, stage=None, applicant=None, after=None, limit=9)),
                bool(await lists.tasks_asked(connection, "liu.yang", status=None, after=None, limit=9)),
                await Composer(connection, FACTS, viewer("liu.yang"), Texts("zh")).sees_evidence(row),
            )

    assert await sees() == (True, True, True, True)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE task_person SET removed_at = now()"))
    assert await sees() == (False, False, False, False)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE task SET status = 'withdrawn'"))
    assert await sees() == (False, False, False, False)


async def test_x2_every_row_of_a_list_is_recorded_as_read(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await note_reading(connection, "gao.yuan", "application", "a1", "a2", through="list")
        await note_reading(connection, "gao.yuan", "application", through="list")
        rows = (
            await connection.execute(text("SELECT person, subject_id, through FROM subject_read ORDER BY id"))
        ).all()
        pages = await connection.scalar(text("SELECT count(*) FROM reading"))
    assert [tuple(reading) for reading in rows] == [("gao.yuan", "a1", "list"), ("gao.yuan", "a2", "list")]
    assert pages == 1, "a page is one reading, however many rows it lists"


@pytest.mark.parametrize(
    "parts",
    [
        ["99999999999", NOW.isoformat(), "t"],
        ["2", NOW.isoformat(), "t"],
        ["0", "0001-01-01T00:00:00+14:00", "t"],
        [0, NOW.isoformat(), "t"],
    ],
)
def test_a_crafted_cursor_is_refused(parts: list[object]) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()
    with pytest.raises(Refusal) as refusal:
        parse_cursor(cursor, "number", "moment", "id")
    assert refusal.value.status == 422


async def test_a_value_the_driver_cannot_write_is_no_outage(engine: AsyncEngine) -> None:
    with pytest.raises(DBAPIError) as wrong:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT CAST(:n AS integer)"), {"n": 99999999999})
    assert not is_unavailable(wrong.value)


async def test_x3_an_engine_that_was_never_there_is_told_as_away(engine: AsyncEngine, database_url: str) -> None:
    client = await Client.connect("127.0.0.1:1", lazy=True, data_converter=data_converter(KEYS))
    gateway = SignalGateway(engine, client, KEYS, Receipts(engine, Listener(database_url)), lambda: NOW)
    person = viewer("yang.fan").person

    def caller() -> Caller:
        return Caller(person, route="/x", key=None, body=b"", channel="api")

    for attempt in (
        lambda: gateway.start_application(caller(), APPLICATION_FORM, customer_shown=False),
        lambda: gateway.submit(caller(), Withdraw, "application-a1", reason="x"),
        lambda: gateway.submit(caller(), AnswerTask, "application-a1", task_id="t", choice="approve"),
    ):
        with pytest.raises(Unavailable) as away:
            await attempt()
        assert away.value.code == "engine_away"


Opening = Callable[[AsyncEngine], AbstractAsyncContextManager[AsyncConnection]]


@pytest.mark.parametrize("opening", [autocommit, transaction])
async def test_x3_a_record_that_hangs_is_told_as_away(database_url: str, opening: Opening) -> None:
    engine = make_engine(database_url, process="test", pool_size=1, command_timeout=0.5, pool_timeout=0.5)

    async def process_id() -> int:
        async with asyncio.timeout(A_WHILE), opening(engine) as connection:
            return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())

    pid = await process_id()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseUnavailable):
            await process_id()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert await process_id() != pid  # with half an answer on it, that one is nobody's
    await engine.dispose()


@pytest.mark.parametrize("reason", ["a\u0007", "x" * 10_001, "\ud800"])
def test_n9_a_reason_is_held_to_the_same_measure_wherever_it_comes_from(reason: str) -> None:
    found = answer_problems((Choice(choice="approve"),), choice="approve", reason=reason, fields={})
    assert [problem.field for problem in found] == ["reason"]

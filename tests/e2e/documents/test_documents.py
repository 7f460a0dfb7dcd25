"""N1, N11: files over HTTP into a running product, up to the border of what is taken, and through a kill -9."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest

from crypto.keyring import Keyring
from db.connection.engine import make_engine
from documents.store import DocumentStore
from documents.sweep import DocumentSweep
from embedded.demo.driver import until
from tests.documents import PDF
from tests.e2e.support.attaching import attach
from tests.e2e.support.journey import CLERK, Journey
from tests.e2e.support.stack import Stack

LARGEST = 25 * 1024 * 1024
APPLICANT, FOREIGN = "yang.fan", "hu.bin"


@pytest.fixture(scope="module")
def application(stack: Stack) -> str:
    return f"/applications/{Journey(stack, APPLICANT).to_vps().id}"


def files(stack: Stack) -> list[Path]:
    return [path for path in (stack.folder / "documents").rglob("*") if path.is_file()]


def digests(stack: Stack) -> list[str]:
    return [row["sha256"] for row in stack.query("SELECT sha256 FROM document ORDER BY uploaded_at")]


def test_n1_n11_an_account_plan_is_attached_and_read_by_whoever_decides(stack: Stack, application: str) -> None:
    form = httpx.Request("POST", "http://form/", files={"file": ("客户计划.pdf", PDF)}, data={"part": "account_plan"})
    headers = {"Content-Type": form.headers["content-type"]}
    got = stack.portal.call(APPLICANT, "POST", f"{application}/documents", form.read(), headers=headers)
    assert got.status == 201, got.text
    assert (got.json["part"], got.json["name"]) == ("account_plan", "客户计划.pdf")
    read = stack.portal.call(CLERK, "GET", f"/documents/{got.json['id']}")
    assert read.body == PDF
    assert read.headers["content-disposition"].startswith("attachment;")
    assert int(read.headers["content-length"]) == len(PDF)
    assert stack.portal.call(FOREIGN, "GET", f"/documents/{got.json['id']}").status == 404
    dossier = stack.portal.call(CLERK, "GET", f"{application}/dossier").json
    assert dossier["documents"][0]["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert "document_attached" in {entry["event"] for entry in dossier["record"]}
    assert stack.cli("verify").exit_code == 0


def test_n11_25_megabytes_are_taken_and_one_byte_more_is_not(stack: Stack, application: str) -> None:
    content = PDF + os.urandom(LARGEST - len(PDF))
    got = attach(stack, APPLICANT, application, content=content)
    assert got.status == 201, got.text
    read = stack.portal.call(APPLICANT, "GET", f"/documents/{got.json['id']}")
    assert hashlib.sha256(read.body).hexdigest() == hashlib.sha256(content).hexdigest() == got.json["sha256"]
    before = len(files(stack)), digests(stack)
    for more in (1, 70_000):
        refused = attach(stack, APPLICANT, application, content=content + bytes(more))
        assert (refused.status, refused.json["code"]) == (413, "document_too_large")
    assert (len(files(stack)), digests(stack)) == before


def test_an_endless_body_is_cut_off_whoever_sends_it(stack: Stack, application: str) -> None:
    late = 0

    def endless() -> Iterator[bytes]:
        nonlocal late
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.7\n'
        for _ in range(102):
            yield bytes(1024 * 1024)
        for _ in range(300):  # half a minute
            late += 1
            time.sleep(0.1)
            yield bytes(1024)

    address = f"{stack.web.url}/api/v1{application}/documents"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    mine = headers | {"Authorization": f"Bearer {stack.portal.token(APPLICANT)}"}
    before = len(files(stack)), digests(stack)
    for who in (mine, headers):
        late = 0
        with contextlib.suppress(httpx.TransportError):  # cut off before the answer was read
            got = httpx.post(address, content=endless(), headers=who, timeout=60, trust_env=False)
            assert got.status_code in (401, 413)
        assert late < 150
    assert (len(files(stack)), digests(stack)) == before
    assert attach(stack, APPLICANT, application, "after.pdf").status == 201


class Locked:
    """The table of documents, locked by somebody else: the API has kept the bytes and cannot record the row."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.postgres.url().replace("+asyncpg", "")
        self._runner = asyncio.Runner()

    def __enter__(self) -> None:
        async def lock() -> asyncpg.Connection:
            connection = await asyncpg.connect(self._url, timeout=5)
            await connection.execute("BEGIN; LOCK TABLE document IN SHARE ROW EXCLUSIVE MODE")
            return connection

        self._connection = self._runner.run(lock())

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


def test_n11_an_api_killed_between_bytes_and_row_leaves_nothing_and_the_same_request_succeeds(
    stack: Stack, application: str
) -> None:
    content, key = PDF + os.urandom(3_000_000), uuid.uuid4().hex
    digest = hashlib.sha256(content).hexdigest()
    before = set(files(stack))
    answers: list[int] = []

    def send() -> None:
        with contextlib.suppress(ConnectionError):
            answers.append(attach(stack, APPLICANT, application, "scan.pdf", content, key=key).status)

    stack.portal.token(APPLICANT)
    with Locked(stack):
        sending = threading.Thread(target=send)
        sending.start()
        complete = until(
            "the bytes are kept",
            lambda: {path for path in set(files(stack)) - before if path.stat().st_size > len(content)},
        )
        time.sleep(0.1)
        stack.stop(stack.api, grace=0)
        sending.join(30)
    assert answers == []
    assert digest not in digests(stack)
    assert len(complete) == 1
    stack.start(stack.api)
    stack.ready()
    listed = stack.portal.call(APPLICANT, "GET", f"{application}/documents").json["items"]
    assert digest not in {item["sha256"] for item in listed}

    got = attach(stack, APPLICANT, application, "scan.pdf", content, key=key)
    assert (got.status, got.json["sha256"]) == (201, digest)
    assert digests(stack).count(digest) == 1
    assert sweep(stack, timedelta(hours=1)) == 0  # it is left alone for two days
    assert sweep(stack, timedelta(days=3)) >= 1
    assert complete.isdisjoint(files(stack))
    assert len(files(stack)) == len(digests(stack))
    assert stack.portal.call(APPLICANT, "GET", f"/documents/{got.json['id']}").body == content
    assert stack.cli("verify").exit_code == 0


def sweep(stack: Stack, later: timedelta) -> int:
    """What the worker removes so much later."""

    async def run() -> int:
        engine = make_engine(stack.postgres.url(), process="test")
        store = DocumentStore(
            stack.environment["BAOBEI_DOCUMENTS_URL"], Keyring.parse(stack.environment["BAOBEI_PAYLOAD_KEYS"])
        )
        try:
            return await DocumentSweep(engine, store, lambda: datetime.now(UTC) + later).sweep()
        finally:
            await engine.dispose()

    return asyncio.run(run())


def test_n11_a_record_that_is_away_keeps_no_file(stack: Stack, application: str) -> None:
    before = digests(stack)
    with Locked(stack):  # until the API gives up
        got = attach(stack, APPLICANT, application, "late.pdf", PDF + b"late")
    assert (got.status, got.json["code"]) == (503, "record_away")
    assert digests(stack) == before
    assert attach(stack, APPLICANT, application, "late.pdf", PDF + b"late").status == 201

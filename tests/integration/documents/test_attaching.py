"""N1, N11: files are attached whole or not at all, by whoever sees their subject, and proved by the record."""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from crypto.keyring import Keyring
from db import audit
from db import documents as on_record
from db.connection.engine import transaction
from db.documents import DocumentRow
from documents.errors import StoreAway
from documents.keeper import DocumentKeeper
from documents.store import DocumentStore
from domain.documents.document import DocumentPart
from domain.policy import load_policy
from domain.refusals import Refused
from domain.subject import SubjectType
from runtime.keys_in_use import check_before_start, process_of
from runtime.settings import Settings, SettingsError
from tests.documents import HTML, PDF, PROGRAM, archive, image_bomb
from tests.integration.accounts.test_confidence import KEYS
from tests.integration.documents.conftest import Archive
from tests.integration.projects.project_door import APPLICANT, CLERK, HOLDER, NOW, OTHER, VP, the_app

LARGEST = 25 * 1024 * 1024
LIMITS = load_policy().documents


async def test_n11_a_file_comes_back_byte_for_byte_and_the_record_proves_it(kept: Archive) -> None:
    answer = await kept.attach(APPLICANT, "合同 (终稿).pdf")
    assert answer.status_code == 201, answer.text
    view = answer.json()
    digest = hashlib.sha256(PDF).hexdigest()
    assert view["name"] == "合同 (终稿).pdf"
    assert (view["media_type"], view["size"], view["sha256"]) == ("application/pdf", len(PDF), digest)
    assert (view["part"], view["uploaded_by"]["id"]) == ("project", APPLICANT)
    got = await kept.ask(CLERK, "GET", f"/documents/{view['id']}")
    assert got.content == PDF
    assert await kept.events() == [
        {
            "id": view["id"],
            "part": "project",
            "name": "合同 (终稿).pdf",
            "media_type": "application/pdf",
            "size": len(PDF),
            "sha256": digest,
        }
    ]
    listed = (await kept.ask(APPLICANT, "GET", "/projects/p1/documents")).json()
    assert [item["id"] for item in listed["items"]] == [view["id"]]
    dossier = (await kept.ask(APPLICANT, "GET", "/projects/p1/dossier")).json()
    assert dossier["documents"][0]["sha256"] == digest
    page = await kept.ask(APPLICANT, "GET", "/projects/p1/dossier", headers={"accept": "text/html"})
    assert digest in page.text
    assert "合同 (终稿).pdf" in page.text


async def test_x2_nothing_readable_is_in_the_store(kept: Archive) -> None:
    content = "客户：北京银行".encode() * 1000
    assert (await kept.attach(APPLICANT, "北京银行.txt", content)).status_code == 201
    (file,) = kept.files()
    assert "北京银行".encode() not in file.read_bytes()
    assert "北京银行" not in str(file)


async def test_n11_a_download_is_always_saved_and_never_run(kept: Archive) -> None:
    attached = (await kept.attach(APPLICANT, '"; filename=x.html\r\n<script>.txt', b"plain")).json()
    got = await kept.ask(APPLICANT, "GET", f"/documents/{attached['id']}")
    assert got.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
    assert "\r" not in got.headers["content-disposition"]
    assert 'html"' not in got.headers["content-disposition"]
    assert got.headers["content-type"].partition(";")[0] == "text/plain"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]
    assert "default-src 'none'" in got.headers["content-security-policy"]


async def test_x2_a_foreign_viewer_finds_neither_list_nor_file_and_attaches_nothing(kept: Archive) -> None:
    attached = (await kept.attach(APPLICANT)).json()
    assert (await kept.ask(OTHER, "GET", "/projects/p1/documents")).status_code == 404
    assert (await kept.ask(OTHER, "GET", f"/documents/{attached['id']}")).status_code == 404
    assert (await kept.attach(OTHER)).status_code == 404
    assert (await kept.ask(OTHER, "GET", "/documents/0123456789abcdef0123")).status_code == 404
    assert (await kept.attach(APPLICANT, to="/accounts/account-1")).status_code in (404, 405)
    assert len(await kept.rows("SELECT 1 FROM document")) == 1
    assert len(kept.files()) == 1
    assert not await kept.rows(f"SELECT 1 FROM reading WHERE person = '{OTHER}'")


async def test_x2_every_look_and_every_download_is_recorded(kept: Archive) -> None:
    attached = (await kept.attach(APPLICANT)).json()
    await kept.ask(VP, "GET", "/projects/p1/documents")
    await kept.ask(VP, "GET", f"/documents/{attached['id']}")
    read = await kept.rows(f"SELECT subject_type, subject_id, through FROM reading WHERE person = '{VP}' ORDER BY id")
    assert [tuple(row) for row in read] == [
        ("project", "p1", "documents"),
        ("project", "p1", "download"),
        ("document", attached["id"], "download"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("plan.pdf", b"", 422, "document_empty"),
        ("plan.pdf", PDF + bytes(LARGEST + 1 - len(PDF)), 413, "document_too_large"),
        ("plan.pdf", PDF + bytes(LARGEST + 200_000), 413, "document_too_large"),
        ("setup.exe", PROGRAM, 422, "document_type_not_allowed"),
        ("plan.pdf", PROGRAM, 422, "document_not_its_type"),
        ("plan.docx", archive("evil.class"), 422, "document_not_its_type"),
        ("page.html", HTML, 422, "document_type_not_allowed"),
        ("page.pdf", HTML, 422, "document_not_its_type"),
        ("page.txt", HTML, 422, "document_not_its_type"),
        ("../..", PDF, 422, "document_type_not_allowed"),
    ],
)
async def test_n11_what_is_refused_leaves_nothing(
    kept: Archive, name: str, content: bytes, status: int, code: str
) -> None:
    answer = await kept.attach(APPLICANT, name, content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"]
    assert "{" not in answer.json()["detail"]
    assert await kept.nothing_is_kept()


async def test_n11_the_largest_file_is_kept(kept: Archive) -> None:
    content = PDF + bytes(LARGEST - len(PDF))
    answer = await kept.attach(APPLICANT, content=content)
    assert answer.status_code == 201, answer.text
    got = await kept.ask(APPLICANT, "GET", f"/documents/{answer.json()['id']}")
    assert hashlib.sha256(got.content).hexdigest() == answer.json()["sha256"]


async def test_n11_an_image_bomb_is_only_bytes(kept: Archive) -> None:
    """Decoded, it would take 10 GB; nobody decodes it, so memory stays where it was."""
    content = image_bomb()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = await kept.attach(APPLICANT, "photo.png", content)
    assert answer.status_code == 201, answer.text
    got = await kept.ask(APPLICANT, "GET", f"/documents/{answer.json()['id']}")
    assert got.content == content
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


async def test_n11_a_path_in_the_name_leads_nowhere(kept: Archive) -> None:
    answer = await kept.attach(APPLICANT, "..\\..\\/../../etc/cron.d/合同.pdf")
    assert answer.json()["name"] == "合同.pdf"
    (file,) = kept.files()
    assert file.is_relative_to(kept.folder)
    assert "合同" not in file.name


async def test_n11_the_same_key_and_file_are_one_document_another_file_is_refused(kept: Archive) -> None:
    first = await kept.attach(APPLICANT, key="k1")
    again = await kept.attach(APPLICANT, key="k1")
    assert (again.status_code, again.json()) == (201, first.json())
    other = await kept.attach(APPLICANT, content=PDF + b"x", key="k1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_reused")
    assert len(await kept.rows("SELECT 1 FROM document")) == len(kept.files()) == len(await kept.events()) == 1
    wrong = await kept.attach(APPLICANT, key="two words")
    assert wrong.status_code == 400


async def test_n11_ten_at_once_with_one_key_are_one_document(kept: Archive) -> None:
    answers = await asyncio.gather(*(kept.attach(APPLICANT, key="k1") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await kept.rows("SELECT 1 FROM document")) == len(await kept.events()) == 1
    await kept.sweep(timedelta(days=3))
    assert len(kept.files()) == 1


async def test_n11_of_many_at_once_no_more_are_kept_than_the_policy_allows(kept: Archive) -> None:
    limits = LIMITS.model_copy(update={"most_per_subject": 3})

    async def content() -> AsyncIterator[bytes]:
        yield PDF

    async def one(number: int) -> bool:
        """Whether it was refused."""
        try:
            await kept.keeper.keep(new_row(f"d{number}"), content, limits)
        except Refused as refused:
            return refused.code == "documents_too_many"
        return False

    assert sum(await asyncio.gather(*(one(number) for number in range(8)))) == 5
    assert len(await kept.rows("SELECT 1 FROM document")) == 3


async def test_n11_a_file_belongs_to_a_decision_an_update_or_a_meeting_that_exists(kept: Archive) -> None:
    known = await kept.attach(APPLICANT, part="decision", about="t1")
    assert known.status_code == 201, known.text
    assert (known.json()["part"], known.json()["about"]) == ("decision", "t1")
    meeting = await kept.attach(APPLICANT, to="/projects/p3", part="meeting", about="p3-1")
    assert meeting.status_code == 201, meeting.text
    wrong: tuple[dict[str, Any], ...] = (
        {"part": "decision", "about": "nobody"},
        {"part": "decision"},
        {"part": "update", "about": "1"},
        {"part": "meeting", "about": "p3-1"},
        {"part": "account_plan"},
        {"part": "project", "about": "t1"},
        {"part": "nonsense"},
    )
    for fields in wrong:
        answer = await kept.attach(APPLICANT, **fields)
        assert (answer.status_code, answer.json()["code"]) == (422, "document_target_unknown"), fields
    assert len(await kept.rows("SELECT 1 FROM document")) == 2


async def test_n11_what_is_no_form_or_has_no_file_is_refused(kept: Archive) -> None:
    broken = {"content-type": "multipart/form-data; boundary=x"}
    for more, status in (
        ({"content": b"{}", "headers": {"content-type": "application/json"}}, 422),
        ({"data": {"part": "project"}}, 422),
        ({"files": {"other": ("a.pdf", PDF)}}, 422),
        ({"content": b"nothing of the kind", "headers": broken}, 400),
        ({"content": b"--x\r\nContent-Disposition: nonsense\r\n\r\n", "headers": broken}, 400),
    ):
        answer = await kept.ask(APPLICANT, "POST", "/projects/p1/documents", **more)
        assert answer.status_code == status, (more, answer.text)
    assert await kept.nothing_is_kept()


async def test_a_list_is_paged(kept: Archive) -> None:
    for number in range(5):
        assert (await kept.attach(APPLICANT, f"{number}.pdf")).status_code == 201
    seen: list[str] = []
    cursor: str | None = None
    while cursor is not None or not seen:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        got: Any = (await kept.ask(APPLICANT, "GET", "/projects/p1/documents", params=params)).json()
        seen += [item["name"] for item in got["items"]]
        cursor = got["next_cursor"]
    assert sorted(seen) == [f"{number}.pdf" for number in range(5)]


# ---- the store ------------------------------------------------------------------


async def test_n11_a_store_that_is_away_refuses_clearly_and_keeps_nothing(kept: Archive) -> None:
    attached = (await kept.attach(APPLICANT)).json()
    moved = kept.folder.rename(kept.folder.with_name("elsewhere"))
    kept.folder.write_bytes(b"not a folder")
    answer = await kept.attach(APPLICANT, "second.pdf")
    assert (answer.status_code, answer.json()["code"]) == (503, "documents_away")
    read = await kept.ask(APPLICANT, "GET", f"/documents/{attached['id']}")
    assert (read.status_code, read.json()["code"]) == (503, "documents_away")
    assert (await kept.ask(APPLICANT, "GET", "/projects/p1/documents")).status_code == 200
    kept.folder.unlink()
    moved.rename(kept.folder)
    assert len(await kept.rows("SELECT 1 FROM document")) == len(await kept.events()) == len(kept.files()) == 1
    assert (await kept.attach(APPLICANT, "second.pdf")).status_code == 201


def new_row(document_id: str) -> DocumentRow:
    return DocumentRow(
        id=document_id,
        subject_type=SubjectType.PROJECT,
        subject_id="p1",
        part=DocumentPart.PROJECT,
        name="plan.pdf",
        media_type="application/pdf",
        size=1,
        sha256="0" * 64,
        person=APPLICANT,
        uploaded_at=NOW,
        key_id="",
        path="",
    )


async def test_n11_a_store_that_goes_away_in_the_middle_keeps_nothing(kept: Archive) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield bytes(6 * 1024 * 1024)
        (staged,) = kept.files()  # the first part has arrived
        assert staged.stat().st_size > 0
        kept.folder.rename(kept.folder.with_name("gone"))
        kept.folder.write_bytes(b"not a folder")
        yield bytes(6 * 1024 * 1024)

    with pytest.raises(StoreAway):
        await kept.keeper.keep(new_row("d1"), content, LIMITS)
    assert not await kept.rows("SELECT 1 FROM document")
    assert not await kept.events()


async def test_n11_bytes_whose_row_was_never_recorded_are_swept_and_no_others(kept: Archive) -> None:
    assert (await kept.attach(APPLICANT)).status_code == 201
    async with kept.engine.connect() as connection:
        record = await on_record.name_of_record(connection)

    async def content() -> AsyncIterator[bytes]:
        yield PDF

    await kept.store.keep(f"{record}/lost/1", "lost", content())
    await kept.store.keep("another-record/theirs/1", "theirs", content())
    staged = kept.folder / record / "half-written#1"
    staged.write_bytes(b"half")
    assert await kept.sweep(timedelta(days=1)) == 0
    assert len(kept.files()) == 4
    assert await kept.sweep(timedelta(days=3)) == 2
    (row,) = await kept.rows("SELECT path FROM document")
    assert {str(file.relative_to(kept.folder)) for file in kept.files()} == {row.path, "another-record/theirs/1"}
    assert await kept.sweep(timedelta(days=3)) == 0


async def test_n11_a_refused_transaction_records_nothing(kept: Archive) -> None:
    """Row and event are one transaction: when the event cannot be recorded, neither is."""
    await kept.rows("SELECT 1")
    async with kept.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE audit ADD CONSTRAINT never CHECK (event <> 'document_attached')")
    with pytest.raises(Exception, match="never"):
        await kept.attach(APPLICANT)
    assert not await kept.rows("SELECT 1 FROM document")
    assert await kept.sweep(timedelta(days=3)) == 1
    assert not kept.files()


async def test_n11_a_changed_file_is_not_given_out(kept: Archive) -> None:
    attached = (await kept.attach(APPLICANT)).json()
    (file,) = kept.files()
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    got = await kept.ask(APPLICANT, "GET", f"/documents/{attached['id']}")
    assert (got.status_code, got.json()["code"]) == (503, "documents_away")


async def test_without_a_store_files_are_refused_and_pages_still_work(kept: Archive) -> None:
    the_app().state.parts.documents = None
    answer = await kept.attach(APPLICANT)
    assert (answer.status_code, answer.json()["code"]) == (503, "documents_off")
    assert (await kept.ask(APPLICANT, "GET", "/projects/p1/documents")).json()["items"] == []


async def test_x1_the_table_is_append_only_and_the_record_still_proves_itself(kept: Archive) -> None:
    await kept.attach(APPLICANT)
    for statement in ("UPDATE document SET name = 'x'", "DELETE FROM document", "TRUNCATE document"):
        with pytest.raises(Exception, match="append-only"):
            async with kept.engine.begin() as connection:
                await connection.exec_driver_sql(statement)
    async with transaction(kept.engine) as connection:
        proof = await audit.verify(connection, lambda *_: True)
    assert not proof.faults


async def test_too_many_at_once_are_refused_and_asked_to_come_back(kept: Archive) -> None:
    kept.keeper.slots = asyncio.Semaphore(1)
    async with kept.keeper.slots:
        answer = await kept.attach(APPLICANT)
    assert (answer.status_code, answer.json()["code"]) == (503, "too_many_uploads")
    assert answer.headers["retry-after"]
    assert (await kept.attach(APPLICANT)).status_code == 201


async def test_x2_no_process_starts_without_a_key_that_a_file_needs(kept: Archive, database_url: str) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield PDF

    keys = dict(KEYS.keys)
    old = Keyring((("k0", keys["k1"]), ("k1", keys["k1"])))
    store = DocumentStore(kept.folder.as_uri(), Keyring(old.keys[:1]))
    await DocumentKeeper(kept.engine, store, None, KEYS).keep(new_row("d1"), content, LIMITS)
    holds = Settings(embedded=True, payload_keys=old, seal_keys=KEYS)
    await check_before_start(process_of("api", holds), database_url)
    lacks = Settings(embedded=True, payload_keys=KEYS, seal_keys=KEYS)
    with pytest.raises(SettingsError, match="lacks the key k0, which attached files"):
        await check_before_start(process_of("api", lacks), database_url)
    got = await kept.ask(APPLICANT, "GET", "/documents/d1")
    assert got.status_code == 503
    assert json.loads(got.content)["code"] == "documents_away"


async def test_x2_whoever_comes_to_see_the_project_sees_its_files(kept: Archive) -> None:
    """D1: the other side of a dispute, by the condition of the project itself."""
    attached = (await kept.attach(APPLICANT, to="/projects/p2")).json()
    assert (await kept.ask(HOLDER, "GET", f"/documents/{attached['id']}")).status_code == 200
    assert (await kept.ask(HOLDER, "GET", "/projects/p1/documents")).status_code == 404

"""A virus scanner that is set decides before anything is kept, and one that is silent stops uploads (N11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from documents.errors import Infected
from documents.scanner import Scanner
from tests.documents import EICAR_LIKE, PDF
from tests.integration.documents.conftest import Archive
from tests.integration.projects.project_door import APPLICANT
from tests.servers.clamd import Clamd, Mood


@pytest.fixture
async def clamd() -> AsyncIterator[Clamd]:
    async with Clamd().open() as scanner:
        yield scanner


async def test_n11_a_clean_file_is_shown_whole_and_kept(kept: Archive, clamd: Clamd) -> None:
    kept.use_scanner(clamd.address)
    content = PDF + bytes(300_000)
    assert (await kept.attach(APPLICANT, content=content)).status_code == 201
    assert clamd.scanned == [content]


async def test_n11_an_infected_file_is_refused_and_not_kept(kept: Archive, clamd: Clamd) -> None:
    kept.use_scanner(clamd.address)
    answer = await kept.attach(APPLICANT, content=EICAR_LIKE)
    assert (answer.status_code, answer.json()["code"]) == (422, "document_infected")
    assert await kept.nothing_is_kept()


@pytest.mark.parametrize("mood", [Mood.HANGS_UP, Mood.LIMITS])
async def test_n11_a_scanner_that_cannot_tell_stops_the_upload(kept: Archive, clamd: Clamd, mood: Mood) -> None:
    kept.use_scanner(clamd.address)
    clamd.mood = mood
    answer = await kept.attach(APPLICANT, content=PDF + bytes(2_000_000), key="k1")
    assert (answer.status_code, answer.json()["code"]) == (503, "scanner_away")
    assert await kept.nothing_is_kept()
    clamd.mood = Mood.SCANS
    assert (await kept.attach(APPLICANT, content=PDF + bytes(2_000_000), key="k1")).status_code == 201


async def test_n11_a_scanner_that_is_away_stops_the_upload_and_nothing_else(kept: Archive) -> None:
    attached = (await kept.attach(APPLICANT)).json()
    kept.use_scanner("127.0.0.1:1")
    answer = await kept.attach(APPLICANT, "second.pdf")
    assert (answer.status_code, answer.json()["code"]) == (503, "scanner_away")
    assert (await kept.ask(APPLICANT, "GET", f"/documents/{attached['id']}")).status_code == 200


async def test_the_scanner_is_reached_by_a_unix_socket_too(tmp_path: Path) -> None:
    clamd = Clamd()
    path = tmp_path / "clamd.sock"

    async def content() -> AsyncIterator[bytes]:
        yield EICAR_LIKE

    async with await asyncio.start_unix_server(clamd._serve, path):
        with pytest.raises(Infected, match=r"Baobei\.Test"):
            await Scanner(str(path)).check(content())

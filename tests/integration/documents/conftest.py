"""The application in this process with a document store in a folder, on a record with projects and one account."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from db import audit
from db.tables.audit import audit as entries
from documents.keeper import DocumentKeeper
from documents.scanner import Scanner
from documents.store import DocumentStore
from documents.sweep import DocumentSweep
from tests.documents import PDF
from tests.integration.accounts.test_confidence import KEYS
from tests.integration.pages.page_door import Pages
from tests.integration.projects.project_door import NOW, Call, door, fill, filled, the_app


class Archive:
    """Who attaches and reads, where the bytes are, and what is on record."""

    def __init__(self, engine: AsyncEngine, ask: Call, folder: Path) -> None:
        self.engine = engine
        self.ask = ask
        self.folder = folder
        self.store = DocumentStore(folder.as_uri(), KEYS)
        self.use_scanner(None)

    def use_scanner(self, address: str | None) -> None:
        """From now on files are shown to the scanner at `address`."""
        self.keeper = DocumentKeeper(self.engine, self.store, Scanner(address) if address else None, KEYS)
        the_app().state.parts.documents = self.keeper

    async def attach(
        self,
        person: str,
        name: str = "plan.pdf",
        content: bytes = PDF,
        *,
        to: str = "/projects/p1",
        key: str | None = None,
        **fields: str,
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        answer: httpx.Response = await self.ask(
            person, "POST", f"{to}/documents", files={"file": (name, content)}, data=fields, headers=headers
        )
        return answer

    def files(self) -> list[Path]:
        """Every file in the store, half-written ones included."""
        return [path for path in self.folder.rglob("*") if path.is_file()]

    async def rows(self, query: str) -> list[Any]:
        async with self.engine.connect() as connection:
            return list(await connection.execute(text(query)))

    async def events(self) -> list[dict[str, Any]]:
        """The bodies of everything recorded of documents."""
        async with self.engine.connect() as connection:
            query = select(entries.c.body).where(entries.c.event == "document_attached").order_by(entries.c.seq)
            return list(await connection.scalars(query))

    async def nothing_is_kept(self) -> bool:
        """Neither a row nor an event nor a byte."""
        return not (await self.rows("SELECT 1 FROM document") or await self.events() or self.files())

    async def sweep(self, later: timedelta) -> int:
        """What the worker would remove so much later."""
        return await DocumentSweep(self.engine, self.store, lambda: datetime.now().astimezone() + later).sweep()

    async def browser(self, person: str) -> httpx.AsyncClient:
        """A browser in which `person` is signed in."""
        cookie = await Pages(self.engine, self.ask).cookie(person)
        transport = httpx.ASGITransport(the_app())
        return httpx.AsyncClient(transport=transport, base_url="http://here", headers={"cookie": cookie})


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the form that attaches a file."""
    form = page.partition('enctype="multipart/form-data"')[2].partition("</form>")[0]
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))


@pytest.fixture
async def kept(engine: AsyncEngine, database_url: str, tmp_path: Path) -> AsyncIterator[Archive]:
    async with filled(engine) as connection:
        await fill(connection)
    async with engine.begin() as connection:
        await audit.append(
            connection, [audit.Event(event="organisation_imported", at=NOW, actor="test")], lambda *_: "seal"
        )
    async with door(engine, database_url, public_url="http://here", embedded=False) as ask:
        yield Archive(engine, ask, tmp_path / "documents")

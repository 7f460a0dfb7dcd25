"""The pages in this process, opened by people who are signed in; there is no engine."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from crypto.codec import data_converter
from db import sessions
from db.sessions import SessionRow
from domain.organisation import Language
from tests.integration.accounts.test_confidence import KEYS
from tests.integration.projects.project_door import NOW, ORGANISATION, Call, door
from web.session.sessions import session_id, standing_of

HERE = "http://here"


class Pages:
    """Opens pages and sends their forms, as anybody."""

    def __init__(self, engine: AsyncEngine, ask: Call) -> None:
        self._engine, self.ask = engine, ask
        self._secrets: dict[str, str] = {}

    async def cookie(self, person: str, language: Language | None = None) -> str:
        """A session of `person`."""
        if person not in self._secrets:
            known = ORGANISATION.by_id[person]
            secret = f"secret-of-{person}"
            row = SessionRow(
                id=session_id(secret),
                person=person,
                standing=standing_of(known),
                through="one_machine",
                agent="test",
                language=language,
                started_at=NOW,
                seen_at=NOW,
            )
            async with self._engine.begin() as connection:
                await sessions.add(connection, row)
            self._secrets[person] = secret
        return f"baobei={self._secrets[person]}"

    async def get(
        self, person: str, path: str, *, language: Language | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        cookie = await self.cookie(person, language)
        answer: httpx.Response = await self.ask(person, "GET", path, headers={"cookie": cookie, **(headers or {})})
        return answer

    async def post(
        self, person: str, path: str, fields: Mapping[str, str], *, form_on: str = "", **headers: str
    ) -> httpx.Response:
        """Send the form of the page `form_on` (`path` itself by default) with `fields` filled in."""
        form = hidden_fields((await self.get(person, form_on or path)).text)
        cookie = await self.cookie(person)
        answer: httpx.Response = await self.ask(
            person, "POST", path, None, data={**form, **fields}, headers={"cookie": cookie, "origin": HERE, **headers}
        )
        return answer


def hidden_fields(page: str) -> dict[str, str]:
    """The fields that every form of a page carries; a page without one has that of signing out."""
    return {name: re.findall(f'name="{name}" value="([^"]*)"', page)[-1] for name in ("csrf", "form_key")}


def words(answer: httpx.Response) -> str:
    """What a page says, without markup."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.text)))


@asynccontextmanager
async def pages_of(engine: AsyncEngine, database_url: str) -> AsyncIterator[Pages]:
    """The pages, with an engine that cannot be reached."""
    away = await Client.connect("127.0.0.1:9", lazy=True, data_converter=data_converter(KEYS))
    settings: dict[str, Any] = {"public_url": HERE, "embedded": False, "temporal_ui_url": "", "seal_keys": KEYS}
    async with door(engine, database_url, base_url=HERE, client=away, **settings) as ask:
        yield Pages(engine, ask)

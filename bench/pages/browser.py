"""A browser of somebody who is signed in: a cookie, forms as the page holds them, and what a first visit loads."""

from __future__ import annotations

import gzip
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncConnection

from bench.driving import Unexpected
from bench.ground import HOST
from bench.instruments.lane import Lane, Reply
from db import sessions
from db.sessions import SessionRow
from domain.organisation import Organisation
from web.session.sessions import session_id, standing_of

ENCODINGS = "gzip, deflate, br, zstd"
"""What a browser can unpack; it is up to the server whether it packs anything."""
_INPUT = re.compile(r'<(?:input|select|textarea)[^>]*? name="([^"]+)"(?:[^>]*? value="([^"]*)")?')
_LOADED = re.compile(r'<(?:link[^>]*? href|script[^>]*? src)="([^"]+)"')


@dataclass(frozen=True)
class Visit:
    """The first page that somebody opens, with an empty cache; sizes in bytes, with the headers."""

    page: int
    loaded: int
    """What the page refers to: styles, script, icon."""
    encodings: frozenset[str]
    """How the server has packed any of it; empty for not at all."""
    packed: int
    """What gzip would leave of the whole."""

    @property
    def whole(self) -> int:
        return self.page + self.loaded


class Browser(Lane):
    """One connection of one person to the pages on `port`."""

    def __init__(self, port: int, secret: str) -> None:
        super().__init__(HOST, port)
        self._headers = [f"Cookie: baobei={secret}", "Accept: text/html", f"Accept-Encoding: {ENCODINGS}"]

    async def open(self, path: str) -> Reply:
        """A page. Raises `Unexpected` for anything else, such as the way to sign in."""
        return _shown(await self._send("GET", path, "", b"", self._headers))

    async def fields(self, path: str) -> dict[str, str]:
        """Every input of the page's last form, with what it holds."""
        page = (await self.open(path)).body.decode()
        return dict(_INPUT.findall(page[page.rindex("<form") :]))

    async def fragment(self, path: str, fields: Mapping[str, str]) -> Reply:
        """Send a form from within its page, as its script does; the answer is the part of the page that changes."""
        more = ["Content-Type: application/x-www-form-urlencoded", "HX-Request: true", "Sec-Fetch-Site: same-origin"]
        return _shown(await self._send("POST", path, "", urlencode(fields).encode(), [*self._headers, *more]))

    async def first_visit(self, path: str) -> Visit:
        """Open a page and all that it refers to."""
        page = await self.open(path)
        loaded = [await self.open(address) for address in dict.fromkeys(_LOADED.findall(page.body.decode()))]
        everything = [page, *loaded]
        return Visit(
            page=page.size,
            loaded=sum(reply.size for reply in loaded),
            encodings=frozenset(
                reply.headers["content-encoding"] for reply in everything if "content-encoding" in reply.headers
            ),
            packed=sum(reply.size - len(reply.body) + len(gzip.compress(reply.body, 6)) for reply in everything),
        )


def _shown(reply: Reply) -> Reply:
    if reply.status != 200:
        raise Unexpected(f"a page was expected, got {reply.status}: {reply.body.decode('utf-8', 'replace')[:500]}")
    return reply


async def sign_in(tx: AsyncConnection, organisation: Organisation, person: str, now: datetime) -> str:
    """Put a session of `person` on record; returns the secret that their browser holds."""
    secret = secrets.token_urlsafe(32)
    row = SessionRow(
        id=session_id(secret),
        person=person,
        standing=standing_of(organisation.by_id[person]),
        through="oidc",
        agent="bench",
        started_at=now,
        seen_at=now,
    )
    await sessions.add(tx, row)
    return secret

"""Attempts to act with a cookie that is not one's own, or from another site: whatever is tried, nothing happens."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from typing import Final

import httpx
from sqlalchemy import func, select, update

from db import sessions
from db.sessions import SessionRow
from db.tables.audit import audit
from db.tables.sessions import session
from tests.integration.session.conftest import HERE, Office
from tests.integration.session.test_sign_in import COOKIE, OTHER, PERSON, csrf_in
from web.session.sessions import session_id, standing_of

ATTEMPTS: Final = int(os.environ.get("BAOBEI_ATTEMPTS", "1000"))
"""How many attempts are made; the seed is fixed, so that more of them begin with the same ones."""
PAGES: Final = (
    "/",
    "/inbox",
    "/applications",
    "/accounts",
    "/projects",
    "/updates",
    "/apply",
    "/search?q=a",
    "/session",
)
FORMS: Final = ("/session/language", "/session/end", "/apply", "/register", "/inbox/t1", "/projects/p1/update")


def row(office: Office, secret: str, **changes: object) -> SessionRow:
    given = {
        "id": session_id(secret),
        "person": PERSON.id,
        "standing": standing_of(PERSON),
        "through": "openid",
        "agent": "test",
        "started_at": office.now,
        "seen_at": office.now,
    }
    return SessionRow.model_validate({**given, **changes})


async def dead_cookies(office: Office) -> list[str]:
    """Cookies that were good, or look as if: expired, idle, ended, of somebody who has changed, and made up."""
    long_ago = office.now - timedelta(days=4)
    rows: dict[str, dict[str, object]] = {
        "lasted-too-long": {"started_at": long_ago},
        "idle": {"seen_at": office.now - timedelta(hours=9)},
        "ended": {"ended_at": office.now, "ended_because": "signed_out"},
        "renamed": {"standing": "0" * 64},
        "left": {"person": "nobody.here"},
    }
    async with office.engine.begin() as connection:
        for secret, changes in rows.items():
            await sessions.add(connection, row(office, secret, **changes))
        stored = session_id("alive")
        await sessions.add(connection, row(office, "alive"))
    return [*rows, stored, "", "x" * 4_000, "' OR 1=1 --", "alive\x00", "ALIVE", "%61live", "../alive"]


async def happened(office: Office) -> int:
    """How much stands in the record; ending a session by itself counts for nothing."""
    async with office.engine.connect() as connection:
        query = select(func.count()).select_from(audit).where(audit.c.event != "signed_out")
        return int(await connection.scalar(query) or 0)


async def test_x2_no_attempt_with_a_dead_or_foreign_cookie_or_from_another_site_succeeds(office: Office) -> None:
    await office.sign_in(PERSON.login)
    csrf = csrf_in(await office.browser.get("/"))
    mine = office.browser.cookies[COOKIE]
    async with office.another_browser() as other:
        await office.sign_in(OTHER.login, browser=other)
        foreign, theirs = csrf_in(await other.get("/")), other.cookies[COOKIE]
    cookies = await dead_cookies(office)
    before = await happened(office)
    chance = random.Random(20261201)
    succeeded: list[str] = []
    async with office.another_browser() as thief:
        for number in range(ATTEMPTS):
            kind = chance.choice(("page", "form", "swapped", "cross-site"))
            path = chance.choice(PAGES if kind == "page" else FORMS)
            fields = {"language": "en", "reason": "x", "choice": "approve", "confirm": "yes", "csrf": csrf}
            headers: dict[str, str] = {}
            cookie = chance.choice(cookies)
            if kind == "swapped":  # a cookie that is alive with the form of another session
                cookie, fields["csrf"] = chance.choice(((mine, foreign), (theirs, csrf), (mine, ""), (theirs, "é")))
            elif kind == "cross-site":
                cookie = mine
                headers = chance.choice(
                    (
                        {"Origin": "https://evil.test"},
                        {"Origin": "null"},
                        {"Origin": f"{HERE}.evil.test"},
                        {"Sec-Fetch-Site": "cross-site"},
                        {"Sec-Fetch-Site": "same-site"},
                        {"Origin": "http://baobei.test"},
                    )
                )
            sent: dict[str, str | bytes] = {**headers, "Cookie": f"{COOKIE}={cookie}".encode()}
            answer = await _send(thief, "GET" if kind == "page" else "POST", path, fields, sent)
            if answer.status_code not in (303, 401, 403) or "退出" in answer.text:
                succeeded.append(f"{number} {kind} {path} {cookie!r}: {answer.status_code}")
            elif answer.status_code == 303 and not answer.headers["location"].startswith("/sign-in"):
                succeeded.append(f"{number} {kind} {path}: to {answer.headers['location']}")
            thief.cookies.clear()
    assert succeeded == []
    assert await happened(office) == before
    async with office.engine.begin() as connection:
        alive = select(session.c.id).where(session.c.ended_at.is_(None), session.c.person.in_([PERSON.id, OTHER.id]))
        assert {session_id(mine), session_id(theirs)} <= set(await connection.scalars(alive)), "nobody was signed out"
        await connection.execute(update(session).values(ended_at=office.now, ended_because="signed_out"))
    assert (await office.browser.get("/")).status_code == 303


async def _send(
    browser: httpx.AsyncClient, method: str, path: str, fields: dict[str, str], headers: dict[str, str | bytes]
) -> httpx.Response:
    if method == "GET":
        return await browser.get(path, headers=headers)  # type: ignore[arg-type]
    return await browser.post(path, data=fields, headers=headers)  # type: ignore[arg-type]

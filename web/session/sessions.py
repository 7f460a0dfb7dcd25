"""Sessions of the pages: who is signed in, by which cookie, and until when.

The browser holds a random secret, the record its digest. A session ends when it was idle or lasted too long, when its
person leaves, is renamed or changes role, and when somebody ends it (`domain/policy.toml`, section `sessions`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final

from fastapi import Request, Response

from api.state import State, Viewer
from db import sessions
from db.connection.engine import autocommit, transaction
from db.sessions import SessionRow
from domain.organisation import Language, Organisation, Person
from domain.policy import Sessions
from texts.catalogue import Texts

SEEN_EVERY: Final = timedelta(minutes=1)
"""How exactly the record knows when a session was last used: a write for every page would cost more than the page."""
LONGEST_AGENT: Final = 200


class Visitor:
    """A person to whom pages are shown: signed in, or come by a personal link."""

    def __init__(self, viewer: Viewer, secret: str, language: Language) -> None:
        self.viewer = viewer
        self.language = language
        self._secret = secret

    @property
    def person(self) -> Person:
        return self.viewer.person

    @property
    def texts(self) -> Texts:
        return Texts(self.language)

    @property
    def csrf(self) -> str:
        """The value of the hidden field that every form carries: only pages shown to this visitor know it."""
        return hmac.new(self._secret.encode(), b"baobei-form.v1", hashlib.sha256).hexdigest()


class Session(Visitor):
    """A person who is signed in."""

    def __init__(self, row: SessionRow, viewer: Viewer, secret: str) -> None:
        super().__init__(viewer, secret, row.language or viewer.person.language)
        self.row = row


def cookie_name(state: State) -> str:
    """The cookie's name. A `__Host-` cookie is bound to this host and to https."""
    return "__Host-baobei" if _over_https(state) else "baobei"


def _over_https(state: State) -> bool:
    return state.settings.public_url.startswith("https://")


def session_id(secret: str) -> str:
    """The id in the record of the session whose secret a browser holds."""
    return hashlib.sha256(secret.encode()).hexdigest()


def standing_of(person: Person) -> str:
    """Digest of what a session vouches for: whoever is renamed or changes role signs in again."""
    vouched = "\0".join((person.name, person.login, person.email, person.department or "", *sorted(person.roles)))
    return hashlib.sha256(vouched.encode()).hexdigest()


def ended_because(row: SessionRow, organisation: Organisation, limits: Sessions, now: datetime) -> str | None:
    """Why the session may not be used at `now`; None if it may. The words are the record's."""
    person = organisation.person(row.person)
    if row.ended_at is not None:
        return row.ended_because
    if person is None or not person.active:
        return "left"
    if standing_of(person) != row.standing:
        return "changed"
    if now >= row.started_at + timedelta(hours=limits.longest_hours):
        return "lasted_too_long"
    if now >= row.seen_at + timedelta(hours=limits.idle_hours):
        return "idle"
    return None


async def begin(state: State, response: Response, person: Person, *, through: str, request: Request) -> None:
    """Sign `person` in: a new session, whatever the browser held before, whose cookie goes with `response`."""
    secret, now = secrets.token_urlsafe(32), state.clock()
    row = SessionRow(
        id=session_id(secret),
        person=person.id,
        standing=standing_of(person),
        through=through,
        agent=request.headers.get("user-agent", "")[:LONGEST_AGENT],
        started_at=now,
        seen_at=now,
    )
    before = request.cookies.get(cookie_name(state))
    async with transaction(state.engine) as connection:
        if before:
            await sessions.end(connection, (session_id(before),), "signed_in_again", now)
        await sessions.add(connection, row)
        await state.record(connection, "signed_in", person.id, {"session": row.id[:16], "through": through})
    response.set_cookie(cookie_name(state), secret, path="/", secure=_over_https(state), httponly=True, samesite="lax")


async def note_refused(state: State, reason: str, login: str, *, through: str) -> None:
    """Record an attempt to sign in that failed: why, and as whom if that is known."""
    body = {"reason": reason, "login": login[:63], "through": through}
    async with transaction(state.engine) as connection:
        await state.record(connection, "sign_in_refused", "system", body)


async def end(state: State, session_ids: tuple[str, ...], person: str, because: str) -> None:
    """End sessions of `person`, on record."""
    async with transaction(state.engine) as connection:
        ended = await sessions.end(connection, session_ids, because, state.clock())
        if ended:
            body = {"sessions": [ended_id[:16] for ended_id in ended], "because": because}
            await state.record(connection, "signed_out", person, body)


async def session_of(state: State, request: Request) -> Session | None:
    """The session that the cookie of a request names, if it may be used; one that may not is ended, on record.

    Raises `DatabaseUnavailable`.
    """
    secret = request.cookies.get(cookie_name(state))
    if not secret:
        return None
    now = state.clock()
    async with autocommit(state.engine) as connection:
        row = await sessions.find(connection, session_id(secret))
        if row is None:
            return None
        organisation = await state.facts.organisation(connection)
        because = ended_because(row, organisation, state.facts.policy.sessions, now)
        if because is None and now >= row.seen_at + SEEN_EVERY:
            await sessions.note_seen(connection, row.id, now)
    if because is not None:
        if row.ended_at is None:
            await end(state, (row.id,), row.person, because)
        return None
    person = organisation.by_id[row.person]
    session = Session(row, Viewer(person, organisation), secret)
    request.state.language = session.language
    return session

"""Sessions of the pages: each is a row, so that it can be ended from anywhere."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.rows import first, read_all, values_of
from db.tables.sessions import session
from domain.base import Wire
from domain.organisation import Language


class SessionRow(Wire):
    """A session. `id` is the SHA-256 of what the browser holds: whoever reads the table cannot use it."""

    id: str
    person: str
    standing: str
    """Digest of the person's name, login, department and roles when they signed in."""
    through: str
    """`oidc`, or `one_machine`."""
    agent: str
    """The browser, as it describes itself, shortened."""
    language: Language | None = None
    """As chosen on a page; otherwise the person's own."""
    started_at: datetime
    seen_at: datetime
    ended_at: datetime | None = None
    ended_because: str | None = None


async def add(connection: AsyncConnection, row: SessionRow) -> None:
    """Record a new session."""
    await connection.execute(insert(session).values(values_of(row, session)))


async def find(connection: AsyncConnection, session_id: str) -> SessionRow | None:
    """The session, ended or not."""
    return first(SessionRow, await connection.execute(select(session).where(session.c.id == session_id)))


async def of_person(connection: AsyncConnection, person: str) -> tuple[SessionRow, ...]:
    """The sessions that have not ended, the newest first."""
    query = select(session).where(session.c.person == person, session.c.ended_at.is_(None))
    return read_all(SessionRow, await connection.execute(query.order_by(session.c.started_at.desc())))


async def note_seen(connection: AsyncConnection, session_id: str, at: datetime) -> None:
    """The session was used at `at`."""
    await connection.execute(update(session).where(session.c.id == session_id).values(seen_at=at))


async def choose_language(connection: AsyncConnection, session_id: str, language: Language) -> None:
    """Show the pages of this session in `language`."""
    await connection.execute(update(session).where(session.c.id == session_id).values(language=language))


async def end(connection: AsyncConnection, session_ids: tuple[str, ...], because: str, at: datetime) -> tuple[str, ...]:
    """End these sessions. Returns those that had not ended before."""
    query = (
        update(session)
        .where(session.c.id.in_(session_ids), session.c.ended_at.is_(None))
        .values(ended_at=at, ended_because=because)
        .returning(session.c.id)
    )
    return tuple(await connection.scalars(query))

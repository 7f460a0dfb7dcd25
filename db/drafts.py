"""Forms that somebody has begun; each is seen by that person alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.rows import first, read_all, values_of
from db.tables.drafts import draft
from domain.base import Wire

MOST_KEPT = 50
"""Drafts of one kind that a person may have."""


class DraftRow(Wire):
    """A form as it was typed so far."""

    id: str
    person: str
    kind: str
    """`application` or `project`."""
    title: str
    """The customer or project as typed; may be empty."""
    fields: dict[str, str]
    """What was typed, by the names of the inputs."""
    saved_at: datetime


async def save(connection: AsyncConnection, row: DraftRow) -> bool:
    """Save a draft, or what it has become. False, with nothing changed, when the id is another person's, and for one
    more than `MOST_KEPT`."""
    values = values_of(row, draft)
    others = select(func.count()).where(draft.c.person == row.person, draft.c.kind == row.kind, draft.c.id != row.id)
    if int(await connection.scalar(others) or 0) >= MOST_KEPT:
        return False
    written = (
        insert(draft)
        .values(values)
        .on_conflict_do_update(
            index_elements=[draft.c.id],
            set_={name: values[name] for name in ("title", "fields", "saved_at")},
            where=(draft.c.person == row.person) & (draft.c.kind == row.kind),
        )
        .returning(draft.c.id)
    )
    return (await connection.execute(written)).one_or_none() is not None


async def find(connection: AsyncConnection, person: str, kind: str, draft_id: str) -> DraftRow | None:
    """The draft, if it is that person's."""
    query = select(draft).where(draft.c.id == draft_id, draft.c.person == person, draft.c.kind == kind)
    return first(DraftRow, await connection.execute(query))


async def of_person(connection: AsyncConnection, person: str, kind: str) -> tuple[DraftRow, ...]:
    """The person's drafts, the one saved last first."""
    query = select(draft).where(draft.c.person == person, draft.c.kind == kind).order_by(draft.c.saved_at.desc())
    return read_all(DraftRow, await connection.execute(query.limit(MOST_KEPT)))


async def drop(connection: AsyncConnection, person: str, draft_id: str) -> None:
    """Delete a draft of this person's."""
    await connection.execute(delete(draft).where(draft.c.id == draft_id, draft.c.person == person))

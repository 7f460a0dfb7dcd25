"""X2: reading a customer is itself recorded."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables.audit import reading

_ADD = insert(reading)


async def note_reading(
    connection: AsyncConnection, person: str, subject_type: str, *subject_ids: str, through: str
) -> None:
    """`person` has read these subjects; `through`: the page, list or call that showed them. Several at once are one
    row; the view `subject_read` has one for each."""
    if subject_ids:
        alone = subject_ids[0] if len(subject_ids) == 1 else None
        several = None if alone is not None else list(subject_ids)
        shown = {"subject_type": subject_type, "subject_id": alone, "subject_ids": several}
        await connection.execute(_ADD, {"person": person, "through": through, **shown})

"""X2: reading a customer is itself recorded."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables.audit import reading

_ADD = insert(reading)


async def note_reading(
    connection: AsyncConnection, person: str, subject_type: str, *subject_ids: str, through: str
) -> None:
    """`person` has read these subjects; `through`: the page, list or call that showed them."""
    rows = [
        {"person": person, "subject_type": subject_type, "subject_id": subject_id, "through": through}
        for subject_id in subject_ids
    ]
    if rows:
        await connection.execute(_ADD, rows)

"""Who is signed in to the pages."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, text

from db.tables.base import Moment, metadata

session = Table(
    "session",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("standing", Text, nullable=False),
    Column("through", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("language", Text),
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("ended_because", Text),
    CheckConstraint("(ended_at IS NULL) = (ended_because IS NULL)", name="ended_for_a_reason"),
    Index("ix_session_person", "person", postgresql_where=text("ended_at IS NULL")),
)

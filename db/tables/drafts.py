"""Forms that are not submitted yet."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from db.tables.base import Moment, metadata

draft = Table(
    "draft",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("fields", JSONB, nullable=False),
    Column("saved_at", Moment, nullable=False),
    Index("ix_draft_person", "person", "kind", "saved_at"),
)

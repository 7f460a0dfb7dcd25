"""Disputes over projects."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from db.tables.base import Moment, metadata

dispute = Table(
    "dispute",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("workflow_id", Text, nullable=False, unique=True),
    Column("origin", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("stage_since", Moment, nullable=False),
    Column("claimants", JSONB, nullable=False),
    Column("proposal", JSONB(none_as_null=True)),
    Column("meeting", JSONB(none_as_null=True)),
    Column("outcome", JSONB(none_as_null=True)),
    Index("ix_dispute_project_id", "project_id", "opened_at"),
)

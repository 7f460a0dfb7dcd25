"""What the rules are applied to: versions of organisation, calendar and policy, and the registers that are imported."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, Numeric, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

from db.tables.base import Moment, metadata

organisation = Table(
    "organisation",
    metadata,
    Column("version", Integer, Identity(always=True), primary_key=True),
    Column("document", JSONB, nullable=False),
    Column("imported_at", Moment, nullable=False),
    Column("imported_by", Text, nullable=False),
)

policy = Table(
    "policy",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("document", JSONB, nullable=False),
)

calendar = Table(
    "calendar",
    metadata,
    Column("version", Integer, Identity(always=True), primary_key=True),
    Column("document", JSONB, nullable=False),
    Column("imported_at", Moment, nullable=False),
    Column("imported_by", Text, nullable=False),
)

background = Table(
    "background",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("uscc", Text),
    Column("source", Text, nullable=False),
    Column("document", JSONB, nullable=False),
    UniqueConstraint(
        "name_key", "uscc", "source", name="uq_background_name_key_uscc_source", postgresql_nulls_not_distinct=True
    ),
    Index("ix_background_uscc", "uscc"),
)

earlier_project = Table(
    "earlier_project",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("customer_name", Text, nullable=False),
    Column("salesperson", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("registered_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("amount", Numeric(15, 2)),
    Column("note", Text, nullable=False),
)

"""The hash-chained record, and who has read what."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, SmallInteger, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.tables.base import Moment, metadata

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("workflow_id", Text),
    Column("subject_id", Text),
    Column("event", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("ix_audit_subject_id", "subject_id", "seq"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("seal", Text, nullable=False),
)

reading = Table(
    "reading",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", Moment, nullable=False, server_default=text("now()")),
    Column("person", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Text),
    Column("through", Text, nullable=False),
    Column("subject_ids", ARRAY(Text)),
    CheckConstraint("(subject_id IS NULL) <> (subject_ids IS NULL)", name="one_or_several"),
)

# The view `subject_read` has one row for each subject that was read, alone or on a page: see the migrations.

"""What is only ever added to: the hash-chained record, who has read what, and the attached files."""

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

document = Table(
    "document",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("about", Text),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("uploaded_at", Moment, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("path", Text, nullable=False, unique=True),
    Index("ix_document_subject_id", "subject_id", "uploaded_at"),
)

"""Receipts of messages, results of steps, what waits to be delivered, and the processes that do all this."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Identity, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.tables.base import Moment, metadata

receipt = Table(
    "receipt",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("workflow_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("result", JSONB, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("settled", Boolean, nullable=False),
)

step = Table(
    "step",
    metadata,
    Column("workflow_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("result", JSONB, nullable=False),
)

mail = Table(
    "mail",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("subject_id", Text),
    Column("person", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("link_id", Text),
    Column("act_link_id", Text),
    Column("created_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due", Moment, nullable=False, server_default=text("now()")),
    Column("sent_at", Moment),
    Column("last_error", Text),
    Index("ix_mail_unsent", "due", postgresql_where=text("sent_at IS NULL")),
    Index("ix_mail_subject_id", "subject_id", "person", "id"),
    Index("ix_mail_told", "person", "id", postgresql_where=text("link_id IS NULL")),
    Index("ix_mail_link_id", "link_id", "id", postgresql_where=text("link_id IS NOT NULL")),
    Index("ix_mail_act_link_id", "act_link_id", unique=True, postgresql_where=text("act_link_id IS NOT NULL")),
)

nudge = Table(
    "nudge",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("workflow_id", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("due", Moment, nullable=False, server_default=text("now()")),
    Column("sent_at", Moment),
    Index("ix_nudge_unsent", "due", postgresql_where=text("sent_at IS NULL")),
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("created_at", Moment, nullable=False, server_default=text("now()")),
)

running_process = Table(
    "running_process",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("payload_keys", ARRAY(Text), nullable=False),
    Column("seal_keys", ARRAY(Text), nullable=False),
    Column("seen_at", Moment, nullable=False, server_default=text("now()")),
)

payload_key = Table(
    "payload_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("used_until", Moment, nullable=False, server_default=text("now()")),
)

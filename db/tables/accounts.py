"""Applications for Named Accounts, and the accounts."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Date, ForeignKey, Index, Integer, Numeric, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from db.tables.base import Moment, metadata

application = Table(
    "application",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workflow_id", Text, nullable=False, unique=True),
    Column("applicant", Text, nullable=False),
    Column("department", Text),
    Column("stage", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("form", JSONB, nullable=False),
    Column("policy_digest", ForeignKey("policy.digest"), nullable=False),
    Column("submitted_at", Moment, nullable=False),
    Column("stage_since", Moment, nullable=False),
    Column("rejection", JSONB(none_as_null=True)),
    Column("appeal", JSONB(none_as_null=True)),
    Column("end_reason", JSONB(none_as_null=True)),
    Index("ix_application_applicant", "applicant", "submitted_at", "id"),
    Index("ix_application_department", "department", "submitted_at", "id"),
    Index("ix_application_stage", "stage", "submitted_at", "id"),
    Index("ix_application_submitted_at", "submitted_at", "id"),
)

application_round = Table(
    "application_round",
    metadata,
    Column("application_id", ForeignKey("application.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("form", JSONB, nullable=False),
    Column("submitted_at", Moment, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("application_id", ForeignKey("application.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("document", JSONB, nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("id", Text, primary_key=True),
    Column("application_id", ForeignKey("application.id"), nullable=False, unique=True),
    Column("salesperson", Text, nullable=False),
    Column("department", Text),
    Column("form", JSONB, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("account_limit", Integer, nullable=False),
    Column("gm_decision", ForeignKey("decision.task_id")),
    Column("activated_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    CheckConstraint("slot >= 1 AND (slot <= account_limit OR gm_decision IS NOT NULL)", name="limit_needs_gm"),
    Index(
        "uq_account_salesperson_slot",
        "salesperson",
        "slot",
        unique=True,
        postgresql_where=text("revoked_at IS NULL"),
    ),
    Index("ix_account_activated_at", "activated_at", "id"),
    Index("ix_account_salesperson", "salesperson", "activated_at", "id"),
    Index("ix_account_department", "department", "activated_at", "id"),
)

# `codes` and `registration_numbers` (textranges made of uscc) and the two exclusion constraints exist only in the
# database: see the migrations.

account_result = Table(
    "account_result",
    metadata,
    Column("account_id", ForeignKey("account.id"), primary_key=True),
    Column("month", Date, primary_key=True),
    Column("other_contracts", Numeric(15, 2), nullable=False),
    Column("revenue", Numeric(15, 2), nullable=False),
    Column("payments", Numeric(15, 2), nullable=False),
    Column("imported_at", Moment, nullable=False),
    Column("imported_by", Text, nullable=False),
)

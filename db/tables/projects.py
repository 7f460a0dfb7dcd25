"""Project registrations."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Date, ForeignKey, Index, Integer, Numeric, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from db.tables.base import Moment, metadata

project = Table(
    "project",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workflow_id", Text, nullable=False, unique=True),
    Column("applicant", Text, nullable=False),
    Column("salesperson", Text, nullable=False),
    Column("department", Text),
    Column("stage", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("form", JSONB, nullable=False),
    Column("policy_digest", ForeignKey("policy.digest"), nullable=False),
    Column("registered_at", Moment, nullable=False),
    Column("stage_since", Moment, nullable=False),
    Column("track", Text),
    Column("account_id", ForeignKey("account.id")),
    Column("number", Text, unique=True),
    Column("number_issued_at", Moment),
    Column("resumes", ForeignKey("project.id")),
    *(
        Column(name, JSONB(none_as_null=True))
        for name in (
            *("resumption", "agreement", "refusal", "objection", "loss", "contract_application", "contract"),
            "end_reason",
        )
    ),
    Column("updated_at", Moment),
    Column("silences", Integer, nullable=False, server_default="0"),
    Column("named_since", Moment),
    CheckConstraint("(number IS NULL) = (number_issued_at IS NULL)", name="number_with_its_moment"),
    Index("ix_project_applicant", "applicant", "registered_at", "id"),
    Index("ix_project_salesperson", "salesperson", "registered_at", "id"),
    Index("ix_project_department", "department", "registered_at", "id"),
    Index("ix_project_account_id", "account_id", "registered_at"),
    Index("ix_project_stage", "stage", "registered_at", "id"),
    Index("ix_project_registered_at", "registered_at", "id"),
    Index("ix_project_numbered", "registered_at", "id", postgresql_where=text("number IS NOT NULL")),
    Index(
        "uq_project_resumes",
        "resumes",
        unique=True,
        postgresql_where=text("stage <> ALL (ARRAY['rejected'::text, 'closed_refused'::text, 'withdrawn'::text])"),
    ),
)

project_round = Table(
    "project_round",
    metadata,
    Column("project_id", ForeignKey("project.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("form", JSONB, nullable=False),
    Column("submitted_at", Moment, nullable=False),
    Column("matches", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("weaker_matches", Integer, nullable=False, server_default=text("0")),
    Column("not_compared", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
)

project_update = Table(
    "project_update",
    metadata,
    Column("project_id", ForeignKey("project.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("message_id", Text, nullable=False, unique=True),
    Column("person", Text, nullable=False),
    Column("said_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("progress", Text, nullable=False),
    Column("problems", Text, nullable=False),
    Column("next_steps", Text, nullable=False),
    Column("stage", Text),
    Column("amount", Numeric(15, 2)),
    Column("expected_signing", Date),
)

project_number = Table(
    "project_number",
    metadata,
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
)

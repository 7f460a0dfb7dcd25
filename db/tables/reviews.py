"""Periods, reviews, what they say of accounts, and reports."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from db.tables.base import Moment, metadata

review_period = Table(
    "review_period",
    metadata,
    Column("rhythm", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("workflow_id", Text, nullable=False, unique=True),
    Column("opens_at", Moment, nullable=False),
    Column("closes_at", Moment, nullable=False),
    Column("policy_digest", ForeignKey("policy.digest"), nullable=False),
)

review = Table(
    "review",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workflow_id", Text, nullable=False, unique=True),
    Column("rhythm", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("stage_since", Moment, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("closes_at", Moment, nullable=False),
    Column("policy_digest", ForeignKey("policy.digest"), nullable=False),
    ForeignKeyConstraint(["rhythm", "period"], ["review_period.rhythm", "review_period.period"]),
    Index("ix_review_period", "period"),
)

# What was said of an account in a review: one row of the answer to a task.

account_review = Table(
    "account_review",
    metadata,
    Column("task_id", ForeignKey("task.id"), primary_key=True),
    Column("account_id", ForeignKey("account.id"), primary_key=True),
    Column("review_id", ForeignKey("review.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("fields", JSONB, nullable=False),
    Index("ix_account_review_account_id", "account_id", "at"),
)

account_target = Table(
    "account_target",
    metadata,
    Column("account_id", ForeignKey("account.id"), primary_key=True),
    Column("period", Text, primary_key=True),
    Column("contracts", Numeric(15, 2), nullable=False),
    Column("revenue", Numeric(15, 2), nullable=False),
    Column("action_plan", Text, nullable=False),
    Column("requirements", Text, nullable=False, server_default=""),
    Column("task_id", ForeignKey("task.id"), nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at", Moment, nullable=False),
)

report = Table(
    "report",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("made_at", Moment, nullable=False),
    Column("document", JSONB, nullable=False),
)

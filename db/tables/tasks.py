"""Tasks, the people they ask, decisions, and whom a subject concerns."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from db.tables.base import Moment, metadata

task = Table(
    "task",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workflow_id", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("slot", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("choices", JSONB, nullable=False),
    Column("note", JSONB(none_as_null=True)),
    Column("opened_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("due_provisional", Boolean, nullable=False),
    Column("chased", Integer, nullable=False, server_default="0"),
    Column("warned_at", Moment),
    Column("closed_at", Moment),
    Column("closed_because", Text),
    Index("ix_task_subject", "subject_id", "opened_at"),
    Index("ix_task_open_due", "due_at", postgresql_where=text("status = 'open'")),
)

task_person = Table(
    "task_person",
    metadata,
    Column("task_id", ForeignKey("task.id"), primary_key=True),
    Column("person", Text, primary_key=True),
    Column("capacity", Text, nullable=False),
    Column("on_behalf_of", Text),
    Column("link_id", Text, nullable=False, unique=True),
    Column("link_expires_at", Moment, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("removed_at", Moment),
    Column("status", Text, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("decided", Boolean, nullable=False),
    Index("ix_task_person_person", "person", "task_id"),
    Index(
        "ix_task_person_listed",
        "person",
        "status",
        "opened_at",
        "task_id",
        postgresql_where=text("removed_at IS NULL OR decided"),
    ),
    Index(
        "ix_task_person_waiting",
        "person",
        "due_at",
        "task_id",
        postgresql_where=text("status = 'open' AND removed_at IS NULL"),
    ),
)

# `status`, `opened_at` and `due_at` are those of the task; `decided`: whether it was this person who decided it.
# Triggers copy them: see the migrations.

decision = Table(
    "decision",
    metadata,
    Column("task_id", ForeignKey("task.id"), primary_key=True),
    Column("message_id", Text, nullable=False, unique=True),
    Column("person", Text, nullable=False),
    Column("capacity", Text, nullable=False),
    Column("on_behalf_of", Text),
    Column("choice", Text, nullable=False),
    Column("special", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("fields", JSONB, nullable=False),
    Column("said_at", Moment, nullable=False),
    Column("decided_at", Moment, nullable=False),
    Index("ix_decision_person", "person", "decided_at", "task_id"),
)

# X2: whom a subject concerns beside its owner and their department. Triggers make the rows from tasks, disputes and
# mails: see the migrations.

tie = Table(
    "tie",
    metadata,
    Column("person", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("listed_at", Moment, nullable=False),
    PrimaryKeyConstraint("subject_id", "person", "kind", "subject_type"),
    Index("ix_tie_person", "person", "subject_type", "kind", "listed_at", "subject_id"),
    Index("ix_tie_sides", "listed_at", "subject_id", postgresql_where=text("kind = 'side'")),
)

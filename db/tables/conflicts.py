"""Companies that subjects name, and what people have ruled of matches."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from db.tables.base import Moment, metadata

party = Table(
    "party",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("uscc", Text),
    Column("live", Boolean, nullable=False),
    Column("since", Moment, nullable=False),
    Column("grams", ARRAY(Integer), nullable=False, server_default="{}"),
    Index("ix_party_subject", "subject_type", "subject_id"),
    Index("ix_party_name_key", "name_key"),
    Index("ix_party_uscc", "uscc", postgresql_where=text("uscc IS NOT NULL")),
    Index(
        "ix_party_grams",
        "grams",
        postgresql_using="gin",
        postgresql_ops={"grams": "gin__int_ops"},
        postgresql_with={"fastupdate": "off"},
    ),
)

# By which version of the rules the keys and grams in the tables were made; one row.

name_keys = Table(
    "name_keys",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)

claim = Table(
    "claim",
    metadata,
    Column("account_id", ForeignKey("account.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("uscc", Text),
    Column("live", Boolean, nullable=False),
)

ruling = Table(
    "ruling",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("ruling", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("reason", Text, nullable=False),
    Column("task_id", ForeignKey("task.id"), nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("other_type", Text, nullable=False),
    Column("other_id", Text, nullable=False),
    Index("ix_ruling_fingerprint", "fingerprint", "id"),
)

learned_alias = Table(
    "learned_alias",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("uscc", Text),
    Column("other", Text, nullable=False),
    Column("other_key", Text, nullable=False),
    Column("other_uscc", Text),
    Column("person", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("reason", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("task_id", ForeignKey("task.id"), nullable=False),
    Column("removed_at", Moment),
    Column("removed_by", Text),
    Column("removed_because", Text),
    CheckConstraint("name_key <> other_key", name="two_names"),
    CheckConstraint("(removed_at IS NULL) = (removed_by IS NULL)", name="removed_by_somebody"),
    Index("ix_learned_alias_name_key", "name_key", postgresql_where=text("removed_at IS NULL")),
    Index("ix_learned_alias_other_key", "other_key", postgresql_where=text("removed_at IS NULL")),
)

# What of a period was begun, once (R1–R4).

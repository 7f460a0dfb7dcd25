"""The tables of the record, as SQLAlchemy Core sees them. `db/migrations` makes them; a test keeps the two equal."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Moment = DateTime(timezone=True)

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
    Column("rejection", JSONB),
    Column("appeal", JSONB),
    Column("end_reason", JSONB),
    Index("ix_application_applicant", "applicant", "submitted_at"),
    Index("ix_application_stage", "stage", "submitted_at"),
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
)

# `codes` and `registration_numbers` (textranges made of uscc) and the two exclusion constraints exist only in the
# database: see the migrations.
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
    Column("note", JSONB),
    Column("opened_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("due_provisional", Boolean, nullable=False),
    Column("chased", Integer, nullable=False, server_default="0"),
    Column("warned_at", Moment),
    Column("closed_at", Moment),
    Column("closed_because", Text),
    Index("ix_task_subject", "subject_type", "subject_id"),
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
    Index("ix_task_person_person", "person", "task_id"),
)

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
)

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

mail = Table(
    "mail",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("subject_id", Text),
    Column("person", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("link_id", Text),
    Column("created_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due", Moment, nullable=False, server_default=text("now()")),
    Column("sent_at", Moment),
    Column("last_error", Text),
    Index("ix_mail_unsent", "due", postgresql_where=text("sent_at IS NULL")),
    Index("ix_mail_subject_id", "subject_id"),
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

reading = Table(
    "reading",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", Moment, nullable=False, server_default=text("now()")),
    Column("person", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("through", Text, nullable=False),
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
    Index("ix_project_salesperson", "salesperson", "registered_at"),
    Index("ix_project_account_id", "account_id", "registered_at"),
    Index("ix_project_stage", "stage", "registered_at"),
    Index("ix_project_registered_at", "registered_at", "id"),
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

report = Table(
    "report",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("made_at", Moment, nullable=False),
    Column("document", JSONB, nullable=False),
)

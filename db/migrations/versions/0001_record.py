"""The record of Named Account applications.

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE organisation (
    version integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_organisation PRIMARY KEY,
    document jsonb NOT NULL,
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL
);

CREATE TABLE policy (
    digest text CONSTRAINT pk_policy PRIMARY KEY,
    version text NOT NULL,
    document jsonb NOT NULL
);

CREATE TABLE calendar (
    version integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_calendar PRIMARY KEY,
    document jsonb NOT NULL,
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL
);

CREATE TABLE application (
    id text CONSTRAINT pk_application PRIMARY KEY,
    workflow_id text NOT NULL CONSTRAINT uq_application_workflow_id UNIQUE,
    applicant text NOT NULL,
    department text,
    stage text NOT NULL,
    round integer NOT NULL,
    form jsonb NOT NULL,
    policy_digest text NOT NULL CONSTRAINT fk_application_policy_digest_policy REFERENCES policy (digest),
    submitted_at timestamptz NOT NULL,
    stage_since timestamptz NOT NULL,
    rejection jsonb,
    appeal jsonb,
    end_reason jsonb
);
CREATE INDEX ix_application_applicant ON application (applicant, submitted_at);
CREATE INDEX ix_application_stage ON application (stage, submitted_at);
CREATE INDEX ix_application_submitted_at ON application (submitted_at, id);

CREATE TABLE application_round (
    application_id text CONSTRAINT fk_application_round_application_id_application REFERENCES application (id),
    round integer,
    form jsonb NOT NULL,
    submitted_at timestamptz NOT NULL,
    CONSTRAINT pk_application_round PRIMARY KEY (application_id, round)
);

CREATE TABLE evidence (
    application_id text CONSTRAINT fk_evidence_application_id_application REFERENCES application (id),
    round integer,
    kind text,
    document jsonb NOT NULL,
    CONSTRAINT pk_evidence PRIMARY KEY (application_id, round, kind)
);

CREATE TABLE party (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_party PRIMARY KEY,
    subject_type text NOT NULL,
    subject_id text NOT NULL,
    role text NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    uscc text,
    live boolean NOT NULL,
    since timestamptz NOT NULL
);
CREATE INDEX ix_party_subject ON party (subject_type, subject_id);
CREATE INDEX ix_party_name_key ON party (name_key) WHERE live;
CREATE INDEX ix_party_uscc ON party (uscc) WHERE live AND uscc IS NOT NULL;

CREATE TABLE task (
    id text CONSTRAINT pk_task PRIMARY KEY,
    workflow_id text NOT NULL,
    subject_type text NOT NULL,
    subject_id text NOT NULL,
    kind text NOT NULL,
    slot text NOT NULL,
    round integer NOT NULL,
    status text NOT NULL,
    choices jsonb NOT NULL,
    note jsonb,
    opened_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    due_provisional boolean NOT NULL,
    chased integer NOT NULL DEFAULT 0,
    closed_at timestamptz,
    closed_because text
);
CREATE INDEX ix_task_subject ON task (subject_type, subject_id);
CREATE INDEX ix_task_open_due ON task (due_at) WHERE status = 'open';

CREATE TABLE task_person (
    task_id text CONSTRAINT fk_task_person_task_id_task REFERENCES task (id),
    person text,
    capacity text NOT NULL,
    on_behalf_of text,
    link_id text NOT NULL CONSTRAINT uq_task_person_link_id UNIQUE,
    link_expires_at timestamptz NOT NULL,
    asked_at timestamptz NOT NULL,
    removed_at timestamptz,
    CONSTRAINT pk_task_person PRIMARY KEY (task_id, person)
);
CREATE INDEX ix_task_person_person ON task_person (person, task_id);

-- The first answer wins: a task has at most one decision, whoever races.
CREATE TABLE decision (
    task_id text CONSTRAINT pk_decision PRIMARY KEY CONSTRAINT fk_decision_task_id_task REFERENCES task (id),
    message_id text NOT NULL CONSTRAINT uq_decision_message_id UNIQUE,
    person text NOT NULL,
    capacity text NOT NULL,
    on_behalf_of text,
    choice text NOT NULL,
    special boolean NOT NULL,
    reason text NOT NULL,
    fields jsonb NOT NULL,
    said_at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL
);

-- N8: each live account of a salesperson sits in a numbered slot; a slot above the limit needs the general manager.
CREATE TABLE account (
    id text CONSTRAINT pk_account PRIMARY KEY,
    application_id text NOT NULL CONSTRAINT uq_account_application_id UNIQUE
        CONSTRAINT fk_account_application_id_application REFERENCES application (id),
    salesperson text NOT NULL,
    department text,
    form jsonb NOT NULL,
    slot integer NOT NULL,
    account_limit integer NOT NULL,
    gm_decision text CONSTRAINT fk_account_gm_decision_decision REFERENCES decision (task_id),
    activated_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT ck_account_limit_needs_gm CHECK (slot >= 1 AND (slot <= account_limit OR gm_decision IS NOT NULL))
);
CREATE UNIQUE INDEX uq_account_salesperson_slot ON account (salesperson, slot) WHERE revoked_at IS NULL;

-- N14: no two accounts hold a claim to one customer. Same code: always a collision. Same name: a collision unless both
-- codes are known and differ, which is what two ranges that do not overlap say; an unknown code overlaps every code.
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
CREATE TABLE claim (
    account_id text CONSTRAINT fk_claim_account_id_account REFERENCES account (id),
    number integer,
    name text NOT NULL,
    name_key text NOT NULL,
    uscc text,
    live boolean NOT NULL,
    codes textrange NOT NULL GENERATED ALWAYS AS (textrange(uscc, uscc, '[]')) STORED,
    CONSTRAINT pk_claim PRIMARY KEY (account_id, number),
    CONSTRAINT ex_claim_name EXCLUDE USING gist (name_key WITH =, codes WITH &&, account_id WITH <>) WHERE (live),
    CONSTRAINT ex_claim_uscc EXCLUDE USING gist (uscc WITH =, account_id WITH <>) WHERE (live AND uscc IS NOT NULL)
);

CREATE TABLE receipt (
    message_id text CONSTRAINT pk_receipt PRIMARY KEY,
    workflow_id text NOT NULL,
    person text NOT NULL,
    body_hash text NOT NULL,
    accepted boolean NOT NULL,
    result jsonb NOT NULL,
    recorded_at timestamptz NOT NULL,
    settled boolean NOT NULL
);

-- Doing a step twice is doing it once.
CREATE TABLE step (
    workflow_id text,
    key text,
    result jsonb NOT NULL,
    CONSTRAINT pk_step PRIMARY KEY (workflow_id, key)
);

CREATE TABLE audit (
    seq bigint CONSTRAINT pk_audit PRIMARY KEY,
    at timestamptz NOT NULL,
    workflow_id text,
    subject_id text,
    event text NOT NULL,
    actor text NOT NULL,
    body jsonb NOT NULL,
    previous_hash text NOT NULL,
    hash text NOT NULL
);
CREATE INDEX ix_audit_subject_id ON audit (subject_id, seq);

CREATE TABLE audit_head (
    id smallint CONSTRAINT pk_audit_head PRIMARY KEY,
    seq bigint NOT NULL,
    hash text NOT NULL,
    seal text NOT NULL
);
INSERT INTO audit_head VALUES (1, 0, repeat('0', 64), '');

CREATE TABLE mail (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_mail PRIMARY KEY,
    key text NOT NULL CONSTRAINT uq_mail_key UNIQUE,
    subject_id text,
    person text NOT NULL,
    facts jsonb NOT NULL,
    link_id text,
    created_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    last_error text
);
CREATE INDEX ix_mail_unsent ON mail (due) WHERE sent_at IS NULL;
CREATE INDEX ix_mail_subject_id ON mail (subject_id);

CREATE TABLE nudge (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_nudge PRIMARY KEY,
    workflow_id text NOT NULL,
    because text NOT NULL,
    due timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz
);
CREATE INDEX ix_nudge_unsent ON nudge (due) WHERE sent_at IS NULL;

CREATE TABLE idempotency_key (
    message_id text CONSTRAINT pk_idempotency_key PRIMARY KEY,
    person text NOT NULL,
    body_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE reading (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_reading PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    person text NOT NULL,
    subject_type text NOT NULL,
    subject_id text NOT NULL,
    through text NOT NULL
);

CREATE TABLE background (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_background PRIMARY KEY,
    name text NOT NULL,
    name_key text NOT NULL,
    uscc text,
    source text NOT NULL,
    document jsonb NOT NULL,
    CONSTRAINT uq_background_name_key_uscc_source UNIQUE NULLS NOT DISTINCT (name_key, uscc, source)
);
CREATE INDEX ix_background_uscc ON background (uscc);

CREATE TABLE project (
    id text CONSTRAINT pk_project PRIMARY KEY,
    name text NOT NULL,
    customer_name text NOT NULL,
    salesperson text NOT NULL,
    status text NOT NULL,
    registered_at timestamptz NOT NULL,
    closed_at timestamptz,
    amount numeric(15, 2),
    note text NOT NULL
);
"""

# X1: what is written once stays. The triggers fire even for a session that replicates.
APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
"""
KEPT = ("audit", "decision", "application_round", "reading", "policy", "organisation", "calendar")


def upgrade() -> None:
    for statement in TABLES.split(";\n"):  # asyncpg prepares one statement at a time
        if statement.strip():
            op.execute(statement)
    op.execute(APPEND_ONLY)
    for table in KEPT:
        op.execute(
            f"CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION refuse_change();"
        )
        op.execute(
            f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_rows")
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_truncate")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

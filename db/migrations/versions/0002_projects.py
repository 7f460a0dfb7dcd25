"""The record of project registrations and disputes; imported projects of before get a name of their own.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

EARLIER = """
ALTER TABLE project RENAME TO earlier_project;
ALTER TABLE earlier_project RENAME CONSTRAINT pk_project TO pk_earlier_project;
UPDATE party SET subject_type = 'earlier_project' WHERE subject_type = 'project';

-- What clerks and approvers were shown names the imported projects, too.
UPDATE evidence SET document = jsonb_set(document, '{findings}', (
    SELECT jsonb_agg(
        CASE finding ->> 'subject_type'
            WHEN 'project' THEN finding || '{"subject_type": "earlier_project"}'
            ELSE finding
        END ORDER BY place)
    FROM jsonb_array_elements(document -> 'findings') WITH ORDINALITY AS found (finding, place)))
WHERE document -> 'findings' @> '[{"subject_type": "project"}]';
"""

TABLES = """
CREATE TABLE project (
    id text CONSTRAINT pk_project PRIMARY KEY,
    workflow_id text NOT NULL CONSTRAINT uq_project_workflow_id UNIQUE,
    applicant text NOT NULL,
    salesperson text NOT NULL,
    department text,
    stage text NOT NULL,
    round integer NOT NULL,
    form jsonb NOT NULL,
    policy_digest text NOT NULL CONSTRAINT fk_project_policy_digest_policy REFERENCES policy (digest),
    registered_at timestamptz NOT NULL,
    stage_since timestamptz NOT NULL,
    track text,
    account_id text CONSTRAINT fk_project_account_id_account REFERENCES account (id),
    number text CONSTRAINT uq_project_number UNIQUE,
    number_issued_at timestamptz,
    resumes text CONSTRAINT fk_project_resumes_project REFERENCES project (id),
    resumption jsonb,
    agreement jsonb,
    refusal jsonb,
    objection jsonb,
    loss jsonb,
    contract jsonb,
    end_reason jsonb,
    updated_at timestamptz,
    silences integer NOT NULL DEFAULT 0,
    CONSTRAINT ck_project_number_with_its_moment CHECK ((number IS NULL) = (number_issued_at IS NULL))
);
CREATE INDEX ix_project_salesperson ON project (salesperson, registered_at);
CREATE INDEX ix_project_stage ON project (stage, registered_at);
CREATE INDEX ix_project_registered_at ON project (registered_at, id);
-- U6: a shelved project is resumed once; a resumption that came to nothing leaves it free.
CREATE UNIQUE INDEX uq_project_resumes ON project (resumes) WHERE stage NOT IN ('rejected', 'closed_refused', 'withdrawn');

CREATE TABLE project_round (
    project_id text CONSTRAINT fk_project_round_project_id_project REFERENCES project (id),
    round integer,
    form jsonb NOT NULL,
    submitted_at timestamptz NOT NULL,
    matches jsonb NOT NULL DEFAULT '[]',
    CONSTRAINT pk_project_round PRIMARY KEY (project_id, round)
);

CREATE TABLE project_update (
    project_id text CONSTRAINT fk_project_update_project_id_project REFERENCES project (id),
    number integer,
    message_id text NOT NULL CONSTRAINT uq_project_update_message_id UNIQUE,
    person text NOT NULL,
    said_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    progress text NOT NULL,
    problems text NOT NULL,
    next_steps text NOT NULL,
    stage text,
    amount numeric(15, 2),
    expected_signing date,
    CONSTRAINT pk_project_update PRIMARY KEY (project_id, number)
);

CREATE TABLE project_number (
    year integer CONSTRAINT pk_project_number PRIMARY KEY,
    last integer NOT NULL
);

CREATE TABLE dispute (
    id text CONSTRAINT pk_dispute PRIMARY KEY,
    project_id text NOT NULL CONSTRAINT fk_dispute_project_id_project REFERENCES project (id),
    workflow_id text NOT NULL CONSTRAINT uq_dispute_workflow_id UNIQUE,
    origin text NOT NULL,
    stage text NOT NULL,
    round integer NOT NULL,
    opened_at timestamptz NOT NULL,
    stage_since timestamptz NOT NULL,
    claimants jsonb NOT NULL,
    proposal jsonb,
    meeting jsonb,
    outcome jsonb
);
CREATE INDEX ix_dispute_project_id ON dispute (project_id, opened_at);
"""

KEPT = {
    "project_update": "UPDATE OR DELETE",
    # What was found in a round is put beside the form that was submitted; the form stays as it was.
    "project_round": "UPDATE OF project_id, round, form, submitted_at OR DELETE",
    "project_number": "DELETE",
}
"""X1: what is written once stays. Which changes of each table are refused; none is ever emptied."""

# P9: the sequence of a year begins at 1 and goes up by one; a number once issued stays with its project.
NO_GAPS = """
CREATE FUNCTION refuse_gap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% has no gap and no second use', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
"""
NUMBERS = {
    "project_number_first": ("INSERT ON project_number", "NEW.last <> 1"),
    "project_number_next": ("UPDATE ON project_number", "NEW.year <> OLD.year OR NEW.last <> OLD.last + 1"),
    "project_number_stays": ("UPDATE ON project", "OLD.number IS NOT NULL AND NEW.number IS DISTINCT FROM OLD.number"),
    "project_number_kept": ("DELETE ON project", "OLD.number IS NOT NULL"),
}
"""Which changes would leave a gap, by the name of the trigger that refuses them."""


def upgrade() -> None:
    for statement in (EARLIER + TABLES).split(";\n"):  # asyncpg prepares one statement at a time
        if statement.strip():
            op.execute(statement)
    op.execute(NO_GAPS)
    for name, (change, condition) in NUMBERS.items():
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {change} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse_gap();"
        )
        op.execute(f"ALTER TABLE {change.split()[-1]} ENABLE ALWAYS TRIGGER {name}")
    for table, changes in KEPT.items():
        op.execute(
            f"CREATE TRIGGER {table}_rows BEFORE {changes} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change();"
        )
        op.execute(
            f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_rows")
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_truncate")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

"""What people have said of matches, and the names they have found to be one company.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE ruling (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_ruling PRIMARY KEY,
    fingerprint text NOT NULL,
    ruling text NOT NULL,
    person text NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    task_id text NOT NULL CONSTRAINT fk_ruling_task_id_task REFERENCES task (id),
    subject_id text NOT NULL,
    other_type text NOT NULL,
    other_id text NOT NULL
);
CREATE INDEX ix_ruling_fingerprint ON ruling (fingerprint, id);

CREATE TABLE learned_alias (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_learned_alias PRIMARY KEY,
    name text NOT NULL,
    name_key text NOT NULL,
    uscc text,
    other text NOT NULL,
    other_key text NOT NULL,
    other_uscc text,
    person text NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    subject_id text NOT NULL,
    task_id text NOT NULL CONSTRAINT fk_learned_alias_task_id_task REFERENCES task (id),
    removed_at timestamptz,
    removed_by text,
    removed_because text,
    CONSTRAINT ck_learned_alias_two_names CHECK (name_key <> other_key),
    CONSTRAINT ck_learned_alias_removed_by_somebody CHECK ((removed_at IS NULL) = (removed_by IS NULL))
);
-- One of each pair, whichever way round it is written.
CREATE UNIQUE INDEX uq_learned_alias_pair ON learned_alias (least(name_key, other_key), greatest(name_key, other_key))
    WHERE removed_at IS NULL;
CREATE INDEX ix_learned_alias_name_key ON learned_alias (name_key) WHERE removed_at IS NULL;
CREATE INDEX ix_learned_alias_other_key ON learned_alias (other_key) WHERE removed_at IS NULL;
"""

KEPT = {
    "ruling": "UPDATE OR DELETE",
    # An alias is taken back, never forgotten. The keys of its names follow the rules by which names are found.
    "learned_alias": "DELETE OR UPDATE OF name, uscc, other, other_uscc, person, at, reason, subject_id, task_id",
}
"""X1: what is written once stays. Which changes of each table are refused; none is ever emptied."""


def upgrade() -> None:
    for statement in TABLES.split(";\n"):  # asyncpg prepares one statement at a time
        if statement.strip():
            op.execute(statement)
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

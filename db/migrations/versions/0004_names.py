"""Names are found by their grams: what near names have in common, as whole numbers.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NAMES = """
CREATE EXTENSION IF NOT EXISTS intarray;

ALTER TABLE party ADD COLUMN grams integer[] NOT NULL DEFAULT '{}';
-- How common a gram is, the planner knows best; with the default of 100 it would know a third of those that matter.
ALTER TABLE party ALTER COLUMN grams SET STATISTICS 300;
-- intarray's class and operators: grams are kept in order, so its && is a merge where PostgreSQL's own compares each with each.
CREATE INDEX ix_party_grams ON party USING gin (grams gin__int_ops);

-- History is looked up as well as what is live.
DROP INDEX ix_party_name_key;
DROP INDEX ix_party_uscc;
CREATE INDEX ix_party_name_key ON party (name_key);
CREATE INDEX ix_party_uscc ON party (uscc) WHERE uscc IS NOT NULL;

-- By which version of the rules the keys and grams in the tables were made.
CREATE TABLE name_keys (
    id smallint CONSTRAINT pk_name_keys PRIMARY KEY,
    version integer NOT NULL
);
INSERT INTO name_keys VALUES (1, 0);
"""


def upgrade() -> None:
    for statement in NAMES.split(";\n"):  # asyncpg prepares one statement at a time
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

"""A registration number of 15 digits and a credit code of 18 characters say nothing of each other; how many weaker
matches a project's list leaves out.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# N14: with one range for all codes, a number and a code never overlapped, and one customer could be claimed twice under
# one name. A range for each kind does: a claim without a code of that kind overlaps every one.
CHANGES = """
ALTER TABLE claim DROP CONSTRAINT ex_claim_name;
ALTER TABLE claim DROP COLUMN codes;
ALTER TABLE claim
    ADD COLUMN codes textrange NOT NULL GENERATED ALWAYS AS (
        CASE WHEN length(uscc) = 15 THEN textrange(NULL, NULL, '[]') ELSE textrange(uscc, uscc, '[]') END
    ) STORED,
    ADD COLUMN registration_numbers textrange NOT NULL GENERATED ALWAYS AS (
        CASE WHEN length(uscc) = 15 THEN textrange(uscc, uscc, '[]') ELSE textrange(NULL, NULL, '[]') END
    ) STORED;
ALTER TABLE claim ADD CONSTRAINT ex_claim_name EXCLUDE USING gist
    (name_key WITH =, codes WITH &&, registration_numbers WITH &&, account_id WITH <>) WHERE (live);

ALTER TABLE project_round ADD COLUMN weaker_matches integer NOT NULL DEFAULT 0;
"""


def upgrade() -> None:
    for statement in CHANGES.split(";\n"):  # asyncpg prepares one statement at a time
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

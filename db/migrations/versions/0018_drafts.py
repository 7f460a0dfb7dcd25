"""Forms that are not submitted yet.

Revision ID: 0018
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE draft (
            id text PRIMARY KEY,
            person text NOT NULL,
            kind text NOT NULL,
            title text NOT NULL,
            fields jsonb NOT NULL,
            saved_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX ix_draft_person ON draft (person, kind, saved_at)")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

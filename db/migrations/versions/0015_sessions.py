"""Who is signed in to the pages.

Revision ID: 0015
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE session (
            id text PRIMARY KEY,
            person text NOT NULL,
            standing text NOT NULL,
            through text NOT NULL,
            agent text NOT NULL,
            language text,
            started_at timestamptz NOT NULL,
            seen_at timestamptz NOT NULL,
            ended_at timestamptz,
            ended_because text,
            CONSTRAINT ck_session_ended_for_a_reason CHECK ((ended_at IS NULL) = (ended_because IS NULL))
        )
        """
    )
    op.execute("CREATE INDEX ix_session_person ON session (person) WHERE ended_at IS NULL")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

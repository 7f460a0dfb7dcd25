"""Which keys the processes that run hold, and until when each payload key was used.

Revision ID: 0014
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE running_process (
            id text PRIMARY KEY,
            kind text NOT NULL,
            payload_keys text[] NOT NULL,
            seal_keys text[] NOT NULL,
            seen_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute("CREATE TABLE payload_key (id text PRIMARY KEY, used_until timestamptz NOT NULL DEFAULT now())")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

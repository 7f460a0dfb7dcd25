"""Companies of a project that were looked for only by their name and code; nothing for near names.

Revision ID: 0013
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE project_round ADD COLUMN not_compared jsonb NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

"""What a review requires for the next period stands beside the targets it sets (R4, R7).

Revision ID: 0012
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE account_target ADD COLUMN requirements text NOT NULL DEFAULT ''")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

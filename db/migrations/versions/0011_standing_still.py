"""Since when a project goes by its name (P2, A5), and when somebody was warned of what stands still (U10).

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE project ADD COLUMN named_since timestamptz")
    op.execute("ALTER TABLE task ADD COLUMN warned_at timestamptz")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

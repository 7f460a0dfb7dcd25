"""Projects of one account are found by an index.

Revision ID: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX ix_project_account_id ON project (account_id, registered_at)")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

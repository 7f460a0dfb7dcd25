"""Projects are found by near names.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    # Of projects there are thousands, not a million: trigrams serve, and nobody has to keep them up.
    op.execute("CREATE INDEX ix_project_name ON project USING gin ((form ->> 'name') gin_trgm_ops)")
    op.execute("CREATE INDEX ix_project_tender_number ON project ((form ->> 'tender_number'))")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

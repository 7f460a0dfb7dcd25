"""Personal links to acts, and mails found by their links.

Revision ID: 0019
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE mail ADD COLUMN act_link_id text")
    op.execute("CREATE UNIQUE INDEX ix_mail_act_link_id ON mail (act_link_id) WHERE act_link_id IS NOT NULL")
    op.execute("CREATE INDEX ix_mail_link_id ON mail (link_id, id) WHERE link_id IS NOT NULL")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

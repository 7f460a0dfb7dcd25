"""What a salesperson has handed in for the contract review stands beside what commerce has received (U7).

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE project ADD COLUMN contract_application jsonb")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

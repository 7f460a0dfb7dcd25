"""Names are put into their indexes at once.

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # By default an index of this kind keeps what is new in a list, up to 4 MB, until somebody tidies up. Every look-up reads
    # that list, so the planner rather reads the whole table, time and again. A name has some dozens of grams: to put
    # them in at once costs hardly more.
    for name in ("ix_party_grams", "ix_project_name"):
        op.execute(f"ALTER INDEX {name} SET (fastupdate = off)")
        op.execute(f"SELECT gin_clean_pending_list('{name}')")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

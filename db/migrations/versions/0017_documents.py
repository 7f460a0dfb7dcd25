"""Files attached to applications and projects; the files themselves are in the document store.

Revision ID: 0017
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE document (
            id text PRIMARY KEY,
            subject_type text NOT NULL,
            subject_id text NOT NULL,
            part text NOT NULL,
            about text,
            name text NOT NULL,
            media_type text NOT NULL,
            size bigint NOT NULL,
            sha256 text NOT NULL,
            person text NOT NULL,
            uploaded_at timestamptz NOT NULL,
            key_id text NOT NULL,
            path text NOT NULL CONSTRAINT uq_document_path UNIQUE
        )
        """
    )
    op.execute("CREATE INDEX ix_document_subject_id ON document (subject_id, uploaded_at)")
    op.execute(
        "CREATE TRIGGER document_rows BEFORE UPDATE OR DELETE ON document "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER document_truncate BEFORE TRUNCATE ON document "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("ALTER TABLE document ENABLE ALWAYS TRIGGER document_rows")
    op.execute("ALTER TABLE document ENABLE ALWAYS TRIGGER document_truncate")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

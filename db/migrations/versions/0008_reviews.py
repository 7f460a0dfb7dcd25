"""Reviews of Named Accounts, their targets and results, and reports.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE review_period (
            rhythm text NOT NULL,
            period text NOT NULL,
            workflow_id text NOT NULL,
            opens_at timestamptz NOT NULL,
            closes_at timestamptz NOT NULL,
            policy_digest text NOT NULL,
            CONSTRAINT pk_review_period PRIMARY KEY (rhythm, period),
            CONSTRAINT uq_review_period_workflow_id UNIQUE (workflow_id),
            CONSTRAINT fk_review_period_policy_digest_policy FOREIGN KEY (policy_digest) REFERENCES policy (digest)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE review (
            id text NOT NULL,
            workflow_id text NOT NULL,
            rhythm text NOT NULL,
            period text NOT NULL,
            unit text NOT NULL,
            stage text NOT NULL,
            stage_since timestamptz NOT NULL,
            opened_at timestamptz NOT NULL,
            closes_at timestamptz NOT NULL,
            policy_digest text NOT NULL,
            CONSTRAINT pk_review PRIMARY KEY (id),
            CONSTRAINT uq_review_workflow_id UNIQUE (workflow_id),
            CONSTRAINT fk_review_policy_digest_policy FOREIGN KEY (policy_digest) REFERENCES policy (digest),
            CONSTRAINT fk_review_rhythm_review_period
                FOREIGN KEY (rhythm, period) REFERENCES review_period (rhythm, period)
        )
        """
    )
    op.execute("CREATE INDEX ix_review_period ON review (period)")
    op.execute(
        """
        CREATE TABLE account_review (
            task_id text NOT NULL,
            account_id text NOT NULL,
            review_id text NOT NULL,
            kind text NOT NULL,
            period text NOT NULL,
            person text NOT NULL,
            at timestamptz NOT NULL,
            fields jsonb NOT NULL,
            CONSTRAINT pk_account_review PRIMARY KEY (task_id, account_id),
            CONSTRAINT fk_account_review_task_id_task FOREIGN KEY (task_id) REFERENCES task (id),
            CONSTRAINT fk_account_review_account_id_account FOREIGN KEY (account_id) REFERENCES account (id),
            CONSTRAINT fk_account_review_review_id_review FOREIGN KEY (review_id) REFERENCES review (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_account_review_account_id ON account_review (account_id, at)")
    op.execute(
        """
        CREATE TABLE account_target (
            account_id text NOT NULL,
            period text NOT NULL,
            contracts numeric(15, 2) NOT NULL,
            revenue numeric(15, 2) NOT NULL,
            action_plan text NOT NULL,
            task_id text NOT NULL,
            set_by text NOT NULL,
            set_at timestamptz NOT NULL,
            CONSTRAINT pk_account_target PRIMARY KEY (account_id, period),
            CONSTRAINT fk_account_target_account_id_account FOREIGN KEY (account_id) REFERENCES account (id),
            CONSTRAINT fk_account_target_task_id_task FOREIGN KEY (task_id) REFERENCES task (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE account_result (
            account_id text NOT NULL,
            month date NOT NULL,
            other_contracts numeric(15, 2) NOT NULL,
            revenue numeric(15, 2) NOT NULL,
            payments numeric(15, 2) NOT NULL,
            imported_at timestamptz NOT NULL,
            imported_by text NOT NULL,
            CONSTRAINT pk_account_result PRIMARY KEY (account_id, month),
            CONSTRAINT fk_account_result_account_id_account FOREIGN KEY (account_id) REFERENCES account (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE report (
            kind text NOT NULL,
            period text NOT NULL,
            made_at timestamptz NOT NULL,
            document jsonb NOT NULL,
            CONSTRAINT pk_report PRIMARY KEY (kind, period)
        )
        """
    )


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

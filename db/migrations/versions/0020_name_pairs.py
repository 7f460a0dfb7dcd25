"""Names are found by pairs of their characters: those of projects for conflict checks, and all for the search.

Revision ID: 0020
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In the record itself, so that nobody has to keep the pairs up. What stands between letters and digits counts for
    # nothing, nor do width and case. Two pairs may share a number: what is brought is compared as text anyway.
    op.execute(
        """
        CREATE FUNCTION name_pairs(name text) RETURNS integer[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
            SELECT coalesce(array_agg(DISTINCT
                ((ascii(substr(plain, place, 1))::bigint * 65599 + ascii(substr(plain, place + 1, 1))) % 1073741789)::integer
            ), '{}')
            FROM (SELECT regexp_replace(lower(normalize(name, NFKC)), '[[:space:][:punct:]]+', '', 'g') AS plain) AS folded,
                generate_series(1, length(plain) - 1) AS place
        $$
        """
    )
    op.execute("DROP INDEX ix_project_name")
    for index, table, name in (
        ("ix_project_name_pairs", "project", "form ->> 'name'"),
        (
            "ix_project_search",
            "project",
            "coalesce(number, '') || ' ' || (form ->> 'name') || ' ' || (form -> 'customer' ->> 'name')",
        ),
        ("ix_application_search", "application", "form -> 'customer' ->> 'name'"),
        ("ix_account_search", "account", "form -> 'customer' ->> 'name'"),
    ):
        op.execute(
            f"CREATE INDEX {index} ON {table} USING gin (name_pairs({name}) gin__int_ops) WITH (fastupdate = off)"
        )
        op.execute(f"ANALYZE {table}")


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")

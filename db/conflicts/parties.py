"""Companies that registered subjects name, looked up exactly."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Text, any_, bindparam, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts.applications import REGISTERED_COLUMNS, RegisteredParty
from db.rows import read_all
from db.tables.conflicts import party

# Built once: building a statement costs more than sending it (measured).
_NAMED_BY = (
    select(*REGISTERED_COLUMNS)
    .where(
        tuple_(party.c.subject_type, party.c.subject_id).in_(
            select(func.unnest(bindparam("types", type_=ARRAY(Text))), func.unnest(bindparam("ids", type_=ARRAY(Text))))
        )
    )
    .order_by(party.c.id)
)
_NAMING = (
    select(*REGISTERED_COLUMNS)
    .where(
        party.c.live,
        party.c.subject_type == any_(bindparam("types", type_=ARRAY(Text))),
        or_(
            party.c.name_key == any_(bindparam("keys", type_=ARRAY(Text))),
            party.c.uscc == any_(bindparam("codes", type_=ARRAY(Text))),
        ),
    )
    .order_by(party.c.since, party.c.subject_id, party.c.id)
)


async def named_by(connection: AsyncConnection, subjects: Collection[tuple[str, str]]) -> tuple[RegisteredParty, ...]:
    """Every company that these subjects name, each given by its type and id."""
    if not subjects:
        return ()
    types, ids = zip(*sorted(subjects), strict=True)
    return read_all(RegisteredParty, await connection.execute(_NAMED_BY, {"types": types, "ids": ids}))


async def naming(
    connection: AsyncConnection, subject_types: Sequence[str], name_keys: Collection[str], codes: Collection[str]
) -> tuple[RegisteredParty, ...]:
    """Live parties that go by one of these names or codes exactly, oldest first."""
    if not (name_keys or codes):
        return ()
    wanted = {"types": subject_types, "keys": sorted(name_keys), "codes": sorted(codes)}
    return read_all(RegisteredParty, await connection.execute(_NAMING, wanted))

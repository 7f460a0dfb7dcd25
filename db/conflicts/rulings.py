"""What people have said of matches, and the names they have found to be one company (N3, N14, P4, P5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Text, and_, any_, bindparam, case, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.rows import read, read_all, values_of
from db.tables.conflicts import learned_alias, ruling
from domain.base import Wire
from domain.conflicts.rulings import LearnedAlias, Ruled, Ruling


class RulingRow(Wire):
    """What was said of two that were compared."""

    fingerprint: str
    ruling: Ruling
    person: str
    at: datetime
    reason: str
    task_id: str
    subject_id: str
    """Of the one that asked."""
    other_type: str
    other_id: str


# Built once: building a statement costs more than sending it (measured).
_ADD = insert(ruling)
_NEWEST = (
    select(*(ruling.c[name] for name in ("fingerprint", *Ruled.model_fields)))
    .ext(distinct_on(ruling.c.fingerprint))
    .where(ruling.c.fingerprint == any_(bindparam("fingerprints", type_=ARRAY(Text))))
    .order_by(ruling.c.fingerprint, ruling.c.id.desc())
)
_COLUMNS = [learned_alias.c[name] for name in LearnedAlias.model_fields]
_IN_FORCE = learned_alias.c.removed_at.is_(None)
_LEARN = (
    upsert(learned_alias)
    .on_conflict_do_nothing(
        index_elements=[
            func.least(learned_alias.c.name_key, learned_alias.c.other_key),
            func.greatest(learned_alias.c.name_key, learned_alias.c.other_key),
        ],
        index_where=_IN_FORCE,
    )
    .returning(*_COLUMNS)
)
_GIVEN = select(func.unnest(bindparam("keys", type_=ARRAY(Text))).label("key")).cte("known", recursive=True)
_REACHED = _GIVEN.union(
    select(
        case((learned_alias.c.name_key == _GIVEN.c.key, learned_alias.c.other_key), else_=learned_alias.c.name_key)
    ).join_from(
        _GIVEN,
        learned_alias,
        and_(_IN_FORCE, or_(learned_alias.c.name_key == _GIVEN.c.key, learned_alias.c.other_key == _GIVEN.c.key)),
    )
)
_KNOWN = (
    select(*_COLUMNS)
    .where(_IN_FORCE, learned_alias.c.name_key.in_(select(_REACHED.c.key)))
    .order_by(learned_alias.c.id)
)
_UNLEARN = update(learned_alias).where(_IN_FORCE).returning(*_COLUMNS)
_UNLEARN_PAIRS = _UNLEARN.where(
    tuple_(learned_alias.c.name_key, learned_alias.c.other_key).in_(
        select(func.unnest(bindparam("keys", type_=ARRAY(Text))), func.unnest(bindparam("others", type_=ARRAY(Text))))
    )
)
_UNLEARN_OF_TASKS = _UNLEARN.where(learned_alias.c.task_id == any_(bindparam("tasks", type_=ARRAY(Text))))


async def add(connection: AsyncConnection, rows: Sequence[RulingRow]) -> None:
    """Keep these rulings; earlier ones stay, and the newest counts."""
    if rows:
        await connection.execute(_ADD, [values_of(row, ruling) for row in rows])


async def newest(connection: AsyncConnection, fingerprints: Collection[str]) -> dict[str, Ruled]:
    """The newest ruling on each of these, where there is one."""
    if not fingerprints:
        return {}
    rows = await connection.execute(_NEWEST, {"fingerprints": sorted(fingerprints)})
    return {row.fingerprint: read(Ruled, row) for row in rows}


async def learn(connection: AsyncConnection, aliases: Sequence[LearnedAlias]) -> tuple[LearnedAlias, ...]:
    """Two names each that are one company from now on. Returns those that were not known before."""
    if not aliases:
        return ()
    values = [values_of(alias, learned_alias) for alias in aliases]
    return read_all(LearnedAlias, await connection.execute(_LEARN, values))


async def known_aliases(connection: AsyncConnection, name_keys: Collection[str]) -> tuple[LearnedAlias, ...]:
    """Everything learned of companies that go by one of these names, directly or by way of others, oldest first."""
    if not name_keys:
        return ()
    return read_all(LearnedAlias, await connection.execute(_KNOWN, {"keys": sorted(name_keys)}))


async def unlearn(
    connection: AsyncConnection, pairs: Collection[tuple[str, str]], *, at: datetime, by: str, because: str
) -> tuple[LearnedAlias, ...]:
    """These pairs of name keys are two companies after all. Returns what was revoked."""
    if not pairs:
        return ()
    both_ways = sorted({*pairs, *((other, key) for key, other in pairs)})
    keys, others = zip(*both_ways, strict=True)
    removed = {"removed_at": at, "removed_by": by, "removed_because": because}
    rows = await connection.execute(_UNLEARN_PAIRS, {"keys": keys, "others": others, **removed})
    return read_all(LearnedAlias, rows)


async def unlearn_of_tasks(
    connection: AsyncConnection, task_ids: Collection[str], *, at: datetime, by: str, because: str
) -> tuple[LearnedAlias, ...]:
    """What was learned by answers to these tasks no longer holds. Returns what was revoked."""
    if not task_ids:
        return ()
    removed = {"removed_at": at, "removed_by": by, "removed_because": because}
    return read_all(LearnedAlias, await connection.execute(_UNLEARN_OF_TASKS, {"tasks": sorted(task_ids), **removed}))

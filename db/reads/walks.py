"""A page of a list, by an index: the newest of each ground on which somebody sees subjects, merged.

Judging the newest rows one by one costs what the table holds: for whoever sees one in a thousand, PostgreSQL looks at a
thousand for each that is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
    tuple_,
    union,
)
from sqlalchemy.dialects.postgresql import ARRAY

from db.reads.access import Ground, Listed, holds
from db.tables.base import Moment
from db.tables.tasks import tie

AFTER_MOMENT, AFTER_ID = bindparam("after_moment", type_=Moment), bindparam("after_id", type_=Text)
"""The row that a cursor names."""


def page_of_grounds(
    listed: Listed,
    grounds: Sequence[Ground],
    wanted: Sequence[ColumnElement[bool]],
    *,
    goes_on: bool,
    limit: int,
) -> Select[Any]:
    """The newest `limit` rows that any of `grounds` shows and that are `wanted`, newest first; when it `goes_on`, after
    `AFTER_MOMENT` and `AFTER_ID`."""
    most = literal(limit)
    walks = (_walk(listed, ground, wanted, goes_on=goes_on, most=most) for ground in grounds)
    merged = union(*walks).subquery()
    newest = (merged.c.listed_at.desc(), merged.c.id.desc())
    page = select(merged).order_by(*newest).limit(most).subquery()
    table = listed.table
    return select(table).join(page, page.c.id == table.c.id).order_by(page.c.listed_at.desc(), page.c.id.desc())


def literal(number: int) -> ColumnElement[int]:
    """A limit as a part of the statement: a plan for any limit is one for a tenth of the table."""
    return literal_column(str(int(number)), BigInteger)


def _walk(
    listed: Listed, ground: Ground, wanted: Sequence[ColumnElement[bool]], *, goes_on: bool, most: ColumnElement[int]
) -> Select[Any]:
    """Moment and id of the newest rows on one ground, each of its values by itself: an index holds their order for one
    value only."""
    of_ties = ground.table is tie
    moment, subject_id = (tie.c.listed_at, tie.c.subject_id) if of_ties else (listed.moment, listed.table.c.id)
    walk: Select[Any] = select(moment.label("listed_at"), subject_id.label("id"))
    if of_ties:
        walk = walk.where(tie.c.subject_type == literal_column(f"'{listed.name}'"))
        if wanted:
            walk = walk.join(listed.table, listed.table.c.id == tie.c.subject_id)
    walk = walk.where(*wanted).order_by(moment.desc(), subject_id.desc()).limit(most)
    if goes_on:
        walk = walk.where(tuple_(moment, subject_id) < tuple_(AFTER_MOMENT, AFTER_ID))
    if len(ground.values) < 2:
        return walk.where(holds(ground)).distinct() if of_ties and ground.key is None else walk.where(holds(ground))
    assert ground.key is not None
    each = select(func.unnest(cast(list(ground.values), ARRAY(Text))).label("value")).subquery()
    of_one = walk.where(ground.condition, ground.key == each.c.value).correlate(each).lateral()
    return select(of_one.c.listed_at, of_one.c.id).select_from(each.join(of_one, true()))

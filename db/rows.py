"""Rows of tables as frozen models, and models as the values of a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from sqlalchemy import Row, Table

from domain.base import Wire

M = TypeVar("M", bound=Wire)
AnyRow = Row[*tuple[Any, ...]]


def read(model: type[M], row: AnyRow) -> M:
    """The model of one row whose columns are named as its fields."""
    return model.model_validate(row._asdict())


def read_prefixed(model: type[M], row: AnyRow, prefix: str) -> M:
    """The model of those columns of a joined row whose labels begin with `prefix`."""
    found = {name.removeprefix(prefix): value for name, value in row._asdict().items() if name.startswith(prefix)}
    return model.model_validate(found)


def read_all(model: type[M], rows: Iterable[AnyRow]) -> tuple[M, ...]:
    """The models of all rows, in their order."""
    return tuple(read(model, row) for row in rows)


def first(model: type[M], rows: Iterable[AnyRow]) -> M | None:
    """The model of the first row, None when there is none."""
    return next((read(model, row) for row in rows), None)


def values_of(model: Wire, table: Table) -> dict[str, Any]:
    """What to insert into `table` for `model`: of each of its fields that is a column, the value as it is. The engine
    writes models in JSON columns as JSON."""
    return {name: value for name, value in model if name in table.c}

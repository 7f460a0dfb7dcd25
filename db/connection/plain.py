"""Plain SQL, handed to the driver as it stands: for the few statements that every step of every process runs.

The driver keeps them prepared and is asked without the layers of SQLAlchemy between, which cost more CPU than such a
statement itself. Everything else is written with `db/tables.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NoReturn, TypeVar

import asyncpg
from pydantic_core import to_json
from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.base import Wire

M = TypeVar("M", bound=Wire)

Row = Sequence[Any]
"""What was asked for, by position; JSON as it was before it was written."""


async def run(tx: AsyncConnection, sql: str, *values: Any) -> Sequence[Row]:
    """Run one statement with `$1`, `$2` for values in the transaction that `tx` is in, if any, and return its rows.

    Of a JSON column the value is its text (`json_text`). Raises what SQLAlchemy raises.
    """
    connection = tx.sync_connection
    driver = connection.connection.driver_connection if connection is not None else None
    if connection is None or driver is None or not (driver.is_in_transaction() or _without_transaction(connection)):
        # SQLAlchemy says BEGIN with the first statement it runs itself; behind its back nothing would be undone.
        return await _by_sqlalchemy(tx, sql, values)
    try:
        rows: Sequence[Row] = await driver.fetch(sql, *values)
    except Exception as error:
        await _tell(tx, driver, sql, values, error)
    return rows


async def commit(tx: AsyncConnection) -> None:
    """End a transaction that was begun with BEGIN. Raises what SQLAlchemy raises.

    Where a statement of it has failed, PostgreSQL takes COMMIT for ROLLBACK and is content. Here that is an error:
    nothing was recorded, though somebody caught what said so.
    """
    connection = tx.sync_connection
    driver = connection.connection.driver_connection if connection is not None else None
    assert driver is not None
    try:
        answer = await driver.execute("COMMIT")
    except Exception as error:
        await _tell(tx, driver, "COMMIT", (), error)
    if answer != "COMMIT":
        _raise_alike("COMMIT", asyncpg.InFailedSQLTransactionError("a statement has failed: nothing was recorded"))


async def _tell(tx: AsyncConnection, driver: Any, sql: str, values: tuple[Any, ...], error: Exception) -> NoReturn:
    """Raise what SQLAlchemy would have raised for what the driver raised."""
    if driver.is_closed():
        # Lost in the middle of an answer, which the driver may tell in any words. SQLAlchemy has to meet it itself:
        # then the pool gives out neither this connection nor its elders.
        await _by_sqlalchemy(tx, sql, values)
    if not isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        raise error
    _raise_alike(sql, error)


def _without_transaction(connection: Connection) -> bool:
    """Whether each statement stands for itself: see `db.connection.engine.looking_up`."""
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


async def _by_sqlalchemy(tx: AsyncConnection, sql: str, values: tuple[Any, ...]) -> Sequence[Row]:
    result = await tx.exec_driver_sql(sql, values)
    return result.all() if result.returns_rows else ()


def json_text(value: Any) -> str:
    """`value` as a JSON column takes it."""
    return to_json(value).decode()


class Shape(Generic[M]):
    """The columns that make one model: how a statement names them, and how its rows are read."""

    def __init__(self, model: type[M], *columns: ColumnElement[Any]) -> None:
        self.sql = ", ".join(str(column) for column in columns)
        """`table.column, table.column, …`"""
        self._model = model
        self._names = [column.key for column in columns]

    def read(self, row: Row, **more: Any) -> M:
        """The model of one row, with the fields that no column holds in `more`."""
        return self._model.model_validate(dict(zip(self._names, row, strict=True), **more))


def insertion(table: Table, place: int = 1) -> str:
    """An INSERT of any number of rows; they come as one JSON list of objects (`json_text`), the value at `place`."""
    names = ", ".join(column.name for column in table.c if column.identity is None)
    rows = f"jsonb_populate_recordset(NULL::{table.name}, ${place})"
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {rows}"


async def change(tx: AsyncConnection, table: Table, row_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of the row with this id."""
    columns = [table.c[name] for name in values]
    places = ", ".join(f"{column.name} = ${place}" for place, column in enumerate(columns, start=2))
    given = [
        json_text(value) if isinstance(column.type, JSONB) and value is not None else value
        for column, value in zip(columns, values.values(), strict=True)
    ]
    await run(tx, f"UPDATE {table.name} SET {places} WHERE id = $1", row_id, *given)


def _raise_alike(sql: str, error: Exception) -> NoReturn:
    """As SQLAlchemy would have raised it: whoever tries again or gives up need not know who ran the statement."""
    kind = DBAPIError
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        kind = IntegrityError
    elif isinstance(error, asyncpg.SyntaxOrAccessError):
        kind = ProgrammingError
    raise kind(sql, None, error) from error

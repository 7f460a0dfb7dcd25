"""Which errors mean that the record is away (503), and which are somebody's mistake."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy.exc import DisconnectionError, IntegrityError, InvalidRequestError, OperationalError, ProgrammingError

from db.connection.engine import is_unavailable


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("SELECT 1", None, Exception()),
        DisconnectionError(),
        InvalidRequestError("This connection is closed"),
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_x3_every_driver_error_of_a_lost_database_means_unavailable(error: Exception) -> None:
    assert is_unavailable(error)


@pytest.mark.parametrize(
    "error",
    [IntegrityError("INSERT", None, Exception()), ProgrammingError("SELECT x", None, Exception()), ValueError()],
    ids=lambda error: type(error).__name__,
)
def test_a_wrong_statement_is_not_an_outage(error: Exception) -> None:
    assert not is_unavailable(error)

"""The organisation in the database, for the development routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from db.connection.engine import make_engine
from db.reference_data import NoOrganisation, ReferenceData
from domain.organisation import Organisation
from domain.policy import load_policy


def reader(database_url: str) -> Callable[[], Awaitable[Organisation | None]]:
    """A function that reads the current organisation, or None if there is none. Connects on the first call."""
    engine = make_engine(database_url, process="dev", pool_size=1)
    facts = ReferenceData(load_policy())

    async def read() -> Organisation | None:
        async with engine.connect() as connection:
            try:
                return await facts.organisation(connection)
            except NoOrganisation:
                return None

    return read

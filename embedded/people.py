"""The company as the database has it, for the development routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from db.connection.engine import make_engine
from db.reference_data import NoOrganisation, ReferenceData
from domain.organisation import Organisation
from domain.policy import load_policy


def reader(database_url: str) -> Callable[[], Awaitable[Organisation | None]]:
    """A function that reads the newest organisation, or None while there is none. Connects when first called."""
    engine = make_engine(database_url, process="dev", pool_size=1)
    facts = ReferenceData(load_policy())

    async def read() -> Organisation | None:
        async with engine.connect() as connection:
            try:
                return await facts.organisation(connection)
            except NoOrganisation:
                return None

    return read

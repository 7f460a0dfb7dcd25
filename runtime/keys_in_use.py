"""Compares keys at start-up, so that a key changed too early is noticed then and not when data cannot be decrypted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from crypto.keyring import Keyring
from db.connection.engine import DatabaseUnavailable
from db.running import SEEN_SECONDS, Presence, Process, looking, schema_needed
from runtime.settings import Settings, SettingsError, variable

HOW = "Put a new key before the last one first and restart everything, then move it to the end (docs/operators.md)."

log = structlog.get_logger()


def process_of(kind: str, settings: Settings) -> Process:
    """The description of this process that is stored in the record."""
    return Process.new(kind, payload_keys=_ids(settings.payload_keys), seal_keys=_ids(settings.seal_keys))


def _ids(ring: Keyring) -> tuple[str, ...]:
    return tuple(key_id for key_id, _ in ring.keys)


def check_running(mine: Process, others: Sequence[Process]) -> None:
    """Raises `SettingsError` if this process lacks a key that another uses, or uses one that another lacks."""
    for other in others:
        for field in ("payload_keys", "seal_keys"):
            held, theirs = getattr(mine, field), getattr(other, field)
            name = variable(field)
            if theirs and theirs[-1] not in held:
                raise SettingsError(
                    f"{name} lacks the key {theirs[-1]}, which a running {other.kind} uses. "
                    f"Without it, what it says or seals could not be read here. {HOW}"
                )
            if held and held[-1] not in theirs:
                raise SettingsError(
                    f"{name} would use the key {held[-1]}, which a running {other.kind} does not have yet: "
                    f"it could not read what is said from now on. {HOW}"
                )


async def check_before_start(mine: Process, database_url: str) -> None:
    """Raises `SettingsError` if the database has not been migrated for this version, or if the keys do not fit those
    of the running processes and of attached files. Checks nothing more while the database is unavailable: then no
    process can accept anything."""
    async with looking(database_url, mine) as presence:
        try:
            found, needed = await presence.schema(), schema_needed()
            if found < needed:  # a newer schema is fine: the database is migrated first, then processes are replaced
                has = f"has schema {found}" if found else "has no schema yet"
                raise SettingsError(
                    f"The database {has}, and this {mine.kind} needs {needed}: run `cli.py migrate` first."
                )
            check_running(mine, await presence.others())
            for key_id in await presence.keys_of_documents():
                raise SettingsError(
                    f"{variable('payload_keys')} lacks the key {key_id}, which attached files are encrypted with: "
                    "without it they could not be read. Put it back (docs/operators.md)."
                )
        except DatabaseUnavailable:
            log.warning("keys not compared with those of running processes")


async def check_processes(mine: Process, presence: Presence, client: Client) -> None:
    """Raises `SettingsError` if the engine still holds data encrypted with a payload key that was removed."""
    try:
        used = await presence.payload_keys_used()
        await _nothing_under(client, {key: until for key, until in used.items() if key not in mine.payload_keys})
    except (DatabaseUnavailable, RPCError, TimeoutError):
        log.warning("keys not compared with those of running processes")


async def _nothing_under(client: Client, gone: Mapping[str, datetime]) -> None:
    for key_id, until in gone.items():
        last = until + timedelta(seconds=2 * SEEN_SECONDS)
        async with asyncio.timeout(10):
            found = await client.count_workflows(f'StartTime <= "{last.isoformat()}"')
        if found.count:
            raise SettingsError(
                f"{variable('payload_keys')} lacks the key {key_id}, in use until {until:%Y-%m-%d %H:%M} UTC: "
                f"the engine keeps {found.count} processes begun by then, and without it they would stand still. "
                "Put it back (docs/operators.md)."
            )

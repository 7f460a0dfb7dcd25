"""The sample company, imported the first time, and an example to paste, so that the first minutes need no own data."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path

from domain.organisation import Organisation, Role
from domain.organisation_file import read_organisation

SAMPLES = Path(__file__).with_name("sample")
ORGANISATION_FILE = SAMPLES / "org.toml"
FORM_FILE = SAMPLES / "application.json"


def sample_organisation() -> Organisation:
    return read_organisation(ORGANISATION_FILE.read_text(encoding="utf-8"))


async def import_sample_once(database_url: str) -> None:
    """Import the sample company unless some organisation was imported before."""
    from sqlalchemy import func, select

    from db.engine import make_engine
    from db.facts import import_organisation
    from db.tables import organisation as table

    engine = make_engine(database_url, process="up", pool_size=1)
    try:
        async with engine.begin() as connection:
            if not await connection.scalar(select(func.count()).select_from(table)):
                await import_organisation(connection, sample_organisation(), now=datetime.now(UTC), by="sample")
    finally:
        await engine.dispose()


def example(api: str, *, proxied: bool = False) -> str:
    """Two commands to paste: a token for a salesperson of the sample company, and an application.

    Args:
        api: the address of the API, without a trailing slash.
        proxied: True when the person's shell sends requests to a proxy, which must not see these.
    """
    curl = "curl -sS --noproxy '*'" if proxied else "curl -sS"
    content = "-H 'Content-Type: application/json'"
    login = json.dumps({"person": sample_organisation().holders(Role.SALESPERSON)[0].login})
    return "\n".join(
        [
            f'TOKEN=$({curl} {api}/dev/token {content} -d \'{login}\' | sed \'s/.*"token": *"\\([^"]*\\)".*/\\1/\')',
            f'{curl} {api}/api/v1/applications -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $(date +%s)" \\',
            f"  {content} -d @{shlex.quote(str(FORM_FILE))}",
        ]
    )

"""Imports the sample company on first start and prints an example, so that no own data is needed at first."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from crypto.keyring import Keyring
from domain.organisation import Organisation
from imports.organisation_file import read_organisation

SAMPLES = Path(__file__).with_name("sample")
ORGANISATION_FILE = SAMPLES / "org.toml"
FORM_FILE = SAMPLES / "application.json"
PROJECT_FILE = SAMPLES / "project.json"
REGISTER_FILES = ("background.csv", "projects.csv")


def sample_organisation() -> Organisation:
    """The organisation of the sample company."""
    return read_organisation(ORGANISATION_FILE.read_text(encoding="utf-8"))


async def import_sample_once(database_url: str, seal_keys: Keyring, company: Organisation | None = None) -> None:
    """Import the sample company and its registers, unless some organisation was imported before.

    Args:
        database_url: of the migrated record.
        seal_keys: seal the head of the record, which the import adds to.
        company: the demo's variant of the sample company.
    """
    from db.connection.engine import make_engine, transaction
    from db.reference_data import NoOrganisation, ReferenceData
    from domain.policy import load_policy
    from imports.registers import decode_csv, read_background, read_projects
    from imports.run import Imports

    engine = make_engine(database_url, process="up", pool_size=1)
    facts = ReferenceData(load_policy())
    try:
        async with transaction(engine) as connection:
            try:
                await facts.organisation(connection)
                return
            except NoOrganisation:
                pass
        imports, now = Imports(engine, facts, seal_keys), datetime.now(UTC)
        await imports.organisation(company or sample_organisation(), now=now, by="sample")
        background, projects = (decode_csv((SAMPLES / name).read_bytes()) for name in REGISTER_FILES)
        await imports.background(read_background(background), now=now, by="sample")
        await imports.projects(read_projects(projects), now=now, by="sample")
    finally:
        await engine.dispose()

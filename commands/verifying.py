"""Verifies that the record was not tampered with, here or from an export (X1)."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import RunningHomeOption, fail, on_record, settings_for, shown_name, texts

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from db.audit import Anchor, Proof
    from db.reference_data import ReferenceData
    from runtime.settings import Settings


def verify(
    anchor: Annotated[str | None, typer.Option(help="SEQ:HASH, a head printed earlier and kept elsewhere.")] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the whole record there too, one JSON object a line.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Prove such an export instead, without any database.")] = None,
    home: RunningHomeOption = None,
) -> None:
    """Verify that the record was not tampered with. Keep the printed head where nobody can change it."""
    said = texts()
    if export is not None and file is not None:
        raise typer.BadParameter(said.text("command.one_of_both"))
    noted = None
    if anchor is not None:
        found = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", anchor.strip())
        if found is None:
            raise typer.BadParameter(said.text("command.anchor_form"))
        noted = (int(found[1]), found[2])
    proof = prove_export(file, noted, home) if file is not None else prove_record(noted, export, home)
    head = f"{proof.head[0]}:{proof.head[1]}"
    if not proof.seal_checked:
        typer.echo(said.text("command.seal_unchecked"))
    if proof.faults:
        typer.echo(said.text("command.broken", entries=proof.entries, head=head, count=len(proof.faults)), err=True)
        for fault in proof.faults:
            what = said.text(f"fault.{fault.what}")
            typer.echo("  " + said.text("command.fault", seq=fault.seq, what=what), err=True)
        raise typer.Exit(1)
    typer.echo(said.text("command.holds", entries=proof.entries, head=head))


def prove_record(anchor: Anchor | None, export: Path | None, home: Path | None) -> Proof:
    """Verify the record of these settings and write an export of what was verified."""
    from crypto.seal import head_seal_holds
    from db import audit

    def prove(write: Callable[[str], object] | None) -> Proof:
        async def read(engine: AsyncEngine, _: ReferenceData, settings: Settings) -> Proof:
            def holds(seq: int, digest: str, seal: str) -> bool:
                return head_seal_holds(seq, digest, seal, settings.seal_keys)

            async with engine.connect() as connection:
                return await audit.verify(connection, holds, anchor, write)

        return on_record(home, read)

    if export is None:
        return prove(None)
    # Written to a temporary file and renamed, so that the export is complete or missing. Owner-only: reasons are
    # confidential.
    try:
        descriptor, name = tempfile.mkstemp(dir=export.absolute().parent, prefix=f".{export.name}.")
        try:
            with open(descriptor, "w", encoding="utf-8") as lines:
                proof = prove(lambda line: lines.write(line + "\n"))
            Path(name).replace(export)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(export, error) from None
    typer.echo(texts().text("command.exported", file=shown_name(export)))
    return proof


def prove_export(file: Path, anchor: Anchor | None, home: Path | None) -> Proof:
    """Verify an export, including its seal if the keys are available."""
    from crypto.keyring import Keyring
    from crypto.seal import head_seal_holds
    from db import audit

    given = os.environ.get("BAOBEI_SEAL_KEYS", "")
    try:
        keys = settings_for(home).seal_keys if home is not None else Keyring.parse(given) if given else None
    except ValueError as error:
        raise fail(f"BAOBEI_SEAL_KEYS: {error}") from None
    holds = (lambda seq, digest, seal: head_seal_holds(seq, digest, seal, keys)) if keys else None
    try:
        # A line that is not UTF-8 is a defect of the record, not of this command.
        with file.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
            return audit.verify_export(lines, holds, anchor)
    except OSError as error:
        raise _unusable(file, error) from None


def _unusable(path: Path, error: OSError) -> typer.Exit:
    why = error.strerror or type(error).__name__
    return fail(texts().text("command.unreadable", file=shown_name(path), why=why))

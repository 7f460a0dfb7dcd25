"""Shared by all commands: settings, language, and exit."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from db.reference_data import ReferenceData
    from runtime.settings import Settings
    from texts.catalogue import Texts

Result = TypeVar("Result")

RunningHomeOption = Annotated[
    Path | None, typer.Option("--home", help="Work on this home of `up` instead of the settings in the environment.")
]


def fail(message: str) -> typer.Exit:
    """An exception to raise: prints one line on standard error and exits with code 1."""
    typer.echo(message, err=True)
    return typer.Exit(1)


def settings_for(home: Path | None) -> Settings:
    """The settings of a running home, or of the environment. Exits with a clear message if there are none."""
    from runtime.settings import SettingsError, load_settings

    if home is not None:
        from embedded.errors import StartError
        from embedded.home import read_environment

        try:
            os.environ.update(read_environment(home))
        except StartError as error:
            raise fail(str(error)) from None
    try:
        return load_settings()
    except SettingsError as error:
        raise fail(str(error)) from None


def texts() -> Texts:
    """The catalogue in the operator's language: English if the locale says so, Chinese otherwise (X4)."""
    from texts.catalogue import Texts

    locale = next((found for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (found := os.environ.get(name))), "")
    return Texts("en" if locale.lower().startswith("en") else "zh")


def operator() -> str:
    """The user who runs this command, as named in the record."""
    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return f"operator:{os.getuid()}"


def shown_name(path: Path) -> str:
    """A printable form of a file name, even if its bytes are not text."""
    return str(path).encode("utf-8", "replace").decode()


def read_file(path: Path) -> bytes:
    """The content of a file. Exits with a clear message if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise fail(texts().text("command.unreadable", file=shown_name(path), why=why)) from None


def utf8(path: Path) -> str:
    """The text of a file."""
    try:
        return read_file(path).decode("utf-8")
    except UnicodeDecodeError:
        said = texts()
        why = said.text("command.not_utf8")
        raise fail(said.text("command.unreadable", file=shown_name(path), why=why)) from None


def on_record(home: Path | None, work: Callable[[AsyncEngine, ReferenceData, Settings], Awaitable[Result]]) -> Result:
    """Run `work` on the database of these settings. Exits with a clear message if the database cannot be used."""
    import asyncpg
    from sqlalchemy.exc import SQLAlchemyError

    from db.connection.engine import make_engine
    from db.reference_data import ReferenceData
    from domain.policy import load_policy

    settings = settings_for(home)

    async def run() -> Result:
        engine = make_engine(settings.database_url, process="cli", pool_size=1)
        try:
            return await work(engine, ReferenceData(load_policy(settings.policy_file)), settings)
        finally:
            await engine.dispose()

    try:
        return asyncio.run(run())
    except (OSError, SQLAlchemyError, asyncpg.PostgresError) as error:  # the last: refused while connecting
        why = str(getattr(error, "orig", None) or error).strip().partition("\n")[0] or type(error).__name__
        raise fail(texts().text("command.database_away", why=why)) from None

"""The command line. Commands import what they need lazily, so that `--help` and error messages appear at once."""

import sys

# First, and in syntax that Python 3.6 understands: the rest needs 3.11.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.stderr.write("Python 3.11 or newer is needed; this is %d.%d (%s).\n" % (*sys.version_info[:2], sys.executable))  # noqa: UP031
    sys.exit(1)

import asyncio
from pathlib import Path
from typing import Annotated, Literal

try:
    import typer
except ModuleNotFoundError:
    sys.stderr.write("The locked packages are not installed here: run `make up`, or use .venv/bin/python.\n")
    sys.exit(1)

from commands.common import RunningHomeOption, fail, settings_for
from commands.importing import calendar_app, org_app, register_app
from commands.matching import matching_app
from commands.reassigning import reassign
from commands.scheduling import schedules
from commands.verifying import verify

DEFAULT_HOME = Path(".home")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

HomeOption = Annotated[Path, typer.Option(help="Folder that keeps everything.")]


@app.callback()
def main() -> None:
    """报备: Named Account approvals and project registrations as durable workflows."""


@app.command()
def up(
    home: HomeOption = DEFAULT_HOME,
    port: Annotated[int, typer.Option(help="Port of the API; the seven after it are taken too.")] = 8700,
    infrastructure_only: Annotated[
        bool, typer.Option("--infrastructure-only", help="Without worker and API: run those yourself, with --home.")
    ] = False,
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="Let POST /dev/fast-forward move the clock of a single process.")
    ] = False,
) -> None:
    """Run everything on this machine: PostgreSQL, Temporal with its UI, a mail sink, the worker and the API."""
    from embedded.errors import StartError
    from embedded.screen import Screen
    from embedded.up import Plan, run

    try:
        plan = Plan(home=home, first_port=port, product=not infrastructure_only, rehearsal=rehearsal)
        asyncio.run(run(plan, Screen()))
    except StartError as error:
        raise fail(str(error)) from None


@app.command()
def api(home: RunningHomeOption = None) -> None:
    """Serve the API and the pages."""
    # isort: off
    from runtime import startup

    # isort: on
    from api.server import serve
    from runtime.keys_in_use import check_before_start, process_of
    from runtime.settings import SettingsError
    from web.app import create_app

    settings = settings_for(home)
    extra = []
    if settings.embedded:
        from embedded import dev_routes
        from embedded.people import reader

        extra.append(dev_routes.router(settings, reader(settings.database_url)))
    mine = process_of("api", settings)
    try:
        asyncio.run(check_before_start(mine, settings.database_url))
    except SettingsError as error:
        raise fail(str(error)) from None
    application = create_app(settings, extra_routers=extra, process=mine)
    startup.imported()
    serve(application, settings.api_host, settings.api_port)


@app.command()
def migrate(home: RunningHomeOption = None) -> None:
    """Migrate the database to the newest schema."""
    import asyncpg
    from sqlalchemy.exc import SQLAlchemyError

    from conflicts.rekeying import rekey
    from db.connection.migrate import upgrade

    async def bring_up_to_date(database_url: str) -> None:
        await upgrade(database_url)
        await rekey(database_url)

    try:
        asyncio.run(bring_up_to_date(settings_for(home).database_url))
    except (OSError, SQLAlchemyError, asyncpg.PostgresError) as error:
        raise fail(f"The database could not be migrated: {error}") from None


@app.command()
def demo(
    lang: Annotated[Literal["zh", "en"], typer.Option(help="The language it is told in.")] = "zh",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the data, to look at it with `up` afterwards.")] = False,
) -> None:
    """Play the whole scenario on a throw-away system, with every step and mail; fails unless all of it holds."""
    from embedded.demo import story
    from embedded.errors import StartError
    from embedded.screen import Screen

    try:
        held = asyncio.run(story.run(lang, keep=keep, screen=Screen()))
    except StartError as error:
        raise fail(str(error)) from None
    if not held:
        raise typer.Exit(1)


app.add_typer(org_app, name="org")
app.add_typer(register_app, name="register")
app.add_typer(calendar_app, name="calendar")
app.add_typer(matching_app, name="matching")
app.command()(verify)
app.command()(reassign)
app.command()(schedules)


if __name__ == "__main__":
    app()

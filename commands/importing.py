"""Imports of the organisation, registers and days off; each file completely or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import Result, RunningHomeOption, fail, on_record, operator, read_file, shown_name, texts, utf8

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from sqlalchemy.ext.asyncio import AsyncEngine

    from db.imports import Version
    from db.reference_data import ReferenceData
    from domain.organisation import Organisation
    from imports.calendar_file import AnnouncedYear
    from imports.mistakes import Mistake
    from imports.run import Imports, RegisterImported
    from runtime.settings import Settings

org_app = typer.Typer(no_args_is_help=True, help="The organisation: who works here, in which role, who acts for whom.")
register_app = typer.Typer(no_args_is_help=True, help="Registers kept elsewhere: background, projects, results.")
calendar_app = typer.Typer(no_args_is_help=True, help="Days off and make-up working days, a year a file.")


def print_mistakes(path: Path, mistakes: tuple[Mistake, ...]) -> int:
    """Print every mistake of a file with its place; returns their number."""
    said = texts()
    for mistake in mistakes:
        line = said.text("command.line", line=mistake.line) if mistake.line is not None else ""
        message = mistake.message_zh if said.language == "zh" else mistake.message_en
        place = ": ".join(part for part in (shown_name(path), line, mistake.field) if part)
        typer.echo(f"{place}: {message}", err=True)
    return len(mistakes)


def refused(count: int) -> typer.Exit:
    """An exception to raise after `print_mistakes` has printed the mistakes."""
    return fail(texts().text("command.mistakes", count=count))


def importing(home: Path | None, work: Callable[[Imports, datetime, str], Awaitable[Result]]) -> Result:
    """Run one import, with the present time and in the name of the user who runs this command."""
    from imports.run import Imports

    return on_record(
        home,
        lambda engine, facts, settings: work(Imports(engine, facts, settings.seal_keys), datetime.now(UTC), operator()),
    )


@org_app.command("import")
def org_import(
    file: Annotated[Path, typer.Argument(help="A TOML file; embedded/sample/org.toml is an example.")],
    home: RunningHomeOption = None,
) -> None:
    """Import an organisation file completely, or not at all. Open tasks are reassigned to the people it names."""
    from imports.organisation_file import OrganisationMistakes, delegations_without_effect, read_organisation

    written = utf8(file)
    try:
        company = read_organisation(written)
    except OrganisationMistakes as error:
        raise refused(print_mistakes(file, error.mistakes)) from None
    print_mistakes(file, delegations_without_effect(written, company))
    done = importing(home, lambda imports, now, by: imports.organisation(company, now=now, by=by))
    said = texts()
    if done.unchanged:
        typer.echo(said.text("command.organisation_unchanged", version=done.version, count=done.people))
        return
    typer.echo(said.text("command.organisation_imported", version=done.version, count=done.people))
    for key, people in (("added", done.added), ("left", done.left), ("changed", done.changed)):
        if people:
            typer.echo(said.text(f"command.{key}", people=said.join(people)))
    if done.parts:
        parts = [said.text(f"command.part.{part}") for part in done.parts]
        typer.echo(said.text("command.parts", parts=said.join(parts)))
    typer.echo(said.text("command.told", count=done.told))


@org_app.command("show")
def org_show(home: RunningHomeOption = None) -> None:
    """Print the current organisation."""
    from db import imports
    from db.reference_data import NoOrganisation

    async def read(
        engine: AsyncEngine, facts: ReferenceData, _: Settings
    ) -> tuple[Organisation, Version | None, ZoneInfo]:
        async with engine.connect() as connection:
            return (
                await facts.organisation(connection),
                await imports.newest_organisation(connection),
                facts.policy.zone,
            )

    said = texts()
    try:
        company, version, zone = on_record(home, read)
    except NoOrganisation:
        raise fail(said.text("command.no_organisation")) from None
    if version is not None:
        at = said.moment(version.imported_at, zone)
        by = version.imported_by
        typer.echo(said.text("command.company", company=company.company, version=version.version, at=at, by=by))
    for department in company.departments:
        heads = [company.name_of(head) for head in (department.gm, department.vp) if head]
        typer.echo(f"{department.id}  {department.name}  {said.join(heads)}")
    for person in company.people:
        roles = said.join([said.text(f"role.{role}") for role in sorted(person.roles)])
        words = (
            person.id,
            person.name,
            roles,
            person.department,
            "" if person.active else said.text("command.inactive"),
        )
        typer.echo("  ".join(word for word in words if word))
    for given in company.delegations:
        names = {"person": company.name_of(given.person), "delegate": company.name_of(given.delegate)}
        start, end = said.moment(given.start, zone), said.moment(given.end, zone)
        typer.echo(said.text("command.delegates", start=start, end=end, **names))


@register_app.command("import-background")
def register_import_background(
    file: Annotated[Path, typer.Argument(help="A CSV file; embedded/sample/background.csv is an example.")],
    home: RunningHomeOption = None,
) -> None:
    """Import background information on companies (credit, arrears, lawsuits); new and corrected rows, all or
    nothing."""
    from imports.registers import RegisterMistakes, decode_csv, read_background

    try:
        entries = read_background(decode_csv(read_file(file)))
    except RegisterMistakes as error:
        raise refused(print_mistakes(file, error.mistakes)) from None
    show_register(importing(home, lambda imports, now, by: imports.background(entries, now=now, by=by)))


@register_app.command("import-projects")
def register_import_projects(
    file: Annotated[Path, typer.Argument(help="A CSV file; embedded/sample/projects.csv is an example.")],
    home: RunningHomeOption = None,
) -> None:
    """Import projects for conflict checks; new and corrected rows, all or nothing."""
    from imports.registers import RegisterMistakes, decode_csv, read_projects

    try:
        entries = read_projects(decode_csv(read_file(file)))
    except RegisterMistakes as error:
        raise refused(print_mistakes(file, error.mistakes)) from None
    show_register(importing(home, lambda imports, now, by: imports.projects(entries, now=now, by=by)))


@register_app.command("import-results")
def register_import_results(
    file: Annotated[Path, typer.Argument(help="A CSV file; embedded/sample/results.csv is an example.")],
    home: RunningHomeOption = None,
) -> None:
    """Import monthly results of Named Accounts; new and corrected rows, all or nothing."""
    from imports.csv_table import RegisterMistakes, decode_csv
    from imports.results_register import read_results

    try:
        read = read_results(decode_csv(read_file(file)))
        done = importing(home, lambda imports, now, by: imports.results(read, now=now, by=by))
    except RegisterMistakes as error:
        raise refused(print_mistakes(file, error.mistakes)) from None
    show_register(done)


def show_register(done: RegisterImported) -> None:
    """Print what an import of a register changed."""
    said = texts()
    register = said.text(f"command.register.{done.register_name}")
    if done.unchanged:
        typer.echo(said.text("command.register_unchanged", register=register, rows=done.rows))
    else:
        counts = {"rows": done.rows, "added": done.added, "changed": done.changed}
        typer.echo(said.text("command.register_imported", register=register, **counts))
    for key, count in (("no_longer_active", done.no_longer_active), ("older", done.older)):
        if count:
            typer.echo(said.text(f"command.{key}", count=count))
    if done.unresolved:
        typer.echo(said.text("command.unresolved", people=said.join(done.unresolved)))


@calendar_app.command("import")
def calendar_import(
    files: Annotated[
        list[Path], typer.Argument(help='One or more files like {"year": 2027, "papers": […], "days": […]}.')
    ],
    home: RunningHomeOption = None,
) -> None:
    """Import announced days off: all files as one new version, or none. Deadlines are recomputed."""
    from imports.calendar_file import CalendarMistakes, read_calendar

    said = texts()
    years: list[AnnouncedYear] = []
    given: dict[int, Path] = {}
    wrong = 0
    for file in files:
        try:
            year = read_calendar(utf8(file))
        except CalendarMistakes as error:
            wrong += print_mistakes(file, error.mistakes)
            continue
        if (other := given.setdefault(year.year, file)) is not file:
            twice = said.text("command.year_twice", year=year.year, other=shown_name(other))
            typer.echo(f"{shown_name(file)}: {twice}", err=True)
            wrong += 1
        years.append(year)
    if wrong:
        raise refused(wrong)
    done = importing(home, lambda imports, now, by: imports.calendar(years, now=now, by=by))
    listed = said.join([str(year) for year in done.years])
    if done.unchanged:
        typer.echo(said.text("command.calendar_unchanged", version=done.version))
    else:
        typer.echo(said.text("command.calendar_imported", version=done.version, years=listed))
    if done.provisional:
        typer.echo(said.text("command.provisional", years=said.join([str(year) for year in done.provisional])))
    if not done.unchanged:
        typer.echo(said.text("command.told", count=done.told))

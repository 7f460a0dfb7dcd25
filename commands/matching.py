"""Evaluates conflict detection on data with known truth."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from commands.common import fail

matching_app = typer.Typer(no_args_is_help=True, help="Conflict detection: how well it does.")


@matching_app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(help="Records with known truth; its neighbours are looked for beside it.")],
    sizes: Annotated[str, typer.Option(help="Names in the index, one after the other.")] = "10k,100k,1M",
    each: Annotated[int, typer.Option(help="Queries of every type.", min=1)] = 60,
    nil: Annotated[int, typer.Option(help="Queries that have no namesake.", min=20)] = 1800,
    baselines: Annotated[int, typer.Option(help="Queries of every type for the plainer methods; 0: none.")] = 10,
    database: Annotated[
        str, typer.Option(help="An empty database to work in (postgresql+asyncpg://…); a throw-away one if left out.")
    ] = "",
) -> None:
    """Print the scores of the protocol by track and group, beside exact, normalised, pg_trgm and rapidfuzz."""
    from bench.conflicts.evaluation import run
    from embedded.errors import StartError

    try:
        wanted = [size_of(size) for size in sizes.split(",")]
        asyncio.run(run(file, wanted, each=each, nil=nil, baselines=baselines, database=database))
    except (OSError, ValueError, StartError) as error:
        raise fail(str(error)) from None


def size_of(text: str) -> int:
    """Parse a size such as `100k`. Raises `ValueError` if it is invalid."""
    factor = {"k": 1_000, "m": 1_000_000}.get(text.strip()[-1:].lower(), 1)
    number = text.strip().rstrip("kKmM")
    if not number.isdigit() or int(number) == 0:
        raise ValueError(f"{text!r} is no number of names, such as 10k")
    return int(number) * factor

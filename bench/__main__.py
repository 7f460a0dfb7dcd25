"""`python -m bench`: measure on this machine, print the page and write it to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from bench.conflicts.groups import Groups, GroupTrial, groups_section
from bench.conflicts.matching import checks_section, measure_checks
from bench.driving import BareDriver, ProductDriver
from bench.earlier import checked_out
from bench.ground import HOST, Ground
from bench.instruments.lane import Lane
from bench.life.life import Life, LifeSize, LifeTrial
from bench.life.report import life_section, with_parts, with_section
from bench.pages.pages import measure_pages
from bench.pages.report import pages_section
from bench.report import Compared, Everything, application_section, page
from bench.rounds import Arm, Result, Rounds, Side, Size
from bench.trials import killed_worker, open_load, quiet_latency, reads
from bench.year.report import year_section
from bench.year.year import YearTrial
from commands.matching import size_of
from embedded.errors import StartError
from embedded.servers.service import project_root

PAGE = project_root() / "docs" / "benchmarks.md"
BEFORE = "0f6e15b"
"""The commit that the product may cost a tenth more than."""
STARTED = time.monotonic()


def say(text: str) -> None:
    """Progress goes to standard error: standard output is the page alone."""
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", file=sys.stderr, flush=True)


def tell(result: Result) -> None:
    say(
        f"round {result.round + 1}, {result.arm.name}: {result.cpu_ms:.1f} ms CPU each, {result.rate:.1f}/s, "
        f"others {result.usage.other_cores:.2f} cores{'' if result.exact else ', COUNTS DIFFER'}"
    )


SANDBOXES = {"on": (True,), "off": (False,), "both": (True, False)}


async def measure_life(wanted: argparse.Namespace) -> Life:
    """The trial of five years alone."""
    ground = Ground(durable=wanted.engine == "file")
    await ground.open()
    try:
        product = ProductDriver(ground)
        await product.sign_in()
        return await _live(wanted, ground, product)
    finally:
        await ground.close()


async def measure_groups(wanted: argparse.Namespace) -> Groups:
    """The trial of large groups alone: on a record of its own, where nobody else is like them."""
    ground = Ground(durable=wanted.engine == "file")
    await ground.open()
    try:
        product = ProductDriver(ground)
        await product.sign_in()
        return await GroupTrial(ground, product).run(say)
    finally:
        await ground.close()


async def _live(wanted: argparse.Namespace, ground: Ground, product: ProductDriver) -> Life:
    """As the product is shipped, with the sandbox, unless that is switched off for all arms."""
    size = LifeSize(projects=wanted.life)
    return await LifeTrial(ground, product, size, sandbox=SANDBOXES[wanted.sandbox][0]).run(say)


@contextlib.asynccontextmanager
async def _side(wanted: argparse.Namespace, source: Path | None = None) -> AsyncIterator[Side]:
    """The product in `source`, ours when left out, on a ground of its own with everybody signed in."""
    ground = Ground(durable=wanted.engine == "file", source=source)
    await ground.open()
    try:
        product = ProductDriver(ground)
        await product.sign_in()
        say(f"servers and API are up in {ground.folder}")
        yield Side(ground, product)
    finally:
        await ground.close()


@contextlib.asynccontextmanager
async def _sides(wanted: argparse.Namespace) -> AsyncIterator[dict[str, Side]]:
    """Our product and, where its commit is in the repository, the earlier one."""
    async with contextlib.AsyncExitStack() as stack:
        sides = {"": await stack.enter_async_context(_side(wanted))}
        if wanted.against:
            source = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="baobei-earlier-")))
            if checked_out(wanted.against, source):
                sides[wanted.against] = await stack.enter_async_context(_side(wanted, source))
            else:
                say(f"commit {wanted.against} is not in this repository: nothing is measured beside")
        yield sides


async def compare(wanted: argparse.Namespace) -> Compared:
    """The pairs of an application: ours, the reference and the earlier product, round by round."""
    size = Size(wanted.rounds, wanted.count, wanted.in_flight, wanted.warm_up)
    sandboxes = SANDBOXES[wanted.sandbox]
    async with _sides(wanted) as sides:
        bare = BareDriver(sides[""].ground.client)
        await bare.open()
        arms = [
            arm
            for sandbox in sandboxes
            for arm in (Arm(False, sandbox), *(Arm(True, sandbox, commit) for commit in sides))
        ]
        results = await Rounds(sides, bare, size).all(arms, tell)
        return Compared(
            durable=wanted.engine == "file",
            size=size,
            results=results,
            sandboxes=sandboxes,
            stored=sum(side.product.stored for side in sides.values()),
            seconds=time.monotonic() - STARTED,
            against=wanted.against,
        )


async def measure(wanted: argparse.Namespace) -> Everything:
    compared = await compare(wanted)
    sandboxes = compared.sandboxes
    async with _side(wanted) as (ground, product):
        chosen = sandboxes[-1]
        async with ground.worker(sandbox=chosen):
            warm = await product.drive(5, 1)
            quiet = await quiet_latency(product, wanted.quiet)
            async with Lane(HOST, product.port) as lane:
                open_one = await product.to_vps(lane)
            await asyncio.sleep(1)
            read = await reads(ground, product, [*warm.ids, *quiet.ids], open_one)
        say("latency of a quiet system and reads measured")
        crashes = {
            second: [
                await killed_worker(ground, product, second=second, sandbox=chosen, held=10)
                for _ in range(wanted.kills)
            ]
            for second in (True, False)
        }
        say("killed workers measured")
        load = None
        if wanted.open:
            load = await open_load(ground, product, count=wanted.open, lanes=wanted.in_flight, sandbox=chosen)
            say(f"{wanted.open} open applications measured")
        life = await _live(wanted, ground, product) if wanted.life else None
    return Everything(
        **vars(compared),
        quiet=quiet.last_answer,
        reads=read,
        crash_second=crashes[True],
        crash_alone=crashes[False],
        open_load=load,
        life=life,
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--engine", choices=("file", "memory"), default="file", help="where Temporal keeps its data")
    parser.add_argument("--sandbox", choices=("on", "off", "both"), default="both", help="workflow sandbox, both arms")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=150, help="applications an arm and round")
    parser.add_argument("--in-flight", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=20)
    parser.add_argument("--quiet", type=int, default=40, help="applications one at a time")
    parser.add_argument("--kills", type=int, default=2, help="workers killed in each of the two ways")
    parser.add_argument("--open", type=int, default=2000, help="applications held open; 0 leaves this out")
    parser.add_argument("--life", type=int, default=8, help="projects that live five years; 0 leaves this out")
    parser.add_argument("--names", default="10k,100k,1M", help="registered names at which conflict checks are timed")
    parser.add_argument("--projects", default="100k", help="projects with which pages are timed; 0 leaves this out")
    parser.add_argument("--no-year", dest="year", action="store_false", help="leave a company's year out")
    parser.add_argument("--no-groups", dest="groups", action="store_false", help="leave large groups at once out")
    parser.add_argument(
        "--only",
        choices=("application", "life", "matching", "groups", "year", "pages"),
        help="measure this alone; the rest of the page stays as it is",
    )
    parser.add_argument(
        "--against", default=BEFORE, metavar="COMMIT", help="an earlier product to measure beside; empty leaves it out"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page goes")
    return parser.parse_args()


def main() -> int:
    wanted = arguments()
    sizes = [size_of(size) for size in wanted.names.split(",") if size.strip("0")]
    projects = size_of(wanted.projects) if wanted.projects.strip("0") else 0
    import uvloop

    before = wanted.page.read_text(encoding="utf-8") if wanted.page.exists() else ""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if wanted.only:
                if wanted.only == "application":
                    section = application_section(runner.run(compare(wanted)))
                elif wanted.only == "life":
                    section = life_section(runner.run(measure_life(wanted)))
                elif wanted.only == "year":
                    section = year_section(runner.run(YearTrial(say).run()))
                elif wanted.only == "groups":
                    section = groups_section(runner.run(measure_groups(wanted)))
                elif wanted.only == "pages":
                    section = pages_section(runner.run(measure_pages(projects, say)))
                else:
                    section = checks_section(runner.run(measure_checks(sizes, say)))
                shown = "\n".join(section)
                written = with_section(before, section)
            else:
                whole = page(runner.run(measure(wanted)))
                if sizes:
                    whole = with_section(whole, checks_section(runner.run(measure_checks(sizes, say))))
                if wanted.groups:
                    whole = with_section(whole, groups_section(runner.run(measure_groups(wanted))))
                if wanted.year:
                    whole = with_section(whole, year_section(runner.run(YearTrial(say).run())))
                if projects:
                    whole = with_section(whole, pages_section(runner.run(measure_pages(projects, say))))
                shown, written = whole, with_parts(before, whole)
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    wanted.page.write_text(written, encoding="utf-8")
    print(shown)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Times the pages of the console with many projects and with a tenth of them, and the look-up while people type."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from bench.conflicts.matching import queries
from bench.conflicts.names import invented
from bench.ground import CLERK, GENERAL_MANAGER, VPS
from bench.pages.browser import Browser, Visit, sign_in
from bench.pages.record import BUSY, Registration, fill_record, project_name
from db.connection.engine import make_engine
from domain.access import scope_of
from domain.organisation import Organisation
from embedded.errors import StartError
from embedded.home import Home, environment
from embedded.processes.ports import Ports, free_row
from embedded.servers import parts
from embedded.servers.postgres import PostgresServer
from texts.catalogue import Texts

TENTH = 10
LEAST = 1_000
"""With fewer projects, somebody has none to open among a tenth of them."""
ROUNDS, WARM = 60, 6
"""Requests for each page and person, and those before them that do not count: PostgreSQL plans a statement anew the
first five times."""
READERS: Mapping[str, str] = {
    "salesperson": BUSY,
    "VP": VPS[0],
    "general manager": GENERAL_MANAGER,
    "clerk": CLERK,
}
DESK, INBOX, PROJECTS, DETAIL = "/", "/inbox", "/projects", "/projects/{id}"
TYPISTS, NAMES_EACH = 10, 6
"""People who type at once, and the customers whose names each of them types in either way."""
LOOK, FORM = "/register/conflicts", "/register"
PIECES = (3, 5, 8)
"""After so many characters of a name its writer pauses, and once more at its end."""
PAUSE_SECONDS = 0.6
"""How long the page waits after the last key before it looks something up."""
SEED = 11


@dataclass(frozen=True)
class Timed:
    """One page for one person; seconds from the request to the last byte, with a tenth and with everything."""

    page: str
    reader: str
    tenth: Sequence[float]
    whole: Sequence[float]
    size: int
    """Bytes on the wire of the largest answer, with the headers."""


@dataclass(frozen=True)
class LookUps:
    """Look-ups while people type, in seconds."""

    apart: Sequence[float]
    """Everybody pauses when they like."""
    together: Sequence[float]
    """Everybody pauses at the same moment, again and again."""
    found: int
    """Answers that named something registered."""
    cut_short: int
    """Answers that say that not all names were compared."""


@dataclass(frozen=True)
class Pages:
    """The measurements."""

    projects: int
    asked: Mapping[str, int]
    """Open tasks that wait for each reader, with everything."""
    own: int
    """Projects of the salesperson."""
    tasks: int
    timed: Sequence[Timed]
    visits: Mapping[str, Visit]
    """The desk of each reader, opened with an empty cache."""
    look_ups: LookUps
    seconds: float


@dataclass(frozen=True)
class Site:
    """The product on one record, and browsers of those who read it."""

    url: str
    port: int
    organisation: Organisation
    dealt: Sequence[Registration]

    async def browsers(self, people: Sequence[str]) -> list[Browser]:
        """Everybody signed in."""
        engine, now = make_engine(self.url, process="bench", pool_size=1), datetime.now(UTC)
        try:
            async with engine.begin() as tx:
                kept = [await sign_in(tx, self.organisation, person, now) for person in people]
        finally:
            await engine.dispose()
        return [Browser(self.port, secret) for secret in kept]

    def opened_by(self, person: str) -> list[str]:
        """The projects whose pages `person` opens, one for each round: every other one waits for somebody."""
        scope = scope_of(self.organisation.by_id[person], self.organisation)
        mine = [
            row
            for row in self.dealt
            if scope.covers(applicant=row.salesperson, department=row.department, involved=False)
        ]
        chance = random.Random(f"{SEED} {person}")
        halves = [row.id for row in mine if row.kind], [row.id for row in mine if not row.kind]
        return [chance.choice(halves[number % 2] or halves[1]) for number in range(WARM + ROUNDS)]


async def measure_pages(projects: int, say: Callable[[str], None]) -> Pages:
    """Both records on one server, each with a process of the product of its own. Raises `StartError` for too few."""
    if projects < LEAST:
        raise StartError(f"{projects} projects are too few for a tenth of them to be read: at least {LEAST}.")
    began = time.monotonic()
    names = list(invented(projects))
    folder = Path(tempfile.mkdtemp(prefix="baobei-pages-"))
    try:
        password = Home(folder).secrets().postgres_password  # in production a well-known one is refused
        async with (
            PostgresServer(folder, free_row(1), password=password) as postgres,
            _site(folder, postgres, "tenth", names[: projects // TENTH], say) as tenth,
            _site(folder, postgres, "whole", names, say) as whole,
        ):
            visits = dict(zip(READERS, [await _first_visit(whole, reader) for reader in READERS], strict=True))
            timed = await _time_pages(tenth, whole)
            say(f"{len(timed)} pages timed, {ROUNDS} times each with either record")
            look_ups = await _look_up(whole, names)
            say(f"{len(look_ups.apart) + len(look_ups.together)} look-ups timed, {TYPISTS} people at once")
            asked, tasks = await _asked(whole)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    own = sum(row.salesperson == READERS["salesperson"] for row in whole.dealt)
    return Pages(projects, asked, own, tasks, timed, visits, look_ups, time.monotonic() - began)


@contextlib.asynccontextmanager
async def _site(
    folder: Path, postgres: PostgresServer, name: str, names: Sequence[str], say: Callable[[str], None]
) -> AsyncIterator[Site]:
    """A record filled for these customers, and the API and pages as they are run in production, on a port of their
    own. There is no engine: reading never asks it."""
    url = await postgres.create_database(name)
    organisation, dealt = await fill_record(url, names, datetime.now(UTC), say)
    home, ports = Home(folder / name), Ports.from_first(free_row())
    home.path.mkdir()
    settings = environment(home.path, ports, home.secrets(), url) | {"BAOBEI_EMBEDDED": "false"}
    async with parts.api(home.path, ports.api, settings):
        yield Site(url, ports.api, organisation, dealt)


async def _first_visit(site: Site, reader: str) -> Visit:
    (browser,) = await site.browsers([READERS[reader]])
    async with browser:
        return await browser.first_visit(DESK)


async def _time_pages(tenth: Site, whole: Site) -> list[Timed]:
    """Each page of each reader once a round, on both records one after the other: a slow minute affects both. The
    order changes from round to round."""
    sites, people = (tenth, whole), list(READERS.values())
    cases = [(page, place) for page in (DESK, INBOX, PROJECTS, DETAIL) for place in range(len(people))]
    taken: dict[tuple[str, int, int], list[float]] = {(*case, site): [] for case in cases for site in range(2)}
    sizes: dict[tuple[str, int], int] = dict.fromkeys(cases, 0)
    browsers = [await site.browsers(people) for site in sites]
    details = [[site.opened_by(person) for person in people] for site in sites]
    async with contextlib.AsyncExitStack() as stack:
        for browser in (*browsers[0], *browsers[1]):
            await stack.enter_async_context(browser)
        for number in range(WARM + ROUNDS):
            start = number % len(cases)
            for page, place in (*cases[start:], *cases[:start]):
                for site in (0, 1) if number % 2 else (1, 0):
                    path = page.format(id=details[site][place][number])
                    started = time.perf_counter()
                    reply = await browsers[site][place].open(path)
                    seconds = time.perf_counter() - started
                    if number >= WARM:
                        taken[page, place, site].append(seconds)
                    if site:
                        sizes[page, place] = max(sizes[page, place], reply.size)
    readers = list(READERS)
    return [
        Timed(page, readers[place], taken[page, place, 0], taken[page, place, 1], sizes[page, place])
        for page, place in cases
    ]


Piece = tuple[str, str]
"""The customer's name as far as it is typed, and the project's, which stands before it in the form."""


class Typist:
    """A salesperson who fills in the form of a registration."""

    def __init__(self, browser: Browser, fields: Mapping[str, str], seed: int) -> None:
        self._browser = browser
        self._fields = fields
        self._chance = random.Random(seed)
        self.found = self.cut_short = 0

    async def look(self, piece: Piece) -> float:
        """Seconds from the end of the page's pause to the part of it that says what is registered."""
        customer, project = piece
        started = time.perf_counter()
        reply = await self._browser.fragment(LOOK, {**self._fields, "customer.name": customer, "name": project})
        seconds = time.perf_counter() - started
        page = reply.body.decode()
        self.found += 'class="findings"' in page
        self.cut_short += CUT_SHORT in page
        return seconds

    async def type(self, pieces: Sequence[Piece]) -> list[float]:
        """Look up each piece; between two of them the next characters are typed, and the page waits."""
        taken = []
        await asyncio.sleep(self._chance.uniform(0, 2 * PAUSE_SECONDS))
        for piece in pieces:
            taken.append(await self.look(piece))
            await asyncio.sleep(PAUSE_SECONDS + self._chance.uniform(0.5, 1) * PAUSE_SECONDS)
        return taken


CUT_SHORT = Texts("zh").text("check.not_compared", count=1, names="").split("1")[0]
"""How an answer begins to say that not all names were compared."""


async def _look_up(site: Site, names: Sequence[str]) -> LookUps:
    """Names for each typist, in three lots of different ones: to warm up, to pause apart, and to pause together."""
    people = [f"sales{number:04}" for number in range(TYPISTS)]
    asked = queries(names, TYPISTS * (1 + 2 * NAMES_EACH))
    async with contextlib.AsyncExitStack() as stack:
        typists = []
        for seed, browser in enumerate(await site.browsers(people)):
            await stack.enter_async_context(browser)
            typists.append(Typist(browser, await browser.fields(FORM), seed))

        async def at_once(pieces: Sequence[Sequence[Piece]]) -> list[float]:
            taken: list[float] = []
            for moment in zip(*pieces, strict=False):
                looks = (typist.look(piece) for typist, piece in zip(typists, moment, strict=True))
                taken += await asyncio.gather(*looks)
            return taken

        warm_up, first, second = (
            [_typed(asked[place::TYPISTS][lot]) for place in range(TYPISTS)]
            for lot in (slice(1), slice(1, 1 + NAMES_EACH), slice(1 + NAMES_EACH, None))
        )
        for _ in range(2):
            await at_once(warm_up)
        for typist in typists:
            typist.found = typist.cut_short = 0
        apart = await asyncio.gather(*(typist.type(pieces) for typist, pieces in zip(typists, first, strict=True)))
        together = await at_once(second)
    return LookUps(
        apart=[seconds for taken in apart for seconds in taken],
        together=together,
        found=sum(typist.found for typist in typists),
        cut_short=sum(typist.cut_short for typist in typists),
    )


def _typed(customers: Sequence[str]) -> list[Piece]:
    """What stands in the form at each pause, customer after customer."""
    return [
        (piece, project_name(customer, number))
        for number, customer in enumerate(customers)
        for piece in (*(customer[:length] for length in PIECES if length < len(customer)), customer)
    ]


async def _asked(site: Site) -> tuple[dict[str, int], int]:
    """How many open tasks ask each reader, and how many there are."""
    connection = await asyncpg.connect(site.url.replace("+asyncpg", ""), timeout=10)
    try:
        waiting = "SELECT count(*) FROM task_person WHERE person = $1 AND status = 'open' AND removed_at IS NULL"
        asked = {reader: int(await connection.fetchval(waiting, person)) for reader, person in READERS.items()}
        return asked, int(await connection.fetchval("SELECT count(*) FROM task WHERE status = 'open'"))
    finally:
        await connection.close()

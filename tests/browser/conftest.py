"""A real browser in front of a running product.

Debian's Chromium, driven by Playwright. Where there is none, the tests of this folder are left out, and one line says
how many and how to get it. A page that breaks the Content-Security-Policy, writes an error to the console or raises
one fails the test that opened it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.e2e.support.stack import Stack, set_up

HERE: Final = Path(__file__).parent
CHROMIUM: Final = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE: Final = 300
"""Seconds for a test, which waits for several processes."""
WIDTHS: Final = (1440, 360)
"""Pixels: a desk and a phone."""
AXE_RULES: Final = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a browser where there is none."""
    mine = [item for item in items if item.path.is_relative_to(HERE)]
    if mine and CHROMIUM is None:
        items[:] = [item for item in items if not item.path.is_relative_to(HERE)]
        config.stash[LEFT_OUT] = len(mine)
        return
    for item in mine:
        item.add_marker(pytest.mark.no_cover)
        item.add_marker(pytest.mark.timeout(PATIENCE))


LEFT_OUT: Final = pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out."""
    if left_out := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"{left_out} browser tests left out: install Chromium (apt-get install chromium)")


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """A thread for what runs an event loop: Playwright has one in the thread of the tests."""
    with ThreadPoolExecutor(1) as thread:
        yield thread


@pytest.fixture(scope="module")
def stack(elsewhere: ThreadPoolExecutor) -> Iterator[Stack]:
    """A running product for the tests of a file."""

    def start() -> Stack:
        folder = Path(tempfile.mkdtemp(prefix="baobei-first-"))
        try:
            asyncio.run(set_up(folder))
            made = Stack(folder, rehearsal=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        made.open()
        return made

    made = elsewhere.submit(start).result()
    yield made
    elsewhere.submit(made.close).result()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a file: while Playwright runs, no async test can run in the same process."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield launched
        launched.close()


class Seat:
    """Somebody in front of a browser."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        self.address = address
        self.faults: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"error: {error.error}"))
        self.page: Page = context.new_page()

    def _console(self, message: ConsoleMessage) -> None:
        # A page with a status of an error is written to the console as well; tests look at what such a page says.
        if message.type == "error" and "the server responded with a status of" not in message.text:
            self.faults.append(f"console: {message.text}")

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.address}{path}")
        return self.page

    def sign_in(self, person: str, path: str = "/") -> Page:
        """Sign in as a person of the sample company, by their id, and go to `path`."""
        self.open(path)
        self.page.locator(f'button[name="person"][value="{person}"]').click()
        return self.page

    def is_accessible(self) -> None:
        """WCAG 2.2 AA, as far as axe can tell."""
        found = Axe().run(self.page, options=AXE_RULES)
        violations = [
            f"{violation['id']}: {[node['html'][:200] for node in violation['nodes']]}"
            for violation in found.response["violations"]
        ]
        assert not violations, (self.page.url, violations)

    def fits(self) -> None:
        """Nothing sticks out to the right."""
        assert self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), self.page.url


SeatMaker = Callable[..., Seat]


@pytest.fixture
def seat(browser: Browser, stack: Stack) -> Iterator[SeatMaker]:
    """Make seats: `seat(width=1440, script=True, language="zh-CN")`. None may have met a fault in the end."""
    made: list[Seat] = []

    def make(*, width: int = 1440, script: bool = True, language: str = "zh-CN") -> Seat:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=script, locale=language
        )
        context.set_default_timeout(20_000)
        made.append(Seat(context, stack.environment["BAOBEI_PUBLIC_URL"]))
        return made[-1]

    yield make
    for seat in made:
        seat.context.close()
    assert [fault for seat in made for fault in seat.faults] == []

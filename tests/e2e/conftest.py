"""One running product for the tests of a file; every test brings its own customer."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.demo.driver import Mailbox, Portal
from tests.e2e.support.stack import Stack, set_up

HERE = Path(__file__).parent
PATIENCE = 300
"""Seconds for a story, which waits for several processes and their restarts."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The product runs in processes of its own here: nothing of it is there to measure."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.no_cover)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(PATIENCE))


@pytest.fixture(scope="session")
def first_home() -> Iterator[Path]:
    """A home that was started once. Nobody works in it; every product begins with a copy of it."""
    folder = Path(tempfile.mkdtemp(prefix="baobei-first-"))
    try:
        asyncio.run(set_up(folder))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def stack(first_home: Path) -> Iterator[Stack]:
    made = Stack(first_home)
    made.open()
    yield made
    made.close()


@pytest.fixture
def portal(stack: Stack) -> Portal:
    return stack.portal


@pytest.fixture
def mailbox(stack: Stack) -> Mailbox:
    return stack.mailbox

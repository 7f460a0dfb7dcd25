"""One running product for the tests of a file; every test brings its own customer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from embedded.driver import Mailbox, Portal
from tests.e2e.stack import Stack


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    made = Stack()
    made.open()
    yield made
    made.close()
    shutil.rmtree(made.folder, ignore_errors=True)


@pytest.fixture
def portal(stack: Stack) -> Portal:
    return stack.portal


@pytest.fixture
def mailbox(stack: Stack) -> Mailbox:
    return stack.mailbox

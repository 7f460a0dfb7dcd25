"""A Named Account that the tests of conflicts look for under other names."""

from __future__ import annotations

import pytest

from tests.e2e.support.journey import Journey
from tests.e2e.support.stack import Stack, new_form

PETROLEUM = "中国石油天然气集团有限公司"


@pytest.fixture(scope="module")
def petroleum(stack: Stack) -> Journey:
    """A registered Named Account under its full name."""
    return Journey(stack, "yang.fan", new_form(PETROLEUM)).activate()

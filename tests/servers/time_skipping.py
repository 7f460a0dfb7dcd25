"""A Temporal server whose clock can be moved, for tests of what waits."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import SecretBytes
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

from crypto.codec import data_converter
from crypto.keyring import Keyring
from domain.policy import load_policy
from workflows.messages import SEARCH_ATTRIBUTES

SERVER = Path(sys.executable).with_name("temporal-test-server")
PAYLOAD_KEYS = Keyring((("published-test-key", SecretBytes(b"published: protects nothing, tst")),))
"""Under which the histories in tests/histories are encrypted. It is public; only synthetic data may go under it."""
CONVERTER = data_converter(PAYLOAD_KEYS)
BUSINESS_ZONE = load_policy().zone


def summer_morning(now: datetime) -> datetime:
    """Ten o'clock of the next first Monday of July: for two months no festival moves a working day."""
    for year in (now.year, now.year + 1):
        first = datetime(year, 7, 1, 10, tzinfo=BUSINESS_ZONE)
        monday = first + timedelta(days=-first.weekday() % 7)
        if monday > now:
            return monday
    raise AssertionError("a year has a July")


@contextlib.asynccontextmanager
async def time_skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A server of its own whose clock can be moved, with our search attributes.

    It begins on a summer morning, so that what a test sees does not depend on the day it is run.
    """
    async with await WorkflowEnvironment.start_time_skipping(
        data_converter=CONVERTER, identity="tests", test_server_existing_path=str(SERVER)
    ) as env:
        # This server registers attributes, but cannot list them, so `ensure_search_attributes` does not work here.
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                search_attributes={
                    key.name: IndexedValueType.ValueType(int(key.indexed_value_type)) for key in SEARCH_ATTRIBUTES
                }
            )
        )
        now = await env.get_current_time()
        await env.sleep(summer_morning(now) - now)
        yield env

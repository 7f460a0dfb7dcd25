"""Search attributes on a real server."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretBytes
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
    RemoveSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from crypto.keyring import Keyring
from runtime.settings import Settings
from runtime.temporal_client import SearchAttributeConflict, connect, ensure_search_attributes
from workflows.messages import SEARCH_ATTRIBUTES


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[Client]:
    temporal = Path(sys.executable).with_name("temporal")
    async with await WorkflowEnvironment.start_local(dev_server_existing_path=str(temporal)) as env:
        with pytest.MonkeyPatch.context() as environment:
            for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
                environment.delenv(name)
            environment.setenv("TEMPORAL_ADDRESS", env.client.service_client.config.target_host)
            ring = Keyring((("k1", SecretBytes(secrets.token_bytes(32))),))
            yield await connect(Settings(embedded=True, payload_keys=ring))


async def registered(client: Client) -> dict[str, int]:
    answer = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    return dict(answer.custom_attributes)


async def test_search_attributes_are_registered_once_by_many(engine: Client) -> None:
    await asyncio.gather(*(ensure_search_attributes(engine) for _ in range(4)))
    await ensure_search_attributes(engine)
    present = await registered(engine)
    assert {key.name: int(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}.items() <= present.items()


async def test_a_search_attribute_of_another_type_is_named(engine: Client) -> None:
    await ensure_search_attributes(engine)
    operator = engine.operator_service
    await operator.remove_search_attributes(
        RemoveSearchAttributesRequest(namespace="default", search_attributes=["Applicant"])
    )
    wrong = IndexedValueType.INDEXED_VALUE_TYPE_INT
    await operator.add_search_attributes(
        AddSearchAttributesRequest(namespace="default", search_attributes={"Applicant": wrong})
    )
    try:
        with pytest.raises(SearchAttributeConflict, match="Applicant"):
            await ensure_search_attributes(engine)
    finally:  # the server is shared with the other tests of this file, which run in any order
        await operator.remove_search_attributes(
            RemoveSearchAttributesRequest(namespace="default", search_attributes=["Applicant"])
        )

"""The connection to the engine, for API, worker, command line and tests.

Address, namespace, TLS and API key come from Temporal's own variables (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`,
`TEMPORAL_TLS…`, `TEMPORAL_API_KEY`); a profile file is read only if `TEMPORAL_CONFIG_FILE` names one.
"""

from __future__ import annotations

import os

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from crypto.codec import data_converter
from runtime.settings import Settings
from workflows.messages import SEARCH_ATTRIBUTES


class SearchAttributeConflict(Exception):
    """The namespace has one of our search attributes with another type; an operator has to remove it first."""


async def connect(settings: Settings, *, lazy: bool = False, runtime: Runtime | None = None) -> Client:
    """A client that encrypts every payload it sends to the engine.

    With `lazy` it connects on the first call, so that the API starts while the engine is unavailable. Raises
    `RuntimeError` if the engine cannot be reached (not with `lazy`), `ValueError` without payload keys.
    """
    # A forgotten profile in the home directory must not decide where customer data is sent.
    config = ClientConfig.load_client_connect_config(disable_file="TEMPORAL_CONFIG_FILE" not in os.environ)
    config.setdefault("target_host", "localhost:7233")
    return await Client.connect(
        **config, data_converter=data_converter(settings.payload_keys), lazy=lazy, runtime=runtime
    )


async def ensure_search_attributes(client: Client) -> None:
    """Register missing search attributes in the client's namespace; idempotent.

    Raises `SearchAttributeConflict` if one exists with another type, `RPCError` if the engine refuses.
    """
    missing = await _missing(client)
    if not missing:
        return
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    except RPCError as error:
        # Another process may have been faster; all that matters is that they exist now.
        if error.status is not RPCStatusCode.ALREADY_EXISTS or await _missing(client):
            raise


async def _missing(client: Client) -> dict[str, IndexedValueType.ValueType]:
    wanted = {key.name: IndexedValueType.ValueType(int(key.indexed_value_type)) for key in SEARCH_ATTRIBUTES}
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    present = listed.custom_attributes
    for name in wanted.keys() & present.keys():
        if present[name] != wanted[name]:
            has, needs = (IndexedValueType.Name(kind) for kind in (present[name], wanted[name]))
            raise SearchAttributeConflict(f"search attribute {name} is {has}, {needs} is needed")
    return {name: kind for name, kind in wanted.items() if name not in present}

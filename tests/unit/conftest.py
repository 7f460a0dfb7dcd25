"""Unit tests reach no network, this machine's own included: a test that must belongs to tests/integration."""

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def no_sockets() -> Iterator[None]:
    """Refuse every socket but the pair of Unix sockets that an event loop wakes itself with."""
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()

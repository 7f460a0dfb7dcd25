"""The nets under the tests hold: no network in unit tests, and files in their order."""

import socket

import pytest
from pytest_socket import SocketBlockedError


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "example.com"])
def test_a_unit_test_opens_no_socket(address: str) -> None:
    with pytest.warns(UserWarning, match="socket"), pytest.raises(SocketBlockedError):
        socket.create_connection((address, 9), timeout=1)


def test_files_keep_their_order_and_stay_together(request: pytest.FixtureRequest) -> None:
    files = [item.nodeid.partition("::")[0] for item in request.session.items]
    runs = [file for number, file in enumerate(files) if number == 0 or files[number - 1] != file]
    assert len(runs) == len(set(runs))
    of_a_tier = [file for file in runs if file.startswith("tests/unit/")]
    assert of_a_tier == sorted(of_a_tier)

"""The ports of a home: consecutive numbers, so that one setting moves them all."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from random import SystemRandom

import psutil

from embedded.errors import StartError

HOST = "127.0.0.1"
DEFAULT_PORT = 8700
COUNT = 8
"""Number of consecutive ports of a home."""


@dataclass(frozen=True)
class Ports:
    """The ports of a home, all on the loopback address."""

    api: int
    temporal_ui: int
    temporal: int
    postgres: int
    smtp: int
    worker_health: int
    temporal_http: int
    temporal_metrics: int

    @classmethod
    def from_first(cls, first: int) -> Ports:
        """The ports from `first` (the API) on. Raises StartError if they exceed 65535."""
        if not 1024 <= first <= 65536 - COUNT:
            raise StartError(f"Port {first} cannot be used: choose one between 1024 and {65536 - COUNT} with --port.")
        return cls(*range(first, first + COUNT))


def is_free(port: int) -> bool:
    """Whether the port is free on this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without this, connections of the last run in TIME_WAIT would look like a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def check_free(ports: Iterable[tuple[str, int]]) -> None:
    """Raises StartError naming the first busy port, its purpose and, if visible, the process that holds it."""
    for purpose, port in ports:
        if not is_free(port):
            raise StartError(
                f"Port {port} (wanted for {purpose}) is already in use{_holder(port)}: "
                "stop that program or choose another port with --port."
            )


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                return (
                    f" by {psutil.Process(connection.pid).name()} (process {connection.pid})" if connection.pid else ""
                )
    except (psutil.Error, OSError):
        pass
    return ""


def free_row(count: int = COUNT) -> int:
    """The first of `count` consecutive free ports below the range of ephemeral ports. For tests."""
    random = SystemRandom()
    for _ in range(1000):
        first = random.randrange(15000, 32000 - count)
        if all(is_free(port) for port in range(first, first + count)):
            return first
    raise StartError("No row of free ports was found.")

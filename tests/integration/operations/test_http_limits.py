"""What nobody may do to the front door over a socket: endless headers, half a request, thousands of connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

import api.server
from api.app import LARGEST_BODY
from api.middleware import LimitBody
from api.server import LimitedHttpProtocol

PATIENCE = 30.0
"""Seconds after which a test gives up waiting."""


class Echo:
    """Answers with the length of the body and the number of headers, when it is let; or with so many bytes."""

    def __init__(self) -> None:
        self.length = 0
        self.lets = asyncio.Event()
        self.lets.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        await self.lets.wait()
        body = json.dumps([len(message.get("body", b"")), len(scope["headers"])]).encode()
        body = bytes(self.length) or body
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


class Door:
    """A front door on a free port."""

    def __init__(self) -> None:
        self.echo = Echo()
        self.port = 0
        self.connections: set[Any] = set()
        self._callers: list[asyncio.StreamWriter] = []

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Door]:
        app = LimitBody(self.echo, LARGEST_BODY)
        config = uvicorn.Config(app, http=LimitedHttpProtocol, ws="none", lifespan="off", log_level="error")
        config.load()
        server = uvicorn.Server(config)
        state = server.server_state
        self.connections = state.connections
        listens = await asyncio.get_running_loop().create_server(
            lambda: LimitedHttpProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        self.port = listens.sockets[0].getsockname()[1]
        async with listens:
            try:
                yield self
            finally:
                for caller in self._callers:
                    caller.transport.abort()
                    with contextlib.suppress(ConnectionError):
                        await caller.wait_closed()
                for connection in list(state.connections):
                    connection.transport.abort()

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._callers.append(writer)
        return reader, writer

    async def told(self, *sent: bytes) -> tuple[int, dict[str, str], bytes]:
        """The first answer to what is sent on a connection of its own."""
        reader, writer = await self.connected()
        for chunk in sent:
            writer.write(chunk)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        async with asyncio.timeout(PATIENCE):
            status, headers, _ = read(await reader.readuntil(b"\r\n\r\n"))
            return status, headers, await reader.readexactly(int(headers["content-length"]))


def read(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split(" ")[1]), headers, body


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with Door().open() as made:
        yield made


GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
LAST = b"Connection: close\r\n\r\n"


async def test_what_stays_within_the_limits_is_served(door: Door) -> None:
    assert (await door.told(GET + b"X: " + b"x" * 60_000 + b"\r\n" + LAST))[0] == 200
    body = b"b" * LARGEST_BODY
    status, _, answer = await door.told(POST + b"Content-Length: %d\r\n" % len(body) + LAST + body)
    assert (status, json.loads(answer)) == (200, [LARGEST_BODY, 3])
    chunks = b"".join(b"1\r\nb\r\n" for _ in range(20_000)) + b"0\r\nTrailer: none\r\n\r\n"
    status, _, answer = await door.told(POST + b"Transfer-Encoding: chunked\r\n" + LAST + chunks)
    assert (status, json.loads(answer)) == (200, [20_000, 3])


async def test_several_requests_on_one_connection_have_a_limit_each(door: Door) -> None:
    head = b"Content-Length: 50000\r\nX: " + b"x" * 40_000 + b"\r\n"
    request = POST + head + b"\r\n" + b"b" * 50_000
    reader, writer = await door.connected()
    writer.write(request * 4 + POST + head + LAST + b"b" * 50_000)
    answers = await asyncio.wait_for(reader.read(), PATIENCE)
    assert answers.count(b"200 OK") == answers.count(b"[50000, ") == 5


@pytest.mark.parametrize(
    "endless",
    [b"a: b\r\n" * 200_000, b"X: " + b"x" * 10_000_000, b"x" * 2_000_000],
    ids=["small headers", "one header", "a name"],
)
async def test_headers_beyond_64_kb_are_answered_431_whatever_their_shape(door: Door, endless: bytes) -> None:
    for start in (GET, GET + b"Accept-Language: en\r\n"):
        status, headers, body = await door.told(start, endless)
        assert status == 431
        assert headers["content-type"] == "application/problem+json"
        assert headers["connection"] == "close"
        said = json.loads(body)
        assert said["code"] == "headers_too_large"
        assert ("64 kB" in said["detail"], "headers" in said["detail"]) == (True, b"en" in start)


async def test_an_endless_address_is_answered_431(door: Door) -> None:
    assert (await door.told(b"GET /" + b"x" * 70_000))[0] == 431


@pytest.mark.parametrize("start", [b"0\r\n", b"1;"], ids=["trailers", "extensions of a chunk"])
async def test_what_goes_along_with_a_body_has_an_end_too(door: Door, start: bytes) -> None:
    sent = POST + b"Transfer-Encoding: chunked\r\n\r\n" + start
    status, _, body = await door.told(sent, b"x" * 3_000_000)
    assert (status, json.loads(body)["code"]) == (413, "too_large")


async def test_a_body_beyond_the_limit_is_answered_413_and_read_no_further(door: Door) -> None:
    reader, writer = await door.connected()
    writer.write(POST + b"Content-Length: 1000000000\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        for _ in range(40):
            writer.write(b"b" * 100_000)
            await writer.drain()
    answered = await asyncio.wait_for(reader.read(), PATIENCE)
    assert read(answered)[0] == 413


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.server, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(api.server, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(api.server, "LINGER_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "half",
    [b"G", GET, POST + b"Content-Length: 10\r\n\r\n", POST + b"Content-Length: 10\r\n\r\nb", b"\r\n"],
    ids=["a letter", "no end of headers", "no body", "half a body", "an empty line"],
)
async def test_an_incomplete_request_times_out(door: Door, half: bytes) -> None:
    status, headers, body = await door.told(half)
    assert (status, headers["connection"], json.loads(body)["code"]) == (408, "close", "too_slow")


@pytest.mark.usefixtures("impatient")
async def test_an_idle_connection_is_closed(door: Door) -> None:
    reader, _ = await door.connected()
    assert await asyncio.wait_for(reader.read(), PATIENCE) == b""


@pytest.mark.usefixtures("impatient")
async def test_a_request_that_comes_byte_by_byte_has_no_more_time_than_any_other(door: Door) -> None:
    reader, writer = await door.connected()

    async def drips() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"a: b\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)

    writer.write(GET)
    dripping = asyncio.create_task(drips())
    answered = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    assert read(answered)[0] == 408


@pytest.mark.usefixtures("impatient")
async def test_a_request_that_is_complete_may_take_its_time(door: Door) -> None:
    door.echo.lets.clear()
    telling = asyncio.create_task(door.told(POST + b"Content-Length: 1\r\n" + LAST + b"b"))
    await asyncio.sleep(3 * api.server.BODY_SECONDS)  # longer than any request may take to arrive
    assert not telling.done()
    door.echo.lets.set()
    assert (await telling)[0] == 200


async def test_a_client_that_does_not_read_the_response_is_disconnected(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.server, "ANSWER_SECONDS", 0.2)
    whole = door.echo.length = 64 * 1024 * 1024
    reader, writer = await door.connected()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(GET + b"\r\n")
    async with asyncio.timeout(PATIENCE):
        while not door.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    async with asyncio.timeout(PATIENCE):
        while door.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    taken = 0
    with contextlib.suppress(ConnectionError):
        while some := await asyncio.wait_for(reader.read(1_000_000), PATIENCE):
            taken += len(some)
    assert taken < whole


async def test_active_clients_get_a_connection_beside_any_number_of_idle_ones(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-sent requests make room, the oldest first; when all are being answered, the next is told so."""
    monkeypatch.setattr(api.server, "MOST_CONNECTIONS", 8)
    held = [await door.connected() for _ in range(30)]
    for number, (_, writer) in enumerate(held):
        with contextlib.suppress(ConnectionError):
            writer.write(GET if number % 2 else POST + b"Content-Length: 10\r\n\r\n")
            await writer.drain()
    assert (await door.told(GET + LAST))[0] == 200
    door.echo.lets.clear()
    waiting = [asyncio.create_task(door.told(GET + LAST)) for _ in range(8)]
    async with asyncio.timeout(PATIENCE):
        while sum(not connection.is_idle for connection in door.connections) < 8:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    status, headers, body = await door.told(GET + LAST)
    assert (status, headers["retry-after"], json.loads(body)["code"]) == (503, "5", "too_many_connections")
    door.echo.lets.set()
    assert [status for status, _, _ in await asyncio.gather(*waiting)] == [200] * 8

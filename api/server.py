"""The HTTP server of the API, with limits on the size and duration of requests and on connections.

uvicorn with httptools limits neither the size of headers nor the time a request takes to arrive, and above its
connection limit it still accepts and answers every connection. A reverse proxy usually adds these limits
(docs/operators.md); this server does not depend on one.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from api.middleware import is_upload
from api.problems import Refusal, as_response
from domain.refusals import RefusalCode
from texts.catalogue import Texts, language_of

MOST_HEAD = 64 * 1024
"""Maximum size of request line and headers, in bytes; 431 above it."""
MOST_MESSAGE = 2 * 1024 * 1024
"""Maximum size of a request on the wire, in bytes. `LimitBody` limits the body without its chunked encoding."""
MOST_UPLOAD = 101 * 1024 * 1024
"""The same for a request with a file: the largest that the policy can allow, and the form around it."""
SLICE = 4 * 1024
"""Bytes parsed at a time, and so the most that is read beyond a limit."""
HEAD_SECONDS = 10.0
"""Time limit for request line and headers, from the connection or the first byte on."""
BODY_SECONDS = 30.0
"""Time limit for the body: enough for the longest one on a slow mobile connection."""
UPLOAD_SECONDS = 300.0
"""The same for a body with a file: 25 MB at 1 Mbit/s take 210 seconds."""
ANSWER_SECONDS = 60.0
"""Time limit for the client to read a response that fills the buffers."""
LINGER_SECONDS = 2.0
"""How long input is discarded after a refusal: closing at once would reset the connection and lose the response."""
MOST_CONNECTIONS = 500
"""Maximum number of connections: half of the usual default limit of open files."""
CLOSING = {"Connection": "close", "Retry-After": "5"}


class _Arriving(Enum):
    NOTHING = "nothing"
    HEAD = "head"
    BODY = "body"


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection, with limits."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._arriving = _Arriving.HEAD
        self._message = 0
        """The number of the request on this connection."""
        self._read = 0
        """Bytes read of it, up to a slice too many."""
        self._patience: asyncio.TimerHandle | None = None
        self._patient_with = (-1, _Arriving.NOTHING)
        self._slow_reader: asyncio.TimerHandle | None = None
        self._refused = False
        self._with_file = False
        """Whether the request may carry a file, by its path."""
        self._since = self.loop.time()

    @property
    def is_idle(self) -> bool:
        """Whether it is idle: all its requests are answered, or the only one is incomplete."""
        return self.cycle is None or self.cycle.response_complete or self._arriving is _Arriving.BODY

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._wait_for_the_rest()
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._patience, self._slow_reader):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), SLICE):
            if self._refused or self.transport.is_closing():
                return
            piece = data[start : start + SLICE]
            super().data_received(piece)
            self._read += len(piece)
            if self._arriving is _Arriving.HEAD and self._read > MOST_HEAD:
                self._refuse(431, RefusalCode.HEADERS_TOO_LARGE)
            elif self._read > (MOST_UPLOAD if self._with_file else MOST_MESSAGE):
                self._refuse(413, RefusalCode.TOO_LARGE)
        self._wait_for_the_rest()

    def eof_received(self) -> None:
        if self._refused:
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._arriving = _Arriving.HEAD
        self._message += 1
        self._read = 0
        self._since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._arriving is _Arriving.HEAD:  # trailers after a body are ignored
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._arriving = _Arriving.BODY
        super().on_headers_complete()
        self._with_file = is_upload(self.scope["path"])

    def on_message_complete(self) -> None:
        self._arriving = _Arriving.NOTHING
        self._read = 0
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._slow_reader is None:
            self._slow_reader = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._slow_reader is not None:
            self._slow_reader.cancel()
            self._slow_reader = None

    def _wait_for_the_rest(self) -> None:
        """Start one timer for the head of each request and one for its body; single bytes do not extend it."""
        now = (self._message, self._arriving)
        if now == self._patient_with or self._refused:
            return
        self._patient_with = now
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self._arriving is not _Arriving.NOTHING:  # otherwise uvicorn closes the idle connection
            in_body = UPLOAD_SECONDS if self._with_file else BODY_SECONDS
            seconds = HEAD_SECONDS if self._arriving is _Arriving.HEAD else in_body
            self._patience = self.loop.call_later(seconds, self._out_of_patience)

    def _out_of_patience(self) -> None:
        if self._message == 0 and self._read == 0:
            self.transport.close()  # nothing was received, so there is nothing to answer
        else:
            self._refuse(408, RefusalCode.TOO_SLOW)

    def _make_room(self) -> None:
        """Close the connection that has been idle longest, or refuse this one if none is idle."""
        others = [
            connection
            for connection in self.connections
            if isinstance(connection, LimitedHttpProtocol) and connection is not self
        ]
        idle = [connection for connection in others if connection.is_idle and not connection.transport.is_closing()]
        if idle:
            min(idle, key=lambda connection: connection._since).transport.abort()
        else:
            self._refuse(503, RefusalCode.TOO_MANY_CONNECTIONS)

    def _refuse(self, status: int, code: RefusalCode) -> None:
        """Answer with a refusal, and close the connection when the client has had time to read it.

        If a response is already under way or sent, no refusal is added and that response is the last.
        """
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if self._patience is not None:
            self._patience.cancel()
        if self.cycle is not None and self._has_response(self.cycle):
            self.cycle.keep_alive = False
        else:
            self._write(Refusal(status, code, headers=CLOSING))
        if self.cycle is None or self.cycle.response_complete or self._arriving is _Arriving.BODY:
            self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _has_response(self, cycle: RequestResponseCycle) -> bool:
        """Whether a response is under way or sent, so that a refusal would come on top of it."""
        return cycle.response_started if self._arriving is _Arriving.BODY else not cycle.response_complete

    def _write(self, refusal: Refusal) -> None:
        accepts = next((value for name, value in self.headers or () if name == b"accept-language"), b"")
        answer = as_response(refusal, Texts(language_of(accepts[:2].decode("latin-1").lower())))
        head = b"".join(b"%b: %b\r\n" % header for header in answer.raw_headers)
        self.transport.write(STATUS_LINE[refusal.status] + head + b"\r\n" + bytes(answer.body))


def serve(app: Any, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in progress."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=LimitedHttpProtocol,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=8,
    )

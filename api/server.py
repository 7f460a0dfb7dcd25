"""The HTTP server of the front door, which waits for nobody for ever and reads no more than a request may have.

uvicorn with httptools has no limit for headers, none for the time a request may take to arrive, and answers more
connections than its limit one by one. A proxy in front has all of it (docs/operators.md); this holds without one.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from api.problems import Refusal, as_response
from domain.refusals import RefusalCode
from texts.catalogue import Texts, language_of

MOST_HEAD = 64 * 1024
"""Bytes of request line and headers; more is answered 431."""
MOST_MESSAGE = 2 * 1024 * 1024
"""Bytes of a request as it is sent. A body of one-byte chunks has many times its own; `LimitBody` counts that."""
SLICE = 4 * 1024
"""Bytes that are parsed at a time: how much of a request is read beyond a limit."""
HEAD_SECONDS = 10.0
"""For request line and headers to arrive, from the connection or the first byte on."""
BODY_SECONDS = 30.0
"""For the body to arrive: the longest at the speed of a bad mobile line."""
ANSWER_SECONDS = 60.0
"""For the caller to take what fills the buffers."""
LINGER_SECONDS = 2.0
"""For a caller that is refused while it sends: what comes is thrown away, or the answer would be lost with it."""
MOST_CONNECTIONS = 500
"""At a time: half of the files that a process may open where nobody has set another limit."""
CLOSING = {"Connection": "close", "Retry-After": "5"}


class _Arriving(Enum):
    NOTHING = "nothing"
    HEAD = "head"
    BODY = "body"


class FrontDoorProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._arriving = _Arriving.HEAD
        self._message = 0
        """The number of the request on this connection."""
        self._read = 0
        """Bytes of it, or a slice more."""
        self._patience: asyncio.TimerHandle | None = None
        self._patient_with = (-1, _Arriving.NOTHING)
        self._slow_reader: asyncio.TimerHandle | None = None
        self._refused = False
        self._since = self.loop.time()

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is done for it: all its requests are answered, or the only one is not complete."""
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
            elif self._read > MOST_MESSAGE:
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
        if self._arriving is _Arriving.HEAD:  # what follows a body is nobody's business
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._arriving = _Arriving.BODY
        super().on_headers_complete()

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
        """One timer for each request's head and for its body, however slowly the bytes come."""
        now = (self._message, self._arriving)
        if now == self._patient_with or self._refused:
            return
        self._patient_with = now
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self._arriving is not _Arriving.NOTHING:  # then uvicorn closes it when nothing more comes
            seconds = HEAD_SECONDS if self._arriving is _Arriving.HEAD else BODY_SECONDS
            self._patience = self.loop.call_later(seconds, self._out_of_patience)

    def _out_of_patience(self) -> None:
        if self._message == 0 and self._read == 0:
            self.transport.close()  # nothing was said, so nothing is answered
        else:
            self._refuse(408, RefusalCode.TOO_SLOW)

    def _make_room(self) -> None:
        """Close the connection that has waited longest; refuse this one when requests of all others are at work."""
        others = [one for one in self.connections if isinstance(one, FrontDoorProtocol) and one is not self]
        waiting = [one for one in others if one.is_waiting and not one.transport.is_closing()]
        if waiting:
            min(waiting, key=lambda one: one._since).transport.abort()
        else:
            self._refuse(503, RefusalCode.TOO_MANY_CONNECTIONS)

    def _refuse(self, status: int, code: RefusalCode) -> None:
        """Answer, and close the connection once the caller has had the time to hear it. Where another answer is under
        way, or this request has one already, that is the last on the connection."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if self._patience is not None:
            self._patience.cancel()
        if self.cycle is not None and self._has_an_answer(self.cycle):
            self.cycle.keep_alive = False
        else:
            self._say(Refusal(status, code, headers=CLOSING))
        if self.cycle is None or self.cycle.response_complete or self._arriving is _Arriving.BODY:
            self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _has_an_answer(self, cycle: RequestResponseCycle) -> bool:
        """Whether an answer is under way or given that an answer of ours would come on top of."""
        return cycle.response_started if self._arriving is _Arriving.BODY else not cycle.response_complete

    def _say(self, refusal: Refusal) -> None:
        accepts = next((value for name, value in self.headers or () if name == b"accept-language"), b"")
        answer = as_response(refusal, Texts(language_of(accepts[:2].decode("latin-1").lower())))
        head = b"".join(b"%b: %b\r\n" % header for header in answer.raw_headers)
        self.transport.write(STATUS_LINE[refusal.status] + head + b"\r\n" + bytes(answer.body))


def serve(app: Any, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in hand."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=FrontDoorProtocol,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=8,
    )

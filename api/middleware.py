"""Refuses request bodies that are larger than any form, before they are parsed."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Refusal, as_response, texts_for
from domain.policy import Documents
from domain.refusals import RefusalCode

_UPLOAD: Final = re.compile(r"/api/v1/(applications|projects)/[^/]+/documents|/documents/(applications|projects)/[^/]+")
AROUND_FILE: Final = 64 * 1024
"""Bytes of a form beside its file."""


def is_upload(path: str) -> bool:
    """Whether files are sent to this path, of the API or of a page."""
    return _UPLOAD.fullmatch(path) is not None


class LimitBody:
    """ASGI middleware: answers 413 to bodies of more than `largest` bytes, with or without Content-Length.

    A body is gathered before the application sees it, but for a file of at most the size that `documents` allows: the
    application reads that as it arrives, and its reading raises the refusal.
    """

    def __init__(self, app: ASGIApp, largest: int, documents: Documents | None = None) -> None:
        self._app = app
        self._largest = largest
        self._documents = documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        if self._documents and is_upload(scope["path"]):
            await self._app(scope, _counted(receive, self._documents), send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > self._largest:
                texts = texts_for(Request(scope))
                await as_response(Refusal(413, RefusalCode.TOO_LARGE), texts)(scope, receive, send)
                return
            if not message.get("more_body"):
                break
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replay, send)


def _counted(receive: Receive, limits: Documents) -> Receive:
    """`receive` that raises `Refusal` 413 once more has arrived than the largest file and the form around it."""
    arrived = 0

    async def counted() -> Message:
        nonlocal arrived
        message = await receive()
        arrived += len(message.get("body", b""))
        if arrived > limits.largest_bytes + AROUND_FILE:
            raise Refusal(413, RefusalCode.DOCUMENT_TOO_LARGE, facts={"largest": limits.largest_megabytes})
        return message

    return counted

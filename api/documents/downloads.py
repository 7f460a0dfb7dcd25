"""The response with the content of an attached file: always saved, never shown or run by a browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from api.problems import Unavailable
from api.state import State
from crypto.codec import UnknownKey
from db.documents import DocumentRow
from documents.errors import StoreAway
from domain.refusals import RefusalCode

DOWNLOAD_HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}


async def download(state: State, row: DocumentRow) -> StreamingResponse:
    """The content of `row` as an attachment. Raises `Unavailable` when it cannot be read."""
    if state.documents is None:
        raise Unavailable(RefusalCode.DOCUMENTS_OFF)
    try:
        content = await state.documents.read(row)
    except (StoreAway, UnknownKey) as error:
        raise Unavailable(RefusalCode.DOCUMENTS_AWAY) from error
    headers = {
        **DOWNLOAD_HEADERS,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.name, safe='')}",
        "Content-Length": str(row.size),
    }
    return StreamingResponse(content, media_type=row.media_type, headers=headers)

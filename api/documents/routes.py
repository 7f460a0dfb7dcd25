"""Routes of attached files (N1, N11)."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from api.documents.access import COLLECTIONS, Collection, document_view, seen_document, subject_with_documents
from api.documents.downloads import download
from api.documents.models import DocumentView
from api.documents.uploads import keep, received
from api.gateway.gateway import Caller
from api.paging import Page, page_of, parse_cursor
from api.params import Cursor, Limit, SubjectId
from api.problems import PROBLEM_RESPONSES
from api.state import ConnectionDep, KeyHeader, StateDep, ViewerDep, check_key
from db import documents
from db.connection.engine import autocommit
from domain.documents.document import DocumentPart, DocumentType

router = APIRouter(prefix="/api/v1", responses=PROBLEM_RESPONSES, tags=["documents"])

UPLOAD: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "part": {
                            "type": "string",
                            "enum": [part.value for part in DocumentPart],
                            "description": "What of the subject the file belongs to; the subject itself if left out.",
                        },
                        "about": {
                            "type": "string",
                            "description": "Of an update its number, of a decision its task's id, of a meeting its "
                            "dispute's id.",
                        },
                    },
                }
            }
        },
    }
}
"""The body for the OpenAPI document. The form is read by `received`, after the caller is known."""


@router.post("/{collection}/{subject_id}/documents", status_code=201, response_model=DocumentView, openapi_extra=UPLOAD)
async def attach_document(
    collection: Collection,
    subject_id: SubjectId,
    viewer: ViewerDep,
    state: StateDep,
    request: Request,
    idempotency_key: KeyHeader = None,
) -> Any:
    """Attach a file to an application or a project that you may see, or to one of its decisions, updates or meetings.

    The policy says which types, how large and how many. The content has to be what the name's ending says.
    """
    check_key(idempotency_key)
    subject_type = COLLECTIONS[collection]
    async with autocommit(state.engine) as connection:
        await subject_with_documents(connection, state, viewer, subject_type, subject_id)

    def caller_of(body: bytes) -> Caller:
        return Caller(viewer.person, route=request.scope["path"], key=idempotency_key, body=body, channel="api")

    async with received(state, request) as upload:
        row = await keep(state, upload, caller_of, subject_type, subject_id)
    return document_view(row, viewer.organisation)


@router.get("/{collection}/{subject_id}/documents", response_model=Page[DocumentView])
async def list_documents(
    collection: Collection,
    subject_id: SubjectId,
    viewer: ViewerDep,
    state: StateDep,
    connection: ConnectionDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """List the files attached to an application or a project that you may see, the newest first."""
    await subject_with_documents(connection, state, viewer, COLLECTIONS[collection], subject_id)
    after = parse_cursor(cursor, "moment", "id")
    rows = await documents.page_of_subject(connection, subject_id, after=after, limit=limit + 1)
    return page_of(
        rows,
        limit,
        key=lambda row: (row.uploaded_at, row.id),
        view=lambda row: document_view(row, viewer.organisation),
    )


@router.get(
    "/documents/{document_id}",
    response_model=None,
    responses={200: {"description": "The file.", "content": {kind.media_type: {} for kind in DocumentType}}},
)
async def read_document(document_id: SubjectId, viewer: ViewerDep, state: StateDep) -> Response:
    """Download an attached file, if you may see what it is attached to. Each download is recorded."""
    async with autocommit(state.engine) as connection:  # not held while the file is sent
        row = await seen_document(connection, state, viewer, document_id)
    return await download(state, row)

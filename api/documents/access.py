"""Attached files for whoever may see what they are attached to, and for nobody else (X2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from api.accounts.acts import seen_application
from api.documents.models import DocumentView
from api.models import PersonView
from api.problems import Refusal
from api.projects.access import seen_project
from api.state import State, Viewer
from db import documents
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection
from db.documents import DocumentRow
from db.projects.projects import ProjectRow
from db.readings import note_reading
from domain.organisation import Organisation
from domain.refusals import RefusalCode
from domain.subject import SubjectType

Collection = Literal["applications", "projects"]
COLLECTIONS: Final[Mapping[str, SubjectType]] = {
    "applications": SubjectType.APPLICATION,
    "projects": SubjectType.PROJECT,
}
"""Subjects with documents, by their part of an address."""


async def subject_with_documents(
    connection: AsyncConnection,
    state: State,
    viewer: Viewer,
    subject_type: SubjectType,
    subject_id: str,
    *,
    through: str = "documents",
) -> ApplicationRow | ProjectRow:
    """The subject if the viewer may see it, by the one condition that its own page has; the reading is recorded (X2).

    Raises `Refusal` 404 otherwise.
    """
    if subject_type is SubjectType.PROJECT:
        return await seen_project(connection, state, viewer, subject_id, through)
    if subject_type is SubjectType.APPLICATION:
        return await seen_application(connection, viewer, subject_id, through)
    raise Refusal(404, RefusalCode.NOT_FOUND)


async def seen_document(connection: AsyncConnection, state: State, viewer: Viewer, document_id: str) -> DocumentRow:
    """The document if the viewer may see its subject; both readings are recorded (X2). Raises `Refusal` 404
    otherwise."""
    row = await documents.find(connection, document_id)
    if row is None:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    await subject_with_documents(connection, state, viewer, row.subject_type, row.subject_id, through="download")
    await note_reading(connection, viewer.person.id, "document", row.id, through="download")
    return row


def document_view(row: DocumentRow, organisation: Organisation) -> DocumentView:
    """A document as callers see it."""
    return DocumentView(
        id=row.id,
        part=row.part,
        about=row.about,
        name=row.name,
        media_type=row.media_type,
        size=row.size,
        sha256=row.sha256,
        uploaded_by=PersonView(id=row.person, name=organisation.name_of(row.person)),
        uploaded_at=row.uploaded_at,
    )

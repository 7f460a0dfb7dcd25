"""Responses about attached files."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from api.models import PersonView
from domain.documents.document import DocumentPart


class DocumentView(BaseModel):
    """An attached file. `GET /documents/{id}` gives its content."""

    id: str
    part: DocumentPart
    about: str | None = None
    """The number of the update, the id of the task, the id of the dispute that it belongs to."""
    name: str
    media_type: str
    size: int
    """Bytes."""
    sha256: str
    uploaded_by: PersonView
    uploaded_at: datetime

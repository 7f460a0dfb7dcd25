"""Attached files on record (N1, N11): what they are, whose they are, and where their content is kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import all_, any_, bindparam, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Text

from db.audit import GENESIS
from db.rows import first, read_all, values_of
from db.tables.audit import audit, document
from domain.base import Wire
from domain.documents.document import DocumentPart, Target
from domain.subject import SubjectType
from domain.tasks.task import TaskKind


class DocumentRow(Wire):
    """One attached file. `path` names its content in the document store."""

    id: str
    subject_type: SubjectType
    subject_id: str
    part: DocumentPart
    about: str | None = None
    """Of a part that a subject has several of, which: see `Target`."""
    name: str
    media_type: str
    size: int
    """Bytes."""
    sha256: str
    person: str
    uploaded_at: datetime
    key_id: str
    """The payload key that its content is encrypted with."""
    path: str


class TargetRow(Target):
    """An update, a task or a meeting that a document can be attached to."""

    kind: TaskKind | None = None
    """Of a task."""
    at: datetime
    """When it was said, asked or decided, or opened."""


# Built once: building a statement costs more than sending it (measured).
_ADD = upsert(document).on_conflict_do_nothing().returning(document.c.id)
_FIND = select(document).where(document.c.id == bindparam("id"))
_OF_SUBJECT = (
    select(document)
    .where(document.c.subject_id == bindparam("subject"))
    .order_by(document.c.uploaded_at.desc(), document.c.id.desc())
)
_COUNT = select(func.count()).where(document.c.subject_id == bindparam("subject"))
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('document ' || :subject, 0))")
_KEPT = select(document.c.path).where(document.c.path == any_(bindparam("paths", type_=ARRAY(Text))))
_OTHER_KEYS = (
    select(document.c.key_id).where(document.c.key_id != all_(bindparam("known", type_=ARRAY(Text)))).distinct()
)
_FIRST_ENTRY = select(audit.c.hash).where(audit.c.seq == 1)
_TARGETS = text("""
    SELECT 'update' AS part, number::text AS about, NULL AS kind, said_at AS at
    FROM project_update WHERE project_id = :subject
    UNION ALL
    SELECT 'decision', task.id, task.kind, coalesce(decision.decided_at, task.opened_at)
    FROM task LEFT JOIN decision ON decision.task_id = task.id
    WHERE task.subject_id = :subject AND (task.status = 'open' OR decision.task_id IS NOT NULL)
    UNION ALL
    SELECT 'meeting', id, NULL, opened_at FROM dispute WHERE project_id = :subject AND meeting IS NOT NULL
    ORDER BY at DESC, about""")


async def add(connection: AsyncConnection, row: DocumentRow) -> bool:
    """Record a document. False when one with its id is on record already."""
    return await connection.scalar(_ADD, values_of(row, document)) is not None


async def find(connection: AsyncConnection, document_id: str) -> DocumentRow | None:
    """The document, for whoever may see its subject: the caller checks that."""
    return first(DocumentRow, await connection.execute(_FIND, {"id": document_id}))


async def of_subject(connection: AsyncConnection, subject_id: str) -> tuple[DocumentRow, ...]:
    """Every document of a subject, the newest first."""
    return read_all(DocumentRow, await connection.execute(_OF_SUBJECT, {"subject": subject_id}))


async def page_of_subject(
    connection: AsyncConnection, subject_id: str, *, after: Sequence[str] | None, limit: int
) -> tuple[DocumentRow, ...]:
    """`of_subject`, from the one that `after` names by moment and id."""
    query = _OF_SUBJECT.limit(limit)
    if after:
        query = query.where(
            tuple_(document.c.uploaded_at, document.c.id) < tuple_(datetime.fromisoformat(after[0]), after[1])
        )
    return read_all(DocumentRow, await connection.execute(query, {"subject": subject_id}))


async def count_locked(connection: AsyncConnection, subject_id: str) -> int:
    """How many documents a subject has. Nobody else attaches one until the transaction ends."""
    await connection.execute(_LOCK, {"subject": subject_id})
    return int(await connection.scalar(_COUNT, {"subject": subject_id}) or 0)


async def targets_of(connection: AsyncConnection, subject_id: str) -> tuple[TargetRow, ...]:
    """The updates, open and decided tasks, and meetings of a subject, the newest first."""
    return read_all(TargetRow, await connection.execute(_TARGETS, {"subject": subject_id}))


async def on_record(connection: AsyncConnection, paths: Sequence[str]) -> frozenset[str]:
    """Those of `paths` that a document on record names."""
    return frozenset(await connection.scalars(_KEPT, {"paths": list(paths)}))


async def keys_beside(connection: AsyncConnection, known: Collection[str]) -> tuple[str, ...]:
    """Payload keys that documents are encrypted with, other than those known."""
    return tuple(await connection.scalars(_OTHER_KEYS, {"known": sorted(known)}))


async def name_of_record(connection: AsyncConnection) -> str:
    """What tells this record from any other: the beginning of its first entry's hash."""
    return str(await connection.scalar(_FIRST_ENTRY) or GENESIS)[:16]

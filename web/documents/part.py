"""The files of a subject, and the form that attaches one: a part of the subject's page, and a page of its own."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from api.documents.access import COLLECTIONS
from api.state import State
from api.tasks.wording import task_key
from db import documents
from db.connection.engine import AsyncConnection
from db.documents import TargetRow
from domain.base import Frozen, Moment
from domain.documents.document import PARTS, WHOLE, DocumentPart
from domain.subject import SubjectType
from texts.catalogue import Texts
from web.session.sessions import Session

BELONGS_TO: Final = "belongs_to"
"""The name of the select: `part`, or `part:about`."""
MOST_TARGETS: Final = 30
"""Of updates, decisions and meetings the newest are offered."""


class DocumentLine(Frozen):
    """One attached file."""

    address: str
    name: str
    size: str
    belongs_to: str
    person: str
    at: Moment


class DocumentsPart(Frozen):
    """What `documents.html.j2` shows."""

    address: str
    """Where the form is sent."""
    back: str
    """Where to go after a file was attached."""
    lines: tuple[DocumentLine, ...]
    choices: tuple[tuple[str, str], ...]
    """What a file can belong to: value and label."""
    accepted: str
    """Endings of names, as the browser's file dialog wants them."""
    note: str
    takes_more: bool
    error: str = ""
    chosen: str = ""


def documents_address(subject_type: SubjectType, subject_id: str) -> str:
    """The page with the files of a subject."""
    collection = next(name for name, kind in COLLECTIONS.items() if kind is subject_type)
    return f"/documents/{collection}/{subject_id}"


async def documents_part(
    connection: AsyncConnection,
    state: State,
    session: Session,
    subject_type: SubjectType,
    subject_id: str,
    *,
    back: str = "",
    error: str = "",
    chosen: str = "",
) -> DocumentsPart:
    """The part for a subject that has been found in the viewer's scope.

    `back`: the path of the page that shows it; its own page if left out. `error`, `chosen`: of a form that was refused.
    """
    texts, limits = session.texts, state.facts.policy.documents
    zone = state.facts.policy.zone
    rows = await documents.of_subject(connection, subject_id)
    targets = await documents.targets_of(connection, subject_id)
    labels = {(target.part, target.about): _target_label(target, subject_type, texts, zone) for target in targets}
    address = documents_address(subject_type, subject_id)
    return DocumentsPart(
        address=address,
        back=back or address,
        lines=tuple(
            DocumentLine(
                address=f"/documents/{row.id}",
                name=row.name,
                size=size_words(row.size),
                belongs_to=labels.get((row.part, row.about)) or _part_label(row.part, texts),
                person=session.viewer.organisation.name_of(row.person),
                at=row.uploaded_at,
            )
            for row in rows
        ),
        choices=(
            *((part.value, _part_label(part, texts)) for part in PARTS[subject_type] if part in WHOLE),
            *(
                (f"{target.part}:{target.about}", labels[target.part, target.about])
                for target in targets[:MOST_TARGETS]
            ),
        ),
        accepted=",".join(f".{kind}" for kind in limits.types),
        note=texts.text(
            "document.note",
            types=", ".join(limits.types),
            largest=limits.largest_megabytes,
            most=limits.most_per_subject,
        ),
        takes_more=state.documents is not None and len(rows) < limits.most_per_subject,
        error=error,
        chosen=chosen,
    )


def size_words(size: int) -> str:
    """A size as people know it: `340 kB`, `1.2 MB`; `size` in bytes."""
    if size < 1024:
        return f"{size} B"
    return f"{size / 1024:.0f} kB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.1f} MB"


def _part_label(part: DocumentPart, texts: Texts) -> str:
    return texts.text(f"document_part.{part}")


def _target_label(target: TargetRow, subject_type: SubjectType, texts: Texts, zone: ZoneInfo) -> str:
    """An update, decision or meeting by what it is and when it was."""
    what = texts.text(task_key(target.kind, subject_type, "title")) if target.kind else _part_label(target.part, texts)
    return what + texts.aside(texts.day(target.at, zone))

"""Files that are attached to an application or a project (N1, N11): what they may be, and how they are called."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import Final

from domain.base import Wire
from domain.subject import SubjectType

LONGEST_NAME: Final = 120
"""Characters of a name, its ending included; in UTF-8 that fits into any file system's 255 bytes twice over."""
MOST_BYTES_OF_NAME: Final = 240


class DocumentPart(StrEnum):
    """What of its subject a document belongs to. The values are stored."""

    APPLICATION = "application"
    ACCOUNT_PLAN = "account_plan"
    PROJECT = "project"
    UPDATE = "update"
    DECISION = "decision"
    MEETING = "meeting"


PARTS: Final[dict[SubjectType, tuple[DocumentPart, ...]]] = {
    SubjectType.APPLICATION: (DocumentPart.APPLICATION, DocumentPart.ACCOUNT_PLAN, DocumentPart.DECISION),
    SubjectType.PROJECT: (DocumentPart.PROJECT, DocumentPart.UPDATE, DocumentPart.DECISION, DocumentPart.MEETING),
}
"""The parts of each subject that has documents, the subject itself first. A dispute's documents are its project's."""
WHOLE: Final = frozenset({DocumentPart.APPLICATION, DocumentPart.ACCOUNT_PLAN, DocumentPart.PROJECT})
"""Parts of which a subject has one. Of the others it has several, and a document says which."""


class DocumentType(StrEnum):
    """The kinds of files that can be attached, by the ending of their names."""

    PDF = "pdf"
    DOCX = "docx"
    XLSX = "xlsx"
    PPTX = "pptx"
    DOC = "doc"
    XLS = "xls"
    PPT = "ppt"
    PNG = "png"
    JPG = "jpg"
    JPEG = "jpeg"
    TXT = "txt"
    CSV = "csv"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]


_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_MEDIA_TYPES: Final = {
    DocumentType.PDF: "application/pdf",
    DocumentType.DOCX: f"{_OFFICE}.wordprocessingml.document",
    DocumentType.XLSX: f"{_OFFICE}.spreadsheetml.sheet",
    DocumentType.PPTX: f"{_OFFICE}.presentationml.presentation",
    DocumentType.DOC: "application/msword",
    DocumentType.XLS: "application/vnd.ms-excel",
    DocumentType.PPT: "application/vnd.ms-powerpoint",
    DocumentType.PNG: "image/png",
    DocumentType.JPG: "image/jpeg",
    DocumentType.JPEG: "image/jpeg",
    # Text is never sent as anything that a browser or a spreadsheet program would carry out.
    DocumentType.TXT: "text/plain",
    DocumentType.CSV: "text/csv",
}


class Target(Wire):
    """What a document can be attached to: a part of a subject and, where there are several of it, which."""

    part: DocumentPart
    about: str | None = None
    """The number of an update, the id of a task, the id of a dispute."""


def is_target_of(target: Target, subject: SubjectType) -> bool:
    """Whether such a subject has this part, and `about` is given exactly where there are several of it."""
    return target.part in PARTS.get(subject, ()) and (target.about is None) == (target.part in WHOLE)


# Windows opens a device where a file has one of these names.
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_UNUSABLE: Final = re.compile(r'[<>:"|?*]')


def clean_name(sent: str) -> str:
    """The name of a file as it is kept and given out: without path, control and bidi characters, and not too long.

    Never raises. Empty when nothing readable is left of it.
    """
    last = re.split(r"[/\\]", sent)[-1]
    # Category C: control, format (bidi and zero-width), surrogates, private use, unassigned.
    kept = "".join(" " if character.isspace() else character for character in unicodedata.normalize("NFC", last))
    kept = "".join(character for character in kept if unicodedata.category(character)[0] != "C")
    kept = " ".join(_UNUSABLE.sub("_", kept).split()).strip(". ")
    if not any(character.isalnum() for character in kept):
        return ""
    if _DEVICE.fullmatch(kept):
        kept = f"_{kept}"
    stem, dot, ending = kept.rpartition(".")
    if not dot or len(ending) > 10:
        stem, ending = kept, ""
    tail = f".{ending}" if ending else ""
    stem = stem[: LONGEST_NAME - len(tail)]
    while len((stem + tail).encode()) > MOST_BYTES_OF_NAME:
        stem = stem[:-1]
    return stem.rstrip(". ") + tail

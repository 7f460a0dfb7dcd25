"""Which files are taken (N1, N11): judged by size, content, name and number, never by what the sender calls them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NoReturn

from domain.documents.document import DocumentType
from domain.policy import Documents
from domain.refusals import RefusalCode, Refused
from domain.tasks.task import Problem

RULE: Final = "N11"


def judge_size(size: int, limits: Documents) -> None:
    """Raises `Refused` for an empty file and for one that is too large. `size` in bytes."""
    if size == 0:
        refuse_document(RefusalCode.DOCUMENT_EMPTY)
    if size > limits.largest_bytes:
        refuse_document(RefusalCode.DOCUMENT_TOO_LARGE, largest=limits.largest_megabytes)


def judge_type(name: str, fits: Collection[DocumentType], limits: Documents) -> DocumentType:
    """The type of a file called `name` (clean) whose content fits these types.

    Raises `Refused` unless the ending of the name is an allowed type and the content is of it: a renamed program is
    no document.
    """
    ending = name.rpartition(".")[2].lower()
    known = next((kind for kind in limits.types if kind.value == ending), None)
    if known is None:
        refuse_document(RefusalCode.DOCUMENT_TYPE_NOT_ALLOWED, types=", ".join(limits.types))
    if known not in fits:
        refuse_document(RefusalCode.DOCUMENT_NOT_ITS_TYPE, ending=ending, types=", ".join(limits.types))
    return known


def judge_number(attached: int, limits: Documents) -> None:
    """Raises `Refused` when a subject with so many documents takes no more."""
    if attached >= limits.most_per_subject:
        refuse_document(RefusalCode.DOCUMENTS_TOO_MANY, count=limits.most_per_subject)


def refuse_document(code: RefusalCode, **facts: str | int) -> NoReturn:
    """Raises `Refused` about the field `file`."""
    params = {name: str(value) for name, value in facts.items()}
    raise Refused(code, problems=(Problem(field="file", rule=RULE, key=code, params=params),), **facts)

"""What a file is, by its content: its first bytes, and for text all of them. Nothing is decoded or unpacked."""

from __future__ import annotations

import codecs
import struct
from typing import Final

import puremagic

from domain.documents.document import DocumentType

HEAD: Final = 4096
"""Bytes at the beginning that are looked at."""

_OFFICE: Final = (DocumentType.DOCX, DocumentType.XLSX, DocumentType.PPTX)
_OLD_OFFICE: Final = (DocumentType.DOC, DocumentType.XLS, DocumentType.PPT)
_TEXT: Final = frozenset({DocumentType.TXT, DocumentType.CSV})
_BY_ENDING: Final[dict[str, tuple[DocumentType, ...]]] = {
    ".pdf": (DocumentType.PDF,),
    ".docx": _OFFICE,
    ".doc": _OLD_OFFICE,
    ".png": (DocumentType.PNG,),
    ".jpg": (DocumentType.JPG, DocumentType.JPEG),
}
"""By the ending that the library gives a content; of one container several types."""
_OFFICE_FIRST: Final = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"word/", b"xl/", b"ppt/", b"customXml/")
"""What the archive of an office document begins with. Any other archive may hold anything."""
_CONTROL: Final = frozenset(chr(code) for code in range(32)) - set("\t\n\r\f")


def types_that_fit(head: bytes, *, is_text: bool) -> frozenset[DocumentType]:
    """The types that a file may be whose content begins with `head`. `is_text`: see `TextCheck`."""
    try:
        endings = {found.extension for found in puremagic.magic_string(head)}
    except (puremagic.PureError, ValueError):  # it knows no such content, or the content is empty
        endings = set()
    fits = {kind for ending in endings for kind in _BY_ENDING.get(ending, ())}
    if not _begins_like_office(head):
        fits -= set(_OFFICE)
    # Whatever begins like markup could be a page with a script in it.
    if is_text and not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        fits |= _TEXT
    return frozenset(fits)


def _begins_like_office(head: bytes) -> bool:
    """Whether the first entry of a zip archive is one of an office document, by the header in front of it."""
    if len(head) < 30:
        return False
    length = struct.unpack_from("<H", head, 26)[0]
    return head[30 : 30 + length].startswith(_OFFICE_FIRST)


class TextCheck:
    """Whether a file is text, fed piece by piece: UTF-8, UTF-16 with its mark, or GB 18030, and no control
    characters."""

    def __init__(self) -> None:
        self._decoders: list[codecs.IncrementalDecoder] | None = None

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        """The next bytes."""
        if self._decoders is None:
            marked = piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            names = ("utf-16",) if marked else ("utf-8", "gb18030")
            self._decoders = [codecs.getincrementaldecoder(name)() for name in names]
        self._decoders = [decoder for decoder in self._decoders if _reads(decoder, piece, last=last)]

    @property
    def holds(self) -> bool:
        return bool(self._decoders)


def _reads(decoder: codecs.IncrementalDecoder, piece: bytes, *, last: bool) -> bool:
    try:
        return _CONTROL.isdisjoint(decoder.decode(piece, last))
    except UnicodeDecodeError:
        return False

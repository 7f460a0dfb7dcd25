"""Files of many kinds to attach, genuine and not."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Final

PDF: Final = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"
HTML: Final = b"<!DOCTYPE html><html><body><script>alert(document.cookie)</script></body></html>"
PROGRAM: Final = b"MZ" + bytes(58) + struct.pack("<I", 128) + bytes(64) + b"PE\0\0" + bytes(200)
EICAR_LIKE: Final = b"%PDF-1.7\nbaobei-test-signature\n"
"""What the scanner of the tests takes for infected. No virus scanner on the machine does."""


def archive(first: str, content: str = "<x/>") -> bytes:
    """A zip archive whose first entry is called so."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(first, content)
        made.writestr("word/document.xml", content)
    return written.getvalue()


def image_bomb() -> bytes:
    """A PNG of 60,000 by 60,000 pixels in a few kilobytes, which takes 10 GB when it is decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1024 * 1024), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")

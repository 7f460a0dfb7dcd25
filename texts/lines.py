"""Sanitises what people wrote for a header line or a line of a mail's body."""

from __future__ import annotations

import unicodedata
from typing import Final

LONGEST_HEADER_NAME: Final = 120
"""Characters of one display string in a header; longer ones are cut, since the body has the whole."""

_BIDI = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(value: str) -> str:
    """`value` without line breaks, control characters (C0, C1, U+2028/9), direction marks or lone surrogates."""
    if value.isprintable():  # none of these
        return " ".join(value.split())
    kept = (
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else "\ufffd" if unicodedata.category(c) == "Cs" else c
        for c in value
        if c not in _BIDI
    )
    return " ".join("".join(kept).split())


def header_text(value: str, limit: int = LONGEST_HEADER_NAME) -> str:
    """`one_line`, cut to `limit` characters, in which nothing can be read as an RFC 2047 encoded word."""
    line = one_line(value).replace("=?", "= ?").replace("?=", "? =")
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def paragraphs(value: str) -> list[str]:
    """The lines of a text that a person wrote, each safe for a mail's body."""
    return [one_line(line) for line in value.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
